import { describe, expect, test } from "bun:test";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { STREAMS, uniform } from "../src/gw/random.ts";
import {
  expectedImprovement,
  fitGaussianProcess,
  matern52,
  type Observations,
} from "../src/tune/gaussian-process.ts";
import { HyperparameterChain } from "../src/tune/hyperparameters.ts";

/** Simpson's rule. */
function integral(f: (t: number) => number, from: number, to: number, n = 4000): number {
  const h = (to - from) / n;
  let sum = f(from) + f(to);
  for (let k = 1; k < n; k++) sum += (k % 2 === 1 ? 4 : 2) * f(from + k * h);
  return (sum * h) / 3;
}

const density = (x: number, mean: number, deviation: number) =>
  Math.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * Math.sqrt(2 * Math.PI));

function spreadPoints(n: number, n_d: number, range: number): number[][] {
  return Array.from({ length: n }, (_, i) =>
    Array.from({ length: n_d }, (_, d) => range * uniform(4, STREAMS.draw, i * n_d + d)),
  );
}

describe("Matern 5/2", () => {
  test.each([0.01, 0.3, 1, 2.5])("at %p, by the Bessel function of its definition", (distance) => {
    // k(d) = 2^(1-v) / Gamma(v) z^v K_v(z), z = sqrt(2 v) d; K_v(z) = integral of exp(-z cosh t) cosh(v t).
    const order = 2.5;
    const z = Math.sqrt(2 * order) * distance;
    const bessel = integral((t) => Math.exp(-z * Math.cosh(t)) * Math.cosh(order * t), 0, 14, 40000);
    const gamma = 0.75 * Math.sqrt(Math.PI);
    expect(matern52(distance)).toBeCloseTo((2 ** (1 - order) / gamma) * z ** order * bessel, 8);
  });

  test("positive definite, with names and numbers", () => {
    const x = spreadPoints(40, 3, 3).map((one, i) => [...one, i % 3]);
    const named = [false, false, false, true];
    const lengths = [1, 2, 0.5, 1.5];
    const distance = (a: number[], b: number[]) =>
      Math.hypot(...lengths.map((l, d) => (named[d] ? Number(a[d] !== b[d]) : a[d] - b[d]) / l));
    const k = new Matrix(x.map((a) => x.map((b) => matern52(distance(a, b)))));
    const values = new EigenvalueDecomposition(k, { assumeSymmetric: true }).realEigenvalues;
    expect(Math.min(...values)).toBeGreaterThan(0);
    const data = { x, named, y: x.map(([a]) => a), variance: x.map(() => 0) };
    expect(() => fitGaussianProcess(data, { lengths, scale: 1, noise: 0 })).not.toThrow();
  });

  test("two equal points without noise are refused", () => {
    const data = { x: [[1], [1]], named: [false], y: [0, 1], variance: [0, 0] };
    expect(() => fitGaussianProcess(data, { lengths: [1], scale: 1, noise: 0 })).toThrow("positive definite");
  });
});

describe("two observations, in closed form", () => {
  const data: Observations = { x: [[0], [1.5]], named: [false], y: [1, 3], variance: [0.04, 0.09] };
  const hyper = { lengths: [2], scale: 1.2, noise: 0.1 };
  const k = (a: number, b: number) => 1.44 * matern52(Math.abs(a - b) / 2);
  const [a, b, c] = [1.44 + 0.01 + 0.04, k(0, 1.5), 1.44 + 0.01 + 0.09];
  const det = a * c - b * b;
  const inverse = [
    [c / det, -b / det],
    [-b / det, a / det],
  ];
  const times = (u: readonly number[], w: readonly number[]) =>
    u.reduce((sum, ui, i) => sum + w.reduce((s, wj, j) => s + ui * inverse[i][j] * wj, 0), 0);
  const centre = times([1, 1], data.y) / times([1, 1], [1, 1]);
  const residual = data.y.map((y) => y - centre);
  const process = fitGaussianProcess(data, hyper);

  test.each([-1, 0, 0.7, 1.5, 9])("mean and deviation at %p", (x) => {
    const ks = [k(x, 0), k(x, 1.5)];
    const { mean, deviation } = process.predict([x]);
    expect(mean).toBeCloseTo(centre + times(ks, residual), 12);
    expect(process.mean([x])).toBeCloseTo(mean, 12);
    expect(deviation).toBeCloseTo(Math.sqrt(1.44 - times(ks, ks)), 12);
  });

  test("likelihood", () => {
    const expected = -0.5 * times(residual, residual) - 0.5 * Math.log(det) - Math.log(2 * Math.PI);
    expect(process.logLikelihood).toBeCloseTo(expected, 12);
  });
});

test("the optimistic deviation is never below the true one", () => {
  const x = spreadPoints(30, 3, 4);
  const data = {
    ...{ x, named: [false, false, false] },
    ...{ y: x.map(([a, b]) => a * b), variance: x.map(() => 0.01) },
  };
  const process = fitGaussianProcess(data, { lengths: [2, 1, 4], scale: 2, noise: 0.05 });
  for (const at of spreadPoints(200, 3, 5)) {
    const exact = process.predict(at);
    const bound = process.optimistic(at);
    expect(bound.mean).toBeCloseTo(exact.mean, 10);
    expect(bound.deviation).toBeGreaterThanOrEqual(exact.deviation - 1e-12);
  }
});

describe("expected improvement", () => {
  test.each([
    [0, 1, 0],
    [1, 0.5, 0.2],
    [-0.1, 0.05, 0],
    [2, 3, 5],
  ])("mean %p, deviation %p, best %p: by integration", (mean, deviation, best) => {
    const f = (x: number) => (x - best) * density(x, mean, deviation);
    const expected = integral(f, best, Math.max(best, mean) + 12 * deviation);
    expect(expectedImprovement({ mean, deviation }, best)).toBeCloseTo(expected, 6);
  });

  test("without uncertainty it is the improvement", () => {
    expect(expectedImprovement({ mean: 3, deviation: 0 }, 1)).toBe(2);
    expect(expectedImprovement({ mean: 1, deviation: 0 }, 3)).toBe(0);
  });
});

test("hyperparameters: a coordinate without effect is found out", () => {
  const x = spreadPoints(40, 2, 4);
  const y = x.map(([a]) => Math.sin(2 * a));
  const middle = { lengths: [1, 1], scale: 1, noise: 0.05 };
  const likely = { middle, octaves: 2 };
  const chain = new HyperparameterChain();
  let process = fitGaussianProcess({ x, named: [false, false], y, variance: y.map(() => 1e-4) }, middle);
  const before = process;
  for (let n = 5; n <= 40; n++) {
    const data = {
      x: x.slice(0, n),
      named: [false, false],
      y: y.slice(0, n),
      variance: y.slice(0, n).map(() => 1e-4),
    };
    process = chain.fit(data, likely);
  }
  expect(process.logLikelihood).toBeGreaterThan(before.logLikelihood + 10);
  // Far off in the second coordinate alone: what is known of the first holds there as well.
  const far = [x[0][0], 8];
  expect(process.predict(far).deviation).toBeLessThan(0.5 * before.predict(far).deviation);
  expect(Math.abs(process.mean(far) - y[0])).toBeLessThan(Math.abs(before.mean(far) - y[0]));
});
