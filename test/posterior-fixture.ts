/** The reference's rows of `runs/small` (or another run) as the coherent stage would hand them over. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openBank } from "../src/gw/bank.ts";
import { type NetworkFrame, phaseRefdet } from "../src/gw/prior.ts";
import { readFeather } from "../src/io/feather.ts";
import type { BankResult, FinishInput } from "../src/stages/posterior.ts";
import { FIXTURES } from "./io-helpers.ts";

export const SMALL_RUN = join(FIXTURES, "runs/small");

/** Python's infinities become null. */
export function readJsonFile(path: string) {
  return JSON.parse(readFileSync(path, "utf8").replace(/-?Infinity/g, "null"));
}

/** A reference run and its banks, in their order. All its rows are handed over, also those far below the best. */
export function runInput(run: string, bankFolders: readonly string[], n_phi: number): FinishInput {
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

export function smallInput(): FinishInput {
  return runInput(SMALL_RUN, [join(FIXTURES, "banks/s")], 16);
}

function bankResult(
  run: string,
  id: string,
  logPriorWeights_i: Float64Array,
  n_eachSample: number,
): BankResult {
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
