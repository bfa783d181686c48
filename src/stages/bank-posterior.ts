/** Stage 6, one bank: evidence, shares of bank samples and extrinsic samples, effective sample sizes. */
import { logSumExp } from "../gw/special.ts";
import { countRows, type PartSums, partSum, Q, sumColumn } from "./chunk-rows.ts";
import type { ChunkGrid } from "./chunks.ts";
import type { RowFiles, RowProgress } from "./row-files.ts";

/** The rows above the threshold: their sums by part, and the files that hold them. */
export interface CoherentRows {
  readonly grid: ChunkGrid;
  readonly progress: RowProgress;
  /** By item: (bank, i) ascending. */
  readonly bank_j: Int32Array;
  /** By bank: ln N_k. */
  readonly lnTotal_k: readonly number[];
  readonly files: RowFiles;
}

/** What the coherent stage knows of one bank beside its rows. */
export interface BankResult {
  readonly id: string;
  /** Samples of the bank. */
  readonly n_i: number;
  /** N_k: phases x extrinsic samples x bank samples, of which the rows are a part. */
  readonly n_total: number;
  readonly n_indsUsed: number;
  /** Below the threshold: how many, and ln sum exp(ln_posterior), estimated. */
  readonly discarded: { readonly n: number; readonly lnSum: number };
  readonly nDistanceMarginalizations: number;
  /** Time alignment (s) of the bank samples that were used: the items from `j0` on. */
  readonly j0: number;
  readonly dt: { readonly inds: Int32Array; readonly dt: Float64Array };
}

/** Sums of squared shares of the bank's evidence: by row, by i, by e, by (i, e). Zero without evidence. */
export interface SquareSums {
  readonly row: number;
  readonly i: number;
  readonly e: number;
  readonly ie: number;
}

export interface BankPosterior {
  readonly id: string;
  readonly n_total: number;
  readonly n_indsUsed: number;
  /** -Infinity without rows. */
  readonly lnEvidence: number;
  /** Shares of the bank's evidence by bank index and by extrinsic sample; all zero without evidence. */
  readonly share_i: Float64Array;
  readonly share_e: Float64Array;
  readonly squares: SquareSums;
  /** Rows left out because there were more than the limit. */
  readonly capped: { readonly n: number; readonly lnEvidence: number };
}

/**
 * ln Z = ln sum exp(ln_posterior) - ln N_k, summed over a tree fixed by (i, e): i ascending, spans of e, pairwise inside.
 * @param k position of the bank
 */
export function bankPosterior(result: BankResult, rows: CoherentRows, k: number): BankPosterior {
  const { id, n_total, n_indsUsed, n_i, j0, dt } = result;
  const { grid, progress } = rows;
  const { kept, capped, share_ke, shareScale_k } = progress;
  const { n_spans, n_e } = grid;
  const n_j = dt.inds.length;
  const [p0, p1] = [j0 * n_spans, (j0 + n_j) * n_spans];
  const lnTotal = Math.log(n_total);
  const lnSum_j = Float64Array.from({ length: n_j }, (_, j) =>
    logSumExp(sumColumn(kept, Q.lnSum, p0 + j * n_spans, p0 + (j + 1) * n_spans)),
  );
  const lnSum = logSumExp(lnSum_j);
  const shareOf = (ln: number) => (ln > -Infinity ? Math.exp(ln - lnSum) : 0);
  const share_i = new Float64Array(n_i);
  lnSum_j.forEach((ln, j) => {
    share_i[dt.inds[j]] = shareOf(ln);
  });
  const factor = shareOf(shareScale_k[k]);
  const share_e = share_ke.slice(k * n_e, (k + 1) * n_e).map((sum) => sum * factor);
  const [row, ie] = [Q.rowSquares, Q.pairSquares].map((q) => squaredShares(kept, q, p0, p1, lnSum));
  return {
    ...{ id, n_total, n_indsUsed, lnEvidence: lnSum - lnTotal, share_i, share_e },
    squares: { row, i: sumOfSquares(share_i), e: sumOfSquares(share_e), ie },
    capped: {
      n: countRows(capped, p0, p1),
      lnEvidence: capped === undefined ? -Infinity : logSumExp(sumColumn(capped, Q.lnSum, p0, p1)) - lnTotal,
    },
  };
}

/** Sum of the squared shares that `q` counts, of ln sums relative to `lnSum`, over the parts p0 <= p < p1. */
export function squaredShares(
  sums: PartSums,
  q: typeof Q.rowSquares | typeof Q.pairSquares,
  p0: number,
  p1: number,
  lnSum: number,
): number {
  let sum = 0;
  for (let p = p0; p < p1; p++) {
    const ln = partSum(sums, Q.lnSum, p);
    if (ln > -Infinity) sum += Math.exp(2 * (ln - lnSum)) * partSum(sums, q, p);
  }
  return sum;
}

/** Added one after the other. */
export function sumOfSquares(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}
