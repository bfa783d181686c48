/** Stage 5 on the pool: the rows above the final threshold go into their files; what is summed over them comes back. */
import type { DistanceTable } from "../gw/distance.ts";
import type { Reference } from "../gw/reference.ts";
import { logSumExp } from "../gw/special.ts";
import { sharedF64, sharedI32, shareF64 } from "../workers/arena.ts";
import type { Pool } from "../workers/pool.ts";
import type { BankResult, CoherentRows } from "./bank-posterior.ts";
import type { BankBins } from "./bank-samples.ts";
import { countRows } from "./chunk-rows.ts";
import {
  type CoherentPlan,
  type CoherentSettings,
  type ExtrinsicSet,
  planCoherent,
} from "./coherent-plan.ts";
import { cutsOf, N_BINS, nScanTasks } from "./coherent-scan.ts";
import type { Items } from "./incoherent.ts";
import { GIVEN_UP, type RowCuts, RowFiles, rowProgress, TOO_MANY } from "./row-files.ts";
import type { RowPlan } from "./row-pass.ts";

export interface EvaluateInputs {
  readonly bins: BankBins;
  readonly reference: Reference;
  /** Accepted samples by (bank, i). */
  readonly accepted: Items;
  /** Their positions, the most promising first, and their incoherent lnL; 0 where it is not known. */
  readonly order: Int32Array;
  readonly lnlike_j: Float64Array;
  readonly set: ExtrinsicSet;
  readonly logPriorWeights_e: Float64Array;
  readonly logPriorWeights: readonly Float64Array[];
  /** By bank: samples that its evidence is normalised by. */
  readonly n_int: readonly number[];
  readonly table: DistanceTable;
  readonly settings: CoherentSettings;
  readonly sizeLimit: number;
  /** prob_samples.feather of all banks, and of each. */
  readonly paths: { readonly merged: string; readonly banks: readonly string[] };
}

/**
 * The coherent lnL of a sample is larger than its incoherent one by less than this, nearly always: the grids of times and
 * phases are not the same. Where it is more, the rows are made twice.
 */
const MARGIN = 1;

/**
 * @param onProgress told the share that is done
 * @returns the rows in their files, to be completed by `finish` and `commit`, and the results by bank
 * @throws DotpeError
 */
export async function evaluate(
  pool: Pool,
  inputs: EvaluateInputs,
  onProgress: (share: number) => void,
): Promise<{ rows: CoherentRows; results: BankResult[] }> {
  const { bins, reference, accepted, set, settings } = inputs;
  const coherent = planCoherent(bins, reference, accepted, set, settings, pool.kernels);
  const files = RowFiles.create(inputs.paths);
  try {
    const plan = await writeRows(pool, inputs, coherent, files, onProgress);
    return {
      rows: coherentRows(plan, files),
      results: bins.banks.map((_, k) => bankResult(inputs, plan, k)),
    };
  } catch (error) {
    files.discard();
    throw error;
  }
}

/** The pass over the rows, repeated if the first guess of the best was wrong or if there are too many. */
export async function writeRows(
  pool: Pool,
  inputs: EvaluateInputs,
  coherent: CoherentPlan,
  files: RowFiles,
  onProgress: (share: number) => void,
): Promise<RowPlan> {
  const bounds = inputs.lnlike_j.map((lnl) => (lnl > 0 ? lnl + MARGIN : Infinity));
  let best = await scan(pool, inputs, coherent, bounds);
  let isCertain = false;
  let cuts: RowCuts | undefined;
  for (;;) {
    const plan = rowPlan(inputs, coherent, files, best, cuts);
    files.begin(plan.progress);
    const { n_chunks } = coherent.grid;
    await pool.run("rows", plan, n_chunks, (done) => onProgress(done / n_chunks));
    const reason = plan.progress.turn[GIVEN_UP];
    if (reason === 0) return plan;
    if (!isCertain) {
      const before = best;
      best = await scan(pool, inputs, coherent, bounds.fill(Infinity));
      isCertain = true;
      if (best.some((value, k) => value > before[k])) continue;
    }
    if (reason !== TOO_MANY || cuts !== undefined) throw new Error("a row is better than the best");
    cuts = await findCuts(pool, inputs, coherent, best);
  }
}

