/** Products of modes that are not summed: each pair of modes and of polarizations, (M, p, P), is a group of its own. */
import { modePairs } from "../src/axes.ts";
import type { Term } from "../src/stages/bank-samples.ts";

export function termsByPair(mArr: readonly number[]): Term[][] {
  return modePairs(mArr.length).flatMap(([m, m2], pair) =>
    [0, 1, 2, 3].map((c): Term[] => [
      { a: 2 * m + (c >> 1), b: 2 * m2 + (c & 1), kind: 2, weight: 4 * pair + c, conjugate: false },
    ]),
  );
}
