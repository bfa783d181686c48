/** The best fit of one waveform to each detector alone: over both polarizations' amplitudes, phase and time. */
import { modePairs } from "../axes.ts";
import type { Event } from "./event.ts";
import { jointArrivals } from "./joint-arrival.ts";
import type { Reference, Weights } from "./reference.ts";
import { phasors } from "./relative-binning.ts";

/** Best response of one detector to a waveform. */
export interface DetectorFit {
  /** 1/2 d^T H^-1 d, over the noise drift squared. */
  readonly lnl: number;
  /** Arrival, s from the start of the segment. */
  readonly t: number;
  /** Orbital phase, rad: the signal is sum_m h_m exp(i m phi). */
  readonly phi: number;
  /** Amplitudes of plus and cross, H^-1 d. */
  readonly response_p: readonly [number, number];
}

/** A waveform on the bins (m, p, b). */
export interface BinWaveform {
  readonly re_mpb: Float64Array;
  readonly im_mpb: Float64Array;
}

/** What one detector needs: its weights of n_m modes, on the bins. */
interface FitProblem {
  readonly fbin: Float64Array;
  readonly mArr: readonly number[];
  readonly weights: Weights;
  readonly h: BinWaveform;
}

const REFINEMENTS = 8;
/** Each refinement tries this many steps to either side, then divides the step by as many. */
const REFINE_REACH = 3;
/** Below this share of the product of its diagonal, the determinant of H means that one polarization is redundant. */
const SINGULAR = 1e-10;

/** <h|h> by difference of modes: H_pP(phi) = Re sum_M norms_MpP exp(i (m - m') phi), symmetric; (M, p, P). */
function normsOf({ fbin, mArr, weights, h }: FitProblem): { re: Float64Array; im: Float64Array } {
  const n_b = fbin.length;
  const pairs = modePairs(mArr.length);
  const re = new Float64Array(4 * pairs.length);
  const im = new Float64Array(4 * pairs.length);
  for (const [M, [m, m2]] of pairs.entries()) {
    for (let pP = 0; pP < 4; pP++) {
      const first = (2 * m + (pP >> 1)) * n_b;
      const second = (2 * m2 + (pP & 1)) * n_b;
      const offset = (4 * M + pP) * n_b;
      let [sumRe, sumIm] = [0, 0];
      for (let b = 0; b < n_b; b++) {
        const [aRe, aIm] = [h.re_mpb[first + b], h.im_mpb[first + b]];
        const [bRe, bIm] = [h.re_mpb[second + b], h.im_mpb[second + b]];
        const re0 = aRe * bRe + aIm * bIm;
        const im0 = aIm * bRe - aRe * bIm;
        const [wRe, wIm] = [weights.hhRe_dMpPb[offset + b], weights.hhIm_dMpPb[offset + b]];
        sumRe += wRe * re0 - wIm * im0;
        sumIm += wRe * im0 + wIm * re0;
      }
      re[4 * M + pP] = sumRe;
      im[4 * M + pP] = sumIm;
    }
  }
  return { re, im };
}

/** (H00, H01, H11) at one phase. */
function normAt(
  norms: { re: Float64Array; im: Float64Array },
  mArr: readonly number[],
  phi: number,
): number[] {
  const H = [0, 0, 0, 0];
  for (const [M, [m, m2]] of modePairs(mArr.length).entries()) {
    const angle = (mArr[m] - mArr[m2]) * phi;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    for (let pP = 0; pP < 4; pP++) H[pP] += norms.re[4 * M + pP] * cos - norms.im[4 * M + pP] * sin;
  }
  return [H[0], 0.5 * (H[1] + H[2]), H[3]];
}

/** The products w_mpb conj(h_mpb), from which z_mp(t) = sum_b products_mpb exp(2 pi i f_b t). */
function productsOf({ weights, h }: FitProblem): { re: Float64Array; im: Float64Array } {
  const { dhRe_dmpb, dhIm_dmpb } = weights;
  const re = new Float64Array(dhRe_dmpb.length);
  const im = new Float64Array(dhRe_dmpb.length);
  for (let k = 0; k < re.length; k++) {
    re[k] = dhRe_dmpb[k] * h.re_mpb[k] + dhIm_dmpb[k] * h.im_mpb[k];
    im[k] = dhIm_dmpb[k] * h.re_mpb[k] - dhRe_dmpb[k] * h.im_mpb[k];
  }
  return { re, im };
}

/** H^-1 d; where the polarizations cannot be told apart, the louder one alone. */
function solve(d0: number, d1: number, [H00, H01, H11]: readonly number[]): [number, number] {
  const determinant = H00 * H11 - H01 * H01;
  if (determinant > SINGULAR * H00 * H11) {
    return [(H11 * d0 - H01 * d1) / determinant, (H00 * d1 - H01 * d0) / determinant];
  }
  if (!(H00 > 0 || H11 > 0)) return [0, 0];
  return H00 >= H11 ? [d0 / H00, 0] : [0, d1 / H11];
}

/** What the fit needs at one phase: cos and sin of m phi, and (H00, H01, H11). */
interface FitPhase {
  readonly phi: number;
  readonly cos_m: readonly number[];
  readonly sin_m: readonly number[];
  readonly H: readonly number[];
}

