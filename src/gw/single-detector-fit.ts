/** The best fit of one waveform to each detector alone: over both polarizations' amplitudes, phase and time. */
import { modePairs } from "../axes.ts";
import type { Kernels } from "../kernels/table.ts";
import type { Event } from "./event.ts";
import { type Directions, directionsFor, jointArrivals } from "./joint-arrival.ts";
import type { Reference, Weights } from "./reference.ts";

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

/** Weights, noise drift and arrivals that a fit starts from. */
export type FitReference = Pick<Reference, "fbin" | "mArr" | "single" | "asdDrift_d" | "arrival_d">;

const REFINEMENTS = 8;
/** Each refinement tries this many steps to either side, then divides the step by as many. */
const REFINE_REACH = 3;

/** A waveform, and one detector's weights, with the bins padded to a multiple of 8 as the kernels take them. */
interface FitProblem {
  readonly mArr: readonly number[];
  readonly n_bp: number;
  readonly f_b: Float64Array;
  readonly h_mpcb: Float64Array;
  readonly weights: Weights;
  readonly n_b: number;
}

/** Rows of split arrays, interleaved (row, c, b) and padded. */
function padded(re: Float64Array, im: Float64Array, n_b: number, n_bp: number): Float64Array {
  const out = new Float64Array((2 * n_bp * re.length) / n_b);
  for (let from = 0, to = 0; from < re.length; from += n_b, to += 2 * n_bp) {
    out.set(re.subarray(from, from + n_b), to);
    out.set(im.subarray(from, from + n_b), to + n_bp);
  }
  return out;
}

/** Fits of one waveform to one detector, at any (t, phi). */
class DetectorFitter {
  /** w conj(h), from which z_mp(t) = sum_b g_mpb exp(2 pi i f_b t). */
  private readonly g_mpcb: Float64Array;
  /** <h|h> by pair of modes: H_pP(phi) = Re sum_M norms_MpP exp(i (m - m') phi), (M, p, P, c). */
  private readonly norms_MpPc: Float64Array;

  constructor(
    private readonly problem: FitProblem,
    private readonly asdDrift: number,
    private readonly kernels: Kernels,
  ) {
    const { mArr, n_b, n_bp, h_mpcb, weights } = problem;
    const n_mp = 2 * mArr.length;
    this.g_mpcb = new Float64Array(h_mpcb.length);
    const w_mpcb = padded(weights.dhRe_dmpb, weights.dhIm_dmpb, n_b, n_bp);
    kernels.weighted(this.g_mpcb, w_mpcb, h_mpcb, 1, n_mp, n_bp);
    const terms = modePairs(mArr.length).flatMap(([m, m2]) =>
      [0, 1, 2, 3].flatMap((pP) => [2 * m + (pP >> 1), 2 * m2 + (pP & 1), COMPLEX]),
    );
    const n_g = terms.length / 3;
    const groups = [Int32Array.from(terms), new Int32Array(n_g).fill(1), n_g] as const;
    const w = padded(weights.hhRe_dMpPb, weights.hhIm_dMpPb, n_b, n_bp);
    this.norms_MpPc = new Float64Array(2 * n_g);
    kernels.modeProducts(this.norms_MpPc, h_mpcb, w, ...groups, 1, 1, n_mp, n_bp);
  }

  /** The best of these phases at the times start + k step: lnl (of drift 1), the phase's place, H^-1 d; (t, 4). */
  scan(start: number, step: number, n_t: number, phi_o: Float64Array): Float64Array {
    const { mArr, f_b, n_bp } = this.problem;
    const n_m = mArr.length;
    const turn_omc = new Float64Array(2 * n_m * phi_o.length);
    for (let k = 0; k < n_m * phi_o.length; k++) {
      const angle = mArr[k % n_m] * phi_o[Math.floor(k / n_m)];
      turn_omc[2 * k] = Math.cos(angle);
      turn_omc[2 * k + 1] = Math.sin(angle);
    }
    const best_tx = new Float64Array(4 * n_t);
    const sizes = [n_t, phi_o.length, n_m, n_bp] as const;
    this.kernels.bestResponses(best_tx, this.g_mpcb, f_b, start, step, turn_omc, this.norms_MpPc, ...sizes);
    return best_tx;
  }

  /** The best of a grid of times and phases, or `known` where none is better. */
  bestOf(start: number, step: number, n_t: number, phi_o: Float64Array, known?: DetectorFit): DetectorFit {
    const best_tx = this.scan(start, step, n_t, phi_o);
    let best = known;
    for (let t = 0; t < n_t; t++) {
      const [lnl0, o, r0, r1] = best_tx.subarray(4 * t, 4 * t + 4);
      const lnl = lnl0 / this.asdDrift ** 2;
      if (best && !(lnl > best.lnl)) continue;
      best = { lnl, t: start + t * step, phi: phi_o[o], response_p: [r0, r1] };
    }
    return best as DetectorFit;
  }

  /** The best of a grid around (t, phi), the steps shrinking. */
  refine(start: DetectorFit, stepT: number, stepPhi: number): DetectorFit {
    const n = 2 * REFINE_REACH + 1;
    let best = start;
    for (let round = 0, scale = 1 / REFINE_REACH; round < REFINEMENTS; round++, scale /= REFINE_REACH) {
      const { t, phi } = best;
      const phi_o = Float64Array.from({ length: n }, (_, k) => phi + (k - REFINE_REACH) * scale * stepPhi);
      best = this.bestOf(t - REFINE_REACH * scale * stepT, scale * stepT, n, phi_o, best);
    }
    return best;
  }
}

/** The kind of a term of `Kernels.modeProducts` that is a complex number. */
const COMPLEX = 2;

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
export class ResponseFitter {
  private readonly directions: Directions;
  private readonly phi_o: Float64Array;
  private readonly step: number;

  constructor(
    event: Event,
    private readonly grid: FitGrid,
    private readonly kernels: Kernels,
  ) {
    this.step = 1 / (2 * event.f[event.n_f - 1]);
    this.directions = directionsFor(event.detectors, this.step);
    this.phi_o = Float64Array.from({ length: grid.n_phi }, (_, k) => (2 * Math.PI * k) / grid.n_phi);
  }

  fit({ fbin, mArr, single, asdDrift_d, arrival_d }: FitReference, h: BinWaveform): ResponseFit {
    const { kernels, step, phi_o } = this;
    const { n_t, n_phi } = this.grid;
    const n_b = fbin.length;
    const n_bp = 8 * Math.ceil(n_b / 8);
    const f_b = new Float64Array(n_bp);
    f_b.set(fbin);
    const common = { mArr, n_b, n_bp, f_b, h_mpcb: padded(h.re_mpb, h.im_mpb, n_b, n_bp) };
    const fitters = single.map(
      (weights, d) => new DetectorFitter({ ...common, weights }, asdDrift_d[d], kernels),
    );
    const scans = fitters.map((fitter, d) => {
      const start = arrival_d[d] - (n_t >> 1) * step;
      const best_tx = fitter.scan(start, step, n_t, phi_o);
      const lnl_t = Float64Array.from({ length: n_t }, (_, t) => best_tx[4 * t] / asdDrift_d[d] ** 2);
      return { start, step, lnl_t };
    });
    const { mean_d, best_d } = jointArrivals(this.directions, scans, kernels);
    const fits = fitters.map((fitter, d) =>
      fitter.refine(fitter.bestOf(best_d[d], 0, 1, phi_o), step, (2 * Math.PI) / n_phi),
    );
    return { fits, arrival_d: mean_d };
  }
}
