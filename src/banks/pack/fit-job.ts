/** Fits the weights of a packed bank's predictions to some of its samples, so that the bits of what is left are few. A task is a row. */

import type { CodingOrder, PackMode } from "../../gw/pack-model.ts";
import { FIRST_BYTES, LANES, MAX_SHIFT, MOST_BITS, ROW_KIND } from "../../kernels/pack-table.ts";
import { larger, orderedBits } from "../../kernels/ref-pack.ts";
import type { TaskRunner } from "../../workers/protocol.ts";
import { LeastSquares } from "./least-squares.ts";

export interface FitPlan {
  readonly mode: PackMode;
  readonly n_s: number;
  readonly n_m: number;
  readonly fbin: Float64Array;
  /** Values of the samples to fit to (r, b, s), as they are coded. Shared. */
  readonly x_rbs: Float64Array;
  readonly order: CodingOrder;
  readonly n_k: number;
  /** As `Steps`; not of the exact code. */
  readonly step: number;
  readonly floor: number;
  readonly least: number;
  /** Outputs. Shared. Weights: `plainWeights`. */
  readonly weight_trk: Float64Array;
  readonly kind_r: Int32Array;
  readonly class_tr: Uint8Array;
  readonly shift_tr: Uint8Array;
}

/** Times that a fit is weighted anew by what it left. */
const ROUNDS = 4;
const RIDGE: Record<PackMode, number> = { exact: 1e-11, rounded: 1e-7 };
/** Part of the typical error below which a sample weighs no more. */
const SOFT = 0.3;
/** Bits of a value that no stream holds, about. */
const OTHER_BITS = 48;
/** A sample that is not among those fitted to may be worse than all that are. */
const UNSEEN = 0.3;
/** Shifts that are tried, below that of the typical value. */
const SEARCH = 6;
/** Bits of a symbol, up to which it goes into each class but the last: half bytes, bytes. */
const HALF_BITS = [0.35, 1, 1.9];
const BYTE_BITS = [3, 4.2];

export function openFit(plan: FitPlan): TaskRunner<null> {
  const row = new RowFit(plan);
  return { run: (r) => row.fit(r), result: () => null };
}

/** How what is left at one place is written. */
interface Choice {
  /** Of a value, on average. */
  readonly bits: number;
  readonly kind: number;
  readonly shift: number;
}

class RowFit {
  private readonly n_b: number;
  private readonly solver: LeastSquares;
  private readonly columns_ks: Float64Array;
  private readonly y_s: Float64Array;
  private readonly weight_s: Float64Array;
  private readonly error_s: Float64Array;
  /** Steps and rounded values of the row (b, s). */
  private readonly step_bs: Float64Array;
  private readonly rounded_bs: Float64Array;
  private readonly counts = new Int32Array(256);
  /** What is left of each sample's value, in units of the code. */
  private readonly left_s: Float64Array;
  private readonly bits_c = [new Int32Array(2), new Int32Array(2)];
  constructor(private readonly plan: FitPlan) {
    const { n_s, n_k, fbin } = plan;
    this.n_b = fbin.length;
    this.solver = new LeastSquares(n_s, n_k);
    this.columns_ks = new Float64Array(n_s * n_k);
    [this.y_s, this.weight_s, this.error_s, this.left_s] = [0, 1, 2, 3].map(() => new Float64Array(n_s));
    [this.step_bs, this.rounded_bs] = [0, 1].map(() => new Float64Array(n_s * this.n_b));
  }

  fit(r: number): void {
    const { mode, kind_r } = this.plan;
    if (mode === "rounded") this.round(r);
    else this.rounded_bs.set(this.rowOf(r));
    const own = this.choicesOf((t) => this.fitPlace(r, t));
    const like = r % 2 === 1 ? this.choicesOf((t) => this.placeLikePlus(r, t), own.bits) : own;
    const best = like.bits < own.bits ? like : own;
    kind_r[r] = best === own ? ROW_KIND.own : ROW_KIND.likePlus;
    this.keep(r, best);
  }

  /** Class and shift at every place, as long as all take fewer bits than `most`. */
  private choicesOf(choose: (t: number) => Choice, most = Infinity): { bits: number; choices: Choice[] } {
    const choices: Choice[] = [];
    let bits = 0;
    for (let t = 1; t < this.n_b && bits < most; t++) {
      const choice = choose(t);
      choices.push(choice);
      bits += choice.bits;
    }
    return { bits, choices };
  }

  private keep(r: number, { choices }: { choices: readonly Choice[] }): void {
    const { class_tr, shift_tr, n_m } = this.plan;
    for (const [k, { kind, shift }] of choices.entries()) {
      class_tr[(k + 1) * 4 * n_m + r] = kind;
      shift_tr[(k + 1) * 4 * n_m + r] = shift;
    }
  }

  private rowOf(r: number): Float64Array {
    const size = this.n_b * this.plan.n_s;
    return this.plan.x_rbs.subarray(r * size, (r + 1) * size);
  }

