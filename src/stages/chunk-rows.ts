/** The rows of one chunk in one thread's memory, which is used again for the next, and what is summed over them. */
import { N_PART, PART } from "../kernels/row-table.ts";
import type { Kernels } from "../kernels/table.ts";

const FIRST_ROOM = 4096;

/** Rows by (item, e, o) ascending; part k of the chunk is what its k-th item has. */
export class ChunkRows {
  n = 0;
  /** By part: one past its last row. */
  readonly ends: number[] = [];
  e = new Int32Array(FIRST_ROOM);
  o = new Int32Array(FIRST_ROOM);
  /** <d|h> and <h|h> at 1 Mpc. */
  dh = new Float64Array(FIRST_ROOM);
  hh = new Float64Array(FIRST_ROOM);
  /** lnL at the best distance, and marginalized over distance. */
  bestfit = new Float64Array(FIRST_ROOM);
  lnl = new Float64Array(FIRST_ROOM);
  lnPosterior = new Float64Array(FIRST_ROOM);

  clear(): void {
    this.n = 0;
    this.ends.length = 0;
  }

  /** Makes room for `more` rows. */
  reserve(more: number): void {
    const n = this.n + more;
    if (n <= this.e.length) return;
    const room = Math.max(n, 2 * this.e.length);
    this.e = larger(this.e, new Int32Array(room));
    this.o = larger(this.o, new Int32Array(room));
    this.dh = larger(this.dh, new Float64Array(room));
    this.hh = larger(this.hh, new Float64Array(room));
    this.bestfit = larger(this.bestfit, new Float64Array(room));
    this.lnl = larger(this.lnl, new Float64Array(room));
    this.lnPosterior = larger(this.lnPosterior, new Float64Array(room));
  }

  /** Appends rows start <= r < end of others, as far as their likelihoods go: without `lnl` and `lnPosterior`. */
  append(from: ChunkRows, start: number, end: number): void {
    this.reserve(end - start);
    const at = this.n;
    this.e.set(from.e.subarray(start, end), at);
    this.o.set(from.o.subarray(start, end), at);
    this.dh.set(from.dh.subarray(start, end), at);
    this.hh.set(from.hh.subarray(start, end), at);
    this.bestfit.set(from.bestfit.subarray(start, end), at);
    this.n = at + end - start;
  }

  endPart(): void {
    this.ends.push(this.n);
  }

  /** Row r of `from` as the next row here; room must be there. */
  private take(from: ChunkRows, r: number): void {
    const at = this.n++;
    this.e[at] = from.e[r];
    this.o[at] = from.o[r];
    this.dh[at] = from.dh[r];
    this.hh[at] = from.hh[r];
    this.bestfit[at] = from.bestfit[r];
    this.lnl[at] = from.lnl[r];
    this.lnPosterior[at] = from.lnPosterior[r];
  }

  /** The rows of `from` whose best-fit lnL exceeds `cut` become those of `above`, the others those of `below`. */
  static split(from: ChunkRows, cut: number, above: ChunkRows, below: ChunkRows): void {
    for (const to of [above, below]) {
      to.clear();
      to.reserve(from.n);
    }
    let r = 0;
    for (const end of from.ends) {
      for (; r < end; r++) (from.bestfit[r] > cut ? above : below).take(from, r);
      above.endPart();
      below.endPart();
    }
  }
}

function larger<T extends Int32Array | Float64Array>(old: T, fresh: T): T {
  fresh.set(old as never);
  return fresh;
}

/**
 * Of each part: rows; ln sum exp(ln_posterior); sums of squared shares of that sum, by row and by (i, e); the largest lnL at
 * the best distance and marginalized. (p, q), q as in `Q`.
 */
export type PartSums = Float64Array;
export const Q = { n: 0, lnSum: 1, rowSquares: 2, pairSquares: 3, bestfit: 4, lnl: 5 } as const;
export const N_Q = 6;

export const partSum = (sums: PartSums, q: number, p: number): number => sums[p * N_Q + q];

/** One number of the parts p0 <= p < p1. */
export function sumColumn(sums: PartSums, q: number, p0: number, p1: number): Float64Array {
  return Float64Array.from({ length: p1 - p0 }, (_, k) => partSum(sums, q, p0 + k));
}

/** Rows of the parts p0 <= p < p1. */
export function countRows(sums: PartSums | undefined, p0: number, p1: number): number {
  let n = 0;
  if (sums !== undefined) for (let p = p0; p < p1; p++) n += partSum(sums, Q.n, p);
  return n;
}

/** What one chunk adds to the shares of the extrinsic samples: exp(scale) times the sums of each part. */
export interface ChunkPairs {
  readonly scales: number[];
  /** By part: one past its last sum. */
  readonly ends: number[];
  readonly e: Int32Array;
  readonly sum: Float64Array;
}

/** One thread's sums; `pairs` are used again for the next rows. */
export class ChunkSums {
  pairs: ChunkPairs = { scales: [], ends: [], e: new Int32Array(0), sum: new Float64Array(0) };
  private readonly part = new Float64Array(N_PART);

  constructor(private readonly kernels: Pick<Kernels, "partSums">) {}

  /**
   * Sums all parts, and writes `lnPosterior`.
   * @param partOf the number of the chunk's k-th part in `sums` @param weightOf log prior weight of its sample
   * @returns whether all rows are finite
   */
  add(
    rows: ChunkRows,
    sums: PartSums,
    partOf: (k: number) => number,
    weightOf: (k: number) => number,
    weight_e: Float64Array,
  ): boolean {
    let { e, sum } = this.pairs;
    if (e.length < rows.n) {
      e = new Int32Array(rows.e.length);
      sum = new Float64Array(rows.e.length);
    }
    this.pairs = { scales: [], ends: [], e, sum };
    const { part, pairs } = this;
    let [start, n, notFinite] = [0, 0, 0];
    for (let k = 0; k < rows.ends.length; k++) {
      const room = { e: e.subarray(n), sum: sum.subarray(n) };
      n += this.kernels.partSums(part, room, rows, start, rows.ends[k], weightOf(k), weight_e);
      const at = partOf(k) * N_Q;
      const [scale, total] = [part[PART.scale], part[PART.total]];
      sums[at + Q.n] = rows.ends[k] - start;
      sums[at + Q.lnSum] = total > 0 ? scale + Math.log(total) : -Infinity;
      sums[at + Q.rowSquares] = total > 0 ? part[PART.rowSquares] / total ** 2 : 0;
      sums[at + Q.pairSquares] = total > 0 ? part[PART.pairSquares] / total ** 2 : 0;
      sums[at + Q.bestfit] = part[PART.bestfit];
      sums[at + Q.lnl] = part[PART.lnl];
      pairs.scales.push(scale);
      pairs.ends.push(n);
      notFinite += part[PART.notFinite];
      start = rows.ends[k];
    }
    return notFinite === 0;
  }
}
