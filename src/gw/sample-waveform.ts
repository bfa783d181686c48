/** A bank sample's waveform carried from the bins to the event's FFT grid. */
import type { EventBand } from "./band.ts";
import { type Bank, mapBlock } from "./bank.ts";
import type { Event } from "./event.ts";
import type { GridWaveform } from "./relative-binning.ts";
import { cubicSpline, evaluateSpline } from "./spline.ts";
import { inspiralPhase } from "./taylor-f2.ts";

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
  /** The sample's phase with amplitude f^(-7/6) for every mode: never zero, so one can divide by it. */
  readonly h0: GridWaveform;
  /** The sample itself. */
  readonly h: GridWaveform;
}

/**
 * A bank sample on the FFT grid, zero outside the bins. What the phase has beyond the inspiral's own is smooth enough for
 * a spline through the bins; the inspiral phase of mode m is (m/2) phi(2 f/m), phi of the quadrupole.
 */
export function sampleOnGrid(event: Event, band: EventBand, bank: Bank, i: number): SampleOnGrid {
  const bins = sampleBins(bank, i, band);
  const n_b = band.fbin.length;
  const n_mp = 2 * bank.config.m_arr.length;
  const empty = (): GridWaveform => ({
    re_mpf: new Float64Array(n_mp * event.n_f),
    im_mpf: new Float64Array(n_mp * event.n_f),
    re_mpb: new Float64Array(n_mp * n_b),
    im_mpb: new Float64Array(n_mp * n_b),
  });
  const [h0, h] = [empty(), empty()];
  const [first, last] = [band.f_index[0], band.f_index[n_b - 1]];
  const f_grid = event.f.subarray(first, last + 1);
  const { m1, m2, s1z, s2z } = bank.samples;
  const quadrupole = inspiralPhase({ m1: m1[i], m2: m2[i], s1z: s1z[i], s2z: s2z[i] });
  for (let mp = 0; mp < n_mp; mp++) {
    const m = bank.config.m_arr[mp >> 1];
    const inspiral = (f: number) => (m === 0 ? 0 : (m / 2) * quadrupole((2 * f) / m));
    const amplitude_b = bins.amplitude_mpb.subarray(mp * n_b, (mp + 1) * n_b);
    const phase_b = bins.phase_mpb.subarray(mp * n_b, (mp + 1) * n_b);
    const rest_b = unwrapped(phase_b, amplitude_b, Float64Array.from(band.fbin, inspiral));
    const rest_f = evaluateSpline(cubicSpline(band.fbin, rest_b), f_grid);
    const amplitude_f = evaluateSpline(cubicSpline(band.fbin, amplitude_b), f_grid);
    for (let k = 0; k < f_grid.length; k++) {
      const phase = rest_f[k] + inspiral(f_grid[k]);
      put(h0.re_mpf, h0.im_mpf, mp * event.n_f + first + k, f_grid[k] ** (-7 / 6), phase);
      put(h.re_mpf, h.im_mpf, mp * event.n_f + first + k, Math.max(amplitude_f[k], 0), phase);
    }
    for (let b = 0; b < n_b; b++) {
      const phase = rest_b[b] + inspiral(band.fbin[b]);
      put(h0.re_mpb, h0.im_mpb, mp * n_b + b, band.fbin[b] ** (-7 / 6), phase);
      put(h.re_mpb, h.im_mpb, mp * n_b + b, amplitude_b[b], phase);
    }
  }
  return { h0, h };
}

function put(re: Float64Array, im: Float64Array, k: number, amplitude: number, phase: number): void {
  re[k] = amplitude * Math.cos(phase);
  im[k] = amplitude * Math.sin(phase);
}

/**
 * phase - model without jumps between bins. Where the waveform is zero it has no phase: the last slope goes on.
 */
function unwrapped(phase_b: Float64Array, amplitude_b: Float64Array, model_b: Float64Array): Float64Array {
  const rest_b = new Float64Array(phase_b.length);
  for (let b = 0; b < phase_b.length; b++) {
    if (amplitude_b[b] === 0) {
      rest_b[b] = b < 2 ? 0 : 2 * rest_b[b - 1] - rest_b[b - 2];
      continue;
    }
    const rest = phase_b[b] - model_b[b];
    const previous = b === 0 ? rest : rest_b[b - 1];
    rest_b[b] = rest - 2 * Math.PI * Math.round((rest - previous) / (2 * Math.PI));
  }
  return rest_b;
}
