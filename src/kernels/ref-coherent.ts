/** Twins of c/coherent.c: layouts in `table.ts`. */
import type { Kernels, TileRows } from "./table.ts";

/** einsum: 'cdx, dxe -> ce'. */
function hhTile(
  hh: Float64Array,
  c_cdx: Float64Array,
  ff: Float64Array,
  n_c: number,
  n_x: number,
  n_e: number,
) {
  hh.fill(0, 0, n_c * n_e);
  for (let c = 0; c < n_c; c++) {
    for (let x = 0; x < n_x; x++) {
      const s = c_cdx[c * n_x + x];
      for (let e = 0; e < n_e; e++) hh[c * n_e + e] += s * ff[x * n_e + e];
    }
  }
}

/** An upper bound over phases of lnL passes the threshold: |dh| <= sum_m |dh_m|, hh >= hh_0 - sum_k |hh_k|. */
function mayPass(
  hh: Float64Array,
  dh: Float64Array,
  e: number,
  n_m: number,
  n_k: number,
  n_e: number,
  thr: number,
) {
  let low = hh[e];
  let sum = 0;
  for (let k = 0; k < n_k; k++) low -= Math.hypot(hh[(1 + 2 * k) * n_e + e], hh[(2 + 2 * k) * n_e + e]);
  for (let m = 0; m < n_m; m++) sum += Math.hypot(dh[2 * m * n_e + e], dh[(2 * m + 1) * n_e + e]);
  return sum * sum * (1 + 1e-9) >= 2 * thr * low;
}

export const coherentTile: Kernels["coherentTile"] = (
  ...[rows, hh, dh, c_cdx, ff, phases, n_m, n_d, n_e, n_valid, threshold]
) => {
  const { n_o, n_op, n_k, cosM_mo, sinM_mo, cosK_ko, sinK_ko } = phases;
  hhTile(hh, c_cdx, ff, 1 + 2 * n_k, 3 * n_d, n_e);
  let n_r = 0;
  for (let e = 0; e < n_valid; e++) {
    if (threshold > 0 && !mayPass(hh, dh, e, n_m, n_k, n_e, threshold)) continue;
    for (let o = 0; o < n_o; o++) {
      let d = 0;
      let h = hh[e];
      for (let m = 0; m < n_m; m++) {
        d += dh[2 * m * n_e + e] * cosM_mo[m * n_op + o] + dh[(2 * m + 1) * n_e + e] * sinM_mo[m * n_op + o];
      }
      for (let k = 0; k < n_k; k++) {
        const at = (1 + 2 * k) * n_e + e;
        h += hh[at] * cosK_ko[k * n_op + o] + hh[at + n_e] * sinK_ko[k * n_op + o];
      }
      const lnl = d > 0 ? (0.5 * d * d) / h : 0;
      if (lnl > threshold) n_r = appendRow(rows, n_r, e, o, d, h);
    }
  }
  return n_r;
};

function appendRow(rows: TileRows, n: number, e: number, o: number, dh: number, hh: number): number {
  rows.e[n] = e;
  rows.o[n] = o;
  rows.dh[n] = dh;
  rows.hh[n] = hh;
  return n + 1;
}
