/** Stage 4, from candidates to samples: the marginalizations on the pool, or an imported file. */
import { DotpeError } from "../errors.ts";
import { arrivalTimes, detectorResponses, detectorsNamed } from "../gw/detectors.ts";
import type { DistanceTable } from "../gw/distance.ts";
import type { Event } from "../gw/event.ts";
import type { Reference } from "../gw/reference.ts";
import { buildSkyDictionary, chooseFSampling } from "../gw/sky-dictionary.ts";
import { readFeather } from "../io/feather.ts";
import type { Options } from "../options.ts";
import { shareF64 } from "../workers/arena.ts";
import type { Pool } from "../workers/pool.ts";
import type { BankBins } from "./bank-samples.ts";
import type { ExtrinsicSet } from "./coherent-plan.ts";
import {
  candidateOrder,
  combine,
  type ExtrinsicSamples,
  gatherPoints,
  isAcceptable,
  N_COMBINE,
} from "./extrinsic.ts";
import { bestTempering, type CandidatePlan, planProducts, withItems } from "./extrinsic-tasks.ts";
import type { Items } from "./incoherent.ts";
import type { MargInfo } from "./marginalization.ts";
import { pickItems } from "./select.ts";

export interface Drawn {
  readonly samples: ExtrinsicSamples;
  /** Bank and sample of each marginalization that was combined. */
  readonly usedBankIdx?: Int32Array;
  readonly usedSampleIdx?: Int32Array;
}

export interface DrawInputs {
  readonly event: Event;
  readonly bins: BankBins;
  readonly reference: Reference;
  /** Accepted samples by (bank, i), and the position of the best of them. */
  readonly accepted: Items;
  readonly best: number;
  readonly table: DistanceTable;
  readonly options: Pick<Options, "nExt" | "seed" | "compat" | "coherentScoreMinNEffectivePrior">;
}

/**
 * Draws n_ext extrinsic samples from the marginalizations of up to 16 accepted bank samples.
 * @param onProgress told how many marginalizations are accepted
 * @throws DotpeError noSamples if no candidate gives an acceptable marginalization.
 */
export async function drawExtrinsic(
  pool: Pool,
  inputs: DrawInputs,
  onProgress: (accepted: number) => void,
): Promise<Drawn> {
  const { event, bins, reference, accepted, best, table, options } = inputs;
  const detectors = detectorsNamed(event.detectors);
  const sky = buildSkyDictionary(detectors, chooseFSampling(event.f[event.n_f - 1]), options.seed);
  const products = planProducts(bins, reference, pickItems(accepted, [best]), event.tcoarse, sky.f_sampling);
  const start: CandidatePlan = {
    ...{ products, firstRank: 0, detectors: event.detectors, sky, table, seed: options.seed },
    beta_d: new Float64Array(event.n_d).fill(0.5),
    minNEffectivePrior: options.coherentScoreMinNEffectivePrior,
  };
  const plan = { ...start, beta_d: shareF64(bestTempering(start, pool.kernels)) };
  const found = await acceptCandidates(pool, plan, accepted, options.seed, onProgress);
  const used = pickItems(
    accepted,
    found.map(({ position }) => position),
  );
  const infos = found.map(({ info }) => info);
  const draw =
    options.compat === "dot_pe" ? "dot_pe" : { lnL_kq: await crossLikelihoods(pool, plan, used, infos) };
  return {
    samples: combine(infos, options.nExt, options.seed, draw),
    usedBankIdx: used.bank_j,
    usedSampleIdx: used.i_j,
  };
}

interface Accepted {
  /** In the accepted items. */
  readonly position: number;
  readonly info: MargInfo;
}

