import { expect, test } from "bun:test";
import { LeastSquares } from "../src/banks/pack/least-squares.ts";
import { randomNumbers } from "./kernel-cases.ts";

test("weights, and the solution of the normal equations", () => {
  const [n_s, n] = [40, 5];
  const solver = new LeastSquares(n_s, 8);
  const d = randomNumbers(n_s * n, 1);
  const y = randomNumbers(n_s, 2);
  const weight = randomNumbers(n_s, 3).map(Math.abs);
  solver.solve(d, n, y, weight, 0);
  // The weighted rest is at right angles to every column.
  for (let k = 0; k < n; k++) {
    let dot = 0;
    for (let s = 0; s < n_s; s++) {
      let rest = y[s];
      for (let j = 0; j < n; j++) rest -= solver.solution[j] * d[j * n_s + s];
      dot += weight[s] ** 2 * rest * d[k * n_s + s];
    }
    expect(Math.abs(dot)).toBeLessThan(1e-13);
  }
});

test("columns that are zero or the same, and more columns than rows, give finite numbers", () => {
  const ones = (n: number) => new Float64Array(n).fill(1);
  const solver = new LeastSquares(3, 5);
  const d = Float64Array.of(1, 2, 3, 1, 2, 3, 0, 0, 0, 1, 0, 0, 4, 1, 9);
  solver.solve(d, 5, Float64Array.of(1, 2, 3), ones(3), 1e-7);
  const found = [0, 1, 2].map((s) =>
    [0, 1, 2, 3, 4].reduce((sum, k) => sum + solver.solution[k] * d[3 * k + s], 0),
  );
  expect(found.map((x) => Math.round(x * 1e6) / 1e6)).toEqual([1, 2, 3]);
  solver.solve(new Float64Array(15), 5, ones(3), ones(3), 0);
  expect([...solver.solution]).toEqual([0, 0, 0, 0, 0]);
});
