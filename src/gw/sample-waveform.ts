/** A bank sample's waveform carried from the bins to the event's FFT grid. */
import type { GridFunction } from "../kernels/setup-table.ts";
import type { EventBand } from "./band.ts";
import type { Bank } from "./bank.ts";
import { BankReader, bankFiles } from "./bank-reader.ts";
import type { ComplexArray } from "./reference-entries.ts";
import type { GridWaveform } from "./relative-binning.ts";
import type { Setting } from "./setting.ts";
import { type SmoothRecipe, smoothWaveform } from "./smooth-waveform.ts";
import { inspiralPhase } from "./taylor-f2.ts";

/** A bank sample on the used bins, (m, p, b) each: h = amplitude exp(i phase), 1/Hz at 1 Mpc. Copies. */
export interface SampleBins {
  readonly amplitude_mpb: Float64Array;
  readonly phase_mpb: Float64Array;
}

/** Sample i of a bank on the bins b0 <= b < b1. @throws DotpeError noInput, badData if the files have changed. */
export function sampleBins(bank: Bank, i: number, { b0, b1 }: EventBand): SampleBins {
  const reader = new BankReader(bankFiles(bank));
  try {
    reader.load(i, i + 1);
  } finally {
    reader.close();
  }
  const n_b = bank.config.fbin.length;
  const take = (x: Float64Array) => {
    const out_mpb = new Float64Array((x.length / n_b) * (b1 - b0));
    for (let mp = 0; mp * n_b < x.length; mp++) {
      out_mpb.set(x.subarray(mp * n_b + b0, mp * n_b + b1), mp * (b1 - b0));
    }
    return out_mpb;
  };
  return { amplitude_mpb: take(reader.amplitude), phase_mpb: take(reader.phase) };
}

/** `h0` on the grid is a view of the setting's, so the next sample takes its place. */
export interface SampleOnGrid {
  /** Amplitude f^(-7/6) and a smooth phase like the sample's, for every mode: one can divide by it. */
  readonly h0: GridWaveform;
  /** The sample itself on the bins (m, p, b). */
  readonly re_mpb: Float64Array;
  readonly im_mpb: Float64Array;
  /** Pieces of the splines through the ratio of the sample and h0 (m, p, c, j, 4): see `CubicSpline`. */
  readonly ratio_mpcj: Float64Array;
  /** What h0 was made of. */
  readonly recipe: SmoothRecipe;
}

/** A phase on the bins beyond the inspiral's, and how rough it is. */
interface Rest {
  readonly rest_b: Float64Array;
  readonly roughness: number;
}

/**
 * A bank sample on the FFT grid, zero outside the bins.
 *
 * h0's phase is the inspiral's, (m/2) phi(2 f/m) with phi of the quadrupole, plus a spline through what the sample's phase
 * has beyond it. Precession lets polarizations of a mode pass near zero, where their phase turns abruptly: of plus, cross,
 * their circular combinations, and m/2 times the quadrupole's, each mode takes the smoothest for both polarizations. The
 * sample itself is h0 times a spline through their ratio.
 */
export function sampleOnGrid(setting: Setting, bank: Bank, i: number): SampleOnGrid {
  const { m_arr } = bank.config;
  const { fbin } = setting.band;
  const n_b = fbin.length;
  const h_mpb = onBins(sampleBins(bank, i, setting.band));
  const { m1, m2, s1z, s2z } = bank.samples;
  const inspiral = { m1: m1[i], m2: m2[i], s1z: s1z[i], s2z: s2z[i] };
  const quadrupole = inspiralPhase(inspiral);
  const rest_mb = new Float64Array(m_arr.length * n_b);
  const weight_b = inspiralPower(setting);
  const restOf = (m: number, others: Rest[]) => {
    const mode = m_arr[m];
    const model_b = fbin.map((f) => (mode === 0 ? 0 : (mode / 2) * quadrupole((2 * f) / mode)));
    const own = combinations(h_mpb, m, n_b).map((z) => restBeyond(z, model_b, weight_b));
    return [...own, ...others].reduce((best, rest) => (rest.roughness < best.roughness ? rest : best));
  };
  const main = restOf(m_arr.indexOf(2), []);
  for (const [m, mode] of m_arr.entries()) {
    const { rest_b } = mode === 2 ? main : restOf(m, [scaled(main, mode / 2)]);
    rest_mb.set(rest_b, m * n_b);
  }
  const recipe = { rest_mb, inspiral };
  const h0 = smoothWaveform(setting, m_arr, recipe);
  const ratio_mpcj = ratioPieces(setting, h_mpb, h0);
  return { h0, re_mpb: h_mpb.re, im_mpb: h_mpb.im, ratio_mpcj, recipe };
}

function onBins({ amplitude_mpb, phase_mpb }: SampleBins): ComplexArray {
  return {
    re: amplitude_mpb.map((a, k) => a * Math.cos(phase_mpb[k])),
    im: amplitude_mpb.map((a, k) => a * Math.sin(phase_mpb[k])),
  };
}

