import { expect, test } from "bun:test";
import { stableArgsort } from "../src/gw/radix-sort.ts";
import { uniform } from "../src/gw/random.ts";

function plainArgsort(values: Float64Array): number[] {
  return Array.from(values, (_, j) => j).sort((a, b) => {
    if (values[a] === values[b]) return a - b;
    return values[a] < values[b] ? -1 : 1;
  });
}

test("sorts every kind of number; equal ones keep their order, NaN goes last", () => {
  const values = Float64Array.of(
    ...[3, -0, 0, -1e-310, 5e-324, Number.NaN, -Infinity, 1e308, -2, Infinity, 3, 0, -0, -2, -1e300, 1e-300],
  );
  const expected = [6, 14, 8, 13, 3, 1, 2, 11, 12, 4, 15, 0, 10, 7, 9, 5];
  expect([...stableArgsort(values)]).toEqual(expected);
});

test("agrees with a comparison sort on numbers of all sizes with many ties", () => {
  const values = Float64Array.from({ length: 20_000 }, (_, j) => {
    const u = uniform(5, 1, j);
    if (j % 3 === 0) return Math.floor(20 * u) - 10;
    return (u - 0.5) * 10 ** (600 * uniform(6, 1, j) - 300);
  });
  const before = values.slice();
  expect([...stableArgsort(values)]).toEqual(plainArgsort(values));
  expect(values).toEqual(before);
});

test("no numbers and one number", () => {
  expect([...stableArgsort(new Float64Array(0))]).toEqual([]);
  expect([...stableArgsort(Float64Array.of(-7))]).toEqual([0]);
});
