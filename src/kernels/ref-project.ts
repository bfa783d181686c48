/** Twins of c/project.c: layouts in `table.ts`. */
import type { Kernels } from "./table.ts";

/** einsum: 'rb, bk -> rk'. */
export const project: Kernels["project"] = (y, ldy, a, start, lda, q, n_r, n_b, n_k) => {
  for (let r = 0; r < n_r; r++) {
    const out = r * ldy;
    y.fill(0, out, out + n_k);
    for (let b = 0; b < n_b; b++) {
      const s = a[start + r * lda + b];
      const row = b * n_k;
      for (let k = 0; k < n_k; k++) y[out + k] += s * q[row + k];
    }
  }
};

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
    for (let h = 0; h < n_h; h++) {
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let k = 0; k < rc; k++) {
        a += y[re + k] * ec[k * n_h + h];
        b += y[im + k] * ec[k * n_h + h];
      }
      for (let k = 0; k < rs; k++) {
        c += y[re + rc + k] * es[k * n_h + h];
        d += y[im + rc + k] * es[k * n_h + h];
      }
      const [cos, sin] = [cosFc[h], sinFc[h]];
      z[out + h] += (a - d) * cos - (b + c) * sin;
      z[out + n_h + h] += (a + d) * cos + (b - c) * sin;
      z[out + 2 * n_h + h] += (b + c) * cos + (a - d) * sin;
      z[out + 3 * n_h + h] += (b - c) * cos - (a + d) * sin;
    }
  }
};

/** einsum: 'mk, ke, e -> me', a and the rotation of e complex. */
export const expandSet: Kernels["expandSet"] = (
  ...[dh, a_mck, start, x_ke, cosFc, sinFc, n_m, n_k, n_e, first]
) => {
  for (let m = 0; m < n_m; m++) {
    const out = m * 2 * n_e;
    const from = start + m * 2 * n_k;
    if (first) dh.fill(0, out, out + 2 * n_e);
    for (let e = 0; e < n_e; e++) {
      let [re, im] = [0, 0];
      for (let k = 0; k < n_k; k++) {
        re += a_mck[from + k] * x_ke[k * n_e + e];
        im += a_mck[from + n_k + k] * x_ke[k * n_e + e];
      }
      dh[out + e] += re * cosFc[e] - im * sinFc[e];
      dh[out + n_e + e] += im * cosFc[e] + re * sinFc[e];
    }
  }
};
