/** The reference waveform h0: the smooth phase of a bank sample, and a plain power law for its amplitude. */
import type { EventBand } from "./band.ts";
import type { Event } from "./event.ts";
import type { DataWeights } from "./reference.ts";
import type { ComplexArray } from "./reference-entries.ts";
import { dataWeightsOf, type GridWaveform } from "./relative-binning.ts";
import { cubicSpline, evaluateSpline, SummaryWeights } from "./spline.ts";
import { type InspiralParameters, inspiralPhase } from "./taylor-f2.ts";

/** All that h0 is made of: a few kilobytes that give it back exactly on any grid. */
export interface SmoothRecipe {
  /** Phase beyond the inspiral's on the bins, for both polarizations (m, b). */
  readonly rest_mb: Float64Array;
  readonly inspiral: InspiralParameters;
}

/** The inspiral's phase of mode m: (m/2) phi(2 f/m), phi of the quadrupole. */
export function inspiralByMode(parameters: InspiralParameters): (m: number) => (f: number) => number {
  const quadrupole = inspiralPhase(parameters);
  return (m) => (f) => (m === 0 ? 0 : (m / 2) * quadrupole((2 * f) / m));
}

/** One mode of h0 on a grid of frequencies between the first and the last bin, and on the bins. */
export function smoothMode(
  fbin: Float64Array,
  f_grid: Float64Array,
  rest_b: Float64Array,
  inspiral: (f: number) => number,
): { base_f: ComplexArray; base_b: ComplexArray } {
  const rest_f = evaluateSpline(cubicSpline(fbin, rest_b), f_grid);
  return {
    base_f: phased(f_grid, (f, k) => rest_f[k] + inspiral(f)),
    base_b: phased(fbin, (f, b) => rest_b[b] + inspiral(f)),
  };
}

/** h0 on the FFT grid (zero outside the bins) and on the bins, its merger at time zero. */
export function smoothWaveform(
  event: Pick<Event, "f" | "n_f">,
  { fbin, f_index }: EventBand,
  mArr: readonly number[],
  { rest_mb, inspiral }: SmoothRecipe,
): GridWaveform {
  const n_b = fbin.length;
  const h0 = emptyWaveform(mArr.length, event.n_f, n_b);
  const f_grid = event.f.subarray(f_index[0], f_index[n_b - 1] + 1);
  const inspiralOf = inspiralByMode(inspiral);
  mArr.forEach((mode, m) => {
    const rest_b = rest_mb.subarray(m * n_b, (m + 1) * n_b);
    const { base_f, base_b } = smoothMode(fbin, f_grid, rest_b, inspiralOf(mode));
    for (const mp of [2 * m, 2 * m + 1]) {
      h0.re_mpb.set(base_b.re, mp * n_b);
      h0.im_mpb.set(base_b.im, mp * n_b);
      h0.re_mpf.set(base_f.re, mp * event.n_f + f_index[0]);
      h0.im_mpf.set(base_f.im, mp * event.n_f + f_index[0]);
    }
  });
  return h0;
}

/** `Reference.dataWeightsAt` of an h0. */
export function dataWeightsOfRecipe(
  event: Event,
  band: EventBand,
  mArr: readonly number[],
  recipe: SmoothRecipe,
): (d: number, arrival: number) => DataWeights {
  let made: { h0: GridWaveform; summary: SummaryWeights } | undefined;
  return (d, arrival) => {
    made ??= {
      h0: smoothWaveform(event, band, mArr, recipe),
      summary: new SummaryWeights(band.fbin, event.f),
    };
    return dataWeightsOf({ event, band, ...made, detectors: [d], delay_d: [arrival] });
  };
}

export function emptyWaveform(n_m: number, n_f: number, n_b: number): GridWaveform {
  return {
    re_mpf: new Float64Array(2 * n_m * n_f),
    im_mpf: new Float64Array(2 * n_m * n_f),
    re_mpb: new Float64Array(2 * n_m * n_b),
    im_mpb: new Float64Array(2 * n_m * n_b),
  };
}

/** f^(-7/6) exp(i phase(f)). */
function phased(f: Float64Array, phase: (f: number, k: number) => number): ComplexArray {
  const re = new Float64Array(f.length);
  const im = new Float64Array(f.length);
  for (let k = 0; k < f.length; k++) {
    const amplitude = f[k] ** (-7 / 6);
    const angle = phase(f[k], k);
    re[k] = amplitude * Math.cos(angle);
    im[k] = amplitude * Math.sin(angle);
  }
  return { re, im };
}
