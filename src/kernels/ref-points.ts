/** Definitions of the kernels in c/points.c. */
import type { ExtrinsicKernels, PhaseGrid, PointProducts } from "./extrinsic-table.ts";

/** Nodes of the local polynomial between time bins: 8 leave an error of 1e-7 of the peak (1e-6 with power to 1600 Hz). */
const NODES = 8;

/** Inverse of the product of (j - k) over the other nodes k. */
const NODE_SCALE = Float64Array.from({ length: NODES }, (_, j) => {
  let product = 1;
  for (let k = 0; k < NODES; k++) if (k !== j) product *= j - k;
  return 1 / product;
});

/** Weights of the values at 0, 1, ..., NODES - 1 in the polynomial through them, at x. */
function lagrangeWeights(x: number, out: Float64Array): void {
  let below = 1;
  for (let j = 0; j < NODES; j++) {
    out[j] = below * NODE_SCALE[j];
    below *= x - j;
  }
  let above = 1;
  for (let j = NODES - 1; j >= 0; j--) {
    out[j] *= above;
    above *= x - j;
  }
}

const node = new Float64Array(NODES);

/** einsum: 'dpq, dqj, djpx -> qx' with the nodes j of each point; 'dcq, dck -> qk'. */
export const pointProducts: ExtrinsicKernels["pointProducts"] = (
  ...[{ dh_qx, hh_qk, n_x, n_kp }, dh_dtx, hh_dck, position_dq, response_dpq, ld, n_q, n_d, n_t]
) => {
  dh_qx.fill(0, 0, n_q * n_x);
  hh_qk.fill(0, 0, n_q * n_kp);
  for (let q = 0; q < n_q; q++) {
    for (let d = 0; d < n_d; d++) {
      const position = position_dq[d * ld + q];
      const first = Math.max(0, Math.min(n_t - NODES, Math.floor(position) - NODES / 2 + 1));
      lagrangeWeights(position - first, node);
      const plus = response_dpq[2 * d * ld + q];
      const cross = response_dpq[(2 * d + 1) * ld + q];
      const at = (d * n_t + first) * 2 * n_x;
      for (let j = 0; j < NODES; j++) {
        const row = at + j * 2 * n_x;
        const [wPlus, wCross] = [plus * node[j], cross * node[j]];
        for (let x = 0; x < n_x; x++)
          dh_qx[q * n_x + x] += wPlus * dh_dtx[row + x] + wCross * dh_dtx[row + n_x + x];
      }
      const [pp, px, xx] = [plus * plus, plus * cross, cross * cross];
      const from = d * 3 * n_kp;
      for (let k = 0; k < n_kp; k++)
        hh_qk[q * n_kp + k] +=
          pp * hh_dck[from + k] + px * hh_dck[from + n_kp + k] + xx * hh_dck[from + 2 * n_kp + k];
    }
  }
};

let dh_o = new Float64Array(0);
let hh_o = new Float64Array(0);

/** dh_o = Re sum_m dh_m e^{-i m phi_o}; hh_o = hh_0 + sum_k (C_k cos k phi_o + S_k sin k phi_o), on all phases. */
function onPhases({ dh_qx, hh_qk, n_x, n_kp }: PointProducts, q: number, { tables }: PhaseGrid, n_m: number) {
  const { n_o, n_op, n_k, cosM_mo, sinM_mo, cosK_ko, sinK_ko } = tables;
  if (dh_o.length < n_o) [dh_o, hh_o] = [new Float64Array(n_o), new Float64Array(n_o)];
  dh_o.fill(0, 0, n_o);
  hh_o.fill(hh_qk[q * n_kp], 0, n_o);
  for (let m = 0; m < n_m; m++) {
    const [re, im] = [dh_qx[q * n_x + 2 * m], dh_qx[q * n_x + 2 * m + 1]];
    for (let o = 0; o < n_o; o++) dh_o[o] += re * cosM_mo[m * n_op + o] + im * sinM_mo[m * n_op + o];
  }
  for (let k = 0; k < n_k; k++) {
    const [cos, sin] = [hh_qk[q * n_kp + 2 * k + 2], hh_qk[q * n_kp + 2 * k + 3]];
    for (let o = 0; o < n_o; o++) hh_o[o] += cos * cosK_ko[k * n_op + o] + sin * sinK_ko[k * n_op + o];
  }
}

