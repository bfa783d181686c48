/** Twins of c/summary-weights.c: layouts in `setup-table.ts`. */
import type { SetupKernels, SummaryGrid } from "./setup-table.ts";

/** einsum: 'f, f -> f'. */
export const turn: SetupKernels["turn"] = (out_cf, re_f, im_f, f, t, n_f) => {
  for (let k = 0; k < n_f; k++) {
    const turns = f[k] * t;
    const angle = 2 * Math.PI * (turns - Math.round(turns));
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    const [re, im] = [re_f[k], im_f[k]];
    out_cf[k] = re * c - im * s;
    out_cf[n_f + k] = re * s + im * c;
  }
};

/**
 * The spline of an interval from its values and slopes at both ends is (Hermite)
 *   y0 (1 - 3 t^2 + 2 t^3) + y1 (3 t^2 - 2 t^3) + width (m0 (t - 2 t^2 + t^3) + m1 (t^3 - t^2)),   t = place in it,
 * so four moments of the integrand by interval give the weights of values and slopes, and the slopes are T^-1 R y.
 */
export const summaryWeights: SetupKernels["summaryWeights"] = (w_cb, grid, weight_f, x, y, scale) => {
  const { n_b } = grid;
  const part = (k: number) => w_cb.subarray(k * n_b, (k + 1) * n_b);
  const [re, im, slopeRe, slopeIm] = [0, 1, 2, 3].map(part);
  w_cb.fill(0, 0, 4 * n_b);
  const moments = new Float64Array(8);
  for (let j = 0; j < n_b - 1; j++) {
    addMoments(moments.fill(0), grid, j, weight_f, x, y);
    const width = grid.width_j[j] * scale;
    for (const [value, slope, k] of [
      [re, slopeRe, 0],
      [im, slopeIm, 4],
    ] as const) {
      const right = scale * (3 * moments[k + 2] - 2 * moments[k + 3]);
      value[j] += scale * moments[k] - right;
      value[j + 1] += right;
      slope[j] += width * (moments[k + 1] - 2 * moments[k + 2] + moments[k + 3]);
      slope[j + 1] += width * (moments[k + 3] - moments[k + 2]);
    }
  }
  addTransposed(grid, slopeRe, re);
  addTransposed(grid, slopeIm, im);
  for (let b = 0; b < n_b; b++) {
    const dRe = x.re_b[b] * y.re_b[b] + x.im_b[b] * y.im_b[b];
    const dIm = x.im_b[b] * y.re_b[b] - x.re_b[b] * y.im_b[b];
    const square = dRe * dRe + dIm * dIm;
    const [a, c] = [re[b], im[b]];
    re[b] = (a * dRe + c * dIm) / square;
    im[b] = (c * dRe - a * dIm) / square;
  }
};

/** Sums over interval j of g, g t, g t^2, g t^3, g = weight x conj(y): re, then im. */
function addMoments(
  moments: Float64Array,
  { edges, place_f }: SummaryGrid,
  j: number,
  weight_f: Float64Array,
  x: { readonly re_f: Float64Array; readonly im_f: Float64Array },
  y: { readonly re_f: Float64Array; readonly im_f: Float64Array },
): void {
  for (let f = edges[j]; f < edges[j + 1]; f++) {
    const t = place_f[f];
    const t2 = t * t;
    const t3 = t2 * t;
    const gRe = weight_f[f] * (x.re_f[f] * y.re_f[f] + x.im_f[f] * y.im_f[f]);
    const gIm = weight_f[f] * (x.im_f[f] * y.re_f[f] - x.re_f[f] * y.im_f[f]);
    moments[0] += gRe;
    moments[1] += gRe * t;
    moments[2] += gRe * t2;
    moments[3] += gRe * t3;
    moments[4] += gIm;
    moments[5] += gIm * t;
    moments[6] += gIm * t2;
    moments[7] += gIm * t3;
  }
}

/** out += R^T T^-T v; v is overwritten. */
function addTransposed(
  { n_b, right, lower, pivot, upper }: SummaryGrid,
  v: Float64Array,
  out: Float64Array,
): void {
  v[0] /= pivot[0];
  for (let j = 1; j < n_b; j++) v[j] = (v[j] - upper[j - 1] * v[j - 1]) / pivot[j];
  for (let j = n_b - 2; j >= 0; j--) v[j] -= lower[j + 1] * v[j + 1];
  for (let j = 0; j < n_b; j++) {
    const c = Math.min(Math.max(j - 1, 0), n_b - 3);
    out[c] += right[3 * j] * v[j];
    out[c + 1] += right[3 * j + 1] * v[j];
    out[c + 2] += right[3 * j + 2] * v[j];
  }
}
