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
export function mayPass(
  hh: Float64Array,
  dh: Float64Array,
  e: number,
  n_m: number,
  n_k: number,
  n_e: number,
  threshold: number,
): boolean {
  let low = hh[e];
  for (let k = 0; k < n_k; k++) {
    const re = hh[(1 + 2 * k) * n_e + e];
    const im = hh[(2 + 2 * k) * n_e + e];
    low -= Math.sqrt(re * re + im * im);
  }
  let sum = 0;
  for (let m = 0; m < n_m; m++) {
    const re = dh[2 * m * n_e + e];
    const im = dh[(2 * m + 1) * n_e + e];
    sum += Math.sqrt(re * re + im * im);
  }
  return !(sum * sum * (1 + 1e-9) < 2 * threshold * low);
}

const BLOCK = 8;
/** Of the waves of each m, then of each k, at one e. */
let amplitude_x = new Float64Array(0);
/** <d|h>, then <h|h>, of four phases. */
const d_h = new Float64Array(8);

/** einsum: 'x, xo -> o' of the waves of m, and of those of k, at the four phases whose waves begin at `at`. */
function fourPhases(waves: Float64Array, at: number, n_d: number, n_x: number, equal: number): void {
  let d0 = 0;
  let d1 = 0;
  let d2 = 0;
  let d3 = 0;
  let w = at;
  for (let x = 0; x < n_d; x++, w += BLOCK) {
    const amplitude = amplitude_x[x];
    d0 += amplitude * waves[w];
    d1 += amplitude * waves[w + 1];
    d2 += amplitude * waves[w + 2];
    d3 += amplitude * waves[w + 3];
  }
  let h0 = equal;
  let h1 = equal;
  let h2 = equal;
  let h3 = equal;
  for (let x = n_d; x < n_x; x++, w += BLOCK) {
    const amplitude = amplitude_x[x];
    h0 += amplitude * waves[w];
    h1 += amplitude * waves[w + 1];
    h2 += amplitude * waves[w + 2];
    h3 += amplitude * waves[w + 3];
  }
  d_h[0] = d0;
  d_h[1] = d1;
  d_h[2] = d2;
  d_h[3] = d3;
  d_h[4] = h0;
  d_h[5] = h1;
  d_h[6] = h2;
  d_h[7] = h3;
}

export const coherentTile: Kernels["coherentTile"] = (
  rows,
  hh,
  dh,
  c_cdx,
  ff,
  phases,
  n_m,
  n_d,
  n_e,
  n_valid,
  threshold,
) => {
  const { n_o, n_k, waves_Oxo } = phases;
  hhTile(hh, c_cdx, ff, 1 + 2 * n_k, 3 * n_d, n_e);
  const n_x = 2 * (n_m + n_k);
  if (amplitude_x.length < n_x) amplitude_x = new Float64Array(n_x);
  let n_r = 0;
  for (let e = 0; e < n_valid; e++) {
    if (threshold > 0 && !mayPass(hh, dh, e, n_m, n_k, n_e, threshold)) continue;
    for (let x = 0; x < 2 * n_m; x++) amplitude_x[x] = dh[x * n_e + e];
    for (let x = 0; x < 2 * n_k; x++) amplitude_x[2 * n_m + x] = hh[(1 + x) * n_e + e];
    for (let o0 = 0; o0 < n_o; o0 += 4) {
      const block = o0 - (o0 % BLOCK);
      fourPhases(waves_Oxo, block * n_x + o0 - block, 2 * n_m, n_x, hh[e]);
      for (let j = 0; j < 4 && o0 + j < n_o; j++) {
        const d = d_h[j];
        const lnl = d > 0 ? (0.5 * d * d) / d_h[4 + j] : 0;
        if (lnl > threshold) n_r = appendRow(rows, n_r, e, o0 + j, d, d_h[4 + j]);
      }
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
