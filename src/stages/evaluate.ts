/** Stage 5 on the pool: the rows above the final threshold go into their files; what is summed over them comes back. */
import type { DistanceTable } from "../gw/distance.ts";
import type { Reference } from "../gw/reference.ts";
import { logSumExp } from "../gw/special.ts";
import { sharedF64, shareF64 } from "../workers/arena.ts";
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
import type { Items } from "./incoherent.ts";
import { canGoOn, fingerprintOf, type Keeper, NOT_KEPT } from "./keeper.ts";
import { type RowCuts, RowFiles, rowProgress } from "./row-files.ts";
import type { RowPlan } from "./row-pass.ts";
import { RowSteps } from "./row-steps.ts";

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

export interface Evaluated {
  readonly rows: CoherentRows;
  readonly results: BankResult[];
  /** Saves the rows as they are. */
  readonly keep: () => Promise<void>;
}

/**
 * @param onProgress told the share that is done
 * @returns the rows in their files, to be completed by `finish` and `commit`, and the results by bank
 * @throws DotpeError, runAgain if the run is to end here; the files stay if the run can go on
 */
export async function evaluate(
  pool: Pool,
  inputs: EvaluateInputs,
  onProgress: (share: number) => void,
  keeper: Keeper = NOT_KEPT,
): Promise<Evaluated> {
  const { bins, reference, accepted, set, settings } = inputs;
  const coherent = planCoherent(bins, reference, accepted, set, settings, pool.kernels);
  const files = RowFiles.open(inputs.paths);
  try {
    const steps = rowSteps(pool, inputs, coherent, files, onProgress, keeper);
    const plan = await steps.run();
    return {
      rows: coherentRows(plan, files),
      results: bins.banks.map((_, k) => bankResult(inputs, plan, k)),
      keep: () => steps.keep(),
    };
  } catch (error) {
    if (canGoOn(error) && keeper !== NOT_KEPT) files.close();
    else files.discard();
    throw error;
  }
}

export function rowSteps(
  pool: Pool,
  inputs: EvaluateInputs,
  coherent: CoherentPlan,
  files: RowFiles,
  onProgress: (share: number) => void = () => {},
  keeper: Keeper = NOT_KEPT,
): RowSteps {
  return new RowSteps({
    ...{ pool, inputs, coherent, files, keeper, onProgress },
    fingerprint: fingerprintOf(decisive(inputs, coherent)),
    plan: (best, cuts) => rowPlan(inputs, coherent, files, best, cuts),
  });
}

/** What the rows depend on: if its bits are the same, theirs are. */
function decisive({ set, logPriorWeights_e, table, reference }: EvaluateInputs, coherent: CoherentPlan) {
  const { items, samples, phases } = coherent;
  const { response_dpe, arrival_de } = set;
  return [
    ...[items.bank_j, items.i_j, response_dpe, arrival_de, logPriorWeights_e, table.coefficients],
    ...[samples.w_smpcb, samples.products.w, phases.waves_Oxo, reference.arrival_d],
  ];
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
