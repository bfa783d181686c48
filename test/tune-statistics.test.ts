import { describe, expect, test } from "bun:test";
import { STREAMS, uniform } from "../src/gw/random.ts";
import { normalQuantile } from "../src/gw/special.ts";
import { ASSUMED_SPREAD, LEAST_ERROR, medianOf, summarise } from "../src/tune/statistics.ts";

/** n times about 1 with this relative spread; every case draws others. */
function times(n: number, spread: number, seed: number): number[] {
  return Array.from({ length: n }, (_, k) => 1 + spread * normalQuantile(uniform(seed, STREAMS.draw, k)));
}

test("the median of an odd and of an even number", () => {
  expect(medianOf([3, 1, 2])).toBe(2);
  expect(medianOf([4, 1, 3, 2])).toBe(2.5);
});

describe("summarise", () => {
  test("by hand: deviations 0, 1, 1, 2, 48 of the median 10", () => {
    const { median, error, outliers } = summarise([10, 11, 9, 8, 58]);
    expect(median).toBe(10);
    const deviation = 1.4826 * 1.206 * 1;
    expect(error).toBeCloseTo((Math.sqrt(Math.PI / 2) * deviation) / Math.sqrt(5) / 10, 12);
    expect(outliers).toBe(1);
  });

  test("of one or two runs the spread is assumed", () => {
    expect(summarise([2])).toEqual({ median: 2, error: ASSUMED_SPREAD, outliers: 0 });
    expect(summarise([1, 3])).toEqual({ median: 2, error: ASSUMED_SPREAD / Math.SQRT2, outliers: 0 });
  });

  test("equal times are not believed to be exact", () => {
    expect(summarise([5, 5, 5, 5, 5])).toEqual({ median: 5, error: LEAST_ERROR, outliers: 0 });
  });

  test.each([5, 7, 12])("the error is what medians of %p normal times really scatter by", (n) => {
    const cases = Array.from({ length: 4000 }, (_, seed) => summarise(times(n, 0.02, seed)));
    const scatter = Math.sqrt(cases.reduce((sum, { median }) => sum + (median - 1) ** 2, 0) / cases.length);
    const mean = cases.reduce((sum, { error }) => sum + error, 0) / cases.length;
    expect(mean / scatter).toBeGreaterThan(0.9);
    expect(mean / scatter).toBeLessThan(1.15);
  });

  test("one disturbed run of nine: seen, and the error stays", () => {
    let seen = 0;
    let quiet = 0;
    for (let seed = 0; seed < 500; seed++) {
      const clean = times(9, 0.01, seed);
      quiet += summarise(clean).outliers;
      const disturbed = summarise([...clean.slice(1), 1.3]);
      seen += Number(disturbed.outliers >= 1);
      expect(disturbed.error).toBeLessThan(0.03);
    }
    expect(seen).toBeGreaterThan(490);
    expect(quiet).toBeLessThan(0.02 * 9 * 500);
  });
});
