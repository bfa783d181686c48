/** Twins of c/mode-products.c: layouts in `table.ts`. */
import type { Kernels } from "./table.ts";

/** einsum: 'dMpPb, smpb, sMPb -> sdg', the pairs of modes grouped by m' - m. */
export const modeProducts: Kernels["modeProducts"] = (
  hh,
  h,
  w,
  terms,
  groupSize_g,
  n_g,
  n_s,
  n_d,
  n_mp,
  n_bp,
) => {
  for (let s = 0; s < n_s; s++) {
    const sample = s * n_mp * 2 * n_bp;
    let term = 0;
    for (let g = 0; g < n_g; g++) {
      for (let d = 0; d < n_d; d++) {
        const out = ((s * n_d + d) * n_g + g) * 2;
        hh[out] = hh[out + 1] = 0;
      }
      for (let n = 0; n < groupSize_g[g]; n++, term++) {
        const a = sample + terms[3 * term] * 2 * n_bp;
        const b = sample + terms[3 * term + 1] * 2 * n_bp;
        for (let d = 0; d < n_d; d++) {
          const wr = (term * n_d + d) * 2 * n_bp;
          const wi = wr + n_bp;
          let re = 0;
          let im = 0;
          for (let j = 0; j < n_bp; j++) {
            const xr = h[a + j] * h[b + j] + h[a + n_bp + j] * h[b + n_bp + j];
            const xi = h[a + n_bp + j] * h[b + j] - h[a + j] * h[b + n_bp + j];
            re += w[wr + j] * xr - w[wi + j] * xi;
            im += w[wr + j] * xi + w[wi + j] * xr;
          }
          const out = ((s * n_d + d) * n_g + g) * 2;
          hh[out] += re;
          if (terms[3 * term + 2] === 2) hh[out + 1] += im;
        }
      }
    }
  }
};
