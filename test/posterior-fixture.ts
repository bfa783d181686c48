/** The reference's rows of `runs/small` (or another run), published as the coherent stage would publish its own. */
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openBank } from "../src/gw/bank.ts";
import { type NetworkFrame, phaseRefdet } from "../src/gw/prior.ts";
import { type FeatherTable, readFeather } from "../src/io/feather.ts";
import { FileSet } from "../src/io/file-set.ts";
import { loadKernels } from "../src/kernels/table.ts";
import { rowPaths } from "../src/rundir/results.ts";
import { ChunkPublisher, type PublisherPlan } from "../src/stages/chunk-publisher.ts";
import { ChunkRows } from "../src/stages/chunk-rows.ts";
import { chunkAt, chunkGrid } from "../src/stages/chunks.ts";
import { bestfitLnL } from "../src/stages/coherent.ts";
import { binOf, cutsOf, N_BINS } from "../src/stages/coherent-scan.ts";
import type { Items } from "../src/stages/incoherent.ts";
import {
  type BankResult,
  type CoherentRows,
  type FinishInput,
  finish,
  type Posterior,
} from "../src/stages/posterior.ts";
import { GIVEN_UP, type RowCuts, RowFiles, rowProgress, TOO_MANY } from "../src/stages/row-files.ts";
import { itemsOf } from "../src/stages/select.ts";
import { shareF64 } from "../src/workers/arena.ts";
import { Pool } from "../src/workers/pool.ts";
import { FIXTURES } from "./io-helpers.ts";

export const SMALL_RUN = join(FIXTURES, "runs/small");

/** Rows of one bank, by (i, e, o) ascending. */
export interface GivenRows {
  readonly n: number;
  readonly i: Int32Array;
  readonly e: Int32Array;
  readonly o: Int32Array;
  readonly dh: Float64Array;
  readonly hh: Float64Array;
  readonly lnlMarginalized: Float64Array;
}

export interface GivenResult extends Omit<BankResult, "j0" | "n_i"> {
  readonly rows: GivenRows;
  readonly logPriorWeights_i: Float64Array;
}

export interface GivenInput extends Omit<FinishInput, "banks" | "rows"> {
  readonly banks: readonly {
    readonly bank: FinishInput["banks"][number]["bank"];
    readonly result: GivenResult;
  }[];
}

/** Python's infinities become null. */
export function readJsonFile(path: string) {
  return JSON.parse(readFileSync(path, "utf8").replace(/-?Infinity/g, "null"));
}

/** A reference run and its banks, in their order. All its rows are handed over, also those far below the best. */
export function runInput(run: string, bankFolders: readonly string[], n_phi: number): GivenInput {
  const table = readFeather(join(run, "extrinsic_samples.feather"));
  const extrinsic = {
    n_e: table.n_rows,
    lat: table.f64("lat"),
    lon: table.f64("lon"),
    _phi_ref: table.f64("_phi_ref"),
    psi: table.f64("psi"),
    t_geocenter: table.f64("t_geocenter"),
    weights: table.f64("weights"),
    log_prior_weights: table.f64("log_prior_weights"),
  };
  const banks = bankFolders.map((folder, k) => {
    const bank = openBank(folder, `bank_${k}`);
    return { bank, result: bankResult(run, bank.id, bank.samples.log_prior_weights, n_phi * extrinsic.n_e) };
  });
  const options = { sizeLimit: 1e7, drawSubset: true, nDraws: undefined, seed: 7 };
  return { banks, extrinsic, n_phi, frame: readFrame(run), options };
}

export function smallInput(): GivenInput {
  return runInput(SMALL_RUN, [join(FIXTURES, "banks/s")], 16);
}

function bankResult(
  run: string,
  id: string,
  logPriorWeights_i: Float64Array,
  n_eachSample: number,
): GivenResult {
  const table = readFeather(join(run, "prob_samples_top.feather"));
  const ids = table.strings("bank_id");
  const [i, e, o] = ["i", "e", "o"].map((name) => table.f64(name));
  const order = Uint32Array.from(ids.keys())
    .filter((row) => ids[row] === id)
    .sort((a, b) => i[a] - i[b] || e[a] - e[b] || o[a] - o[b]);
  const integers = (values: Float64Array) => Int32Array.from(order, (row) => values[row]);
  const floats = (name: string) => {
    const values = table.f64(name);
    return Float64Array.from(order, (row) => values[row]);
  };
  const summary = readJsonFile(join(run, "summary_results.json"));
  const cache = readJsonFile(join(run, "banks", id, "intrinsic_sample_processor_cache.json"));
  return {
    id,
    n_total: n_eachSample * logPriorWeights_i.length,
    n_indsUsed: summary.per_bank_results[id].n_inds_used,
    rows: {
      n: order.length,
      ...{ i: integers(i), e: integers(e), o: integers(o) },
      ...{ dh: floats("d_h_1Mpc"), hh: floats("h_h_1Mpc"), lnlMarginalized: floats("lnl_marginalized") },
    },
    logPriorWeights_i,
    discarded: { n: 100, lnSum: 70 },
    nDistanceMarginalizations: order.length,
    dt: {
      inds: Int32Array.from(Object.keys(cache), Number),
      dt: Float64Array.from(Object.values(cache) as number[]),
    },
  };
}