  /** The row as it is decoded, about: rounded to steps of its own. */
  private round(r: number): void {
    const { n_s, n_m, order, step, floor, least, x_rbs } = this.plan;
    const { n_b, step_bs, rounded_bs } = this;
    const size = n_b * n_s;
    const root = (b: number, s: number) => {
      let sum = 0;
      for (let m = 0; m < n_m; m++) sum += x_rbs[(2 * m + (r & 1)) * size + b * n_s + s] ** 2;
      return Math.sqrt(sum);
    };
    const root_bs = new Float64Array(size);
    for (let b = 0; b < n_b; b++) for (let s = 0; s < n_s; s++) root_bs[b * n_s + s] = root(b, s);
    const isPhase = r >= 2 * n_m;
    const x_bs = this.rowOf(r);
    const amplitude_bs = this.rowOf(isPhase ? r - 2 * n_m : r);
    for (let t = 0; t < n_b; t++) {
      const [below, above] = [order.near_tc[2 * t] * n_s, order.near_tc[2 * t + 1] * n_s];
      for (let s = 0; s < n_s; s++) {
        const at = order.bin_t[t] * n_s + s;
        const mean = 0.5 * (root_bs[below + s] + root_bs[above + s]);
        let size = step * larger(larger(mean, floor * root_bs[order.bin_t[0] * n_s + s]), least);
        if (isPhase) size /= larger(amplitude_bs[at], size);
        step_bs[at] = size;
        rounded_bs[at] = Math.round(x_bs[at] / size) * size;
      }
    }
  }

  /** What is left if the row is predicted from plus, decoded such that the constant between them is the row's own. */
  private placeLikePlus(r: number, t: number): Choice {
    const { n_s, n_m, order, mode } = this.plan;
    const [x_bs, plus_bs] = [this.rowOf(r), this.rowOf(r - 1)];
    const [first, at] = [order.bin_t[0] * n_s, order.bin_t[t] * n_s];
    for (let s = 0; s < n_s; s++) {
      const guess =
        r < 2 * n_m
          ? plus_bs[at + s] * (x_bs[first + s] / plus_bs[first + s])
          : plus_bs[at + s] + (x_bs[first + s] - plus_bs[first + s]);
      const x = x_bs[at + s];
      const known = Number.isFinite(guess) ? guess : 0;
      this.left_s[s] = mode === "exact" ? this.unitsBetween(x, known) : (x - known) / this.step_bs[at + s];
    }
    return this.choose();
  }

  /** x - y in units of the last place. */
  private unitsBetween(x: number, y: number): number {
    const [a, b] = this.bits_c;
    orderedBits(a, x);
    orderedBits(b, y);
    return (a[1] - b[1]) * 2 ** 32 + ((a[0] >>> 0) - (b[0] >>> 0));
  }

  private fitPlace(r: number, t: number): Choice {
    const { n_s, n_m, n_k, order, mode, weight_trk } = this.plan;
    const { columns_ks, y_s, rounded_bs, error_s, weight_s, solver } = this;
    const x_bs = this.rowOf(r);
    const isPhase = r >= 2 * n_m;
    const n_taps = order.n_taps_t[t];
    const bin = order.bin_t[t];
    const place = (t * 4 * n_m + r) * n_k;
    const weights = weight_trk.subarray(place, place + n_k).fill(0);
    weights.set(this.startingWeights(t));
    const base = order.tap_tk[t * n_k] * n_s;
    let n = 0;
    for (let k = isPhase ? 1 : 0; k < n_taps; k++, n++) {
      const from = order.tap_tk[t * n_k + k] * n_s;
      for (let s = 0; s < n_s; s++) {
        columns_ks[n * n_s + s] = rounded_bs[from + s] - (k === 0 ? 0 : rounded_bs[base + s]);
      }
    }
    const predictInto = () => {
      for (let s = 0; s < n_s; s++) {
        let sum = weights[0] * rounded_bs[base + s];
        for (let k = 1; k < n_taps; k++) {
          sum += weights[k] * (rounded_bs[order.tap_tk[t * n_k + k] * n_s + s] - rounded_bs[base + s]);
        }
        error_s[s] = x_bs[bin * n_s + s] - sum;
      }
    };
    predictInto();
    y_s.set(error_s);
    const starting = weights.slice();
    for (let round = 0; round < ROUNDS && n > 0; round++) {
      this.weigh(round, isPhase, base, bin * n_s);
      solver.solve(columns_ks, n, y_s, weight_s, RIDGE[mode]);
      for (let k = 0; k < n; k++)
        weights[k + (isPhase ? 1 : 0)] = starting[k + (isPhase ? 1 : 0)] + solver.solution[k];
      predictInto();
    }
    // As the file has them.
    if (mode === "rounded") for (let k = 0; k < n_k; k++) weights[k] = Math.fround(weights[k]);
    if (!weights.every(Number.isFinite)) {
      weights.fill(0)[0] = 1;
      predictInto();
    }
    const { left_s } = this;
    if (mode === "exact") {
      for (let s = 0; s < n_s; s++) {
        const x = x_bs[bin * n_s + s];
        left_s[s] = this.unitsBetween(x, x - error_s[s]);
      }
    } else {
      for (let s = 0; s < n_s; s++) left_s[s] = error_s[s] / this.step_bs[bin * n_s + s];
    }
    return this.choose();
  }

