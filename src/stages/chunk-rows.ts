/** The rows of one chunk in one thread's memory, which is used again for the next, and what is summed over them. */
import { pairwiseSum } from "../gw/special.ts";

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

/** What one chunk adds to the shares of the extrinsic samples: by part exp(scale) times the terms of its (i, e). */
export interface PairSums {
  readonly scales: number[];
  /** By part: one past its last pair. */
  readonly ends: number[];
  readonly e: number[];
  readonly sum: number[];
}

export class ChunkSums {
  private terms = new Float64Array(FIRST_ROOM);
  pairs: PairSums = { scales: [], ends: [], e: [], sum: [] };

  /** @param partOf the number of the chunk's k-th part in `sums` */
  add(rows: ChunkRows, sums: PartSums, partOf: (k: number) => number): void {
    if (this.terms.length < rows.n) this.terms = new Float64Array(rows.e.length);
    this.pairs = { scales: [], ends: [], e: [], sum: [] };
    let start = 0;
    rows.ends.forEach((end, k) => {
      this.part(rows, start, end, sums.subarray(partOf(k) * N_Q, (partOf(k) + 1) * N_Q));
      start = end;
    });
  }

  private part(rows: ChunkRows, start: number, end: number, out_q: Float64Array): void {
    const { lnPosterior } = rows;
    const scale = largest(lnPosterior, start, end);
    out_q[Q.n] = end - start;
    out_q[Q.bestfit] = largest(rows.bestfit, start, end);
    out_q[Q.lnl] = largest(rows.lnl, start, end);
    this.pairs.scales.push(scale);
    out_q[Q.lnSum] = scale;
    out_q[Q.rowSquares] = out_q[Q.pairSquares] = 0;
    if (scale > -Infinity) {
      const rowSquares = exponentials(this.terms, lnPosterior, scale, start, end);
      const total = pairwiseSum(this.terms, start, end);
      out_q[Q.lnSum] = scale + Math.log(total);
      out_q[Q.rowSquares] = rowSquares / total ** 2;
      out_q[Q.pairSquares] = this.addPairs(rows.e, start, end) / total ** 2;
    }
    this.pairs.ends.push(this.pairs.e.length);
  }

  /** Sums the terms of each (i, e); the sum of their squares. */
  private addPairs(e: Int32Array, start: number, end: number): number {
    const { terms, pairs } = this;
    let squares = 0;
    for (let r = start; r < end; ) {
      const at = e[r];
      let sum = terms[r++];
      while (r < end && e[r] === at) sum += terms[r++];
      squares += sum * sum;
      pairs.e.push(at);
      pairs.sum.push(sum);
    }
    return squares;
  }
}

/** out = exp(values - scale) for start <= r < end; the sum of their squares. */
function exponentials(
  out: Float64Array,
  values: Float64Array,
  scale: number,
  start: number,
  end: number,
): number {
  let squares = 0;
  for (let r = start; r < end; r++) {
    const term = Math.exp(values[r] - scale);
    out[r] = term;
    squares += term * term;
  }
  return squares;
}

function largest(values: Float64Array, start: number, end: number): number {
  let most = -Infinity;
  for (let r = start; r < end; r++) if (values[r] > most) most = values[r];
  return most;
}
