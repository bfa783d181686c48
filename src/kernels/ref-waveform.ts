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

/** einsum: 'mpb, mpb -> mpcb', A exp(i (phase + 2 pi f dt)). */
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
      h[re + b] = amplitude[from + b] * Math.cos(angle);
      h[im + b] = amplitude[from + b] * Math.sin(angle);
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
