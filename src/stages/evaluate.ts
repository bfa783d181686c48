/** Stage 5 on the pool: rows above the final threshold, distance marginalized, and what is known of the others. */
import { type DistanceTable, lnLikeMarginalized } from "../gw/distance.ts";
import type { Reference } from "../gw/reference.ts";
import { logSumExp } from "../gw/special.ts";
import { sharedF64 } from "../workers/arena.ts";
import type { Pool } from "../workers/pool.ts";
import type { BankResult } from "./bank-posterior.ts";
import type { BankBins } from "./bank-samples.ts";
import {
  type CoherentPlan,
  type CoherentSettings,
  type ExtrinsicSet,
  nCoherentTasks,
  planCoherent,
} from "./coherent-plan.ts";
import { type SortedRows, sortProbes, sortRows } from "./coherent-rows.ts";
import { ROWS_PER_TASK } from "./distance-rows.ts";
import type { Items } from "./incoherent.ts";
import { pickItems } from "./select.ts";

export interface EvaluateInputs {
  readonly bins: BankBins;
  readonly reference: Reference;
  /** Accepted samples by (bank, i), and their positions, the most promising first. */
  readonly accepted: Items;
  readonly order: Int32Array;
  readonly set: ExtrinsicSet;
  readonly logPriorWeights_e: Float64Array;
  readonly logPriorWeights: readonly Float64Array[];
  /** By bank: samples that its evidence is normalised by. */
  readonly n_int: readonly number[];
  readonly table: DistanceTable;
  readonly settings: CoherentSettings;
}

/** @param onProgress told the share that is done */
export async function evaluate(
  pool: Pool,
  inputs: EvaluateInputs,
  onProgress: (share: number) => void,
): Promise<BankResult[]> {
  const { bins, reference, accepted, order, set, settings, table } = inputs;
  const plan = planCoherent(bins, reference, pickItems(accepted, order), set, settings);
  const nTasks = nCoherentTasks(plan);
  const results = await pool.run("coherent", plan, nTasks, (done) => onProgress(done / nTasks));
  const best = plan.best.map((value) => value - settings.maxDrop);
  const bank_j = plan.items.bank_j;
  const threshold = (j: number) => best[settings.bestPerBank ? bank_j[j] : 0];
  const rows = sortRows(results, order, (j, lnl) => lnl > threshold(j));
  const probes = sortProbes(results, order, (j, lnl) => !(lnl > threshold(j)));
  const lnl_r = await marginalized(pool, table, rows);
  return bins.banks.map((_, bank) => bankResult(inputs, plan, bank, rows, lnl_r, probes));
}

async function marginalized(pool: Pool, table: DistanceTable, rows: SortedRows): Promise<Float64Array> {
  const shared = (values: Float64Array) => {
    const copy = sharedF64(rows.n);
    copy.set(values);
    return copy;
  };
  const plan = { table, dh_r: shared(rows.dh), hh_r: shared(rows.hh), lnl_r: sharedF64(rows.n) };
  await pool.run("distance", plan, Math.ceil(rows.n / ROWS_PER_TASK));
  return plan.lnl_r;
}

function bankResult(
  inputs: EvaluateInputs,
  plan: CoherentPlan,
  bank: number,
  rows: SortedRows,
  lnl_r: Float64Array,
  probes: SortedRows,
): BankResult {
  const { accepted, bins, logPriorWeights, n_int, set, settings } = inputs;
  const [j0, j1] = rangeOf(accepted.bank_j, bank);
  const [r0, r1] = [firstRow(rows, j0), firstRow(rows, j1)];
  const inds = accepted.i_j.slice(j0, j1);
  const n_looked = inds.length * set.n_e * settings.n_phi;
  return {
    id: bins.banks[bank].id,
    n_total: settings.n_phi * set.n_e * n_int[bank],
    n_indsUsed: inds.length,
    rows: {
      n: r1 - r0,
      i: rows.j.subarray(r0, r1).map((j) => accepted.i_j[j]),
      e: rows.e.subarray(r0, r1),
      o: rows.o.subarray(r0, r1),
      dh: rows.dh.subarray(r0, r1),
      hh: rows.hh.subarray(r0, r1),
      lnlMarginalized: lnl_r.subarray(r0, r1),
    },
    logPriorWeights_i: logPriorWeights[bank],
    discarded: { n: n_looked - (r1 - r0), lnSum: discardedLnSum(inputs, bank, probes, j0, j1) },
    nDistanceMarginalizations: r1 - r0,
    dt: { inds, dt: alignment(plan, inputs.order, j0, j1) },
  };
}

/** ln of the estimated sum of exp(ln_posterior) over the rows below the threshold: each probe stands for many. */
function discardedLnSum(
  inputs: EvaluateInputs,
  bank: number,
  probes: SortedRows,
  j0: number,
  j1: number,
): number {
  const { accepted, logPriorWeights, logPriorWeights_e, settings, table } = inputs;
  const [p0, p1] = [firstRow(probes, j0), firstRow(probes, j1)];
  if (p0 === p1) return -Infinity;
  const lnl = new Float64Array(p1 - p0);
  lnLikeMarginalized(table, probes.dh.subarray(p0, p1), probes.hh.subarray(p0, p1), lnl, p1 - p0);
  const terms = lnl.map(
    (value, k) =>
      value + logPriorWeights[bank][accepted.i_j[probes.j[p0 + k]]] + logPriorWeights_e[probes.e[p0 + k]],
  );
  return logSumExp(terms) + Math.log(settings.probeEvery * settings.n_phi);
}

/** Time alignments of the items j0 <= j < j1 of the accepted samples. */
function alignment(plan: CoherentPlan, order: Int32Array, j0: number, j1: number): Float64Array {
  const dt = new Float64Array(j1 - j0);
  order.forEach((position, j) => {
    if (position >= j0 && position < j1) dt[position - j0] = plan.dt_j[j];
  });
  return dt;
}

function rangeOf(bank_j: Int32Array, bank: number): [number, number] {
  const first = bank_j.indexOf(bank);
  return first < 0 ? [0, 0] : [first, bank_j.lastIndexOf(bank) + 1];
}

/** First row whose item is not before j: rows stand by item. */
function firstRow({ j: items, n }: SortedRows, j: number): number {
  let [low, high] = [0, n];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items[middle] < j) low = middle + 1;
    else high = middle;
  }
  return low;
}
