/** Makes the chunks of a packed bank: the inverse of `ChunkReader`. */
import type { PackMode, PackModel } from "../../gw/pack-model.ts";
import { LANES, ROW_KIND, type Steps } from "../../kernels/pack-table.ts";
import { amplitudeSteps, larger, orderedBits, predictLanes, writeRoot } from "../../kernels/ref-pack.ts";
import { LaneWriter } from "./lane-writer.ts";

/** Of zstd. Higher ones gain a percent and are slower; the plain lower bits of numbers cannot be compressed further. */
export const LEVEL: Record<PackMode, number> = { exact: 1, rounded: 12 };
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
  private readonly x_rbl: Float64Array;
  private readonly decoded_rbl: Float64Array;
  private readonly root_pbl: Float64Array;
  private readonly guess_l = new Float64Array(LANES);
  private readonly step_l = new Float64Array(LANES);
  private readonly lanes: LaneWriter;
  private readonly largest = { amplitudeError: 0, phaseError: 0, relativeError: 0 };

  constructor(
    private readonly model: PackModel,
    chunkItems: number,
  ) {
    const { n_m, n_b } = model.prediction;
    this.n_x = 2 * n_m * n_b;
    this.x_rbl = new Float64Array(2 * this.n_x * LANES);
    this.decoded_rbl = model.steps === null ? this.x_rbl : new Float64Array(2 * this.n_x * LANES);
    this.root_pbl = new Float64Array(2 * n_b * LANES);
    const level = LEVEL[model.steps === null ? "exact" : "rounded"];
    this.lanes = new LaneWriter(model.prediction, chunkItems, level);
  }

  /** Of all chunks so far. */
  get errors(): PackErrors {
    return { ...this.largest };
  }

  /** The chunk of n samples (l, m, p, b), all numbers finite. */
  encode(amplitude: Float64Array, phase: Float64Array, n: number): Uint8Array {
    const { lanes } = this;
    const { steps } = this.model;
    const n_groups = Math.ceil(n / LANES);
    lanes.begin(n_groups);
    for (let g = 0; g < n_groups; g++) {
      lanes.beginGroup(g);
      this.fill(amplitude, phase, g * LANES, n);
      if (steps === null) this.encodeExact();
      else {
        this.encodeSteps(steps);
        this.measure(steps, Math.min(LANES, n - g * LANES));
      }
    }
    return lanes.finish();
  }

  /** Values of LANES samples from l0 on, as they are coded; the last sample again where there are no more. */
  private fill(amplitude: Float64Array, phase: Float64Array, l0: number, n: number): void {
    const { n_x, x_rbl, model } = this;
    const { n_b } = model.prediction;
    const { steps, scale_b } = model;
    for (let l = 0; l < LANES; l++) {
      const from = Math.min(l0 + l, n - 1) * n_x;
      for (let at = 0; at < n_x; at++) {
        const a = amplitude[from + at];
        x_rbl[at * LANES + l] = steps === null ? a : a / scale_b[at % n_b];
        x_rbl[(n_x + at) * LANES + l] = phase[from + at];
      }
    }
  }

  private encodeExact(): void {
    const { lanes, x_rbl, guess_l } = this;
    const { prediction } = this.model;
    const { bin_t, n_b, n_m, class_tr, shift_tr } = prediction;
    const [own, other] = [new Int32Array(2), new Int32Array(2)];
    for (let t = 0; t < n_b; t++) {
      for (let r = 0; r < 4 * n_m; r++) {
        const from = (r * n_b + bin_t[t]) * LANES;
        if (t === 0) {
          for (let l = 0; l < LANES; l++) lanes.other(x_rbl[from + l]);
          continue;
        }
        predictLanes(guess_l, x_rbl, prediction, r, t);
        const [kind, shift] = [class_tr[t * 4 * n_m + r], shift_tr[t * 4 * n_m + r]];
        for (let l = 0; l < LANES; l++) {
          const x = x_rbl[from + l];
          orderedBits(own, x);
          orderedBits(other, guess_l[l]);
          const difference = (own[0] >>> 0) - (other[0] >>> 0);
          const high = (own[1] - other[1] - (difference < 0 ? 1 : 0)) | 0;
          if (!lanes.write(kind, shift, l, difference | 0, high)) lanes.other(x);
        }
        lanes.next(kind, shift);
      }
    }
  }

  private encodeSteps(steps: Steps): void {
    const { x_rbl, decoded_rbl, root_pbl, guess_l, step_l, lanes } = this;
    const { prediction } = this.model;
    const { bin_t, n_b, n_m, kind_r, class_tr, shift_tr } = prediction;
    for (let t = 0; t < n_b; t++) {
      const b = bin_t[t];
      for (let p = 0; p < 2; p++) {
        if (t > 0) amplitudeSteps(step_l, root_pbl, steps, prediction, p, t);
        else this.firstSteps(steps, p);
        for (let row = 0; row < 2 * n_m; row++) {
          const r = 2 * row + p;
          const at = (r * n_b + b) * LANES;
          if (t === 0) {
            for (let l = 0; l < LANES; l++) {
              const like = kind_r[r] === ROW_KIND.likePlus ? this.likePlus(r, at + l) : NaN;
              const value = rounded(Number.isFinite(like) ? like : x_rbl[at + l], this.stepOf(row, at, l));
              lanes.other(value);
              decoded_rbl[at + l] = value;
            }
          } else {
            predictLanes(guess_l, decoded_rbl, prediction, r, t);
            this.writeSteps(class_tr[t * 4 * n_m + r], shift_tr[t * 4 * n_m + r], row, at);
          }
          if (row === n_m - 1) writeRoot(root_pbl, decoded_rbl, p, b, prediction);
        }
      }
    }
  }

  private stepOf(row: number, at: number, l: number): number {
    const { n_m, n_b } = this.model.prediction;
    const step = this.step_l[l];
    return row < n_m ? step : step / larger(this.decoded_rbl[at + l - 2 * n_m * n_b * LANES], step);
  }

  /** Steps at the first place, from the values themselves. */
  private firstSteps({ step, least }: Steps, p: number): void {
    const { prediction } = this.model;
    const b = prediction.bin_t[0];
    writeRoot(this.root_pbl, this.x_rbl, p, b, prediction);
    const at = (p * prediction.n_b + b) * LANES;
    for (let l = 0; l < LANES; l++) this.step_l[l] = step * larger(this.root_pbl[at + l], least);
  }

  /** The first value of a row that is like plus: such that the ratio (the difference) to plus is exactly the row's. */
  private likePlus(r: number, at: number): number {
    const { x_rbl, decoded_rbl } = this;
    const { n_b, n_m } = this.model.prediction;
    const plus = at - n_b * LANES;
    return r < 2 * n_m
      ? decoded_rbl[plus] * (x_rbl[at] / x_rbl[plus])
      : decoded_rbl[plus] + (x_rbl[at] - x_rbl[plus]);
  }

  private writeSteps(kind: number, shift: number, row: number, at: number): void {
    const { x_rbl, decoded_rbl, guess_l, lanes } = this;
    const { n_m } = this.model.prediction;
    for (let l = 0; l < LANES; l++) {
      const step = this.stepOf(row, at, l);
      const n = Math.round((x_rbl[at + l] - guess_l[l]) / step);
      // Not a number either: the prediction may be far off, the step too small to count in.
      const isWhole = Math.abs(n) <= MOST_STEPS;
      const high = isWhole ? Math.floor(n / 2 ** 32) : 2 ** 31 - 1;
      if (lanes.write(kind, shift, l, isWhole ? n | 0 : 0, high)) {
        const x = guess_l[l] + n * step;
        decoded_rbl[at + l] = row >= n_m || x > 0 ? x : 0;
      } else {
        decoded_rbl[at + l] = rounded(x_rbl[at + l], step);
        lanes.other(decoded_rbl[at + l]);
      }
    }
    lanes.next(kind, shift);
  }

  /** Compares what the decoder will have with the values, for the first n lanes. */
  private measure(steps: Steps, n: number): void {
    const { x_rbl, decoded_rbl, largest } = this;
    const { n_b, n_m, bin_t } = this.model.prediction;
    const root_pbl = new Float64Array(2 * n_b * LANES);
    for (let p = 0; p < 2; p++) {
      for (let b = 0; b < n_b; b++) writeRoot(root_pbl, x_rbl, p, b, this.model.prediction);
      for (let l = 0; l < n; l++) {
        const floor = steps.floor * root_pbl[(p * n_b + bin_t[0]) * LANES + l];
        let [errors, squares] = [0, 0];
        for (let b = 0; b < n_b; b++) {
          const root = root_pbl[(p * n_b + b) * LANES + l];
          const unit = larger(larger(root, floor), steps.least);
          squares += root * root;
          for (let m = 0; m < n_m; m++) {
            const at = ((2 * m + p) * n_b + b) * LANES + l;
            const amplitude = Math.abs(decoded_rbl[at] - x_rbl[at]);
            const to = at + 2 * n_m * n_b * LANES;
            const phase = x_rbl[at] * Math.abs(decoded_rbl[to] - x_rbl[to]);
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
