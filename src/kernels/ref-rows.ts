/** Twins of c/rows.c: contracts in `row-table.ts`. */
import { hash32, hashOn } from "./hash.ts";
import { PART, PROBE, type RowKernels } from "./row-table.ts";

const PROBES = 0x9e3779b9;
const PARTIAL_SUMS = 8;

/** einsum: dh = 'mc, mc -> ' of <d|h>_m and cos, sin of m phi; hh as well of the differences k. */
const probeTile: RowKernels["probeTile"] = (probes, dh_mce, hh_ce, phases, n_m, n_e, n_valid, key) => {
  const { n_o, n_op, n_k, cosM_mo, sinM_mo, cosK_ko, sinK_ko } = phases;
  const [bank, i, e0, every] = [key[PROBE.bank], key[PROBE.i], key[PROBE.e0], key[PROBE.every] >>> 0];
  let n = 0;
  for (let e = 0; e < n_valid; e++) {
    const hash = hashOn(key[PROBE.half], e0 + e, PROBES);
    if (hash % every !== 0) continue;
    const o = hash32(hash, i, e0 + e, bank) % n_o;
    let dh = 0;
    for (let m = 0; m < n_m; m++) {
      const at = m * n_op + o;
      dh += dh_mce[2 * m * n_e + e] * cosM_mo[at] + dh_mce[(2 * m + 1) * n_e + e] * sinM_mo[at];
    }
    let hh = hh_ce[e];
    for (let k = 0; k < n_k; k++) {
      const at = k * n_op + o;
      hh += hh_ce[(1 + 2 * k) * n_e + e] * cosK_ko[at] + hh_ce[(2 + 2 * k) * n_e + e] * sinK_ko[at];
    }
    probes.e[n] = e;
    probes.o[n] = o;
    probes.dh[n] = dh;
    probes.hh[n++] = hh;
  }
  return n;
};

const partSums: RowKernels["partSums"] = (out, pairs, rows, start, end, weight, weight_e) => {
  const { e, dh, hh, bestfit, lnl, lnPosterior } = rows;
  out.fill(0);
  out[PART.scale] = out[PART.bestfit] = out[PART.lnl] = -Infinity;
  for (let r = start; r < end; r++) {
    lnPosterior[r] = lnl[r] + weight + weight_e[e[r]];
    if (!Number.isFinite(dh[r] + hh[r] + lnl[r])) out[PART.notFinite]++;
    out[PART.scale] = Math.max(out[PART.scale], lnPosterior[r]);
    out[PART.bestfit] = Math.max(out[PART.bestfit], bestfit[r]);
    out[PART.lnl] = Math.max(out[PART.lnl], lnl[r]);
  }
  const scale = out[PART.scale];
  if (!(scale > -Infinity && scale < Infinity)) return 0;
  const [total_k, squares_k] = [new Float64Array(PARTIAL_SUMS), new Float64Array(PARTIAL_SUMS)];
  let n = 0;
  for (let r = start; r < end; r++) {
    const term = Math.exp(lnPosterior[r] - scale);
    total_k[(r - start) % PARTIAL_SUMS] += term;
    squares_k[(r - start) % PARTIAL_SUMS] += term * term;
    if (n === 0 || pairs.e[n - 1] !== e[r]) {
      pairs.e[n] = e[r];
      pairs.sum[n++] = 0;
    }
    pairs.sum[n - 1] += term;
  }
  out[PART.total] = sum8(total_k);
  out[PART.rowSquares] = sum8(squares_k);
  for (let k = 0; k < n; k++) out[PART.pairSquares] += pairs.sum[k] * pairs.sum[k];
  return n;
};

/** As in c/simd.h. */
function sum8(x: Float64Array): number {
  return x[0] + x[4] + (x[2] + x[6]) + (x[1] + x[5] + (x[3] + x[7]));
}

export const rowReference: RowKernels = { probeTile, partSums };
