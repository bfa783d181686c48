/** The kernels of what follows the phase grid in stage 5: part of `table.ts`. */
import type { PhaseTables, TileRows } from "./table.ts";

/** What a tile's probes follow from: `PROBE` says which number is which. */
export type ProbeKey = Int32Array;
export const PROBE = { half: 0, bank: 1, i: 2, e0: 3, every: 4 } as const;
export const N_PROBE = 5;

/** Sums by (i, e) of the rows of one part: room for as many as there are rows. */
export interface PairSums {
  readonly e: Int32Array;
  readonly sum: Float64Array;
}

/** Numbers of a part, in this order: see `partSums`. */
export const PART = {
  scale: 0,
  total: 1,
  rowSquares: 2,
  pairSquares: 3,
  bestfit: 4,
  lnl: 5,
  notFinite: 6,
} as const;
export const N_PART = 7;

/** The rows of a part as `partSums` reads them. */
export interface PartRows {
  readonly e: Int32Array;
  readonly dh: Float64Array;
  readonly hh: Float64Array;
  readonly bestfit: Float64Array;
  readonly lnl: Float64Array;
  /** Output. */
  readonly lnPosterior: Float64Array;
}

export interface RowKernels {
  /**
   * The probes among the n_valid extrinsic samples of a tile, each with the phase that is its own: place e in the tile, phase o,
   * <d|h>, <h|h>. (bank, i, e0 + e) is one if hash = hashOn(half, e0 + e, 0x9e3779b9) is a multiple of `every`; its phase is
   * hash32(hash, i, e0 + e, bank) modulo n_o (`hash.ts`). Layouts as in `coherentTile`. @returns how many
   */
  probeTile(
    probes: TileRows,
    dh_mce: Float64Array,
    hh_ce: Float64Array,
    phases: PhaseTables,
    n_m: number,
    n_e: number,
    n_valid: number,
    key: ProbeKey,
  ): number;

  /**
   * Rows start <= r < end, which belong to one bank sample and ascend in e: lnPosterior = lnl + weight + weight_e, and
   *   out = scale (the largest lnPosterior), total = sum_r exp(lnPosterior - scale) in eight partial sums, the sum of squares of
   *   these terms, that of their sums by e (`pairs`), the largest bestfit and lnl, how many rows are not finite.
   * With scale -Infinity the sums are 0 and there are no pairs. @returns how many pairs
   */
  partSums(
    out: Float64Array,
    pairs: PairSums,
    rows: PartRows,
    start: number,
    end: number,
    weight: number,
    weight_e: Float64Array,
  ): number;
}