/** The largest lnL = <d|h>^2/(2 <h|h>) that any phase could give: |dh| <= sum |dh_m|, hh >= hh_0 - sum |hh_k|. */
function boundOf({ dh_qx, hh_qk, n_x, n_kp }: PointProducts, q: number): number {
  let dh = 0;
  for (let x = q * n_x; x < (q + 1) * n_x; x += 2)
    dh += Math.sqrt(dh_qx[x] * dh_qx[x] + dh_qx[x + 1] * dh_qx[x + 1]);
  let hh = hh_qk[q * n_kp];
  for (let k = q * n_kp + 2; k < (q + 1) * n_kp; k += 2)
    hh -= Math.sqrt(hh_qk[k] * hh_qk[k] + hh_qk[k + 1] * hh_qk[k + 1]);
  return hh > 0 ? (dh * dh) / (2 * hh) : Infinity;
}

/** The best lnL on the phases of `onPhases`; `none` if no phase counts. */
function bestOf(n_o: number, positive: boolean, none: number): number {
  let best = none;
  for (let o = 0; o < n_o; o++)
    if (hh_o[o] > 0 && (!positive || dh_o[o] > 0)) best = Math.max(best, (dh_o[o] * dh_o[o]) / (2 * hh_o[o]));
  return best;
}

export const keepPairs: ExtrinsicKernels["keepPairs"] = (kept, products, n_q, grid, n_m, maxDrop) => {
  const { point_q, pairStart_q, phase, dh, hh, bound_q } = kept;
  const { n_o } = grid.tables;
  let first = 0;
  for (let q = 0; q < n_q; q++) {
    bound_q[q] = boundOf(products, q);
    if (bound_q[q] > bound_q[first]) first = q;
  }
  // The point of the highest bound is close to the best of all, so that few others need their phases.
  let best = -Infinity;
  if (n_q > 0) {
    onPhases(products, first, grid, n_m);
    best = bestOf(n_o, false, 0);
  }
  const isGood = (d: number, h: number) => d * d > 2 * (best - maxDrop) * h;
  let n_points = 0;
  let n_pairs = 0;
  for (let q = 0; q < n_q; q++) {
    if (bound_q[q] <= best - maxDrop) continue;
    onPhases(products, q, grid, n_m);
    pairStart_q[n_points] = n_pairs;
    for (let o = 0; o < n_o; o++) {
      if (!(hh_o[o] > 0 && isGood(dh_o[o], hh_o[o]))) continue;
      best = Math.max(best, (dh_o[o] * dh_o[o]) / (2 * hh_o[o]));
      phase[n_pairs] = o;
      dh[n_pairs] = dh_o[o];
      hh[n_pairs++] = hh_o[o];
    }
    if (n_pairs > pairStart_q[n_points]) point_q[n_points++] = q;
  }
  pairStart_q[n_points] = n_pairs;
  // Again, with the best of them all.
  let [points, pairs] = [0, 0];
  for (let k = 0; k < n_points; k++) {
    const [start, end, before] = [pairStart_q[k], pairStart_q[k + 1], pairs];
    for (let x = start; x < end; x++) {
      if (!isGood(dh[x], hh[x])) continue;
      phase[pairs] = phase[x];
      dh[pairs] = dh[x];
      hh[pairs++] = hh[x];
    }
    if (pairs === before) continue;
    point_q[points] = point_q[k];
    pairStart_q[points++] = before;
  }
  pairStart_q[points] = pairs;
  kept.best[0] = best;
  return points;
};

export const bestPositive: ExtrinsicKernels["bestPositive"] = (lnl_q, products, n_q, grid, n_m, floor) => {
  for (let q = 0; q < n_q; q++) {
    lnl_q[q] = -Infinity;
    if (boundOf(products, q) <= floor) continue;
    onPhases(products, q, grid, n_m);
    lnl_q[q] = bestOf(grid.tables.n_o, true, -Infinity);
  }
};