/** Fits of one waveform to one detector, at any (t, phi). */
class DetectorFitter {
  private readonly problem: FitProblem;
  private readonly norms: { re: Float64Array; im: Float64Array };
  private readonly products: { re: Float64Array; im: Float64Array };
  private readonly asdDrift: number;

  constructor(problem: FitProblem, asdDrift: number) {
    this.problem = problem;
    this.norms = normsOf(problem);
    this.products = productsOf(problem);
    this.asdDrift = asdDrift;
  }

  phasesAt(phis: readonly number[]): FitPhase[] {
    const { mArr } = this.problem;
    return phis.map((phi) => ({
      phi,
      cos_m: mArr.map((m) => Math.cos(m * phi)),
      sin_m: mArr.map((m) => Math.sin(m * phi)),
      H: normAt(this.norms, mArr, phi),
    }));
  }

  /** The best of these phases at time t. */
  bestOf(t: number, phases: readonly FitPhase[]): DetectorFit {
    const { fbin, mArr } = this.problem;
    const n_b = fbin.length;
    const [cos, sin] = phasors(fbin, t);
    const zRe_mp = new Float64Array(2 * mArr.length);
    const zIm_mp = new Float64Array(2 * mArr.length);
    for (let mp = 0; mp < zRe_mp.length; mp++) {
      let [sumRe, sumIm] = [0, 0];
      for (let b = 0, k = mp * n_b; b < n_b; b++, k++) {
        sumRe += this.products.re[k] * cos[b] - this.products.im[k] * sin[b];
        sumIm += this.products.re[k] * sin[b] + this.products.im[k] * cos[b];
      }
      zRe_mp[mp] = sumRe;
      zIm_mp[mp] = sumIm;
    }
    return loudest(phases.map((phase) => this.fitAt(t, phase, zRe_mp, zIm_mp)));
  }

  private fitAt(t: number, phase: FitPhase, zRe_mp: Float64Array, zIm_mp: Float64Array): DetectorFit {
    const { phi, cos_m, sin_m, H } = phase;
    let [d0, d1] = [0, 0];
    for (let m = 0; m < cos_m.length; m++) {
      d0 += zRe_mp[2 * m] * cos_m[m] + zIm_mp[2 * m] * sin_m[m];
      d1 += zRe_mp[2 * m + 1] * cos_m[m] + zIm_mp[2 * m + 1] * sin_m[m];
    }
    const response_p = solve(d0, d1, H);
    const lnl = (0.5 * (d0 * response_p[0] + d1 * response_p[1])) / this.asdDrift ** 2;
    return { lnl, t, phi, response_p };
  }

  /** The best of a grid around (t, phi), the steps shrinking. */
  refine(start: DetectorFit, stepT: number, stepPhi: number): DetectorFit {
    const offsets = Array.from({ length: 2 * REFINE_REACH + 1 }, (_, k) => k - REFINE_REACH);
    let best = start;
    for (let round = 0, scale = 1 / REFINE_REACH; round < REFINEMENTS; round++, scale /= REFINE_REACH) {
      const centre = best;
      const phases = this.phasesAt(offsets.map((k) => centre.phi + k * scale * stepPhi));
      for (const k of offsets) {
        const fit = this.bestOf(centre.t + k * scale * stepT, phases);
        if (fit.lnl > best.lnl) best = fit;
      }
    }
    return best;
  }
}

/** The grid of the fit: n_t times spaced 1/(2 f_max) around the reference's arrivals, n_phi phases. */
export interface FitGrid {
  readonly n_t: number;
  readonly n_phi: number;
}

export interface ResponseFit {
  /** In each detector, at the most likely arrivals that belong to one direction. */
  readonly fits: readonly DetectorFit[];
  /** Posterior means of the arrivals (d), s: see `jointArrivals`. */
  readonly arrival_d: Float64Array;
}

/**
 * The best fit of a waveform (of the segment's time zero, on the reference's bins) in each detector. The detectors have
 * only the direction in common, which keeps one that hears nothing near the others. Times are tried on the grid; the fits
 * are then refined to less than 1e-3 of its spacing.
 */
export function bestResponse(reference: Reference, event: Event, h: BinWaveform, grid: FitGrid): ResponseFit {
  const { fbin, mArr, single, asdDrift_d, arrival_d } = reference;
  const step = 1 / (2 * event.f[event.n_f - 1]);
  const stepPhi = (2 * Math.PI) / grid.n_phi;
  const phis = Array.from({ length: grid.n_phi }, (_, k) => k * stepPhi);
  const fitters = single.map((weights, d) => new DetectorFitter({ fbin, mArr, weights, h }, asdDrift_d[d]));
  const phases_d = fitters.map((fitter) => fitter.phasesAt(phis));
  const scans = fitters.map((fitter, d) => {
    const start = arrival_d[d] - (grid.n_t >> 1) * step;
    const lnlAt = (_: unknown, k: number) => fitter.bestOf(start + k * step, phases_d[d]).lnl;
    return { start, step, lnl_t: Float64Array.from({ length: grid.n_t }, lnlAt) };
  });
  const { mean_d, best_d } = jointArrivals(event.detectors, scans);
  const fits = fitters.map((fitter, d) =>
    fitter.refine(fitter.bestOf(best_d[d], phases_d[d]), step, stepPhi),
  );
  return { fits, arrival_d: mean_d };
}

function loudest(fits: readonly DetectorFit[]): DetectorFit {
  return fits.reduce((best, fit) => (fit.lnl > best.lnl ? fit : best));
}
