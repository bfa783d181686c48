/** Stage 4, from candidates to samples: the marginalizations on the pool, or an imported file. */
import { DotpeError } from "../errors.ts";
import { arrivalTimes, detectorResponses, detectorsNamed } from "../gw/detectors.ts";
import type { DistanceTable } from "../gw/distance.ts";
import type { Event } from "../gw/event.ts";
import type { Reference } from "../gw/reference.ts";
import { chooseFSampling, planSky, type SkyDictionary } from "../gw/sky-dictionary.ts";
import { readFeather } from "../io/feather.ts";
import type { Options } from "../options.ts";
import { sharedF64, shareF64 } from "../workers/arena.ts";
import type { Pool } from "../workers/pool.ts";
import { incoherentChi2 } from "./arrival-proposal.ts";
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
import { countBlocks, type MixturePart } from "./extrinsic-mixture.ts";
import {
  type Candidate,
  type PreparationResult,
  ProductMaker,
  type ProductsPlan,
  planProducts,
  SKY_TASK,
  withItems,
} from "./extrinsic-tasks.ts";
import type { Items, TimeGrid } from "./incoherent.ts";
import { DEFAULT_MARGINALIZATION, optimizeBeta, temperingPoints } from "./marginalization.ts";
import { pickItems } from "./select.ts";

export interface Drawn {
  readonly samples: ExtrinsicSamples;
  /** Bank and sample of each marginalization that was combined. */
  readonly usedBankIdx?: Int32Array;
  readonly usedSampleIdx?: Int32Array;
}

/** What does not depend on the data. */
export interface Prepared {
  readonly table: DistanceTable;
  readonly sky: SkyDictionary;
  readonly grid: TimeGrid;
}

export interface DrawInputs {
  readonly event: Event;
  readonly bins: BankBins;
  readonly reference: Reference;
  readonly options: Pick<Options, "nExt" | "seed" | "compat" | "coherentScoreMinNEffectivePrior">;
}

/** Stage 4 of a run. What it needs beside the accepted samples is made while the stages before it run. */
export class ExtrinsicStage {
  private readonly prepared: Promise<Prepared>;
  private tempered?: Promise<Tempered>;
  private inputs?: DrawInputs;

  constructor(
    private readonly pool: Pool,
    private readonly given: Pick<DrawInputs, "event" | "bins" | "options">,
  ) {
    this.prepared = later(prepare(pool, given));
  }

  /** The table of the marginalization over distance: stage 5 needs it too. */
  async table(): Promise<DistanceTable> {
    return (await this.prepared).table;
  }

  /** To be called as soon as the reference is known. One that is no sample of these banks leaves the tempering to `draw`. */
  begin(reference: Reference): void {
    this.inputs = { ...this.given, reference };
    const { sample } = reference;
    const bank = sample && this.given.bins.banks[sample.bank];
    if (sample && bank && sample.i < bank.n_i) this.temper(sample);
  }

  private temper({ bank, i }: { readonly bank: number; readonly i: number }): Promise<Tempered> {
    const item = { bank_j: Int32Array.of(bank), i_j: Int32Array.of(i) };
    const inputs = this.inputs as DrawInputs;
    this.tempered = later(this.prepared.then((prepared) => temper(this.pool, inputs, prepared, item)));
    return this.tempered;
  }

  /**
   * Draws n_ext extrinsic samples from the marginalizations of up to 16 accepted bank samples.
   * @param accepted samples by (bank, i) @param best the position of the best of them
   * @param onProgress told how many marginalizations are accepted
   * @throws DotpeError noSamples if no candidate gives an acceptable marginalization.
   */
  async draw(accepted: Items, best: number, onProgress: (accepted: number) => void): Promise<Drawn> {
    const [bank, i] = [accepted.bank_j[best], accepted.i_j[best]];
    const tempered = await (this.tempered ?? this.temper({ bank, i }));
    return drawExtrinsic(this.pool, this.inputs as DrawInputs, tempered, accepted, onProgress);
  }
}

/** A promise that is awaited later, or never if something else fails first: its own failure must not end the program. */
function later<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

export async function prepare(
  pool: Pool,
  { event, bins, options }: Pick<DrawInputs, "event" | "bins" | "options">,
): Promise<Prepared> {
  const f_sampling = chooseFSampling(event.f[event.n_f - 1]);
  const sky = planSky(detectorsNamed(event.detectors), f_sampling, options.seed);
  const plan = { sky, fbin: bins.fbin };
  const parts = await pool.run("preparation", plan, SKY_TASK + sky.nTasks, undefined, { urgent: true });
  await pool.run("skySort", sky, 1, undefined, { urgent: true });
  const { grid, table } = Object.assign({}, ...parts.map(present)) as Required<PreparationResult>;
  return { sky: sky.sky, grid, table };
}

