import { expect, test } from "bun:test";
import { latinHypercube, spreadCandidates } from "../src/tune/latin-hypercube.ts";
import type { Space } from "../src/tune/setting.ts";

const counts = (values: readonly number[], n: number) =>
  Array.from({ length: n }, (_, value) => values.filter((one) => one === value).length);

test("values come up equally often where the number of points is a multiple of theirs", () => {
  const points = latinHypercube(12, [3, 4, 12, 1], 5);
  [3, 4, 12, 1].forEach((n, d) => {
    const column = points.map((point) => point[d]);
    expect(counts(column, n)).toEqual(new Array(n).fill(12 / n));
  });
});

test("and nearly so where it is not", () => {
  for (let seed = 0; seed < 20; seed++)
    for (const n of counts(latinHypercube(10, [4], seed).flat(), 4)) {
      expect(n).toBeGreaterThanOrEqual(1);
      expect(n).toBeLessThanOrEqual(4);
    }
});

test("the seed decides", () => {
  expect(latinHypercube(9, [5, 5], 1)).toEqual(latinHypercube(9, [5, 5], 1));
  expect(latinHypercube(9, [5, 5], 1)).not.toEqual(latinHypercube(9, [5, 5], 2));
  expect(latinHypercube(9, [5, 5], 1)).not.toEqual(latinHypercube(9, [5, 5], 1, 1000));
});

test("candidates: usable ones with different keys, as many as there are", () => {
  const space: Space = {
    dimensions: [
      { knob: "iBatch", values: [1, 2, 4, 8] },
      { knob: "eTile", values: [1, 2, 4] },
    ],
    start: [0, 0],
    // The largest batch cannot be used; the tiles of the first batch are the same.
    key: ([i, e]) => (i === 3 ? undefined : i === 0 ? "0" : `${i} ${e}`),
  };
  const few = spreadCandidates(space, 4, 3);
  expect(few).toHaveLength(4);
  const all = spreadCandidates(space, 50, 3);
  expect(all.map(({ key }) => key).sort()).toEqual(["0", "1 0", "1 1", "1 2", "2 0", "2 1", "2 2"]);
  for (const { point, key } of all) expect(space.key(point)).toBe(key);
});
