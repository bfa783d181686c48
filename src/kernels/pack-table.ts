/**
 * The kernels that decode packed banks, eight samples (lanes l) at a time: part of `table.ts`. No term is fused and no sum
 * reordered, so every variant, the definition too, gives the same bits. What is decoded: `src/gw/pack-model.ts`.
 */

/** Samples that are decoded together. */
export const LANES = 8;
/** Bytes of a number: one stream each in the exact code. */
export const N_PLANES = 8;
/** Streams of the rounded code: three of half bytes, two of bytes, and the first, second, third bytes of longer numbers. */
export const N_STREAMS = 8;
export const STREAM = { halves: 0, bytes: 3, first: 5, second: 6, third: 7 } as const;

/** How the steps of a (row, place) are written: half bytes by stream 0 to 2, bytes by 3 and 4, two and three bytes. */
export const CLASS = { halves: 0, bytes: 3, two: 5, three: 6 } as const;
export const N_CLASSES = 7;

/** How a row is predicted: from its own values, or as a constant (ratio of amplitudes, difference of phases) to plus. */
export const ROW_KIND = { own: 0, likePlus: 1 } as const;

/** What the values of a row are predicted from. Rows are (c, m, p): amplitudes and phases c of mode m, polarization p. */
export interface Prediction {
  /** Bins in the order in which they are coded (t). */
  readonly bin_t: Int32Array;
  /** Bins that were coded before, from which the one at t is predicted. */
  readonly tap_tk: Int32Array;
  /** prediction = w_0 x_0 + sum_k w_k (x_k - x_0), the terms added in the order of k; 0 at t = 0 and if it is not finite. */
  readonly weight_rtk: Float64Array;
  /** ROW_KIND of each row. */
  readonly kind_r: Int32Array;
  readonly n_k: number;
  readonly n_b: number;
  readonly n_m: number;
}

export interface Steps {
  /** Nearest bins coded before t, below and above (twice the same if there is one only). */
  readonly near_tc: Int32Array;
  /** CLASS of each (r, t). */
  readonly class_rt: Uint8Array;
  /** The step of an amplitude is `step` times the larger of R, floor R(first bin), least. */
  readonly step: number;
  readonly floor: number;
  readonly least: number;
}

export interface PackKernels {
  /**
   * Exact values x_rbl: bits(x) = bits(prediction) + residual, where bits orders doubles as 64-bit integers (the lower 63
   * are inverted below zero). Residuals z, 2 r for r >= 0 and -2 r - 1 below, have their k-th byte in planes[k] at
   * start + (r n_b + t) LANES + l.
   */
  unpackExact(
    x_rbl: Float64Array,
    planes: readonly Uint8Array[],
    start: number,
    prediction: Prediction,
  ): void;

  /**
   * Rounded values x_rbl: x = prediction + n step, amplitudes not below 0. With R_p(b)^2 = sum_m amplitude^2 the amplitudes'
   * step at t is that of `Steps` with R the mean of those at near_tc; a phase's is step / max(amplitude, step). In the order
   * t, p, c, m each takes its n from the streams of its class: LANES numbers; half bytes lane 0 lowest. The most negative n
   * of a class stands for the next of `others`, as does every value at t = 0.
   * @param at where each stream begins in `codes` @param scratch 2 n_b LANES numbers
   * @returns how many of the `n_others` others from `firstOther` on were taken; -1: there are not enough
   */
  unpackSteps(
    x_rbl: Float64Array,
    scratch: Float64Array,
    codes: Uint8Array,
    at: Int32Array,
    others: Float64Array,
    firstOther: number,
    n_others: number,
    prediction: Prediction,
    steps: Steps,
  ): number;

  /** out_lmpb = x_mpbl times scale_b; x begins at `start`, sample l of the output at first + l n_x, n_x = 2 n_m n_b. */
  spreadLanes(
    out: Float64Array,
    first: number,
    x_rbl: Float64Array,
    start: number,
    scale_b: Float64Array,
    n_b: number,
    n_rows: number,
    n_lanes: number,
  ): void;
}
