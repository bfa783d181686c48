/**
 * The kernels that decode packed banks, eight samples (lanes l) at a time: part of `table.ts`. No term is fused and no sum
 * reordered, so every variant, the definition too, gives the same bits. What is decoded: `src/gw/pack-model.ts`.
 */

/** Samples that are decoded together. */
export const LANES = 8;

/**
 * What is left of the values of one row at one place is n = symbol 2^shift + rest, 0 <= rest < 2^shift. Symbols are signed half
 * bytes (lane 0 lowest) or bytes, in one of N_CLASSES streams by how much they vary; the rests stand in a stream of their own,
 * `shift` bits a lane, lane 0 first, lowest bit first.
 */
export const N_CLASSES = 7;
/** Classes below this one have half bytes. */
export const FIRST_BYTES = 4;
export const MAX_SHIFT = { exact: 56, rounded: 24 } as const;

/** How a row is predicted: from its own values, or as a constant (ratio of amplitudes, difference of phases) to plus. */
export const ROW_KIND = { own: 0, likePlus: 1 } as const;

/** What values are predicted from. Rows r are (c, m, p): amplitudes and phases c of mode m, polarization p. */
export interface Prediction {
  /** Bins in the order in which they are coded (t). */
  readonly bin_t: Int32Array;
  /** Bins that were coded before, from which the one at t is predicted. */
  readonly tap_tk: Int32Array;
  /** prediction = w_0 x_0 + sum_k w_k (x_k - x_0), the terms added in the order of k; 0 if it is not finite. */
  readonly weight_trk: Float64Array;
  /** ROW_KIND of each row. */
  readonly kind_r: Int32Array;
  /** Class and shift of each row at each place. */
  readonly class_tr: Uint8Array;
  readonly shift_tr: Uint8Array;
  readonly n_k: number;
  readonly n_b: number;
  readonly n_m: number;
}

export interface Steps {
  /** Nearest bins coded before t, below and above (twice the same if there is one only). */
  readonly near_tc: Int32Array;
  /** The step of an amplitude is `step` times the larger of R, floor R(first bin), least. */
  readonly step: number;
  readonly floor: number;
  readonly least: number;
}

/** What the streams hold of LANES samples. */
export interface Coded {
  readonly codes: Uint8Array;
  /** Where each class's stream begins in `codes`, and the rests in `rests`. */
  readonly at: Int32Array;
  /** Has 7 bytes more than are used. */
  readonly rests: Uint8Array;
  /** Values that no symbol can say. */
  readonly others: Float64Array;
  readonly firstOther: number;
  readonly n_others: number;
}

export interface PackKernels {
  /**
   * Exact values x_rbl, in the order t, r: bits(x) = bits(prediction) + n, where bits orders doubles as 64-bit integers (the
   * lower 63 are inverted below zero). Where the symbol is the lowest that its class has, and at t = 0, x is the next of the
   * others. @returns how many others were taken; -1: there are not enough
   */
  unpackExact(x_rbl: Float64Array, coded: Coded, prediction: Prediction): number;

  /**
   * Rounded values x_rbl, in the order t, p, c, m: x = prediction + n step, amplitudes not below 0. With R_p(b)^2 = sum_m
   * amplitude^2 the amplitudes' step at t is that of `Steps` with R the mean of those at near_tc; a phase's is
   * step / max(amplitude, step). Others as in `unpackExact`.
   * @param scratch 2 n_b LANES numbers
   */
  unpackSteps(
    x_rbl: Float64Array,
    scratch: Float64Array,
    coded: Coded,
    prediction: Prediction,
    steps: Steps,
  ): number;

  /** out_lmpb = x_mpbl times scale_b for n_lanes; x begins at `start`, lane l of the output at first + l n_rows n_b. */
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
