/** Twins of c/pack.c: decoding packed banks. Arguments and layouts: `pack-table.ts`. */
import {
  type CodedExact,
  type CodedSteps,
  FIRST_BYTES,
  LANES,
  MOST_BITS,
  N_CLASSES,
  type PackKernels,
  type Prediction,
  ROW_KIND,
  type Steps,
  WHOLE,
} from "./pack-table.ts";

/** A double and its halves. */
const number64 = new Float64Array(1);
const halves = new Int32Array(number64.buffer);

/** The predictions of row r at place t, t > 0. */
export function predictLanes(
  guess_l: Float64Array,
  x_brl: Float64Array,
  p: Prediction,
  r: number,
  t: number,
): void {
  const { bin_t, tap_tk, weight_trk, kind_r, n_k, n_m } = p;
  const n_r = 4 * n_m;
  if (kind_r[r] === ROW_KIND.likePlus) {
    const [first, at] = [(bin_t[0] * n_r + r) * LANES, (bin_t[t] * n_r + r - 1) * LANES];
    for (let l = 0; l < LANES; l++) {
      const [own, plus] = [x_brl[first + l], x_brl[first - LANES + l]];
      guess_l[l] = r < 2 * n_m ? x_brl[at + l] * (own / plus) : x_brl[at + l] + (own - plus);
    }
  } else {
    for (let k = 0; k < n_k; k++) {
      const w = weight_trk[(t * n_r + r) * n_k + k];
      const at = (tap_tk[t * n_k + k] * n_r + r) * LANES;
      for (let l = 0; l < LANES; l++)
        guess_l[l] = k === 0 ? w * x_brl[at + l] : guess_l[l] + w * x_brl[at + l];
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

/** n bits from bit `place` of byte `from` on. */
function bitsAt(bytes: Uint8Array, from: number, place: number, n: number): number {
  let word = 0;
  for (let k = 0; k < n; k++, place++) word |= ((bytes[from + (place >> 3)] >> (place & 7)) & 1) << k;
  return word;
}

const bits = new Int32Array(2);

function unpackExact(
  x_brl: Float64Array,
  { widths, firstWidth, digits, firstDigit, n_digits }: CodedExact,
  p: Prediction,
): number {
  const { bin_t, n_b, n_m, shift_tr } = p;
  const n_r = 4 * n_m;
  const width_tr = Uint8Array.from(shift_tr, (shift, at) => widths[firstWidth + at] + shift);
  const total = width_tr.reduce((sum, width) => sum + width, 0);
  if (total !== n_digits || width_tr.some((width) => width > MOST_BITS && width !== WHOLE)) return -1;
  const guess_l = new Float64Array(LANES);
  const words = new Int32Array(x_brl.buffer, x_brl.byteOffset, 2 * x_brl.length);
  let from = firstDigit;
  for (let t = 0; t < n_b; t++) {
    for (let r = 0; r < n_r; r++) {
      const width = width_tr[t * n_r + r];
      const to = (bin_t[t] * n_r + r) * LANES;
      if (t > 0) predictLanes(guess_l, x_brl, p, r, t);
      for (let l = 0; l < LANES; l++) {
        orderedBits(bits, t > 0 ? guess_l[l] : 0);
        // n is its digits less 2^(width - 1).
        let low = bitsAt(digits, from, l * width, Math.min(32, width));
        let high = bitsAt(digits, from, l * width + 32, Math.max(0, width - 32));
        if (width > 0 && width <= 32) {
          const borrow = low >>> 0 < 2 ** (width - 1) ? 1 : 0;
          low -= 2 ** (width - 1);
          high -= borrow;
        } else if (width > 32) high -= 2 ** (width - 33);
        const sum = (low >>> 0) + (bits[0] >>> 0);
        high = (high + bits[1] + (sum > 0xffffffff ? 1 : 0)) | 0;
        const sign = high >> 31;
        words[2 * (to + l)] = sum ^ sign;
        words[2 * (to + l) + 1] = high ^ (sign >>> 1);
      }
      from += width;
    }
  }
  return 0;
}

/** Reads what is left of the values of one (row, place) after another. */
class StepReader {
  /** Where the next symbols of each class begin, and the next rests. */
  private readonly at: Int32Array;
  private taken = 0;
  readonly n_l = new Float64Array(LANES);
  readonly isOther_l = new Uint8Array(LANES);

  constructor(private readonly coded: CodedSteps) {
    this.at = coded.at.slice();
  }

  read(kind: number, shift: number): void {
    const { at, n_l, isOther_l } = this;
    const { codes, rests } = this.coded;
    const lowest = kind < FIRST_BYTES ? -8 : -128;
    for (let l = 0; l < LANES; l++) {
      const byte = kind < FIRST_BYTES ? codes[at[kind] + (l >> 1)] : codes[at[kind] + l] << 24;
      const symbol = kind < FIRST_BYTES ? (byte << ((l & 1) === 0 ? 28 : 24)) >> 28 : byte >> 24;
      isOther_l[l] = symbol === lowest ? 1 : 0;
      n_l[l] = symbol * 2 ** shift + bitsAt(rests, at[N_CLASSES], l * shift, shift);
    }
    at[kind] += kind < FIRST_BYTES ? LANES / 2 : LANES;
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

/** The steps of the amplitudes of polarization p at place t > 0. @param R_bpl roots of the sums of squares of the amplitudes */
export function amplitudeSteps(
  step_l: Float64Array,
  R_bpl: Float64Array,
  { near_tc, step, floor, least }: Steps,
  { bin_t }: Prediction,
  p: number,
  t: number,
): void {
  const [below, above] = [(2 * near_tc[2 * t] + p) * LANES, (2 * near_tc[2 * t + 1] + p) * LANES];
  const first = (2 * bin_t[0] + p) * LANES;
  for (let l = 0; l < LANES; l++) {
    const mean = 0.5 * (R_bpl[below + l] + R_bpl[above + l]);
    step_l[l] = step * larger(larger(mean, floor * R_bpl[first + l]), least);
  }
}

/** b if one is not a number, as in C. */
export function larger(a: number, b: number): number {
  if (a > b) return a;
  return b;
}

/** Writes R of polarization p at bin b. */
export function writeRoot(R_bpl: Float64Array, x_brl: Float64Array, p: number, b: number, n_m: number): void {
  for (let l = 0; l < LANES; l++) {
    let sum = 0;
    for (let m = 0; m < n_m; m++) {
      const x = x_brl[(b * 4 * n_m + 2 * m + p) * LANES + l];
      sum += x * x;
    }
    R_bpl[(2 * b + p) * LANES + l] = Math.sqrt(sum);
  }
}

function unpackSteps(
  x_brl: Float64Array,
  scratch: Float64Array,
  coded: CodedSteps,
  prediction: Prediction,
  steps: Steps,
): number {
  const { bin_t, n_b, n_m, class_tr, shift_tr } = prediction;
  const [step_l, guess_l] = [0, 1].map(() => new Float64Array(LANES));
  const lanes = new StepReader(coded);
  for (let t = 0; t < n_b; t++) {
    const b = bin_t[t];
    for (let p = 0; p < 2; p++) {
      if (t > 0) amplitudeSteps(step_l, scratch, steps, prediction, p, t);
      for (let row = 0; row < 2 * n_m; row++) {
        const r = 2 * row + p;
        const isPhase = row >= n_m;
        if (t > 0) {
          lanes.read(class_tr[t * 4 * n_m + r], shift_tr[t * 4 * n_m + r]);
          predictLanes(guess_l, x_brl, prediction, r, t);
        }
        for (let l = 0; l < LANES; l++) {
          const to = (b * 4 * n_m + r) * LANES + l;
          if (t === 0 || lanes.isOther_l[l] !== 0) {
            x_brl[to] = lanes.other();
            continue;
          }
          let step = step_l[l];
          if (isPhase) step /= larger(x_brl[to - 2 * n_m * LANES], step);
          const x = guess_l[l] + lanes.n_l[l] * step;
          x_brl[to] = isPhase || x > 0 ? x : 0;
        }
        if (lanes.nTaken < 0) return -1;
        if (row === n_m - 1 && t < steps.n_roots) writeRoot(scratch, x_brl, p, b, n_m);
      }
    }
  }
  return lanes.nTaken;
}

function spreadLanes(
  amplitude: Float64Array,
  phase: Float64Array,
  first: number,
  x_brl: Float64Array,
  scale_b: Float64Array,
  n_b: number,
  n_m: number,
  n_lanes: number,
): void {
  const n_x = 2 * n_m * n_b;
  for (let row = 0; row < 2 * n_m; row++) {
    for (let b = 0; b < n_b; b++) {
      const from = (b * 4 * n_m + row) * LANES;
      for (let l = 0; l < n_lanes; l++) {
        const to = first + l * n_x + row * n_b + b;
        amplitude[to] = x_brl[from + l] * scale_b[b];
        phase[to] = x_brl[from + 2 * n_m * LANES + l];
      }
    }
  }
}

export const packReference: PackKernels = { unpackExact, unpackSteps, spreadLanes };
