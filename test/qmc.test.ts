import { describe, expect, test } from "bun:test";
import { haltonScrambled, ScrambledHalton } from "../src/gw/qmc.ts";

const BASES = [2, 3, 5, 7, 11, 13, 17, 19];

describe("scrambled Halton sequence", () => {
  test("every base-adic interval gets its share: the first b^k points fall one in each b^-k", () => {
    BASES.forEach((base, dim) => {
      const power = Math.max(1, Math.floor(Math.log(10_000) / Math.log(base)));
      const n = base ** power;
      const u = haltonScrambled(n, BASES.length, 3, 1).subarray(dim * n, (dim + 1) * n);
      const hit = new Int32Array(n);
      for (const x of u) hit[Math.floor(x * n)]!++;
      expect(hit.every((count) => count === 1)).toBe(true);
    });
  });

  test("so does every later stretch of b^k points", () => {
    const n = 3 ** 6;
    const u = new ScrambledHalton(2, 0, 0).points(7 * n, n).subarray(n);
    expect(new Set(Array.from(u, (x) => Math.floor(x * n))).size).toBe(n);
  });

  test("two coordinates together fill 2^3 x 3^2 boxes evenly", () => {
    const n = 8 * 9 * 5;
    const u = haltonScrambled(n, 2, 11, 4);
    const boxes = new Int32Array(72);
    for (let q = 0; q < n; q++) boxes[Math.floor(u[q]! * 8) * 9 + Math.floor(u[n + q]! * 9)]!++;
    expect(boxes.every((count) => count === 5)).toBe(true);
  });

  test("integrates a smooth function in five dimensions much better than random points would", () => {
    const n = 2 ** 15;
    const errors = [1, 2, 3, 4].map((seed) => {
      const u = haltonScrambled(n, 5, seed, 9);
      let sum = 0;
      for (let q = 0; q < n; q++) {
        let product = 1;
        for (let dim = 0; dim < 5; dim++) product *= 1 + (u[dim * n + q]! ** 2 - 1 / 3);
        sum += product;
      }
      return sum / n - 1;
    });
    // Random points: standard deviation sqrt((1 + 4/45)^5 - 1)/sqrt(n) = 4e-3.
    for (const error of errors) expect(Math.abs(error)).toBeLessThan(8e-4);
    expect(new Set(errors).size).toBe(4);
  });

  test("is unbiased over scramblings: the first point is uniform", () => {
    const first = Array.from({ length: 2000 }, (_, seed) => haltonScrambled(1, 3, seed, 0));
    for (let dim = 0; dim < 3; dim++) {
      const mean = first.reduce((sum, u) => sum + u[dim]!, 0) / 2000;
      expect(Math.abs(mean - 0.5)).toBeLessThan((4 * Math.sqrt(1 / 12)) / Math.sqrt(2000));
    }
  });

  test("is a function of seed, stream and index", () => {
    const whole = haltonScrambled(10_000, 5, 42, 7);
    expect(haltonScrambled(10_000, 5, 42, 7)).toEqual(whole);
    expect(haltonScrambled(10_000, 5, 42, 8)).not.toEqual(whole);
    expect(haltonScrambled(10_000, 5, 43, 7)).not.toEqual(whole);
    const piece = new ScrambledHalton(5, 42, 7).points(4090, 20);
    for (let dim = 0; dim < 5; dim++)
      expect(piece.slice(dim * 20, (dim + 1) * 20)).toEqual(
        whole.slice(dim * 10_000 + 4090, dim * 10_000 + 4110),
      );
    expect(whole.every((x) => x >= 0 && x < 1)).toBe(true);
  });

  test("more coordinates than bases are refused", () => {
    expect(() => haltonScrambled(1, 10, 0, 0)).toThrow("at most 9");
  });
});
