/** Twins of c/pack.c: decoding packed banks. Arguments and layouts: `pack-table.ts`. */
import {
  type Coded,
  FIRST_BYTES,
  LANES,
  N_CLASSES,
  type PackKernels,
  type Prediction,
  ROW_KIND,
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
  const { bin_t, tap_tk, weight_trk, kind_r, n_k, n_b, n_m } = p;
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
    const weight = (t * 4 * n_m + r) * n_k;
    const base = row + tap_tk[t * n_k] * LANES;
    for (let l = 0; l < LANES; l++) guess_l[l] = weight_trk[weight] * x_rbl[base + l];
    for (let k = 1; k < n_k; k++) {
      const w = weight_trk[weight + k];
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

/** Reads what is left of the values of one (row, place) after another. */
class LaneReader {
  /** Where the next symbols of each class begin, and the next rests. */
  private readonly at: Int32Array;
  private taken = 0;
  /** n as halves of 64 bits. */
  readonly low_l = new Int32Array(LANES);
  readonly high_l = new Int32Array(LANES);
  readonly isOther_l = new Uint8Array(LANES);

  constructor(private readonly coded: Coded) {
    this.at = coded.at.slice();
  }

  read(kind: number, shift: number): void {
    const { at, low_l, high_l, isOther_l } = this;
    const { codes } = this.coded;
    const lowest = kind < FIRST_BYTES ? -8 : -128;
    for (let l = 0; l < LANES; l++) {
      const byte = kind < FIRST_BYTES ? codes[at[kind] + (l >> 1)] : codes[at[kind] + l] << 24;
      const symbol = kind < FIRST_BYTES ? (byte << ((l & 1) === 0 ? 28 : 24)) >> 28 : byte >> 24;
      isOther_l[l] = symbol === lowest ? 1 : 0;
      low_l[l] = shift < 32 ? symbol << shift : 0;
      high_l[l] = shift === 0 ? symbol >> 31 : shift < 32 ? symbol >> (32 - shift) : symbol << (shift - 32);
    }
    at[kind] += kind < FIRST_BYTES ? LANES / 2 : LANES;
    this.addRests(shift);
  }

  private addRests(shift: number): void {
    const { at, low_l, high_l } = this;
    const { rests } = this.coded;
    for (let l = 0; l < LANES; l++) {
      for (let k = 0; k < shift; k++) {
        const place = l * shift + k;
        const bit = (rests[at[N_CLASSES] + (place >> 3)] >> (place & 7)) & 1;
        if (k < 32) low_l[l] |= bit << k;
        else high_l[l] |= bit << (k - 32);
      }
    }
    at[N_CLASSES] += shift;
  }

  /** The next of the others; NaN if there are no more. */
  other(): number {
    const { others, firstOther, n_others } = this.coded;
    return this.taken++ < n_others ? others[firstOther + this.taken - 1] : Number.NaN;
  }

  /** How many others were taken; -1 if there were not enough. */
  get nTaken(): number {
    return this.taken > this.coded.n_others ? -1 : this.taken;
  }
}

const bits = new Int32Array(2);

function unpackExact(x_rbl: Float64Array, coded: Coded, p: Prediction): number {
  const { bin_t, n_b, n_m, class_tr, shift_tr } = p;
  const guess_l = new Float64Array(LANES);
  const words = new Int32Array(x_rbl.buffer, x_rbl.byteOffset, 2 * x_rbl.length);
  const lanes = new LaneReader(coded);
  for (let t = 0; t < n_b; t++) {
    for (let r = 0; r < 4 * n_m; r++) {
      const to = (r * n_b + bin_t[t]) * LANES;
      if (t > 0) {
        lanes.read(class_tr[t * 4 * n_m + r], shift_tr[t * 4 * n_m + r]);
        predictLanes(guess_l, x_rbl, p, r, t);
      }
      for (let l = 0; l < LANES; l++) {
        if (t === 0 || lanes.isOther_l[l] !== 0) {
          x_rbl[to + l] = lanes.other();
          continue;
        }
        orderedBits(bits, guess_l[l]);
        const sum = (lanes.low_l[l] >>> 0) + (bits[0] >>> 0);
        const high = (lanes.high_l[l] + bits[1] + (sum > 0xffffffff ? 1 : 0)) | 0;
        const sign = high >> 31;
        words[2 * (to + l)] = sum ^ sign;
        words[2 * (to + l) + 1] = high ^ (sign >>> 1);
      }
      if (lanes.nTaken < 0) return -1;
    }
  }
  return lanes.nTaken;
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

function unpackSteps(
  x_rbl: Float64Array,
  scratch: Float64Array,
  coded: Coded,
  prediction: Prediction,
  steps: Steps,
): number {
  const { bin_t, n_b, n_m, class_tr, shift_tr } = prediction;
  const [step_l, guess_l] = [0, 1].map(() => new Float64Array(LANES));
  const lanes = new LaneReader(coded);
  for (let t = 0; t < n_b; t++) {
    const b = bin_t[t];
    for (let p = 0; p < 2; p++) {
      if (t > 0) amplitudeSteps(step_l, scratch, steps, prediction, p, t);
      for (let row = 0; row < 2 * n_m; row++) {
        const r = 2 * row + p;
        const isPhase = row >= n_m;
        if (t > 0) {
          lanes.read(class_tr[t * 4 * n_m + r], shift_tr[t * 4 * n_m + r]);
          predictLanes(guess_l, x_rbl, prediction, r, t);
        }
        for (let l = 0; l < LANES; l++) {
          const to = (r * n_b + b) * LANES + l;
          if (t === 0 || lanes.isOther_l[l] !== 0) {
            x_rbl[to] = lanes.other();
            continue;
          }
          let step = step_l[l];
          if (isPhase) step /= larger(x_rbl[to - 2 * n_m * n_b * LANES], step);
          const n = lanes.high_l[l] * 2 ** 32 + (lanes.low_l[l] >>> 0);
          const x = guess_l[l] + n * step;
          x_rbl[to] = isPhase || x > 0 ? x : 0;
        }
        if (lanes.nTaken < 0) return -1;
        if (row === n_m - 1) writeRoot(scratch, x_rbl, p, b, prediction);
      }
    }
  }
  return lanes.nTaken;
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