function readFrame(run: string): NetworkFrame {
  const prior = readJsonFile(join(run, "Posterior.json")).init_kwargs.prior.init_kwargs;
  const frame = {
    tgps: prior.tgps,
    detectorPair: prior.detector_pair,
    refDetector: prior.ref_det_name,
    fAvg: prior.f_avg,
  };
  return { ...frame, phaseRefdet0: phaseRefdet(prior.par_dic_0, frame) };
}

export interface Finished extends Posterior {
  readonly results: readonly BankResult[];
  /** prob_samples.feather of all banks, and of each. */
  readonly merged: FeatherTable;
  readonly own: readonly FeatherTable[];
}

/** The posterior and its files, in a new folder of `folder`, from rows that are given. */
export async function finishIn(folder: string, input: GivenInput): Promise<Finished> {
  const { paths, rows, results } = publishGiven(input, mkdtempSync(join(folder, "run-")));
  try {
    const banks = input.banks.map(({ bank }, k) => ({ bank, result: results[k] }));
    const posterior = await finish(new Pool(1, "ref"), { ...input, banks, rows });
    const samples = [...posterior.samples];
    const set = new FileSet();
    rows.files.complete(rows.progress, rows.grid, rows.bank_j, set);
    await set.commit();
    const [merged, ...own] = [paths.merged, ...paths.banks].map(readFeather);
    return { ...posterior, samples, results, merged, own };
  } catch (error) {
    rows.files.discard();
    throw error;
  }
}

/** The rows in files that want their weights and names. */
export function publishGiven(input: GivenInput, rundir: string) {
  const given = input.banks.map(({ result }) => result);
  const paths = rowPaths(rundir, given);
  const files = RowFiles.open(paths);
  try {
    const rows = publish(input, files);
    let j0 = 0;
    const results = given.map((result): BankResult => {
      const first = j0;
      j0 += result.dt.inds.length;
      return { ...result, j0: first, n_i: result.logPriorWeights_i.length };
    });
    return { paths, rows, results };
  } catch (error) {
    files.discard();
    throw error;
  }
}

function publish(input: GivenInput, files: RowFiles, cuts?: RowCuts): CoherentRows {
  const given = input.banks.map(({ result }) => result);
  const { n_e, log_prior_weights } = input.extrinsic;
  const items = itemsOf(given.map(({ dt }) => ({ i: dt.inds })));
  const grid = chunkGrid(items, n_e, input.n_phi);
  const lnTotal_k = given.map(({ n_total }) => Math.log(n_total));
  const plan: PublisherPlan = {
    ...{ grid, items, n_e, cuts, lnTotal_k, files: files.shared() },
    progress: rowProgress(grid, items.i_j.length, given.length, cuts),
    logPriorWeights_j: Float64Array.from(items.i_j, (i, j) => given[items.bank_j[j]].logPriorWeights_i[i]),
    logPriorWeights_e: shareF64(log_prior_weights),
    bankIds: given.map(({ id }) => id),
    sizeLimit: cuts === undefined ? input.options.sizeLimit : Infinity,
  };
  files.begin(plan.progress);
  const publisher = new ChunkPublisher(plan, loadKernels("auto"));
  for (let c = 0; c < grid.n_chunks; c++) {
    const chunk = chunkAt(grid, items.bank_j, c);
    publisher.publish(c, chunk, rowsOf(given[chunk.bank].rows, items, chunk.j0, chunk.j1));
  }
  if (plan.progress.turn[GIVEN_UP] === TOO_MANY) return publish(input, files, givenCuts(input));
  return { grid, progress: plan.progress, bank_j: items.bank_j, lnTotal_k, files };
}

function rowsOf(given: GivenRows, { i_j }: Items, j0: number, j1: number): ChunkRows {
  const rows = new ChunkRows();
  rows.reserve(given.n);
  for (let j = j0; j < j1; j++) {
    for (let r = 0; r < given.n; r++) {
      if (given.i[r] !== i_j[j]) continue;
      const at = rows.n++;
      rows.e[at] = given.e[r];
      rows.o[at] = given.o[r];
      rows.dh[at] = given.dh[r];
      rows.hh[at] = given.hh[r];
      rows.bestfit[at] = bestfitLnL(given.dh[r], given.hh[r]);
      rows.lnl[at] = given.lnlMarginalized[r];
    }
    rows.endPart();
  }
  return rows;
}

function givenCuts({ banks, options }: GivenInput): RowCuts {
  const lnl_k = banks.map(({ result }) => result.rows.dh.map((dh, r) => bestfitLnL(dh, result.rows.hh[r])));
  const [low, high] = [0, Math.max(...lnl_k.map((lnl) => lnl.reduce((a, b) => Math.max(a, b), 0)))];
  const rows_kb = new Int32Array(banks.length * N_BINS);
  lnl_k.forEach((lnl, k) => {
    for (const value of lnl) rows_kb[k * N_BINS + binOf(value, low, high)]++;
  });
  return cutsOf({ rows_kb, low, high }, options.sizeLimit);
}
