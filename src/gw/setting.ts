/** An event on its FFT grid with the bins on it, and what both give once: where reference waveforms are made and compared. */
import type { Kernels } from "../kernels/table.ts";
import type { EventBand } from "./band.ts";
import type { Event } from "./event.ts";
import { SummaryWeights } from "./spline.ts";

export interface Setting {
  readonly event: Event;
  readonly band: EventBand;
  readonly summary: SummaryWeights;
  readonly kernels: Kernels;
  /** The whitening filter squared (d, f): 1/PSD. */
  readonly power_df: Float64Array;
  /** Room for one short-lived waveform (c, f). Whoever writes it says so. */
  readonly scratch_cf: Float64Array;
  /** Room for the h0 of one sample, (c, m, f): `sampleOnGrid` writes it. Zero outside the bins. */
  readonly h0_cmf: Float64Array;
}

/** @param n_m modes of h0 */
export function settingOf(event: Event, band: EventBand, n_m: number, kernels: Kernels): Setting {
  const power_df = new Float64Array(event.whiten_df.length);
  for (let k = 0; k < power_df.length; k++) power_df[k] = event.whiten_df[k] * event.whiten_df[k];
  const summary = new SummaryWeights(band.fbin, event.f, kernels);
  const [scratch_cf, h0_cmf] = [new Float64Array(2 * event.n_f), new Float64Array(2 * n_m * event.n_f)];
  return { event, band, summary, kernels, power_df, scratch_cf, h0_cmf };
}

/** Row d of an array (d, f): a view. */
export function rowOf(x_df: Float64Array, d: number, n_f: number): Float64Array {
  return x_df.subarray(d * n_f, (d + 1) * n_f);
}

/** 1/PSD of several detectors together: their sum (f). */
export function combinedPower(
  { power_df, event: { n_f } }: Setting,
  detectors: readonly number[],
): Float64Array {
  if (detectors.length === 1) return rowOf(power_df, detectors[0], n_f);
  const power_f = new Float64Array(n_f);
  for (const d of detectors) for (let f = 0; f < n_f; f++) power_f[f] += power_df[d * n_f + f];
  return power_f;
}
