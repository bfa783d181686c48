/** Twin of c/detector-fit.c: layouts in `setup-table.ts`. */
import type { SetupKernels } from "./setup-table.ts";

/** Below this share of the product of its diagonal, the determinant of H means that one polarization is redundant. */
const SINGULAR = 1e-10;

/** H^-1 d; where the polarizations cannot be told apart, the louder one alone. */
function solve(d0: number, d1: number, H00: number, H01: number, H11: number): [number, number] {
  const determinant = H00 * H11 - H01 * H01;
  if (determinant > SINGULAR * H00 * H11) {
    return [(H11 * d0 - H01 * d1) / determinant, (H00 * d1 - H01 * d0) / determinant];
  }
  if (!(H00 > 0 || H11 > 0)) return [0, 0];
  return H00 >= H11 ? [d0 / H00, 0] : [0, d1 / H11];
}

/** einsum: 'mpb, bt -> mpt' with exp(2 pi i f_b t), then the best phase of each time. */
export const bestResponses: SetupKernels["bestResponses"] = (
  best_tx,
  g_mpcb,
  f_b,
  start,
  step,
  turn_omc,
  H_ox,
  n_t,
  n_o,
  n_m,
  n_bp,
) => {
  const z_mpc = new Float64Array(4 * n_m);
  for (let t = 0; t < n_t; t++) {
    transformTo(z_mpc, g_mpcb, f_b, start + t * step, n_bp);
    for (let o = 0; o < n_o; o++) {
      let [d0, d1] = [0, 0];
      for (let m = 0; m < n_m; m++) {
        const [c, s] = [turn_omc[2 * (o * n_m + m)], turn_omc[2 * (o * n_m + m) + 1]];
        d0 += z_mpc[4 * m] * c + z_mpc[4 * m + 1] * s;
        d1 += z_mpc[4 * m + 2] * c + z_mpc[4 * m + 3] * s;
      }
      const [r0, r1] = solve(d0, d1, H_ox[3 * o], H_ox[3 * o + 1], H_ox[3 * o + 2]);
      const lnl = 0.5 * (d0 * r0 + d1 * r1);
      if (o > 0 && !(lnl > best_tx[4 * t])) continue;
      best_tx[4 * t] = lnl;
      best_tx[4 * t + 1] = o;
      best_tx[4 * t + 2] = r0;
      best_tx[4 * t + 3] = r1;
    }
  }
};

/** z_rc = sum_b g_rcb exp(2 pi i f_b t). */
function transformTo(
  z_rc: Float64Array,
  g_rcb: Float64Array,
  f_b: Float64Array,
  t: number,
  n_bp: number,
): void {
  z_rc.fill(0);
  for (let b = 0; b < n_bp; b++) {
    const turns = f_b[b] * t;
    const angle = 2 * Math.PI * (turns - Math.round(turns));
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    for (let k = 0; k < z_rc.length; k += 2) {
      const [re, im] = [g_rcb[k * n_bp + b], g_rcb[(k + 1) * n_bp + b]];
      z_rc[k] += re * c - im * s;
      z_rc[k + 1] += re * s + im * c;
    }
  }
}
