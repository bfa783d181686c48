import { describe, expect, test } from "bun:test";
import { absNormalUpperQuantile, erfInv, logSumExp, normalQuantile, pairwiseSum } from "../src/gw/special.ts";

function expectRelative(found: number, expected: number, tolerance: number) {
  expect(Math.abs(found - expected)).toBeLessThanOrEqual(tolerance * Math.abs(expected));
}

describe("sums", () => {
  test("the pairwise sum keeps digits that a running sum loses", () => {
    const values = new Float64Array(1 << 20).fill(0.1);
    expect(Math.abs(pairwiseSum(values) - 104857.6)).toBeLessThan(1e-9);
  });

  test("a range is summed without its surroundings", () => {
    const values = Float64Array.from({ length: 1000 }, (_, j) => j);
    expect(pairwiseSum(values, 10, 210)).toBe((200 * (10 + 209)) / 2);
    expect(pairwiseSum(values, 5, 5)).toBe(0);
  });

  test("logSumExp shifts by the largest value", () => {
    const values = Float64Array.from({ length: 1000 }, () => 5000);
    expect(logSumExp(values)).toBeCloseTo(5000 + Math.log(1000), 11);
    expect(logSumExp([0, Math.log(3)])).toBeCloseTo(Math.log(4), 15);
    expect(logSumExp(values, 3, 5)).toBeCloseTo(5000 + Math.log(2), 11);
  });

  test("logSumExp at the ends", () => {
    expect(logSumExp([])).toBe(Number.NEGATIVE_INFINITY);
    expect(logSumExp([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])).toBe(Number.NEGATIVE_INFINITY);
    expect(logSumExp([Number.NEGATIVE_INFINITY, 2])).toBe(2);
    expect(logSumExp([1, Number.NaN])).toBeNaN();
    expect(logSumExp([1, Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("quantiles, against scipy 1.17", () => {
  test.each([
    [1e-300, -37.0470962993612],
    [1e-20, -9.262340089798409],
    [1e-7, -5.1993375821928165],
    [0.01, -2.3263478740408408],
    [0.075, -1.4395314709384563],
    [0.3, -0.5244005127080409],
    [0.75, 0.6744897501960817],
    [0.925, 1.4395314709384563],
    [0.999, 3.090232306167813],
  ])("normalQuantile(%p)", (p, expected) => {
    expectRelative(normalQuantile(p), expected, 2e-15);
  });

  test("the ends of normalQuantile", () => {
    expect(normalQuantile(0.5)).toBe(0);
    expect(normalQuantile(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(normalQuantile(1)).toBe(Number.POSITIVE_INFINITY);
    expect(normalQuantile(1.5)).toBeNaN();
  });

  test.each([
    [4.6624393882879525e-5, 4.071933989870001],
    [8.39785686692756e-6, 4.454781776894836],
    [0.3, 1.0364333894937832],
  ])("absNormalUpperQuantile(%p)", (q, expected) => {
    expectRelative(absNormalUpperQuantile(q), expected, 1e-14);
  });

  test.each([
    [-0.9, -1.1630871536766743],
    [-0.001, -0.000886227157466552],
    [0.5, 0.4769362762044699],
    [0.99999, 3.123413274341571],
  ])("erfInv(%p)", (y, expected) => {
    expectRelative(erfInv(y), expected, 1e-12);
  });
});
