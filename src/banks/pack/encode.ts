/** Makes the chunks of a packed bank: the inverse of `ChunkReader`. */
import type { PackModel } from "../../gw/pack-model.ts";
import { LANES, ROW_KIND, type Steps } from "../../kernels/pack-table.ts";
import { amplitudeSteps, larger, orderedBits, predictLanes, writeRoot } from "../../kernels/ref-pack.ts";
import { ExactWriter } from "./exact-writer.ts";
import { LaneWriter } from "./lane-writer.ts";

/** A value that no stream holds is rounded to so small a part of its step. */
const FINE = 2 ** -6;
/** Numbers of steps of which doubles hold every one. */
const MOST_STEPS = 2 ** 52;

/** Largest errors; see `docs/banks.md`. */
export interface PackErrors {
  /** Of an amplitude, and of a phase times its amplitude, over the amplitude of all modes of the polarization. */
  readonly amplitudeError: number;
  readonly phaseError: number;
  /** Root mean square over modes and bins of a polarization of a sample. */
  readonly relativeError: number;
}

export class ChunkEncoder {
  private readonly n_x: number;
  /** The values, and what the decoder will have. */
  private readonly x_brl: Float64Array;
  private readonly decoded_brl: Float64Array;
  private readonly root_bpl: Float64Array;
  private readonly guess_l = new Float64Array(LANES);
  private readonly step_l = new Float64Array(LANES);
  private readonly lanes: LaneWriter;
  private readonly exact: ExactWriter;
  private readonly largest = { amplitudeError: 0, phaseError: 0, relativeError: 0 };

  constructor(
    private readonly model: PackModel,
    chunkItems: number,
  ) {
    const { n_m, n_b } = model.prediction;
    this.n_x = 2 * n_m * n_b;
    this.x_brl = new Float64Array(2 * this.n_x * LANES);
    this.decoded_brl = model.steps === null ? this.x_brl : new Float64Array(2 * this.n_x * LANES);
    this.root_bpl = new Float64Array(2 * n_b * LANES);
    this.lanes = new LaneWriter(model.prediction, chunkItems);
    this.exact = new ExactWriter(model.prediction, chunkItems);
  }

  /** Of all chunks so far. */
  get errors(): PackErrors {
    return { ...this.largest };
  }

  /** The chunk of n samples (l, m, p, b), all numbers finite. */
  encode(amplitude: Float64Array, phase: Float64Array, n: number): Uint8Array {
    const { steps } = this.model;
    const writer = steps === null ? this.exact : this.lanes;
    const n_groups = Math.ceil(n / LANES);
    writer.begin(n_groups);
    for (let g = 0; g < n_groups; g++) {
      writer.beginGroup(g);
      this.fill(amplitude, phase, g * LANES, n);
      if (steps === null) this.encodeExact();
      else {
        this.encodeSteps(steps);
        this.measure(steps, Math.min(LANES, n - g * LANES));
      }
    }
    return writer.finish();
  }

  /** Values of LANES samples from l0 on, as they are coded; the last sample again where there are no more. */
  private fill(amplitude: Float64Array, phase: Float64Array, l0: number, n: number): void {
    const { n_x, x_brl, model } = this;
    const { n_b, n_m } = model.prediction;
    const { steps, scale_b } = model;
    for (let l = 0; l < LANES; l++) {
      const from = Math.min(l0 + l, n - 1) * n_x;
      for (let at = 0; at < n_x; at++) {
        const a = amplitude[from + at];
        const [row, b] = [Math.floor(at / n_b), at % n_b];
        const to = (b * 4 * n_m + row) * LANES + l;
        x_brl[to] = steps === null ? a : a / scale_b[b];
        x_brl[to + 2 * n_m * LANES] = phase[from + at];
      }
    }
  }

  private encodeExact(): void {
    const { exact, x_brl, guess_l } = this;
    const { prediction } = this.model;
    const { bin_t, n_b, n_m, shift_tr } = prediction;
    const [own, other] = [new Int32Array(2), new Int32Array(2)];
    for (let t = 0; t < n_b; t++) {
      for (let r = 0; r < 4 * n_m; r++) {
        const from = (bin_t[t] * 4 * n_m + r) * LANES;
        if (t > 0) predictLanes(guess_l, x_brl, prediction, r, t);
        for (let l = 0; l < LANES; l++) {
          orderedBits(own, x_brl[from + l]);
          orderedBits(other, t > 0 ? guess_l[l] : 0);
          const difference = (own[0] >>> 0) - (other[0] >>> 0);
          exact.set(l, difference | 0, (own[1] - other[1] - (difference < 0 ? 1 : 0)) | 0);
        }
        exact.write(shift_tr[t * 4 * n_m + r]);
      }
    }
  }

