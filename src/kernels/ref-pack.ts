/** Twins of c/pack.c: decoding packed banks. Arguments and layouts: `pack-table.ts`. */
import {
  CLASS,
  LANES,
  N_PLANES,
  type PackKernels,
  type Prediction,
  ROW_KIND,
  STREAM,
  type Steps,
} from "./pack-table.ts";

/** A double and its halves. */
const number64 = new Float64Array(1);
const halves = new Int32Array(number64.buffer);

/** The predictions of row r at place t, t > 0. */
export function predictLanes(
  guess_l: Float64Array,
  x_rbl: Float64Array,
  p: Prediction,
  r: number,
  t: number,
): void {
  const { bin_t, tap_tk, weight_rtk, kind_r, n_k, n_b, n_m } = p;
  const row = r * n_b * LANES;
  if (kind_r[r] === ROW_KIND.likePlus) {
    const [from, at] = [row + bin_t[0] * LANES, row - n_b * LANES + bin_t[t] * LANES];
    const plus = from - n_b * LANES;
    for (let l = 0; l < LANES; l++) {
      guess_l[l] =
        r < 2 * n_m
          ? x_rbl[at + l] * (x_rbl[from + l] / x_rbl[plus + l])
          : x_rbl[at + l] + (x_rbl[from + l] - x_rbl[plus + l]);
    }
  } else {
    const weight = (r * n_b + t) * n_k;
    const base = row + tap_tk[t * n_k] * LANES;
    for (let l = 0; l < LANES; l++) guess_l[l] = weight_rtk[weight] * x_rbl[base + l];
    for (let k = 1; k < n_k; k++) {
      const w = weight_rtk[weight + k];
      const at = row + tap_tk[t * n_k + k] * LANES;
      for (let l = 0; l < LANES; l++) guess_l[l] += w * (x_rbl[at + l] - x_rbl[base + l]);
    }
  }
  for (let l = 0; l < LANES; l++) if (!(Math.abs(guess_l[l]) <= Number.MAX_VALUE)) guess_l[l] = 0;
}

/** Writes the bits of x, ordered as its value, into `out`: low half, high half. */
export function orderedBits(out: Int32Array, x: number): void {
  number64[0] = x;
  const sign = halves[1] >> 31;
  out[0] = halves[0] ^ sign;
  out[1] = halves[1] ^ (sign >>> 1);
}

const bits = new Int32Array(2);

function unpackExact(x_rbl: Float64Array, planes: readonly Uint8Array[], start: number, p: Prediction): void {
  const { bin_t, n_b, n_m } = p;
  const guess_l = new Float64Array(LANES);
  const words = new Int32Array(x_rbl.buffer, x_rbl.byteOffset, 2 * x_rbl.length);
  for (let r = 0; r < 4 * n_m; r++) {
    for (let t = 0; t < n_b; t++) {
      const from = start + (r * n_b + t) * LANES;
      if (t > 0) predictLanes(guess_l, x_rbl, p, r, t);
      else guess_l.fill(0);
      for (let l = 0; l < LANES; l++) {
        let [low, high] = [0, 0];
        for (let k = 0; k < 4; k++) {
          low |= planes[k][from + l] << (8 * k);
          high |= planes[k + N_PLANES / 2][from + l] << (8 * k);
        }
        // r = (z >>> 1) ^ -(z & 1)
        const sign = -(low & 1);
        low = ((low >>> 1) | (high << 31)) ^ sign;
        high = (high >>> 1) ^ sign;
        orderedBits(bits, guess_l[l]);
        const sum = (low >>> 0) + (bits[0] >>> 0);
        low = sum | 0;
        high = (high + bits[1] + (sum > 0xffffffff ? 1 : 0)) | 0;
        const below = high >> 31;
        const at = 2 * ((r * n_b + bin_t[t]) * LANES + l);
        words[at] = low ^ below;
        words[at + 1] = high ^ (below >>> 1);
      }
    }
  }
}

/** The steps of the amplitudes of polarization p at place t > 0. @param R_pbl roots of the sums of squares of the amplitudes */
export function amplitudeSteps(
  step_l: Float64Array,
  R_pbl: Float64Array,
  { near_tc, step, floor, least }: Steps,
  { bin_t, n_b }: Prediction,
  p: number,
  t: number,
): void {
  const row = p * n_b * LANES;
  const [below, above] = [row + near_tc[2 * t] * LANES, row + near_tc[2 * t + 1] * LANES];
  const first = row + bin_t[0] * LANES;
  for (let l = 0; l < LANES; l++) {
    const mean = 0.5 * (R_pbl[below + l] + R_pbl[above + l]);
    step_l[l] = step * larger(larger(mean, floor * R_pbl[first + l]), least);
  }
}

