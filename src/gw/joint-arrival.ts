/** When a signal arrives in each detector, from the detectors' own likelihoods and what light travel allows. */
import type { SetupKernels } from "../kernels/setup-table.ts";
import { detectorsNamed, geocenterDelays } from "./detectors.ts";

/** Log likelihood of one detector at the times start + k step (s). */
export interface TimeScan {
  readonly start: number;
  readonly step: number;
  readonly lnl_t: Float64Array;
}

export interface Arrivals {
  /** Posterior means (d), s: near the peak where the signal is loud, in the middle of what is possible where it is not. */
  readonly mean_d: Float64Array;
  /** The most likely times that belong to one direction (d), s. */
  readonly best_d: Float64Array;
}

/** Directions on the sky, by when a wave from there arrives. */
export interface Directions {
  readonly n_e: number;
  /** Steps of the scans, from the centre of the Earth. */
  readonly delay_de: Float64Array;
}

/** Directions tried: about 1.4 degrees apart, so delays about half a millisecond. */
const N_DIRECTIONS = 20_000;
/** What noise alone reaches somewhere in the window (two amplitudes, phase and time are free): it says nothing about time. */
const NOISE_LNL = 6;
/** Times of the loudest detector within this log likelihood of its best. */
const ANCHOR_DROP = 10;

/**
 * Arrivals for directions uniform on the sky and times uniform: p ~ exp(sum_d lnl_d(t + delay_d(direction))), likelihoods
 * below `NOISE_LNL` taken as that.
 * @param scans by detector; all with one step and one number of times
 */
export function jointArrivals(
  { n_e, delay_de }: Directions,
  scans: readonly TimeScan[],
  kernels: Pick<SetupKernels, "jointArrivals">,
): Arrivals {
  const n_d = scans.length;
  const peaks = scans.map(({ lnl_t }) => lnl_t.reduce((max, lnl) => Math.max(max, lnl), -Infinity));
  const anchor = peaks.indexOf(Math.max(...peaks));
  const { lnl_t, start, step } = scans[anchor];
  const n_t = lnl_t.length;
  const place_a = Int32Array.from(lnl_t.keys()).filter((k) => lnl_t[k] > peaks[anchor] - ANCHOR_DROP);
  const lnl_dt = new Float64Array(n_d * n_t);
  for (const [d, scan] of scans.entries()) lnl_dt.set(scan.lnl_t, d * n_t);
  const offset_d = Float64Array.from(scans, (scan) => (start - scan.start) / step);
  const out_x = new Float64Array(2 + 2 * n_d);
  const sizes = [n_d, n_t, n_e, place_a.length] as const;
  kernels.jointArrivals(out_x, lnl_dt, delay_de, offset_d, place_a, NOISE_LNL, anchor, ...sizes);
  const [, norm] = out_x;
  const best_d = Float64Array.from(scans, (scan, d) => scan.start + out_x[2 + d] * step);
  return { mean_d: best_d.map((t, d) => t + (out_x[2 + n_d + d] / norm) * step), best_d };
}

/**
 * Evenly spread directions: the golden spiral. One detector alone tells nothing of them.
 * @param step of the scans (s)
 */
export function directionsFor(detectors: readonly string[], step: number): Directions {
  const n_e = detectors.length === 1 ? 1 : N_DIRECTIONS;
  const golden = Math.PI * (3 - Math.sqrt(5));
  const [lat, lon] = [new Float64Array(n_e), new Float64Array(n_e)];
  for (let e = 0; e < n_e; e++) {
    lat[e] = Math.asin((2 * e + 1) / n_e - 1);
    lon[e] = (e * golden) % (2 * Math.PI);
  }
  const delay_de = geocenterDelays(detectorsNamed(detectors), lat, lon);
  for (let k = 0; k < delay_de.length; k++) delay_de[k] /= step;
  return { n_e, delay_de };
}
