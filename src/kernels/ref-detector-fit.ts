/** Twin of c/detector-fit.c: layouts in `setup-table.ts`. */
import { modePairs } from "../axes.ts";
import type { SetupKernels } from "./setup-table.ts";

/** Below this share of the product of its diagonal, the determinant of H means that one polarization is redundant. */
const SINGULAR = 1e-10;

/** H^-1 d; where the polarizations cannot be told apart, the louder one alone. */
export function solve(d0: number, d1: number, H00: number, H01: number, H11: number): [number, number] {
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
  norms_MpPc,
  n_t,
  n_o,
  n_m,
  n_bp,
) => {
  const z_mpc = new Float64Array(4 * n_m);
  const H_ox = Array.from({ length: n_o }, (_, o) =>
    normsAt(norms_MpPc, turn_omc.subarray(2 * o * n_m, 2 * (o + 1) * n_m)),
  );
  for (let t = 0; t < n_t; t++) {
    transformTo(z_mpc, g_mpcb, f_b, start + t * step, n_bp);
    for (let o = 0; o < n_o; o++) {
      let [d0, d1] = [0, 0];
      for (let m = 0; m < n_m; m++) {
        const [c, s] = [turn_omc[2 * (o * n_m + m)], turn_omc[2 * (o * n_m + m) + 1]];
        d0 += z_mpc[4 * m] * c + z_mpc[4 * m + 1] * s;
        d1 += z_mpc[4 * m + 2] * c + z_mpc[4 * m + 3] * s;
      }
      const [r0, r1] = solve(d0, d1, ...H_ox[o]);
      const lnl = 0.5 * (d0 * r0 + d1 * r1);
      if (o > 0 && !(lnl > best_tx[4 * t])) continue;
      best_tx[4 * t] = lnl;
      best_tx[4 * t + 1] = o;
      best_tx[4 * t + 2] = r0;
      best_tx[4 * t + 3] = r1;
    }
  }
};

/** H00, (H01 + H10) / 2, H11 at the phase whose exp(i m phi) is given. */
function normsAt(norms_MpPc: Float64Array, turn_mc: Float64Array): [number, number, number] {
  const H = [0, 0, 0, 0];
  for (const [M, [m, m2]] of modePairs(turn_mc.length / 2).entries()) {
    const [aRe, aIm, bRe, bIm] = [turn_mc[2 * m], turn_mc[2 * m + 1], turn_mc[2 * m2], turn_mc[2 * m2 + 1]];
    const [c, s] = [aRe * bRe + aIm * bIm, aIm * bRe - aRe * bIm];
    for (let pP = 0; pP < 4; pP++) {
      const at = 2 * (4 * M + pP);
      H[pP] += norms_MpPc[at] * c - norms_MpPc[at + 1] * s;
    }
  }
  return [H[0], 0.5 * (H[1] + H[2]), H[3]];
}

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

/** Below exp of this, what all directions together add is lost in the last bit. */
const NEGLIGIBLE = -80;

export const jointArrivals: SetupKernels["jointArrivals"] = (
  out_x,
  lnl_dt,
  delay_de,
  offset_d,
  place_a,
  floor,
  anchor,
  n_d,
  n_t,
  n_e,
  n_a,
) => {
  const place_d = new Float64Array(n_d);
  const lnlAt = (d: number, place: number) => {
    const k = Math.min(Math.floor(place), n_t - 2);
    if (k < 0 || place > n_t - 1) return -Infinity;
    const [before, after] = [lnl_dt[d * n_t + k], lnl_dt[d * n_t + k + 1]];
    return before + (place - k) * (after - before);
  };
  const eachArrival = (visit: (lnl: number) => void) => {
    for (let e = 0; e < n_e; e++) {
      for (let a = 0; a < n_a; a++) {
        let lnl = 0;
        for (let d = 0; d < n_d; d++) {
          place_d[d] = place_a[a] - delay_de[anchor * n_e + e] + delay_de[d * n_e + e] + offset_d[d];
          lnl += Math.max(lnlAt(d, place_d[d]), floor);
        }
        visit(lnl);
      }
    }
  };
  const [best_d, sum_d] = [out_x.subarray(2, 2 + n_d), out_x.subarray(2 + n_d, 2 + 2 * n_d)];
  out_x[0] = -Infinity;
  eachArrival((lnl) => {
    if (!(lnl > out_x[0])) return;
    out_x[0] = lnl;
    best_d.set(place_d);
  });
  out_x[1] = 0;
  sum_d.fill(0);
  eachArrival((lnl) => {
    if (lnl - out_x[0] < NEGLIGIBLE) return;
    const weight = Math.exp(lnl - out_x[0]);
    out_x[1] += weight;
    for (let d = 0; d < n_d; d++) sum_d[d] += weight * (place_d[d] - best_d[d]);
  });
};