/** The best lnL by group. */
async function scan(
  pool: Pool,
  { order }: EvaluateInputs,
  coherent: CoherentPlan,
  bound_j: Float64Array,
): Promise<Float64Array> {
  const n_groups = coherent.bestPerBank ? coherent.samples.banks.length : 1;
  const best = sharedF64(n_groups);
  const plan = { coherent, order, bound_j, best };
  await pool.run("scan", plan, nScanTasks(plan));
  return best;
}

function rowPlan(
  inputs: EvaluateInputs,
  coherent: CoherentPlan,
  files: RowFiles,
  best: Float64Array,
  cuts: RowCuts | undefined,
): RowPlan {
  const { bins, set, settings, n_int, logPriorWeights, logPriorWeights_e, table } = inputs;
  const { items, grid } = coherent;
  const n_j = items.i_j.length;
  const logPriorWeights_j = sharedF64(n_j);
  for (let j = 0; j < n_j; j++) logPriorWeights_j[j] = logPriorWeights[items.bank_j[j]][items.i_j[j]];
  return {
    ...{ coherent, grid, items, table, best: shareF64(best.slice()), cuts },
    ...{ logPriorWeights_j, logPriorWeights_e: shareF64(logPriorWeights_e), n_e: set.n_e },
    files: files.shared(),
    progress: rowProgress(grid, n_j, bins.banks.length, cuts),
    lnTotal_k: n_int.map((n_i) => Math.log(nTotal(settings, set, n_i))),
    bankIds: bins.banks.map(({ id }) => id),
    sizeLimit: cuts === undefined ? inputs.sizeLimit : Infinity,
  };
}

const nTotal = ({ n_phi }: CoherentSettings, { n_e }: ExtrinsicSet, n_i: number) => n_phi * n_e * n_i;

/** How many rows there are by lnL, and what keeps at most the limit of each bank, and of all together. */
async function findCuts(
  pool: Pool,
  { bins, sizeLimit }: EvaluateInputs,
  coherent: CoherentPlan,
  best: Float64Array,
): Promise<RowCuts> {
  const threshold = best.map((value) => value - coherent.maxDrop);
  const [low, high] = [Math.max(0, Math.min(...threshold)), Math.max(...best)];
  const rows_kb = sharedI32(bins.banks.length * N_BINS);
  const plan = { coherent, threshold, low, high, rows_kb };
  await pool.run("count", plan, coherent.items.i_j.length);
  return cutsOf(plan, sizeLimit);
}

function coherentRows(plan: RowPlan, files: RowFiles): CoherentRows {
  const { progress, grid, items, lnTotal_k } = plan;
  return { progress, grid, bank_j: items.bank_j, lnTotal_k, files };
}

function bankResult(inputs: EvaluateInputs, plan: RowPlan, bank: number): BankResult {
  const { accepted, bins, n_int, set, settings, logPriorWeights } = inputs;
  const { coherent, progress, grid } = plan;
  const [j0, j1] = rangeOf(accepted.bank_j, bank);
  const [p0, p1] = [j0 * grid.n_spans, j1 * grid.n_spans];
  const inds = accepted.i_j.slice(j0, j1);
  const n_rows = countRows(progress.kept, p0, p1) + countRows(progress.capped, p0, p1);
  const probes = progress.probes_p.subarray(p0, p1);
  return {
    ...{ id: bins.banks[bank].id, n_total: nTotal(settings, set, n_int[bank]), n_indsUsed: inds.length },
    n_i: logPriorWeights[bank].length,
    ...{ j0, dt: { inds, dt: coherent.dt_j.slice(j0, j1) } },
    discarded: {
      n: inds.length * set.n_e * settings.n_phi - n_rows,
      // Each probe stands for many.
      lnSum: logSumExp(probes) + Math.log(settings.probeEvery * settings.n_phi),
    },
    nDistanceMarginalizations: n_rows,
  };
}

function rangeOf(bank_j: Int32Array, bank: number): [number, number] {
  const first = bank_j.indexOf(bank);
  return first < 0 ? [0, 0] : [first, bank_j.lastIndexOf(bank) + 1];
}
