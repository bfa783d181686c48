/** When a signal arrives in each detector, from the detectors' own likelihoods and what light travel allows. */
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

/** Directions tried: about 1.4 degrees apart, so delays about half a millisecond. */
const N_DIRECTIONS = 20_000;
/** What noise alone reaches somewhere in the window (two amplitudes, phase and time are free): it says nothing about time. */
const NOISE_LNL = 6;
/** Times of the loudest detector within this log likelihood of its best. */
const ANCHOR_DROP = 10;

/**
 * Arrivals for directions uniform on the sky and times uniform: p ~ exp(sum_d lnl_d(t + delay_d(direction))), likelihoods
 * below `NOISE_LNL` taken as that.
 * @param detectors letters, in the order of scans
 */
export function jointArrivals(detectors: readonly string[], scans: readonly TimeScan[]): Arrivals {
  const n_d = scans.length;
  const peaks = scans.map(({ lnl_t }) => lnl_t.reduce((max, lnl) => Math.max(max, lnl), -Infinity));
  const anchor = peaks.indexOf(Math.max(...peaks));
  const { lnl_t, start, step } = scans[anchor];
  const anchorTimes = Array.from(lnl_t, (_, k) => start + k * step).filter(
    (_, k) => lnl_t[k] > peaks[anchor] - ANCHOR_DROP,
  );
  const { lat, lon } = directions(n_d === 1 ? 1 : N_DIRECTIONS);
  const delay_de = geocenterDelays(detectorsNamed(detectors), lat, lon);

  const t_d = new Float64Array(n_d);
  const eachArrival = (visit: (lnl: number) => void) => {
    for (let e = 0; e < lat.length; e++) {
      for (const t of anchorTimes) {
        let lnl = 0;
        for (let d = 0; d < n_d; d++) {
          t_d[d] = t + (delay_de[d * lat.length + e] - delay_de[anchor * lat.length + e]);
          lnl += Math.max(likelihoodAt(scans[d], t_d[d]), NOISE_LNL);
        }
        visit(lnl);
      }
    }
  };

  let best = -Infinity;
  const best_d = new Float64Array(n_d);
  eachArrival((lnl) => {
    if (lnl <= best) return;
    best = lnl;
    best_d.set(t_d);
  });
  let norm = 0;
  const sum_d = new Float64Array(n_d);
  eachArrival((lnl) => {
    const weight = Math.exp(lnl - best);
    if (weight === 0) return;
    norm += weight;
    for (let d = 0; d < n_d; d++) sum_d[d] += weight * (t_d[d] - best_d[d]);
  });
  return { mean_d: best_d.map((t, d) => t + sum_d[d] / norm), best_d };
}

/** Linear between the times of the scan, -Infinity beyond them. */
function likelihoodAt({ start, step, lnl_t }: TimeScan, t: number): number {
  const place = (t - start) / step;
  const k = Math.min(Math.floor(place), lnl_t.length - 2);
  if (k < 0 || place > lnl_t.length - 1) return -Infinity;
  return lnl_t[k] + (place - k) * (lnl_t[k + 1] - lnl_t[k]);
}

/** Evenly spread directions: the golden spiral. */
function directions(n: number): { lat: Float64Array; lon: Float64Array } {
  const golden = Math.PI * (3 - Math.sqrt(5));
  return {
    lat: Float64Array.from({ length: n }, (_, k) => Math.asin((2 * k + 1) / n - 1)),
    lon: Float64Array.from({ length: n }, (_, k) => (k * golden) % (2 * Math.PI)),
  };
}
