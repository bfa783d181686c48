/** Stage 4 on the workers: the marginalizations of candidate waveforms, and their likelihoods at each other's points. */
import { buildDistanceTable, type DistanceTable, lnLikeMarginalized } from "../gw/distance.ts";
import type { Reference } from "../gw/reference.ts";
import { fillDirections, type SkyDictionary, type SkyPlan, sortDirections } from "../gw/sky-dictionary.ts";
import type { Kernels } from "../kernels/table.ts";
import { sharedF64, shareI32 } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import { ArrivalProposals } from "./arrival-proposal.ts";
import { type BankBins, type SamplePlan, SampleReader, samplePlan } from "./bank-samples.ts";
import { shareTable } from "./distance-table.ts";
import type { GatheredPoints } from "./extrinsic.ts";
import { ChunkSampler, type DistanceMarginal } from "./extrinsic-chunk.ts";
import { MixtureDensity, type MixturePart } from "./extrinsic-mixture.ts";
import { type InnerProducts, paddedDifferences, paddedModes } from "./extrinsic-products.ts";
import { GridTransform, type Items, type TimeGrid, timeGrid } from "./incoherent.ts";
import {
  DEFAULT_MARGINALIZATION,
  firstChunkEfficiency,
  type MargInfo,
  type Marginalizer,
  marginalize,
} from "./marginalization.ts";

/** Arrival times looked at: this far (s) on either side of the reference's. */
const HALF_WINDOW = 0.07;

/** Waveforms, as inner products on a fine grid of times. */
export interface ProductsPlan {
  readonly samples: SamplePlan;
  readonly items: Items;
  readonly grid: TimeGrid;
  readonly mArr: readonly number[];
  /** First time (s, relative to the event's GPS time) and spacing. */
  readonly tStart: number;
  readonly tStep: number;
}

/** What the marginalizations of all waveforms share. */
export interface MarginalizationPlan {
  readonly sky: SkyDictionary;
  readonly table: DistanceTable;
  readonly seed: number;
  readonly minNEffectivePrior: number;
}

export interface CandidatePlan extends MarginalizationPlan {
  readonly products: ProductsPlan;
  /** Rank in the order of candidates of item 0. */
  readonly firstRank: number;
  readonly beta_d: Float64Array;
}

export interface Candidate {
  readonly rank: number;
  /** Without what only its own likelihood needs. */
  readonly info: Omit<MargInfo, "index_q" | "dh" | "hh">;
  /** On shared memory. */
  readonly products: InnerProducts;
}

export interface CandidateResult {
  readonly candidates: readonly Candidate[];
}

export interface TemperingPlan extends MarginalizationPlan {
  readonly products: InnerProducts;
  readonly chi2_dt: Float64Array;
  /** Points in [0, 1): see `ChunkSampler.run`. */
  readonly u: Float64Array;
  /** One inverse temperature for each task and detector. */
  readonly beta_jd: Float64Array;
  /** Output. */
  readonly efficiency_j: Float64Array;
}

export interface MixturePlan {
  readonly sky: SkyDictionary;
  readonly points: GatheredPoints;
  readonly parts: readonly MixturePart[];
  /** Output. */
  readonly density_q: Float64Array;
}

/** What does not depend on the data. Task 0 is the time grid, 1 the distance table, the others are the sky's. */
export interface PreparationPlan {
  readonly fbin: Float64Array;
  readonly sky: SkyPlan;
}

/** Tasks before those of the sky. */
export const SKY_TASK = 2;

export interface PreparationResult {
  readonly grid?: TimeGrid;
  readonly table?: DistanceTable;
}

/** Times on either side of the centre. */
function halfWindow(f_sampling: number): number {
  return Math.round(HALF_WINDOW * f_sampling);
}

/** The fine grid of times. @param f_sampling Hz: that of the sky dictionary. */
export function fineGrid(fbin: Float64Array, f_sampling: number, kernels: Kernels): TimeGrid {
  return timeGrid(fbin, 1 / f_sampling, 2 * halfWindow(f_sampling), kernels).grid;
}