function present<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** What the marginalizations of all candidates share. */
export interface Tempered extends Prepared {
  readonly products: ProductsPlan;
  /** Inverse temperature of the first proposal in each detector. */
  readonly beta_d: Float64Array;
}

/**
 * Finds the tempering of the proposals that works best for one waveform, in short urgent jobs.
 * @param item a loud sample: that of the reference, or the best of the accepted ones
 */
export async function temper(
  pool: Pool,
  { event, bins, reference, options }: DrawInputs,
  { sky, grid, table }: Prepared,
  item: Items,
): Promise<Tempered> {
  const { f_sampling } = sky;
  const plan = planProducts(bins, reference, item, event.tcoarse, { grid, f_sampling });
  const maker = new ProductMaker(plan, pool.kernels);
  try {
    const products = maker.make(0);
    const fixed = {
      ...{ sky, table, products, seed: options.seed },
      chi2_dt: shareF64(incoherentChi2(products, pool.kernels)),
      u: shareF64(temperingPoints(event.n_d, options.seed, DEFAULT_MARGINALIZATION.n_chunk)),
      minNEffectivePrior: options.coherentScoreMinNEffectivePrior,
    };
    const beta_d = await optimizeBeta(event.n_d, async (betas) => {
      const [beta_jd, efficiency_j] = [sharedF64(betas.length * event.n_d), sharedF64(betas.length)];
      betas.forEach((beta, j) => {
        beta_jd.set(beta, j * event.n_d);
      });
      const job = { ...fixed, beta_jd, efficiency_j };
      await pool.run("tempering", job, betas.length, undefined, { urgent: true });
      return efficiency_j;
    });
    return { sky, grid, table, products: plan, beta_d: shareF64(beta_d) };
  } finally {
    maker.close();
  }
}

async function drawExtrinsic(
  pool: Pool,
  inputs: DrawInputs,
  tempered: Tempered,
  accepted: Items,
  onProgress: (accepted: number) => void,
): Promise<Drawn> {
  const { event, options } = inputs;
  const found = await acceptCandidates(pool, inputs, tempered, accepted, onProgress);
  const infos = found.map(({ info }) => info);
  const pairs = options.compat === "dot_pe";
  const parts = found.map(({ info, products }): MixturePart => {
    const { n_d, n_t, n_phi, n_qmc, n_c, proposal_cdt, threshold_c } = info;
    const part = { n_d, n_t, n_phi, n_qmc, n_c, proposal_cdt, threshold_c };
    return pairs ? part : { ...part, products };
  });
  const points = gatherPoints(infos);
  const density_q = sharedF64(points.n_q);
  const { sky } = tempered;
  await pool.run("mixture", { sky, points, parts, density_q }, countBlocks(points));
  const places = { sky, detectors: detectorsNamed(event.detectors) };
  const used = pickItems(
    accepted,
    found.map(({ position }) => position),
  );
  return {
    samples: combine(infos, density_q, places, { nExt: options.nExt, seed: options.seed, pairs }),
    usedBankIdx: used.bank_j,
    usedSampleIdx: used.i_j,
  };
}

interface Accepted extends Candidate {
  /** In the accepted items. */
  readonly position: number;
}

/** The first acceptable marginalizations in the candidates' order, whatever the order in which they were done. */
async function acceptCandidates(
  pool: Pool,
  { options: { seed, coherentScoreMinNEffectivePrior } }: DrawInputs,
  { sky, table, products: plan, beta_d }: Tempered,
  items: Items,
  onProgress: (accepted: number) => void,
): Promise<Accepted[]> {
  const order = candidateOrder(items.i_j.length, seed);
  const accepted: Accepted[] = [];
  for (let first = 0; first < order.length && accepted.length < N_COMBINE; ) {
    const wave = order.subarray(first, first + waveSize(N_COMBINE - accepted.length, pool.n_procs));
    const products = withItems(plan, pickItems(items, wave));
    const minNEffectivePrior = coherentScoreMinNEffectivePrior;
    const job = { products, firstRank: first, sky, table, beta_d, seed, minNEffectivePrior };
    const results = await pool.run("candidates", job, wave.length);
    const ranked = results.flatMap(({ candidates }) => candidates).sort((a, b) => a.rank - b.rank);
    for (const candidate of ranked)
      if (isAcceptable(candidate.info) && accepted.length < N_COMBINE)
        accepted.push({ ...candidate, position: order[candidate.rank] });
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

/** How many to try where `needed` are: threads that would have nothing to do try some more, at most as many again. */
function waveSize(needed: number, n_procs: number): number {
  return Math.min(2 * needed, Math.ceil(needed / n_procs) * n_procs);
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
