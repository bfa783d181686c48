/** Kernels whose code is tiled, unrolled or approximate, against their definition in the plainest loops. */
import { describe, expect, test } from "bun:test";
import { availableKernels, loadKernels } from "../src/kernels/table.ts";
import { randomNumbers } from "./kernel-cases.ts";

describe.each(availableKernels())("%s", (name) => {
  const kernels = loadKernels(name);

  test.each([1, 100, 1e4, 9e5])("waveform: cos and sin of angles up to %p", (largest) => {
    const [n_mp, n_b, n_bp, stride] = [2, 1021, 1024, 1030];
    const amplitude = randomNumbers(n_mp * stride, 1);
    // Multiples of a quarter turn, and their neighbours, among numbers from everywhere.
    const phase = randomNumbers(n_mp * stride, 2).map((x, k) =>
      k % 5 > 0 ? x * largest : Math.round((x * largest * 2) / Math.PI) * (Math.PI / 2) + (k % 3) * 1e-9,
    );
    const f_b = new Float64Array(n_bp);
    const h_mpcb = new Float64Array(n_mp * 2 * n_bp).fill(9);
    kernels.waveform(h_mpcb, amplitude, phase, 3, stride, f_b, 0.01, n_mp, n_b, n_bp);
    for (let row = 0; row < n_mp; row++) {
      for (let b = 0; b < n_bp; b++) {
        const at = 3 + row * stride + b;
        const [re, im] = [h_mpcb[2 * row * n_bp + b], h_mpcb[(2 * row + 1) * n_bp + b]];
        const [cos, sin] = b < n_b ? [Math.cos(phase[at]), Math.sin(phase[at])] : [0, 0];
        expect(Math.abs(re - amplitude[at] * cos)).toBeLessThan(4e-16);
        expect(Math.abs(im - amplitude[at] * sin)).toBeLessThan(4e-16);
      }
    }
  });

  test.each([8, 16, 24, 32, 40, 48, 56, 72])("project: sum_b a_rb q_bk, %p columns", (n_k) => {
    const [n_r, n_b, ldy, lda, start] = [12, 29, n_k + 8, 33, 5];
    const a = randomNumbers(start + n_r * lda, 1);
    const q = randomNumbers(n_b * n_k, 2);
    const y = new Float64Array(n_r * ldy).fill(9);
    kernels.project(y, ldy, a, start, lda, q, n_r, n_b, n_k);
    for (let r = 0; r < n_r; r++) {
      for (let k = 0; k < ldy; k++) {
        let sum = k < n_k ? 0 : 9;
        for (let b = 0; k < n_k && b < n_b; b++) sum += a[start + r * lda + b] * q[b * n_k + k];
        expect(Math.abs(y[r * ldy + k] - sum)).toBeLessThan(1e-13);
      }
    }
  });

  test.each([1, 2, 3, 4, 5])("expandSet: every tile of modes and times, %p modes", (n_m) => {
    for (const n_e of [8, 16, 24, 40, 56, 64]) {
      const [n_k, start] = [17, 3];
      const a = randomNumbers(start + n_m * 2 * n_k, n_e);
      const x = randomNumbers(n_k * n_e, n_e + 1);
      const [cos, sin] = [randomNumbers(n_e, 3), randomNumbers(n_e, 4)];
      const dh = new Float64Array(n_m * 2 * n_e).fill(2);
      kernels.expandSet(dh, a, start, x, cos, sin, n_m, n_k, n_e, false);
      for (let m = 0; m < n_m; m++) {
        for (let e = 0; e < n_e; e++) {
          let [re, im] = [0, 0];
          for (let k = 0; k < n_k; k++) {
            re += a[start + 2 * m * n_k + k] * x[k * n_e + e];
            im += a[start + (2 * m + 1) * n_k + k] * x[k * n_e + e];
          }
          const at = 2 * m * n_e + e;
          expect(Math.abs(dh[at] - (2 + re * cos[e] - im * sin[e]))).toBeLessThan(1e-13);
          expect(Math.abs(dh[at + n_e] - (2 + im * cos[e] + re * sin[e]))).toBeLessThan(1e-13);
        }
      }
    }
  });
});
