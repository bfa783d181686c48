/** Twins of c/smooth-waveform.c: layouts in `setup-table.ts`. */
import type { SetupKernels } from "./setup-table.ts";

/** The piece of a cubic spline that begins at c, at distance s from its knot. */
function piece(pieces: Float64Array, c: number, s: number): number {
  return pieces[c] + s * (pieces[c + 1] + s * (pieces[c + 2] + s * pieces[c + 3]));
}

export const smoothMode: SetupKernels["smoothMode"] = (h_cf, f, grid, pieces, series, stride) => {
  const { n_b, edges, knots } = grid;
  const [s0, s1, s2, s3, s4, s5, s6, s7, s8] = series;
  for (let j = 0; j < n_b - 1; j++) {
    for (let k = edges[j]; k < edges[j + 1]; k++) {
      const x = Math.cbrt(f[k]);
      const logF = Math.log(f[k]);
      const sixth = s6 + s7 * logF + x * s8;
      const sum = 1 + x * x * (s1 + x * (s2 + x * (s3 + x * (s4 + s5 * logF + x * sixth))));
      const angle = (s0 / x ** 5) * sum + piece(pieces, 4 * j, f[k] - knots[j]);
      const amplitude = 1 / (f[k] * Math.sqrt(x));
      h_cf[k] = amplitude * Math.cos(angle);
      h_cf[stride + k] = amplitude * Math.sin(angle);
    }
  }
};

/** einsum: 'mf, mpf, mp -> f'. */
export const splineSum: SetupKernels["splineSum"] = (
  out_cf,
  hRe_mf,
  hIm_mf,
  f,
  { n_b, edges, knots },
  pieces_mpcj,
  factor_mpc,
  n_m,
  n_f,
) => {
  const size = 4 * (n_b - 1);
  for (let j = 0; j < n_b - 1; j++) {
    for (let k = edges[j]; k < edges[j + 1]; k++) {
      let [re, im] = [0, 0];
      for (let mp = 0; mp < 2 * n_m; mp++) {
        const s = f[k] - knots[j];
        const a = piece(pieces_mpcj, 2 * mp * size + 4 * j, s);
        const b = piece(pieces_mpcj, (2 * mp + 1) * size + 4 * j, s);
        const [hRe, hIm] = [hRe_mf[(mp >> 1) * n_f + k], hIm_mf[(mp >> 1) * n_f + k]];
        const [x, y] = [hRe * a - hIm * b, hRe * b + hIm * a];
        re += factor_mpc[2 * mp] * x - factor_mpc[2 * mp + 1] * y;
        im += factor_mpc[2 * mp] * y + factor_mpc[2 * mp + 1] * x;
      }
      out_cf[k] = re;
      out_cf[n_f + k] = im;
    }
  }
};

export const powerIndex: SetupKernels["powerIndex"] = (re_f, im_f, weight_f, share, n_f) => {
  const power = (k: number) => (re_f[k] * re_f[k] + im_f[k] * im_f[k]) * weight_f[k];
  let [total, sum] = [0, 0];
  for (let k = 0; k < n_f; k++) total += power(k);
  for (let k = 0; k < n_f; k++) {
    sum += power(k);
    if (sum / total >= share) return k;
  }
  return -1;
};
