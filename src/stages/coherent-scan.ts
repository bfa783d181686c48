/**
 * Stage 5, what is to be known before its rows are written: the best likelihood, from the accepted samples that can have it;
 * and, where there are more rows than are wanted, how their likelihoods are distributed.
 */
import type { Kernels } from "../kernels/table.ts";
import { SharedMaximum } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import { bestfitLnL, Coherent, groupOf, LOOSE } from "./coherent.ts";
import type { CoherentPlan } from "./coherent-plan.ts";
import type { RowCuts } from "./row-files.ts";

export interface ScanPlan {
  readonly coherent: CoherentPlan;
  /** Items, the most promising first. */
  readonly order: Int32Array;
  /** By item: it is left out if the best is already larger. */
  readonly bound_j: Float64Array;
  /** Output by group: the best lnL so far. Written with Atomics. */
  readonly best: Float64Array;
}

/** Items of a task. */
const SCANNED_AT_ONCE = 2;

export const nScanTasks = ({ order }: Pick<ScanPlan, "order">) => Math.ceil(order.length / SCANNED_AT_ONCE);

export function openScan(plan: ScanPlan, kernels: Kernels): TaskRunner<null> {
  const { coherent, order, bound_j } = plan;
  const evaluator = new Coherent(coherent, kernels, 1);
  const { found } = evaluator;
  const maximum = new SharedMaximum(plan.best);

  const scan = (j: number) => {
    const group = groupOf(coherent, coherent.items.bank_j[j]);
    if (bound_j[j] <= maximum.get(group)) return;
    evaluator.prepare(j, 0);
    for (let t = 0; t < coherent.tiles.n; t++) {
      let best = maximum.get(group);
      const n = evaluator.rowsAbove(0, t, best - LOOSE);
      for (let r = 0; r < n; r++) best = Math.max(best, bestfitLnL(found.dh[r], found.hh[r]));
      maximum.offer(group, best);
    }
  };

  return {
    run(task) {
      const end = Math.min((task + 1) * SCANNED_AT_ONCE, order.length);
      for (let k = task * SCANNED_AT_ONCE; k < end; k++) scan(order[k]);
    },
    result: () => null,
    close: () => evaluator.close(),
  };
}

/** Bins of the histogram of a bank's likelihoods. */
export const N_BINS = 2 ** 18;

export interface CountPlan {
  readonly coherent: CoherentPlan;
  /** By group: only rows above are counted. */
  readonly threshold: Float64Array;
  /** The bins lie between these lnL; rows outside go into the first or the last. */
  readonly low: number;
  readonly high: number;
  /** Output, (bank, bin). Written with Atomics. */
  readonly rows_kb: Int32Array;
}

/** A task is an item. */
export function openCount(plan: CountPlan, kernels: Kernels): TaskRunner<null> {
  const { coherent, threshold, low, high, rows_kb } = plan;
  const evaluator = new Coherent(coherent, kernels, 1);
  const { found } = evaluator;
  const bins: number[] = [];
  return {
    run(j) {
      const bank = coherent.items.bank_j[j];
      const least = threshold[groupOf(coherent, bank)];
      bins.length = 0;
      evaluator.prepare(j, 0);
      for (let t = 0; t < coherent.tiles.n; t++) {
        const n = evaluator.rowsAbove(0, t, least - LOOSE);
        for (let r = 0; r < n; r++) {
          const lnl = bestfitLnL(found.dh[r], found.hh[r]);
          if (lnl > least) bins.push(binOf(lnl, low, high));
        }
      }
      // All at once: a task that fails before has counted nothing.
      for (let r = 0; r < bins.length; r++) Atomics.add(rows_kb, bank * N_BINS + bins[r], 1);
    },
    result: () => null,
    close: () => evaluator.close(),
  };
}

export function binOf(lnl: number, low: number, high: number): number {
  return Math.max(0, Math.min(N_BINS - 1, Math.floor(((lnl - low) / (high - low)) * N_BINS)));
}

/**
 * What keeps at most `limit` rows of each bank, the best ones, and of all these together: edges of the histogram's bins. The
 * best bin is kept, whatever it holds.
 */
export function cutsOf(
  { rows_kb, low, high }: Omit<CountPlan, "coherent" | "threshold">,
  limit: number,
): RowCuts {
  const edge = (bin: number) => (bin === 0 ? -Infinity : low + (bin * (high - low)) / N_BINS);
  const rows_b = new Float64Array(N_BINS);
  const bank_k: number[] = [];
  for (let start = 0; start < rows_kb.length; start += N_BINS) {
    const own_b = rows_kb.subarray(start, start + N_BINS);
    const first = firstKept(own_b, limit);
    for (let bin = first; bin < N_BINS; bin++) rows_b[bin] += own_b[bin];
    bank_k.push(edge(first));
  }
  return { bank_k, merged: edge(firstKept(rows_b, limit)) };
}

function firstKept(rows_b: ArrayLike<number>, limit: number): number {
  let bin = N_BINS - 1;
  for (let n = rows_b[bin]; bin > 0 && n + rows_b[bin - 1] <= limit; ) n += rows_b[--bin];
  return bin;
}
