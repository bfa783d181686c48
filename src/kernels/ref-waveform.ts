/** Twins of c/waveform.c: layouts in `table.ts`. */
import type { Kernels } from "./table.ts";

const TWO_PI = 2 * Math.PI;

/** Math.rint: halves go to the even neighbour, as C's rint. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** Adding and subtracting it rounds to a whole number, halves to even. */
const ROUND = 6755399441055744;
/** pi / 2 in two parts: products of the first, of 33 bits, with a whole number of quarter turns are exact. */
const QUARTER_HIGH = 1.5707963267341256;
const QUARTER_LOW = 6.077100506506192e-11;

/** sin r for |r| <= pi / 4, z = r^2: the minimax polynomials of fdlibm. */
function sinOf(r: number, z: number): number {
  const p = -2.5050760253406863e-8 + z * 1.58969099521155e-10;
  const q = 0.00833333333332249 + z * (-0.0001984126982985795 + z * (2.7557313707070068e-6 + z * p));
  return r + r * z * (-0.16666666666666632 + z * q);
}

function cosOf(z: number): number {
  const p = -2.7557314351390663e-7 + z * (2.087572321298175e-9 - z * 1.1359647557788195e-11);
  const q = -0.001388888888887411 + z * (2.480158728947673e-5 + z * p);
  return 1 - 0.5 * z + z * z * (0.0416666666666666 + z * q);
}

/** Signs of the cosine and the sine of the rest of an angle, after 0 to 3 quarter turns; an odd number swaps re and im. */
const COS_SIGN = Float64Array.of(1, 1, -1, -1);
const SIN_SIGN = Float64Array.of(1, -1, -1, 1);

/**
 * einsum: 'mpb, mpb -> mpcb', A exp(i (phase + 2 pi f dt)), for angles below 1e6: quarter turns are taken off first.
 */
export const waveform: Kernels["waveform"] = (
  h,
  amplitude,
  phase,
  start,
  stride,
  f_b,
  dt,
  n_mp,
  n_b,
  n_bp,
) => {
  const omega = TWO_PI * dt;
  for (let row = 0; row < n_mp; row++) {
    const from = start + row * stride;
    const re = row * 2 * n_bp;
    const im = re + n_bp;
    for (let b = 0; b < n_b; b++) {
      const angle = phase[from + b] + omega * f_b[b];
      const turns = angle * (2 / Math.PI) + ROUND - ROUND;
      const r = angle - turns * QUARTER_HIGH - turns * QUARTER_LOW;
      const z = r * r;
      const quarter = (turns | 0) & 3;
      const swap = (quarter & 1) * n_bp;
      h[re + b + swap] = amplitude[from + b] * COS_SIGN[quarter] * cosOf(z);
      h[im + b - swap] = amplitude[from + b] * SIN_SIGN[quarter] * sinOf(r, z);
    }
    h.fill(0, re + n_b, im);
    h.fill(0, im + n_b, im + n_bp);
  }
};

export const align: Kernels["align"] = (
  amplitude,
  phase,
  start,
  f_b,
  refPhase_b,
  fitWeight_b,
  fMiddle,
  n_b,
) => {
  let turns = 0;
  let before = 0;
  let [w0, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0];
  for (let b = 0; b < n_b; b++) {
    const angle = phase[start + b] - refPhase_b[b];
    if (b > 0) turns += roundHalfEven((angle - before) / TWO_PI);
    before = angle;
    const w = fitWeight_b[b] * amplitude[start + b];
    const x = f_b[b] - fMiddle;
    const y = angle - TWO_PI * turns;
    w0 += w;
    wx += w * x;
    wy += w * y;
    wxx += w * x * x;
    wxy += w * x * y;
  }
  return -(w0 * wxy - wx * wy) / (w0 * wxx - wx * wx) / TWO_PI;
};

/** einsum: 'dmpb, mpb -> dmpb' with h conjugated. */
export const weighted: Kernels["weighted"] = (g, w, h, n_d, n_mp, n_bp) => {
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
