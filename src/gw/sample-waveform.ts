/** A bank sample's waveform carried from the bins to the event's FFT grid. */
import type { EventBand } from "./band.ts";
import { type Bank, mapBlock } from "./bank.ts";
import type { Event } from "./event.ts";
import type { ComplexArray } from "./reference-entries.ts";
import { combinedWhitening, type GridWaveform } from "./relative-binning.ts";
import { emptyWaveform, inspiralByMode, type SmoothRecipe, smoothMode } from "./smooth-waveform.ts";
import { cubicSpline, evaluateSpline } from "./spline.ts";

/** A bank sample on the used bins, (m, p, b) each: h = amplitude exp(i phase), 1/Hz at 1 Mpc. Copies. */
export interface SampleBins {
  readonly amplitude_mpb: Float64Array;
  readonly phase_mpb: Float64Array;
}

/** Sample i of a bank on the bins b0 <= b < b1. @throws DotpeError noInput, badData if the files have changed. */
export function sampleBins(bank: Bank, i: number, { b0, b1 }: EventBand): SampleBins {
  const block = bank.blocks.find(({ i0, n_i }) => i >= i0 && i < i0 + n_i);
  if (block === undefined) throw new RangeError(`bank ${bank.id} has no sample ${i}`);
  const { amplitude, phase } = mapBlock(block);
  const [n_mp, n_b] = [2 * block.n_m, block.n_b];
  const start = (i - block.i0) * n_mp * n_b;
  const take = (x: Float64Array) => {
    const out_mpb = new Float64Array(n_mp * (b1 - b0));
    for (let mp = 0; mp < n_mp; mp++) {
      out_mpb.set(x.subarray(start + mp * n_b + b0, start + mp * n_b + b1), mp * (b1 - b0));
    }
    return out_mpb;
  };
  return { amplitude_mpb: take(amplitude), phase_mpb: take(phase) };
}

export interface SampleOnGrid {
  /** Amplitude f^(-7/6) and a smooth phase like the sample's, for every mode: one can divide by it. */
  readonly h0: GridWaveform;
  /** The sample itself. */
  readonly h: GridWaveform;
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
export function sampleOnGrid(event: Event, band: EventBand, bank: Bank, i: number): SampleOnGrid {
  const { m_arr } = bank.config;
  const { fbin } = band;
  const n_b = fbin.length;
  const h_mpb = onBins(sampleBins(bank, i, band));
  const [h0, h] = [emptyWaveform(m_arr.length, event.n_f, n_b), emptyWaveform(m_arr.length, event.n_f, n_b)];
  h.re_mpb.set(h_mpb.re);
  h.im_mpb.set(h_mpb.im);
  const { m1, m2, s1z, s2z } = bank.samples;
  const inspiral = { m1: m1[i], m2: m2[i], s1z: s1z[i], s2z: s2z[i] };
  const inspiralOf = inspiralByMode(inspiral);
  const rest_mb = new Float64Array(m_arr.length * n_b);
  const weight_b = inspiralPower(event, band);
  const restOf = (m: number, others: Rest[]) => {
    const model_b = Float64Array.from(fbin, inspiralOf(m_arr[m]));
    const own = combinations(h_mpb, m, n_b).map((z) => restBeyond(z, model_b, weight_b));
    return [...own, ...others].reduce((best, rest) => (rest.roughness < best.roughness ? rest : best));
  };
  const main = restOf(m_arr.indexOf(2), []);
  for (const [m, mode] of m_arr.entries()) {
    const { rest_b } = mode === 2 ? main : restOf(m, [scaled(main, mode / 2)]);
    rest_mb.set(rest_b, m * n_b);
    fillMode(h0, h, m, rest_b, inspiralOf(mode), event, band);
  }
  return { h0, h, recipe: { rest_mb, inspiral } };
}

function onBins({ amplitude_mpb, phase_mpb }: SampleBins): ComplexArray {
  return {
    re: amplitude_mpb.map((a, k) => a * Math.cos(phase_mpb[k])),
    im: amplitude_mpb.map((a, k) => a * Math.sin(phase_mpb[k])),
  };
}

/** SNR^2 of an inspiral around each bin, all detectors, any norm: what roughness is weighed with. */
function inspiralPower(event: Event, { fbin, f_index }: EventBand): Float64Array {
  const whiten_f = combinedWhitening(
    event,
    event.detectors.map((_, d) => d),
  );
  const last = fbin.length - 1;
  return fbin.map((f, b) => {
    const width = (fbin[Math.min(b + 1, last)] - fbin[Math.max(b - 1, 0)]) / 2;
    return f ** (-7 / 3) * whiten_f[f_index[b]] ** 2 * width;
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

/** Both polarizations of mode m: h0 on grid and bins, h on the grid. */
function fillMode(
  h0: GridWaveform,
  h: GridWaveform,
  m: number,
  rest_b: Float64Array,
  inspiral: (f: number) => number,
  event: Event,
  { fbin, f_index }: EventBand,
): void {
  const n_b = fbin.length;
  const first = f_index[0];
  const f_grid = event.f.subarray(first, f_index[n_b - 1] + 1);
  const { base_f, base_b } = smoothMode(fbin, f_grid, rest_b, inspiral);
  for (const mp of [2 * m, 2 * m + 1]) {
    const [re, im] = [h.re_mpb, h.im_mpb].map((x) => x.subarray(mp * n_b, (mp + 1) * n_b));
    const square_b = base_b.re.map((x, b) => x * x + base_b.im[b] ** 2);
    const ratioRe = evaluateSpline(
      cubicSpline(
        fbin,
        re.map((x, b) => (x * base_b.re[b] + im[b] * base_b.im[b]) / square_b[b]),
      ),
      f_grid,
    );
    const ratioIm = evaluateSpline(
      cubicSpline(
        fbin,
        im.map((x, b) => (x * base_b.re[b] - re[b] * base_b.im[b]) / square_b[b]),
      ),
      f_grid,
    );
    const at = mp * event.n_f + first;
    h0.re_mpb.set(base_b.re, mp * n_b);
    h0.im_mpb.set(base_b.im, mp * n_b);
    h0.re_mpf.set(base_f.re, at);
    h0.im_mpf.set(base_f.im, at);
    for (let k = 0; k < f_grid.length; k++) {
      h.re_mpf[at + k] = base_f.re[k] * ratioRe[k] - base_f.im[k] * ratioIm[k];
      h.im_mpf[at + k] = base_f.re[k] * ratioIm[k] + base_f.im[k] * ratioRe[k];
    }
  }
}
