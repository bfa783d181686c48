/** Twins of c/project.c: layouts in `table.ts`. */
import { tile2x4 } from "./ref-tile.ts";
import type { Kernels } from "./table.ts";

/** einsum: 'rb, bk -> rk'. */
export const project: Kernels["project"] = (y, ldy, a, start, lda, q, n_r, n_b, n_k) => {
  for (let r = 0; r < n_r; r += 2) {
    const [row, out] = [start + r * lda, r * ldy];
    for (let k = 0; k < n_k; k += 4) {
      tile2x4(y, out + k, out + ldy + k, a, row, row + lda, q, k, n_k, n_b);
    }
  }
};

/** Re, Im of the sum over the cosine basis, then of the sum over the sine basis, at four times. */
const sums = new Float64Array(16);

/** einsum: 'rk, kh -> rh' of the cosine basis (E) and of the sine basis (O); z(+-t) = (E +- i O) exp(+-2 pi i f_c t). */
export const expandGrid: Kernels["expandGrid"] = (
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
      tile2x4(sums, 0, 4, y, re, im, ec, h0, n_h, rc);
      tile2x4(sums, 8, 12, y, re + rc, im + rc, es, h0, n_h, rs);
      for (let j = 0; j < 4; j++) {
        const a = sums[j];
        const b = sums[4 + j];
        const c = sums[8 + j];
        const d = sums[12 + j];
        const cos = cosFc[h0 + j];
        const sin = sinFc[h0 + j];
        const at = out + h0 + j;
        z[at] += (a - d) * cos - (b + c) * sin;
        z[at + n_h] += (a + d) * cos + (b - c) * sin;
        z[at + 2 * n_h] += (b + c) * cos + (a - d) * sin;
        z[at + 3 * n_h] += (b - c) * cos - (a + d) * sin;
      }
    }
  }
};

/** einsum: 'mk, ke, e -> me', a and the rotation of e complex. */
export const expandSet: Kernels["expandSet"] = (
  dh,
  a_mck,
  start,
  x_ke,
  cosFc,
  sinFc,
  n_m,
  n_k,
  n_e,
  first,
) => {
  for (let m = 0; m < n_m; m++) {
    const out = m * 2 * n_e;
    const from = start + m * 2 * n_k;
    if (first) dh.fill(0, out, out + 2 * n_e);
    for (let e0 = 0; e0 < n_e; e0 += 4) {
      tile2x4(sums, 0, 4, a_mck, from, from + n_k, x_ke, e0, n_e, n_k);
      for (let j = 0; j < 4; j++) {
        const e = e0 + j;
        const re = sums[j];
        const im = sums[4 + j];
        dh[out + e] += re * cosFc[e] - im * sinFc[e];
        dh[out + n_e + e] += im * cosFc[e] + re * sinFc[e];
      }
    }
  }
};