/** b if one is not a number, as in C. */
export function larger(a: number, b: number): number {
  if (a > b) return a;
  return b;
}

/** Writes R of polarization p at bin b. */
export function writeRoot(
  R_pbl: Float64Array,
  x_rbl: Float64Array,
  p: number,
  b: number,
  of: Prediction,
): void {
  const { n_b, n_m } = of;
  for (let l = 0; l < LANES; l++) {
    let sum = 0;
    for (let m = 0; m < n_m; m++) {
      const x = x_rbl[((2 * m + p) * n_b + b) * LANES + l];
      sum += x * x;
    }
    R_pbl[(p * n_b + b) * LANES + l] = Math.sqrt(sum);
  }
}

/** Reads the steps n_l of one (row, place); an escape becomes NaN. Moves `at` on. */
function readSteps(n_l: Float64Array, codes: Uint8Array, at: Int32Array, kind: number): void {
  const lowest = kind < CLASS.bytes ? -8 : kind < CLASS.two ? -128 : kind === CLASS.two ? -32768 : -8388608;
  for (let l = 0; l < LANES; l++) {
    let n: number;
    if (kind < CLASS.bytes) {
      const byte = codes[at[STREAM.halves + kind] + (l >> 1)];
      n = ((l & 1) === 0 ? byte << 28 : byte << 24) >> 28;
    } else if (kind < CLASS.two) {
      n = (codes[at[kind] + l] << 24) >> 24;
    } else {
      const low = codes[at[STREAM.first] + l] | (codes[at[STREAM.second] + l] << 8);
      n = kind === CLASS.two ? (low << 16) >> 16 : ((low | (codes[at[STREAM.third] + l] << 16)) << 8) >> 8;
    }
    n_l[l] = n === lowest ? NaN : n;
  }
  if (kind < CLASS.bytes) at[STREAM.halves + kind] += LANES / 2;
  else if (kind < CLASS.two) at[kind] += LANES;
  else for (let s = 0; s < (kind === CLASS.two ? 2 : 3); s++) at[STREAM.first + s] += LANES;
}

function unpackSteps(
  x_rbl: Float64Array,
  scratch: Float64Array,
  codes: Uint8Array,
  begin: Int32Array,
  others: Float64Array,
  firstOther: number,
  n_others: number,
  prediction: Prediction,
  steps: Steps,
): number {
  const { bin_t, n_b, n_m } = prediction;
  const at = begin.slice();
  const [n_l, step_l, guess_l] = [0, 1, 2].map(() => new Float64Array(LANES));
  let taken = 0;
  for (let t = 0; t < n_b; t++) {
    const b = bin_t[t];
    for (let p = 0; p < 2; p++) {
      if (t > 0) amplitudeSteps(step_l, scratch, steps, prediction, p, t);
      for (let row = 0; row < 2 * n_m; row++) {
        const r = 2 * row + p;
        const isPhase = row >= n_m;
        if (t === 0) n_l.fill(NaN);
        else {
          readSteps(n_l, codes, at, steps.class_rt[r * n_b + t]);
          predictLanes(guess_l, x_rbl, prediction, r, t);
        }
        for (let l = 0; l < LANES; l++) {
          const to = (r * n_b + b) * LANES + l;
          if (Number.isNaN(n_l[l])) {
            if (taken >= n_others) return -1;
            x_rbl[to] = others[firstOther + taken++];
            continue;
          }
          let step = step_l[l];
          if (isPhase) step /= larger(x_rbl[to - 2 * n_m * n_b * LANES], step);
          const x = guess_l[l] + n_l[l] * step;
          x_rbl[to] = isPhase || x > 0 ? x : 0;
        }
        if (row === n_m - 1) writeRoot(scratch, x_rbl, p, b, prediction);
      }
    }
  }
  return taken;
}

function spreadLanes(
  out: Float64Array,
  first: number,
  x_rbl: Float64Array,
  start: number,
  scale_b: Float64Array,
  n_b: number,
  n_rows: number,
  n_lanes: number,
): void {
  const n_x = n_rows * n_b;
  for (let row = 0; row < n_rows; row++) {
    for (let b = 0; b < n_b; b++) {
      const at = row * n_b + b;
      for (let l = 0; l < n_lanes; l++) {
        out[first + l * n_x + at] = x_rbl[start + at * LANES + l] * scale_b[b];
      }
    }
  }
}

export const packReference: PackKernels = { unpackExact, unpackSteps, spreadLanes };