/** @param grid see `fineGrid`. */
export function planProducts(
  bins: BankBins,
  reference: Reference,
  items: Items,
  tcoarse: number,
  { grid, f_sampling }: { readonly grid: TimeGrid; readonly f_sampling: number },
): ProductsPlan {
  const tStep = 1 / f_sampling;
  // One grid for all detectors, around the arrival where the signal is loudest.
  const centre = reference.arrival_d[referenceDetector(reference)];
  const of = reference.coherent;
  const data = Array.from(reference.asdDrift_d, (drift, d) => ({ of, d, drift, centre }));
  const set = { data, norms: data, alignment: reference.coherentAlignment };
  return {
    samples: samplePlan(bins, set),
    items: { bank_j: shareI32(items.bank_j), i_j: shareI32(items.i_j) },
    grid,
    mArr: bins.mArr,
    tStart: centre - tcoarse - (halfWindow(f_sampling) - 0.5) * tStep,
    tStep,
  };
}

function referenceDetector({ detectors, frame }: Reference): number {
  return detectors.indexOf(frame.refDetector);
}

/** The same plan for other waveforms. */
export function withItems(plan: ProductsPlan, items: Items): ProductsPlan {
  return { ...plan, items: { bank_j: shareI32(items.bank_j), i_j: shareI32(items.i_j) } };
}

/** One thread's maker of inner products. */
export class ProductMaker {
  private readonly reader: SampleReader;
  private readonly transform: GridTransform;
  private readonly h_mpcb: Float64Array;
  private readonly g_dmpcb: Float64Array;

  constructor(
    private readonly plan: ProductsPlan,
    private readonly kernels: Kernels,
  ) {
    const { n_d, n_m, n_bp } = plan.samples;
    this.reader = new SampleReader(plan.samples, kernels);
    this.transform = new GridTransform(plan.grid, n_d * 2 * n_m, n_bp, kernels);
    this.h_mpcb = new Float64Array(4 * n_m * n_bp);
    this.g_dmpcb = new Float64Array(n_d * 4 * n_m * n_bp);
  }

  /** Of item j. */
  make(j: number): InnerProducts {
    const { samples, items, mArr, tStart, tStep, grid } = this.plan;
    const { n_d, n_m, n_bp, w_smpcb, products } = samples;
    const { terms, groupSize_g, n_g, w } = products;
    this.reader.read(items.bank_j[j], items.i_j[j], this.h_mpcb);
    const hh_dgc = new Float64Array(n_d * n_g * 2);
    this.kernels.modeProducts(hh_dgc, this.h_mpcb, w, terms, groupSize_g, n_g, 1, n_d, 2 * n_m, n_bp);
    this.kernels.weighted(this.g_dmpcb, w_smpcb, this.h_mpcb, n_d, 2 * n_m, n_bp);
    this.transform.run(this.g_dmpcb);
    const n_h = halfWindow(1 / tStep);
    const n_x = paddedModes(mArr);
    const dh_dtx = sharedF64(n_d * 2 * n_h * 2 * n_x);
    this.kernels.byTime(dh_dtx, this.transform.z_rct, n_d, n_m, n_h, grid.n_h, n_x);
    const hh_dck = hhCoefficients(hh_dgc, n_g, n_d, paddedDifferences(mArr));
    return { mArr, n_d, n_t: 2 * n_h, tStart, tStep, dh_dtx, hh_dck };
  }

  close(): void {
    this.reader.close();
  }
}

/**
 * `InnerProducts.hh_dck` from the groups of `samplePlan`: 00, 11, 01 of equal modes (real), then 00, 01, 10, 11 of every
 * m' - m > 0, which stand for Re(hh e^{-i (m' - m) phi}).
 */
