/**
 * Latin hypercube samples of a grid: every knob's values come up equally often (McKay, Beckman and Conover,
 * Technometrics 21, 239, 1979).
 */
import { STREAMS, uniform } from "../gw/random.ts";
import type { Candidate } from "./candidates.ts";
import type { Point, Space } from "./setting.ts";

/**
 * n points; value v of a knob with L values comes up for the n / L strata of [0, 1) that fall into v's share.
 * @param levels values of each knob
 * @param first counter of the random numbers: another one, another sample
 */
export function latinHypercube(n: number, levels: readonly number[], seed: number, first = 0): Point[] {
  let counter = first;
  const next = () => uniform(seed, STREAMS.tuning, counter++);
  const columns = levels.map((n_values) => {
    const strata = Array.from({ length: n }, (_, k) => k);
    for (let k = n - 1; k > 0; k--) {
      const other = Math.floor(next() * (k + 1));
      [strata[k], strata[other]] = [strata[other], strata[k]];
    }
    return strata.map((stratum) => Math.floor(((stratum + next()) / n) * n_values));
  });
  return Array.from({ length: n }, (_, k) => columns.map((column) => column[k]));
}

/** Numbers that one sample may use. */
const COUNTERS = 2 ** 20;
/** Samples that are tried to fill up for points that cannot be used or do the same work. */
const TRIES = 8;

/** Up to n candidates with different keys. */
export function spreadCandidates(space: Space, n: number, seed: number): Candidate[] {
  const levels = space.dimensions.map(({ values }) => values.length);
  const found = new Map<string, Candidate>();
  for (let k = 0; k < TRIES; k++)
    for (const point of latinHypercube(n, levels, seed, k * COUNTERS)) {
      const key = space.key(point);
      if (key !== undefined && found.size < n && !found.has(key)) found.set(key, { point, key });
    }
  return [...found.values()];
}
