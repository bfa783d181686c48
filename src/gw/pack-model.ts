/**
 * How the numbers of a packed bank are predicted and written. Every value (row, bin) is predicted from values of the same
 * row at bins that were coded before, by weights fitted to the bank; what is kept is the difference:
 *   exact    in units of the last place: every bit comes back. Bins in ascending order, from the `taps` bins before.
 *   rounded  in steps of the tolerance. Bins by halving: every `stride`-th and the last first, then those half-way between,
 *            so that nearly all are interpolated, not extrapolated.
 * Amplitudes are multiplied by (f / f_0)^(7/6) first in the rounded code, so that an inspiral's hardly change with f.
 */
import { FIRST_BYTES, LANES, N_CLASSES, type Prediction, type Steps } from "../kernels/pack-table.ts";
import { sharedF64, sharedI32 } from "../workers/arena.ts";

export type PackMode = "exact" | "rounded";

export interface PackModel {
  readonly prediction: Prediction;
  /** null: the exact code. */
  readonly steps: Steps | null;
  /** What a decoded amplitude is multiplied by; ones in the exact code. */
  readonly scale_b: Float64Array;
}

interface Places {
  readonly bin_t: Int32Array;
  /** (t, k); where there are fewer than n_k, the first is repeated. */
  readonly tap_tk: Int32Array;
  readonly near_tc: Int32Array;
  /** How many taps there are. */
  readonly n_taps_t: Int32Array;
}

/** With `n_roots` of `Steps`. */
export interface CodingOrder extends Places {
  readonly n_roots: number;
}

/** Every bin after those below it. */
export function ascendingOrder(n_b: number, n_k: number): Places {
  const order = emptyOrder(n_b, n_k);
  for (let t = 0; t < n_b; t++) {
    const taps = Array.from({ length: Math.min(t, n_k) }, (_, k) => t - 1 - k);
    setPlace(order, t, t, taps, n_k);
  }
  return order;
}

/** Every stride-th bin (a power of 2) and the last, then the bins half-way between these, and so on. */
export function halvingOrder(n_b: number, n_k: number, stride: number): Places {
  const order = emptyOrder(n_b, n_k);
  const known: number[] = [];
  let t = 0;
  const anchors = Array.from({ length: Math.ceil(n_b / stride) }, (_, k) => k * stride);
  if (anchors[anchors.length - 1] !== n_b - 1) anchors.push(n_b - 1);
  for (const bin of anchors) {
    setPlace(order, t++, bin, known.slice(-Math.min(n_k, ANCHOR_TAPS)).reverse(), n_k);
    known.push(bin);
  }
  for (let step = stride / 2; step >= 1; step /= 2) {
    const isKnown = new Set(known);
    const before = known.slice();
    for (let bin = step; bin < n_b; bin += 2 * step) {
      if (isKnown.has(bin)) continue;
      setPlace(order, t++, bin, nearest(before, bin, n_k), n_k);
      known.push(bin);
    }
    known.sort((a, b) => a - b);
  }
  return order;
}

const ANCHOR_TAPS = 4;

/** n of the ascending bins around one that is not among them, the nearest below first. */
function nearest(bins: readonly number[], bin: number, n: number): number[] {
  const above = bins.findIndex((other) => other > bin);
  const first = Math.max(0, Math.min(above - (n >> 1), bins.length - n));
  const below = bins[above - 1];
  return [below, ...bins.slice(first, first + n).filter((other) => other !== below)];
}

function emptyOrder(n_b: number, n_k: number): Places {
  const [bin_t, tap_tk] = [sharedI32(n_b), sharedI32(n_b * n_k)];
  return { bin_t, tap_tk, near_tc: sharedI32(2 * n_b), n_taps_t: sharedI32(n_b) };
}

function setPlace(order: Places, t: number, bin: number, taps: readonly number[], n_k: number): void {
  order.bin_t[t] = bin;
  order.n_taps_t[t] = taps.length;
  const [first = 0] = taps;
  for (let k = 0; k < n_k; k++) order.tap_tk[t * n_k + k] = taps[k] ?? first;
  const above = taps.filter((tap) => tap > bin);
  order.near_tc[2 * t] = first;
  order.near_tc[2 * t + 1] = above.length === 0 ? first : Math.min(...above);
}

/** The order of a mode. @param stride of the rounded code */
export function orderOf(mode: PackMode, n_b: number, taps: number, stride: number): CodingOrder {
  const order = mode === "exact" ? ascendingOrder(n_b, taps) : halvingOrder(n_b, taps, stride);
  const near = new Set(order.near_tc);
  return { ...order, n_roots: 1 + order.bin_t.findLastIndex((bin) => near.has(bin)) };
}

/** (f / f_0)^(-7/6). */
export function inspiralScale(fbin: Float64Array): Float64Array {
  const scale_b = sharedF64(fbin.length);
  for (let b = 0; b < fbin.length; b++) scale_b[b] = (fbin[b] / fbin[0]) ** (-7 / 6);
  return scale_b;
}

export function onesOf(n: number): Float64Array {
  return sharedF64(n).fill(1);
}

/**
 * Weights of values from those of differences: w_0 x_0 + sum_k w_k (x_k - x_0). The latter are what the file has, because they
 * can be short: a phase's w_0 is exactly 1, so its errors are those of differences.
 */
export function plainWeights(weight_trk: Float64Array, n_k: number): Float64Array {
  const plain_trk = sharedF64(weight_trk.length);
  for (let at = 0; at < weight_trk.length; at += n_k) {
    let first = weight_trk[at];
    for (let k = 1; k < n_k; k++) {
      first -= weight_trk[at + k];
      plain_trk[at + k] = weight_trk[at + k];
    }
    plain_trk[at] = first;
  }
  return plain_trk;
}

/** Bytes of each class's stream, and of the rests, for LANES samples in the rounded code. */
export function streamBytes({ n_b, n_m, class_tr, shift_tr }: Prediction): Int32Array {
  const bytes = new Int32Array(N_CLASSES + 1);
  for (let r = 0; r < 4 * n_m; r++) {
    for (let t = 1; t < n_b; t++) {
      const kind = class_tr[t * 4 * n_m + r];
      bytes[kind] += kind < FIRST_BYTES ? LANES / 2 : LANES;
      bytes[N_CLASSES] += shift_tr[t * 4 * n_m + r];
    }
  }
  return bytes;
}