  private encodeSteps(steps: Steps): void {
    const { x_brl, decoded_brl, root_bpl, guess_l, step_l, lanes } = this;
    const { prediction } = this.model;
    const { bin_t, n_b, n_m, kind_r, class_tr, shift_tr } = prediction;
    for (let t = 0; t < n_b; t++) {
      const b = bin_t[t];
      for (let p = 0; p < 2; p++) {
        if (t > 0) amplitudeSteps(step_l, root_bpl, steps, prediction, p, t);
        else this.firstSteps(steps, p);
        for (let row = 0; row < 2 * n_m; row++) {
          const r = 2 * row + p;
          const at = (b * 4 * n_m + r) * LANES;
          if (t === 0) {
            for (let l = 0; l < LANES; l++) {
              const like = kind_r[r] === ROW_KIND.likePlus ? this.likePlus(r, at + l) : NaN;
              const value = rounded(Number.isFinite(like) ? like : x_brl[at + l], this.stepOf(row, at, l));
              lanes.other(value);
              decoded_brl[at + l] = value;
            }
          } else {
            predictLanes(guess_l, decoded_brl, prediction, r, t);
            this.writeSteps(class_tr[t * 4 * n_m + r], shift_tr[t * 4 * n_m + r], row, at);
          }
          if (row === n_m - 1) writeRoot(root_bpl, decoded_brl, p, b, n_m);
        }
      }
    }
  }

  private stepOf(row: number, at: number, l: number): number {
    const { n_m } = this.model.prediction;
    const step = this.step_l[l];
    return row < n_m ? step : step / larger(this.decoded_brl[at + l - 2 * n_m * LANES], step);
  }

  /** Steps at the first place, from the values themselves. */
  private firstSteps({ step, least }: Steps, p: number): void {
    const { prediction } = this.model;
    const b = prediction.bin_t[0];
    writeRoot(this.root_bpl, this.x_brl, p, b, prediction.n_m);
    const at = (2 * b + p) * LANES;
    for (let l = 0; l < LANES; l++) this.step_l[l] = step * larger(this.root_bpl[at + l], least);
  }

  /** The first value of a row that is like plus: such that the ratio (the difference) to plus is exactly the row's. */
  private likePlus(r: number, at: number): number {
    const { x_brl, decoded_brl } = this;
    const { n_m } = this.model.prediction;
    const plus = at - LANES;
    return r < 2 * n_m
      ? decoded_brl[plus] * (x_brl[at] / x_brl[plus])
      : decoded_brl[plus] + (x_brl[at] - x_brl[plus]);
  }

  private writeSteps(kind: number, shift: number, row: number, at: number): void {
    const { x_brl, decoded_brl, guess_l, lanes } = this;
    const { n_m } = this.model.prediction;
    for (let l = 0; l < LANES; l++) {
      const step = this.stepOf(row, at, l);
      const n = Math.round((x_brl[at + l] - guess_l[l]) / step);
      // Not a number either: the prediction may be far off, the step too small to count in.
      const isWhole = Math.abs(n) <= MOST_STEPS;
      const high = isWhole ? Math.floor(n / 2 ** 32) : 2 ** 31 - 1;
      if (lanes.write(kind, shift, l, isWhole ? n | 0 : 0, high)) {
        const x = guess_l[l] + n * step;
        decoded_brl[at + l] = row >= n_m || x > 0 ? x : 0;
      } else {
        decoded_brl[at + l] = rounded(x_brl[at + l], step);
        lanes.other(decoded_brl[at + l]);
      }
    }
    lanes.next(kind, shift);
  }

  /** Compares what the decoder will have with the values, for the first n lanes. */
  private measure(steps: Steps, n: number): void {
    const { x_brl, decoded_brl, largest } = this;
    const { n_b, n_m, bin_t } = this.model.prediction;
    const root_bpl = new Float64Array(2 * n_b * LANES);
    for (let p = 0; p < 2; p++) {
      for (let b = 0; b < n_b; b++) writeRoot(root_bpl, x_brl, p, b, n_m);
      for (let l = 0; l < n; l++) {
        const floor = steps.floor * root_bpl[(2 * bin_t[0] + p) * LANES + l];
        let [errors, squares] = [0, 0];
        for (let b = 0; b < n_b; b++) {
          const root = root_bpl[(2 * b + p) * LANES + l];
          const unit = larger(larger(root, floor), steps.least);
          squares += root * root;
          for (let m = 0; m < n_m; m++) {
            const at = (b * 4 * n_m + 2 * m + p) * LANES + l;
            const amplitude = Math.abs(decoded_brl[at] - x_brl[at]);
            const to = at + 2 * n_m * LANES;
            const phase = x_brl[at] * Math.abs(decoded_brl[to] - x_brl[to]);
            errors += amplitude * amplitude + phase * phase;
            if (amplitude > largest.amplitudeError * unit) largest.amplitudeError = amplitude / unit;
            if (phase > largest.phaseError * unit) largest.phaseError = phase / unit;
          }
        }
        const relative = Math.sqrt(errors / larger(squares, steps.least ** 2));
        if (relative > largest.relativeError) largest.relativeError = relative;
      }
    }
  }
}

/** x to a fine part of its step: the bits beyond are zeros, which take no room. */
function rounded(x: number, step: number): number {
  const grid = 2 ** Math.floor(Math.log2(step * FINE));
  const value = Math.round(x / grid) * grid;
  return Number.isFinite(value) ? value : x;
}