function hhCoefficients(hh_dgc: Float64Array, n_g: number, n_d: number, n_kp: number): Float64Array {
  const hh_dck = new Float64Array(n_d * 3 * n_kp);
  for (let d = 0; d < n_d; d++) {
    const [at, from] = [3 * d * n_kp, d * n_g * 2];
    hh_dck[at] = hh_dgc[from]!;
    hh_dck[at + n_kp] = 2 * hh_dgc[from + 4]!;
    hh_dck[at + 2 * n_kp] = hh_dgc[from + 2]!;
    for (let g = 3; g < n_g; g++) {
      const [k, part] = [1 + ((g - 3) >> 2), ((g - 3) & 3) - ((g - 3) & 2 ? 1 : 0)];
      for (let c = 0; c < 2; c++) hh_dck[at + part * n_kp + 2 * k + c]! += hh_dgc[from + 2 * g + c]!;
    }
  }
  return hh_dck;
}

export function marginalOverDistance(table: DistanceTable, kernels: Kernels): DistanceMarginal {
  return (dh, hh, out, n) => lnLikeMarginalized(table, dh, hh, out, n, kernels.distanceMarginal);
}

function marginalizer(plan: MarginalizationPlan, kernels: Kernels): Omit<Marginalizer, "beta_d"> {
  const { sky, table, seed, minNEffectivePrior } = plan;
  const lnLikeMarginalized = marginalOverDistance(table, kernels);
  const options = { ...DEFAULT_MARGINALIZATION, minNEffectivePrior };
  return { sky, lnLikeMarginalized, seed, options, kernels };
}

export function openPreparation(plan: PreparationPlan, kernels: Kernels): TaskRunner<PreparationResult> {
  let grid: TimeGrid | undefined;
  let table: DistanceTable | undefined;
  return {
    run(task) {
      if (task === 0) grid = fineGrid(plan.fbin, plan.sky.sky.f_sampling, kernels);
      else if (task === 1) table = shareTable(buildDistanceTable(undefined, kernels));
      else fillDirections(plan.sky, task - SKY_TASK, kernels);
    },
    result: () => ({ grid, table }),
  };
}

export function openSkySort(plan: SkyPlan, kernels: Kernels): TaskRunner<null> {
  return { run: () => sortDirections(plan, kernels), result: () => null };
}

export function openTempering(plan: TemperingPlan, kernels: Kernels): TaskRunner<null> {
  const { products, chi2_dt, u, beta_jd, efficiency_j } = plan;
  const { n_d, n_t } = products;
  const using = marginalizer(plan, kernels);
  const sampler = ChunkSampler.reuse(products, using);
  const proposals = new ArrivalProposals(plan.sky, n_t, kernels);
  return {
    run(task) {
      const proposal_dt = proposals.first(chi2_dt, beta_jd.subarray(task * n_d, (task + 1) * n_d));
      efficiency_j[task] = firstChunkEfficiency(products, proposal_dt, u, using, sampler);
    },
    result: () => null,
  };
}

export function openCandidates(plan: CandidatePlan, kernels: Kernels): TaskRunner<CandidateResult> {
  const maker = new ProductMaker(plan.products, kernels);
  const using = { ...marginalizer(plan, kernels), beta_d: plan.beta_d };
  const candidates: Candidate[] = [];
  return {
    run(task) {
      const rank = plan.firstRank + task;
      const products = maker.make(task);
      const sampler = ChunkSampler.reuse(products, using);
      const { index_q, dh, hh, ...info } = marginalize(products, using, rank, sampler);
      candidates.push({ rank, info, products });
    },
    result: () => ({ candidates }),
    close: () => maker.close(),
  };
}

export function openMixture(plan: MixturePlan, kernels: Kernels): TaskRunner<null> {
  const { parts, sky, points, density_q } = plan;
  const mixture = new MixtureDensity(parts, sky, kernels);
  return { run: (block) => mixture.run(density_q, points, block), result: () => null };
}
