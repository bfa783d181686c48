/** Stage 6: what the rows of all banks together amount to, those of prob_samples.feather. */
import { logSumExp } from "../gw/special.ts";
import { type CoherentRows, squaredShares } from "./bank-posterior.ts";
import { N_Q, partSum, Q, sumColumn } from "./chunk-rows.ts";
import { chunkAt } from "./chunks.ts";

export interface MergedSums {
  readonly n: number;
  /** Rows of the banks' own files that are not among these. */
  readonly n_leftOut: number;
  /** ln sum exp(ln_posterior - ln N_k); -Infinity without rows. */
  readonly lnSum: number;
  readonly n_effective: number;
  /** Largest lnL at the best distance, and marginalized over distance. */
  readonly bestfit: number;
  readonly lnl: number;
  /** Weights of the chunks, which add up to 1. */
  readonly weight_c: Float64Array;
}

/** Sums run in the order of the parts. */
export function mergedSums({ grid, progress, bank_j, lnTotal_k }: CoherentRows): MergedSums {
  const { n_spans, n_chunks } = grid;
  const n_p = bank_j.length * n_spans;
  // Relative to ln N_k, as the weights are.
  const sums = progress.merged.slice();
  for (let p = 0; p < n_p; p++) sums[p * N_Q + Q.lnSum] -= lnTotal_k[bank_j[Math.floor(p / n_spans)]];
  const lnSum_p = sumColumn(sums, Q.lnSum, 0, n_p);
  const lnSum = logSumExp(lnSum_p);
  const weight_c = new Float64Array(n_chunks);
  for (let c = 0; c < n_chunks && lnSum > -Infinity; c++) {
    const { j0, j1, span } = chunkAt(grid, bank_j, c);
    for (let j = j0; j < j1; j++) weight_c[c] += Math.exp(lnSum_p[j * n_spans + span] - lnSum);
  }
  const n = total(sumColumn(sums, Q.n, 0, n_p));
  return {
    ...{ n, n_leftOut: total(sumColumn(progress.kept, Q.n, 0, n_p)) - n, lnSum, weight_c },
    n_effective: 1 / squaredShares(sums, Q.rowSquares, 0, n_p, lnSum),
    bestfit: largest(n_p, (p) => partSum(sums, Q.bestfit, p)),
    lnl: largest(n_p, (p) => partSum(sums, Q.lnl, p)),
  };
}

const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);

function largest(n: number, of: (p: number) => number): number {
  let most = -Infinity;
  for (let p = 0; p < n; p++) most = Math.max(most, of(p));
  return most;
}