/** The first acceptable marginalizations in the candidates' order, whatever the order in which they were done. */
async function acceptCandidates(
  pool: Pool,
  plan: CandidatePlan,
  items: Items,
  seed: number,
  onProgress: (accepted: number) => void,
): Promise<Accepted[]> {
  const order = candidateOrder(items.i_j.length, seed);
  const accepted: Accepted[] = [];
  for (let first = 0; first < order.length && accepted.length < N_COMBINE; ) {
    const wave = order.slice(first, first + N_COMBINE - accepted.length);
    const products = withItems(plan.products, pickItems(items, wave));
    const results = await pool.run("candidates", { ...plan, products, firstRank: first }, wave.length);
    const ranked = results.flatMap(({ infos }) => infos).sort((a, b) => a.rank - b.rank);
    for (const { rank, info } of ranked)
      if (isAcceptable(info)) accepted.push({ position: order[rank], info });
    first += wave.length;
    onProgress(accepted.length);
  }
  if (accepted.length > 0) return accepted;
  throw new DotpeError(
    "noSamples",
    `extrinsic stage: found no usable marginalization among ${order.length} bank samples, expected at least one`,
    "The detectors' arrival times fit no direction in the sky: check the event's tgps and that the banks cover it.",
  );
}

async function crossLikelihoods(pool: Pool, plan: CandidatePlan, used: Items, infos: MargInfo[]) {
  const { position_dq, response_dpq } = gatherPoints(infos, detectorsNamed(plan.detectors));
  const crossPlan = {
    products: withItems(plan.products, used),
    points: { position_dq: shareF64(position_dq), response_dpq: shareF64(response_dpq) },
    own: infos.map(({ threshold_c, n_phi }) => ({ threshold_c, n_phi })),
  };
  const results = await pool.run("cross", crossPlan, infos.length);
  const lnL = results.flatMap((result) => result.lnL).sort((a, b) => a.k - b.k);
  return lnL.map(({ lnL_q }) => lnL_q);
}

/**
 * Extrinsic samples of a file, with the weights they carry: log_prior_weights, else ln of weights, else 0.
 * @throws DotpeError badData, notFinite; usage if --n-ext was given and differs.
 */
export function importExtrinsic(path: string, options: Pick<Options, "nExt" | "given">): ExtrinsicSamples {
  const file = readFeather(path);
  const n_e = file.n_rows;
  if (options.given.includes("nExt") && options.nExt !== n_e) {
    throw new DotpeError(
      "usage",
      `--n-ext: found ${options.nExt}, expected the ${n_e} samples of ${path}, or nothing`,
      "Leave --n-ext out: the file says how many there are.",
    );
  }
  if (n_e === 0)
    throw new DotpeError(
      "badData",
      `${path}: found no rows, expected at least one`,
      "Draw the samples again.",
    );
  const zeros = () => new Float64Array(n_e);
  const column = (name: string, missing?: () => Float64Array) => {
    const values = missing && !file.has(name) ? missing() : file.f64(name);
    const bad = values.findIndex(
      (value) => !Number.isFinite(value) && !(name === "log_prior_weights" && value === -Infinity),
    );
    if (bad < 0) return values;
    const message = `${path}: column ${name}: found ${values[bad]} in row ${bad}, expected a finite number`;
    throw new DotpeError("notFinite", message, "Draw the samples again.");
  };
  const log_prior_weights = column("log_prior_weights", () =>
    file.has("weights") ? file.f64("weights").map(Math.log) : zeros(),
  );
  return {
    n_e,
    ...{ lat: column("lat"), lon: column("lon"), psi: column("psi"), t_geocenter: column("t_geocenter") },
    _phi_ref: column("_phi_ref", zeros),
    weights: column("weights", () => log_prior_weights.map(Math.exp)),
    log_prior_weights,
    exhausted: false,
  };
}

/** Responses and arrival times of the samples in the event's detectors. */
export function extrinsicSet(
  { lat, lon, psi, t_geocenter, n_e }: ExtrinsicSamples,
  event: Event,
): ExtrinsicSet {
  const detectors = detectorsNamed(event.detectors);
  return {
    n_e,
    response_dpe: detectorResponses(detectors, lat, lon, psi),
    arrival_de: arrivalTimes(detectors, lat, lon, t_geocenter, event.tcoarse),
  };
}
