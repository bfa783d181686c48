/** Which detectors the network coordinates refer to, and the signal's mean frequency: chosen as cogwheel chooses them. */
import type { Event } from "./event.ts";
import type { FilterOutput } from "./matched-filter.ts";
import type { NetworkFrame } from "./prior.ts";

/** Half the width of the window around the template's place in which its best time is sought, s. */
const TIME_WINDOW = 0.1;

/** What the frame needs of the template in one detector. */
export interface Loudness {
  /** max_t |<d|h>(t)|^2 / (2 <h|h>), t within `TIME_WINDOW` of the template's place; without noise drift. */
  readonly lnl: number;
  /** Hz. */
  readonly meanFrequency: number;
}

export function loudnessOf({ cos_t, sin_t, meanFrequency }: FilterOutput, { f, n_f }: Event): Loudness {
  const n_t = cos_t.length;
  const n_window = Math.min(Math.ceil(TIME_WINDOW * 2 * f[n_f - 1]), n_t >> 1);
  let best = 0;
  for (let lag = -n_window; lag <= n_window; lag++) {
    const t = lag < 0 ? lag + n_t : lag;
    best = Math.max(best, cos_t[t] ** 2 + sin_t[t] ** 2);
  }
  return { lnl: best / 2, meanFrequency };
}

/** Positions on the d axis, loudest first; of equally loud ones the later letter first. */
export function loudestFirst(names: readonly string[], lnl_d: ArrayLike<number>): number[] {
  const order = names.map((_, d) => d);
  return order.sort((a, b) => lnl_d[b] - lnl_d[a] || (names[a] < names[b] ? 1 : -1));
}

/**
 * The frame of a best-fitting signal.
 * @param loudness_d of the signal in each detector @param asdDrift_d the noise drift, which divides the likelihoods
 * @param phaseOf `phaseRefdet` of the signal in this frame (rad)
 */
export function networkFrameOf(
  event: Event,
  loudness_d: readonly Loudness[],
  asdDrift_d: Float64Array,
  phaseOf: (frame: Omit<NetworkFrame, "phaseRefdet0">, d: number) => number,
): NetworkFrame {
  const lnl_d = loudness_d.map(({ lnl }, d) => lnl / asdDrift_d[d] ** 2);
  const order = loudestFirst(event.detectors, lnl_d);
  const [d] = order;
  const frame = {
    tgps: event.tgps,
    detectorPair: order
      .slice(0, 2)
      .map((k) => event.detectors[k])
      .join(""),
    refDetector: event.detectors[d],
    fAvg: Math.round(loudness_d[d].meanFrequency),
  };
  return { ...frame, phaseRefdet0: phaseOf(frame, d) };
}