/** SNR^2 of an inspiral around each bin, all detectors, any norm: what roughness is weighed with. */
function inspiralPower({ event, band: { fbin, f_index }, power_df }: Setting): Float64Array {
  const last = fbin.length - 1;
  return fbin.map((f, b) => {
    const width = (fbin[Math.min(b + 1, last)] - fbin[Math.max(b - 1, 0)]) / 2;
    let power = 0;
    for (let d = 0; d < event.n_d; d++) power += power_df[d * event.n_f + f_index[b]];
    return f ** (-7 / 3) * power * width;
  });
}

/** Plus, cross, plus + i cross, plus - i cross of mode m on the bins. */
function combinations({ re, im }: ComplexArray, m: number, n_b: number): ComplexArray[] {
  const row = (x: Float64Array, p: number) => x.subarray((2 * m + p) * n_b, (2 * m + p + 1) * n_b);
  const [plus, cross] = [0, 1].map((p) => ({ re: row(re, p), im: row(im, p) }));
  const circular = (sign: number) => ({
    re: plus.re.map((x, b) => x - sign * cross.im[b]),
    im: plus.im.map((x, b) => x + sign * cross.re[b]),
  });
  return [plus, cross, circular(1), circular(-1)];
}

/** The phase of z less a model's, without jumps between bins. Where z is zero it has no phase: the last slope goes on. */
function restBeyond({ re, im }: ComplexArray, model_b: Float64Array, weight_b: Float64Array): Rest {
  const rest_b = new Float64Array(re.length);
  for (let b = 0; b < re.length; b++) {
    if (re[b] === 0 && im[b] === 0) {
      rest_b[b] = b < 2 ? 0 : 2 * rest_b[b - 1] - rest_b[b - 2];
      continue;
    }
    const rest = Math.atan2(im[b], re[b]) - model_b[b];
    const previous = b === 0 ? rest : rest_b[b - 1];
    rest_b[b] = rest - 2 * Math.PI * Math.round((rest - previous) / (2 * Math.PI));
  }
  return { rest_b, roughness: roughnessOf(rest_b, weight_b) };
}

/** Sum of squared second differences. */
function roughnessOf(rest_b: Float64Array, weight_b: Float64Array): number {
  let sum = 0;
  for (let b = 1; b < rest_b.length - 1; b++) {
    sum += weight_b[b] * (rest_b[b + 1] - 2 * rest_b[b] + rest_b[b - 1]) ** 2;
  }
  return sum;
}

function scaled({ rest_b, roughness }: Rest, factor: number): Rest {
  return { rest_b: rest_b.map((x) => factor * x), roughness: factor * factor * roughness };
}

/** Splines through h / h0 on the bins, real and imaginary parts, (m, p, c, j, 4). */
function ratioPieces({ summary }: Setting, { re, im }: ComplexArray, h0: GridWaveform): Float64Array {
  const { n_b } = summary;
  const size = 4 * (n_b - 1);
  const pieces = new Float64Array((re.length / n_b) * 2 * size);
  const [ratioRe, ratioIm] = [new Float64Array(n_b), new Float64Array(n_b)];
  for (let mp = 0; mp * n_b < re.length; mp++) {
    for (let b = 0; b < n_b; b++) {
      const [at, base] = [mp * n_b + b, (mp >> 1) * n_b + b];
      const [bRe, bIm] = [h0.re_mpb[base], h0.im_mpb[base]];
      const square = bRe * bRe + bIm * bIm;
      ratioRe[b] = (re[at] * bRe + im[at] * bIm) / square;
      ratioIm[b] = (im[at] * bRe - re[at] * bIm) / square;
    }
    summary.writeSpline(pieces.subarray(2 * mp * size), ratioRe);
    summary.writeSpline(pieces.subarray((2 * mp + 1) * size), ratioIm);
  }
  return pieces;
}

/**
 * sum_mp factor_mp h_mp on the FFT grid (zero outside the bins): h0 times the splines through the ratio to it.
 * @param factor_mpc complex factors
 * @returns views of the setting's scratch
 */
export function combinedOnGrid(
  { event, summary, kernels, scratch_cf: out_cf }: Setting,
  { h0, ratio_mpcj }: SampleOnGrid,
  factor_mpc: Float64Array,
): Pick<GridFunction, "re_f" | "im_f"> {
  const { n_f, f } = event;
  const n_m = factor_mpc.length / 4;
  const [re_f, im_f] = [out_cf.subarray(0, n_f), out_cf.subarray(n_f)];
  for (const values of [re_f, im_f]) values.fill(0, 0, summary.fStart).fill(0, summary.fEnd);
  kernels.splineSum(out_cf, h0.re_mpf, h0.im_mpf, f, summary.grid, ratio_mpcj, factor_mpc, n_m, n_f);
  return { re_f, im_f };
}
