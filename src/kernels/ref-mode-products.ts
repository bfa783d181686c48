/** Twins of c/mode-products.c: layouts in `table.ts`. */
import type { Kernels } from "./table.ts";

const [SQUARE, REAL_PART] = [0, 1];

/** h_a conj(h_b) of one term. */
let xRe = new Float64Array(0);
let xIm = new Float64Array(0);

function multiply(h: Float64Array, a: number, b: number, n: number): void {
  if (xRe.length < n) {
    xRe = new Float64Array(n);
    xIm = new Float64Array(n);
  }
  const [re, im] = [xRe, xIm];
  for (let j = 0; j < n; j++) {
    const ar = h[a + j];
    const ai = h[a + n + j];
    const br = h[b + j];
    const bi = h[b + n + j];
    re[j] = ar * br + ai * bi;
    im[j] = ai * br - ar * bi;
  }
}

/** hh[out, out + 1] += sum_b w_b x_b, the weights of one detector beginning at `from`. */
function addWeighted(
  hh: Float64Array,
  out: number,
  w: Float64Array,
  from: number,
  n: number,
  kind: number,
): void {
  const [xr, xi] = [xRe, xIm];
  const im = from + n;
  let rr = 0;
  let ii = 0;
  let ri = 0;
  let ir = 0;
  if (kind === SQUARE) {
    for (let j = 0; j < n; j++) rr += w[from + j] * xr[j];
  } else if (kind === REAL_PART) {
    for (let j = 0; j < n; j++) {
      rr += w[from + j] * xr[j];
      ii += w[im + j] * xi[j];
    }
  } else {
    for (let j = 0; j < n; j++) {
      const wr = w[from + j];
      const wi = w[im + j];
      rr += wr * xr[j];
      ii += wi * xi[j];
      ri += wr * xi[j];
      ir += wi * xr[j];
    }
  }
  hh[out] += rr - ii;
  hh[out + 1] += ri + ir;
}

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
  hh.fill(0, 0, n_s * n_d * n_g * 2);
  for (let s = 0; s < n_s; s++) {
    const sample = s * n_mp * 2 * n_bp;
    let term = 0;
    for (let g = 0; g < n_g; g++) {
      for (let n = 0; n < groupSize_g[g]; n++, term++) {
        const [a, b, kind] = [terms[3 * term], terms[3 * term + 1], terms[3 * term + 2]];
        multiply(h, sample + a * 2 * n_bp, sample + b * 2 * n_bp, n_bp);
        for (let d = 0; d < n_d; d++) {
          addWeighted(hh, ((s * n_d + d) * n_g + g) * 2, w, (term * n_d + d) * 2 * n_bp, n_bp, kind);
        }
      }
    }
  }
};
