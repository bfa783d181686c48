/**
 * The kernels that decode packed banks, eight samples (lanes l) at a time: part of `table.ts`. No term is fused and no sum
 * reordered, so every variant, the definition too, gives the same bits. What is decoded: `src/gw/pack-model.ts`.
 */

/** Samples that are decoded together. */
export const LANES = 8;

/**
 * Exact code: what is left of the values of one row at one place is n = digits - 2^(width - 1), `width` bits a lane, lane 0
 * first, lowest bit first; 0 if the width is 0. A width is at most MOST_BITS, or WHOLE.
 */
export const MOST_BITS = 56;
export const WHOLE = 64;

/**
 * Rounded code: n = symbol 2^shift + rest, 0 <= rest < 2^shift. Symbols are signed half bytes (lane 0 lowest) or bytes, in one
 * of N_CLASSES streams by how much they vary; the rests stand in a stream of their own, as the digits above.
 */
export const N_CLASSES = 7;
/** Classes below this one have half bytes. */
export const FIRST_BYTES = 4;
/** Of `shift_tr`. */
export const MAX_SHIFT = { exact: WHOLE, rounded: 24 } as const;
/** Bytes beyond digits and rests that kernels may read. */
export const PADDING = 64;

/** How a row is predicted: from its own values, or as a constant (ratio of amplitudes, difference of phases) to plus. */
export const ROW_KIND = { own: 0, likePlus: 1 } as const;

/** What values are predicted from. Rows r are (c, m, p): amplitudes and phases c of mode m, polarization p. */
export interface Prediction {
  /** Bins in the order in which they are coded (t). */
  readonly bin_t: Int32Array;
  /** Bins that were coded before, from which the one at t is predicted. */
  readonly tap_tk: Int32Array;
  /** prediction = sum_k w_k x_k, the terms added in the order of k; 0 if it is not finite. */
  readonly weight_trk: Float64Array;
  /** ROW_KIND of each row. */
  readonly kind_r: Int32Array;
  /** Of the rounded code. */
  readonly class_tr: Uint8Array;
  /** Of the rounded code; in the exact one the width that is usual. */
  readonly shift_tr: Uint8Array;
  readonly n_k: number;
  readonly n_b: number;
  readonly n_m: number;
}

export interface Steps {
  /** Nearest bins coded before t, below and above (twice the same if there is one only). */
  readonly near_tc: Int32Array;
  /** All of them are among those of the first n_roots places: no other's R is needed. */
  readonly n_roots: number;
  /** The step of an amplitude is `step` times the larger of R, floor R(first bin), least. */
  readonly step: number;
  readonly floor: number;
  readonly least: number;
}

/** LANES samples in the exact code. */
export interface CodedExact {
  /** Less `shift_tr`, modulo 256 (t, r), from `firstWidth` on. */
  readonly widths: Uint8Array;
  readonly firstWidth: number;
  /** Bytes, from `firstDigit` on. Has PADDING more. */
  readonly digits: Uint8Array;
  readonly firstDigit: number;
  readonly n_digits: number;
}

/** LANES samples in the rounded code. */
export interface CodedSteps {
  /** Has at least 4 bytes beyond the streams. */
  readonly codes: Uint8Array;
  /** Where each class's stream begins in `codes`, and the rests in `rests`. */
  readonly at: Int32Array;
  /** Has PADDING more than are used. */
  readonly rests: Uint8Array;
  /** Values that no symbol can say. */
  readonly others: Float64Array;
  readonly firstOther: number;
  readonly n_others: number;
}

export interface PackKernels {
  /**
   * Exact values x_brl, in the order t, r: bits(x) = bits(prediction) + n, where bits orders doubles as 64-bit integers (the
   * lower 63 are inverted below zero); at t = 0 the prediction is 0. @returns 0; -1: the widths are not those of the digits
   */
  unpackExact(x_brl: Float64Array, coded: CodedExact, prediction: Prediction): number;

  /**
   * Rounded values x_brl, in the order t, p, c, m: x = prediction + n step, amplitudes not below 0. With R_p(b)^2 = sum_m
   * amplitude^2 the amplitudes' step at t is that of `Steps` with R the mean of those at near_tc; a phase's is
   * step / max(amplitude, step). Where the symbol is the lowest that its class has, and at t = 0, x is the next of the others.
   * @returns how many others were taken; -1: there are not enough
   * @param scratch 2 n_b LANES numbers
   */
  unpackSteps(
    x_brl: Float64Array,
    scratch: Float64Array,
    coded: CodedSteps,
    prediction: Prediction,
    steps: Steps,
  ): number;

  /** Amplitudes, times scale_b, and phases (l, m, p, b) of n_lanes, both from `first` on. */
  spreadLanes(
    amplitude: Float64Array,
    phase: Float64Array,
    first: number,
    x_brl: Float64Array,
    scale_b: Float64Array,
    n_b: number,
    n_m: number,
    n_lanes: number,
  ): void;
}
