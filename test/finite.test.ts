import { expect, test } from "bun:test";
import { firstNotFinite } from "../src/io/finite.ts";

test.each([0, 1, 3, 4, 7, 1000])("%p finite numbers, the largest among them", (n) => {
  const values = Float64Array.from({ length: n }, (_, k) =>
    k % 2 === 0 ? Number.MAX_VALUE : -Number.MIN_VALUE,
  );
  expect(firstNotFinite(values)).toBe(-1);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  "the first %p is found",
  (bad) => {
    for (const place of [0, 1, 4, 6, 8]) {
      const values = new Float64Array(9).fill(-1e300);
      values[8] = Number.NaN;
      values[place] = bad;
      expect(firstNotFinite(values)).toBe(place);
    }
  },
);
