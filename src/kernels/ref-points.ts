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
function onPhases({ dh_qx, hh_qk, n_x, n_kp }: PointProducts, q: number, grid: PhaseGrid): void {
  const { n_o, n_m, n_k, even_m, even_k, order, waves } = grid;
  if (dh_o.length < n_o) [dh_o, hh_o] = [new Float64Array(n_o), new Float64Array(n_o)];
  const half = n_o / 2;
  dh_o.fill(0, 0, n_o);
  hh_o.fill(hh_qk[q * n_kp], 0, n_o);
  for (let row = 0; row < n_m + n_k; row++) {
    const isMode = row < n_m;
    const out_o = isMode ? dh_o : hh_o;
    const at = isMode ? q * n_x + 2 * order[row] : q * n_kp + 2 * order[row] + 2;
    const [cos, sin] = isMode ? [dh_qx[at], dh_qx[at + 1]] : [hh_qk[at], hh_qk[at + 1]];
    const sign = (isMode ? row < even_m : row - n_m < even_k) ? 1 : -1;
    for (let o = 0; o < half; o++) {
      const wave = ((o >> 3) * 2 * (n_m + n_k) + 2 * row) * 8 + (o & 7);
      const value = cos * waves[wave] + sin * waves[wave + 8];
      out_o[o] += value;
      out_o[o + half] += sign * value;
    }
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

/** The best lnL on the phases of `onPhases`; 0 if no phase counts. */
function bestOf(n_o: number): number {
  let best = 0;
  for (let o = 0; o < n_o; o++) if (hh_o[o] > 0) best = Math.max(best, (dh_o[o] * dh_o[o]) / (2 * hh_o[o]));
  return best;
}

/** Phases that are seen before it is asked whether the best of them is enough; each with the one half a turn later. */
const PHASES = 8;

/** The same over phases with <d|h> > 0, and only until one exceeds `enough`; 0 if there are none. */
function bestPositiveOf(n_o: number, enough: number): number {
  const half = n_o / 2;
  let best = 0;
  for (let o0 = 0; o0 < half && !(best > enough); o0 += PHASES)
    // The last block may look at phases of the other half.
    for (let k = o0; k < o0 + PHASES; k++)
      for (const o of [k % n_o, (k + half) % n_o])
        if (hh_o[o] > 0 && dh_o[o] > 0) best = Math.max(best, (dh_o[o] * dh_o[o]) / (2 * hh_o[o]));
  return best;
}

export const keepPairs: ExtrinsicKernels["keepPairs"] = (kept, products, n_q, grid, maxDrop) => {
  const { point_q, pairStart_q, phase, dh, hh, bound_q } = kept;
  const { n_o } = grid;
  let first = 0;
  for (let q = 0; q < n_q; q++) {
    bound_q[q] = boundOf(products, q);
    if (bound_q[q] > bound_q[first]) first = q;
  }
  // The point of the highest bound is close to the best of all, so that few others need their phases.
  let best = -Infinity;
  if (n_q > 0) {
    onPhases(products, first, grid);
    best = bestOf(n_o);
  }
  const isGood = (d: number, h: number) => d * d > 2 * (best - maxDrop) * h;
  let n_points = 0;
  let n_pairs = 0;
  for (let q = 0; q < n_q; q++) {
    if (bound_q[q] <= best - maxDrop) continue;
    onPhases(products, q, grid);
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

export const bestPositive: ExtrinsicKernels["bestPositive"] = (
  ...[lnl_q, products, n_q, grid, floor, enough]
) => {
  for (let q = 0; q < n_q; q++) {
    lnl_q[q] = -Infinity;
    if (boundOf(products, q) <= floor) continue;
    onPhases(products, q, grid);
    lnl_q[q] = bestPositiveOf(grid.n_o, enough);
  }
};

export const worthwhilePairs: ExtrinsicKernels["worthwhilePairs"] = (
  ...[dhOut, hhOut, start_q, dh, hh, pairStart_q, n_q, least]
) => {
  let n = 0;
  for (let q = 0; q < n_q; q++) {
    start_q[q] = n;
    for (let x = pairStart_q[q]; x < pairStart_q[q + 1]; x++) {
      if (!(dh[x] > least * Math.sqrt(hh[x]))) continue;
      dhOut[n] = dh[x];
      hhOut[n++] = hh[x];
    }
  }
  start_q[n_q] = n;
  return n;
};

export const sumExp: ExtrinsicKernels["sumExp"] = (sum_q, lnl, start_q, n_q) => {
  let largest = -Infinity;
  for (let x = 0; x < start_q[n_q]; x++) largest = Math.max(largest, lnl[x]);
  for (let q = 0; q < n_q; q++) {
    sum_q[q] = 0;
    for (let x = start_q[q]; x < start_q[q + 1]; x++) sum_q[q] += Math.exp(lnl[x] - largest);
  }
  return largest;
};
