/**
 * Twins of c/single.c: layouts in `single-table.ts`. A Float32Array rounds what is stored; C rounds its sums at every term too.
 * They define the kernels and no more: in TypeScript single precision is no faster, so no run uses them.
 */
import type { SingleKernels } from "./single-table.ts";

/** einsum: 'dmpb, mpb -> dmpb' with h conjugated. */
const weightedSingle: SingleKernels["weightedSingle"] = (g, w, h, n_d, n_mp, n_bp) => {
  for (let d = 0; d < n_d; d++) {
    for (let row = 0; row < n_mp; row++) {
      const re = (d * n_mp + row) * 2 * n_bp;
      const im = re + n_bp;
      const x = row * 2 * n_bp;
      const y = x + n_bp;
      for (let b = 0; b < n_bp; b++) {
        g[re + b] = w[re + b] * h[x + b] + w[im + b] * h[y + b];
        g[im + b] = w[im + b] * h[x + b] - w[re + b] * h[y + b];
      }
    }
  }
};

/** sum_k a_k q_kj, j = 0 to 3, into `sums` from `to` on. */
function fourSums(
  sums: Float32Array,
  to: number,
  a: Float32Array,
  a0: number,
  q: Float32Array,
  q0: number,
  ldq: number,
  n_k: number,
): void {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let k = 0, at = q0; k < n_k; k++, at += ldq) {
    const u = a[a0 + k];
    s0 += u * q[at];
    s1 += u * q[at + 1];
    s2 += u * q[at + 2];
    s3 += u * q[at + 3];
  }
  sums[to] = s0;
  sums[to + 1] = s1;
  sums[to + 2] = s2;
  sums[to + 3] = s3;
}

/** einsum: 'rb, bk -> rk'. */
const projectSingle: SingleKernels["projectSingle"] = (y, ldy, a, start, lda, q, n_r, n_b, n_k) => {
  for (let r = 0; r < n_r; r++) {
    for (let k = 0; k < n_k; k += 4) fourSums(y, r * ldy + k, a, start + r * lda, q, k, n_k, n_b);
  }
};

/** Re, Im of the sum over the cosine basis, then over the sine basis, at four times. */
const sums = new Float32Array(16);

/** einsum: 'rk, kh -> rh' of the cosine basis (E) and of the sine basis (O); z(+-t) = (E +- i O) exp(+-2 pi i f_c t). */
const expandGridSingle: SingleKernels["expandGridSingle"] = (
  z,
  y,
  ldy,
  ec,
  es,
  cosFc,
  sinFc,
  n_r,
  rc,
  rs,
  n_h,
  first,
) => {
  for (let r = 0; r < n_r; r++) {
    const re = 2 * r * ldy;
    const im = re + ldy;
    const out = r * 4 * n_h;
    if (first) z.fill(0, out, out + 4 * n_h);
    for (let h0 = 0; h0 < n_h; h0 += 4) {
      fourSums(sums, 0, y, re, ec, h0, n_h, rc);
      fourSums(sums, 4, y, im, ec, h0, n_h, rc);
      fourSums(sums, 8, y, re + rc, es, h0, n_h, rs);
      fourSums(sums, 12, y, im + rc, es, h0, n_h, rs);
      for (let j = 0; j < 4; j++) {
        const at = out + h0 + j;
        const a = sums[j];
        const b = sums[4 + j];
        const c = sums[8 + j];
        const d = sums[12 + j];
        const cos = cosFc[h0 + j];
        const sin = sinFc[h0 + j];
        z[at] += (a - d) * cos - (b + c) * sin;
        z[at + n_h] += (a + d) * cos + (b - c) * sin;
        z[at + 2 * n_h] += (b + c) * cos + (a - d) * sin;
        z[at + 3 * n_h] += (b - c) * cos - (a + d) * sin;
      }
    }
  }
};

const widen: SingleKernels["widen"] = (out, x, n) => {
  for (let k = 0; k < n; k++) out[k] = x[k];
};

export const singleReference: SingleKernels = { weightedSingle, projectSingle, expandGridSingle, widen };