  /** Weights before the fit: the polynomial through the taps; for bins outside them in the rounded code the nearest one. */
  private startingWeights(t: number): Float64Array {
    const { order, n_k, fbin, mode } = this.plan;
    const n_taps = order.n_taps_t[t];
    const taps = Array.from(order.tap_tk.subarray(t * n_k, t * n_k + n_taps), (b) => fbin[b]);
    const f = fbin[order.bin_t[t]];
    const weights = new Float64Array(n_k);
    weights[0] = 1;
    if (mode === "rounded" && taps.every((tap) => tap < f)) return weights;
    for (let k = 1; k < n_taps; k++) {
      weights[k] = taps.reduce((x, tap, j) => (j === k ? x : (x * (f - tap)) / (taps[k] - tap)), 1);
    }
    return weights;
  }

  /** Weights that make the sum of squares one of logarithms: bits. */
  private weigh(round: number, isPhase: boolean, base: number, at: number): void {
    const { n_s, mode } = this.plan;
    const { weight_s, error_s, rounded_bs, step_bs } = this;
    if (mode === "rounded") {
      for (let s = 0; s < n_s; s++) {
        weight_s[s] = 1 / (step_bs[at + s] + (round === 0 ? 0 : Math.abs(error_s[s])));
      }
      return;
    }
    let sum = 0;
    let n = 0;
    const unitOf = (s: number) => (isPhase ? 1 : Math.abs(rounded_bs[base + s]));
    for (let s = 0; s < n_s; s++) {
      const error = Math.abs(error_s[s]) / unitOf(s);
      if (!(error > 0) || error === Infinity) continue;
      sum += Math.log(error);
      n++;
    }
    const soft = n === 0 ? 1 : SOFT * Math.exp(sum / n);
    for (let s = 0; s < n_s; s++) {
      const unit = unitOf(s);
      weight_s[s] = unit === 0 ? 0 : round === 0 ? 1 / unit : 1 / (Math.abs(error_s[s]) + soft * unit);
      if (!Number.isFinite(weight_s[s])) weight_s[s] = 0;
    }
  }

  /** Chooses the class and the shift that take the fewest bits. */
  private choose(): Choice {
    const { n_s, mode } = this.plan;
    if (mode === "exact") return this.usualWidth();
    const { left_s } = this;
    let logs = 0;
    for (let s = 0; s < n_s; s++) logs += Math.log2(Math.abs(left_s[s]) + 1);
    const middle = Math.floor(logs / n_s);
    let best: Choice = { bits: Infinity, kind: 0, shift: 0 };
    for (
      let shift = Math.max(0, middle - SEARCH);
      shift <= Math.min(MAX_SHIFT.rounded, middle + 2);
      shift++
    ) {
      for (const isByte of [false, true]) {
        const { symbol, others } = this.symbolBits(shift, isByte ? 127 : 7);
        const bits = Math.max(isByte ? 1 : 0.5, symbol) + shift + others;
        if (bits >= best.bits) continue;
        const beyond = (limits: readonly number[]) => limits.filter((limit) => symbol > limit).length;
        const kind = isByte ? FIRST_BYTES + beyond(BYTE_BITS) : beyond(HALF_BITS);
        best = { bits, kind, shift };
      }
    }
    return best;
  }

  /** Of the exact code: lanes are as wide as the widest of them. */
  private usualWidth(): Choice {
    const { n_s } = this.plan;
    let sum = 0;
    let n = 0;
    for (let s = 0; s < n_s; s += LANES, n++) {
      let largest = 0;
      for (let l = s; l < Math.min(n_s, s + LANES); l++) {
        const left = this.left_s[l];
        largest = Math.max(largest, left < 0 ? -1 - left : left);
        if (left !== 0) largest = Math.max(largest, 0.5);
      }
      sum += largest === 0 ? 0 : 1 + Math.max(0, 1 + Math.floor(Math.log2(largest)));
    }
    const bits = sum / n;
    return { bits, kind: 0, shift: Math.min(MOST_BITS, Math.round(bits)) };
  }

  /** Bits of a symbol, and of the values that none can say, each on average. */
  private symbolBits(shift: number, most: number): { symbol: number; others: number } {
    const { counts, left_s } = this;
    const { n_s } = this.plan;
    counts.fill(0, 128 - most, 129 + most);
    const scale = 2 ** -shift;
    let n_others = 0;
    for (let s = 0; s < n_s; s++) {
      const symbol = Math.floor(Math.round(left_s[s]) * scale);
      if (symbol >= -most && symbol <= most) counts[128 + symbol]++;
      else n_others++;
    }
    const symbol = entropyOf(counts.subarray(128 - most, 129 + most), n_s);
    return { symbol, others: (OTHER_BITS * Math.max(n_others, UNSEEN)) / n_s };
  }
}

function entropyOf(counts: Int32Array, n: number): number {
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= (count / n) * Math.log2(count / n);
  return bits;
}
