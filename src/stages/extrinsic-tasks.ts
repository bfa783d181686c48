/** Stage 4 on the workers: the marginalizations of candidate waveforms, and their likelihoods at each other's points. */
import { modePairs } from "../axes.ts";
import { detectorsNamed } from "../gw/detectors.ts";
import { type DistanceTable, lnLikeMarginalized } from "../gw/distance.ts";
import type { Reference } from "../gw/reference.ts";
import type { SkyDictionary } from "../gw/sky-dictionary.ts";
import type { Kernels } from "../kernels/table.ts";
import { shareI32 } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import { type BankBins, type SamplePlan, SampleReader, samplePlan } from "./bank-samples.ts";
import { crossLnL, type GatheredPoints } from "./extrinsic.ts";
import type { InnerProducts } from "./extrinsic-products.ts";
import { GridTransform, type Items, type TimeGrid, timeGrid } from "./incoherent.ts";
import {
  DEFAULT_MARGINALIZATION,
  type DistanceMarginal,
  type MargInfo,
  type Marginalizer,
  marginalize,
  optimizeBeta,
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

export interface CandidatePlan {
  readonly products: ProductsPlan;
  /** Rank in the order of candidates of item 0. */
  readonly firstRank: number;
  readonly detectors: readonly string[];
  readonly sky: SkyDictionary;
  readonly table: DistanceTable;
  readonly beta_d: Float64Array;
  readonly seed: number;
  readonly minNEffectivePrior: number;
}

export interface CandidateResult {
  readonly infos: readonly { readonly rank: number; readonly info: MargInfo }[];
}

export interface CrossPlan {
  readonly products: ProductsPlan;
  readonly points: GatheredPoints;
  readonly own: readonly Pick<MargInfo, "threshold_c" | "n_phi">[];
}

export interface CrossResult {
  readonly lnL: readonly { readonly k: number; readonly lnL_q: Float64Array }[];
}

/** @param f_sampling Hz: that of the sky dictionary. */
export function planProducts(
  bins: BankBins,
  reference: Reference,
  items: Items,
  tcoarse: number,
  f_sampling: number,
): ProductsPlan {
  const tStep = 1 / f_sampling;
  const n_h = Math.round(HALF_WINDOW * f_sampling);
  const { grid } = timeGrid(bins.fbin, tStep, 2 * n_h);
  // One grid for all detectors, around the arrival where the signal is loudest.
  const centre = reference.arrival_d[referenceDetector(reference)];
  const of = reference.coherent;
  const data = Array.from(reference.asdDrift_d, (drift, d) => ({ of, d, drift, centre }));
  const set = { data, norms: data, alignment: reference.coherentAlignment };
  return {
    samples: samplePlan(bins, set, "pair"),
    items: { bank_j: shareI32(items.bank_j), i_j: shareI32(items.i_j) },
    grid,
    mArr: bins.mArr,
    tStart: centre - tcoarse - (n_h - 0.5) * tStep,
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
class ProductMaker {
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

  close(): void {
    this.reader.close();
  }

  make(j: number): InnerProducts {
    const { samples, items, mArr, tStart, tStep } = this.plan;
    const { n_d, n_m, n_bp, w_smpcb, products } = samples;
    const { terms, groupSize_g, n_g, w } = products;
    this.reader.read(items.bank_j[j], items.i_j[j], this.h_mpcb);
    const hh_dgc = new Float64Array(n_d * n_g * 2);
    this.kernels.modeProducts(hh_dgc, this.h_mpcb, w, terms, groupSize_g, n_g, 1, n_d, 2 * n_m, n_bp);
    this.kernels.weighted(this.g_dmpcb, w_smpcb, this.h_mpcb, n_d, 2 * n_m, n_bp);
    this.transform.run(this.g_dmpcb);
    const n = n_d * modePairs(n_m).length * 4;
    const [hhRe_dMpP, hhIm_dMpP] = [0, 1].map((c) =>
      Float64Array.from({ length: n }, (_, g) => hh_dgc[2 * g + c]),
    );
    return { mArr, n_d, tStart, tStep, ...this.ascending(), hhRe_dMpP, hhIm_dMpP };
  }

  /** From the halves of the grid (positive, negative) to rising time. */
  private ascending() {
    const { n_d, n_m } = this.plan.samples;
    const n_rows = n_d * 2 * n_m;
    const padded = this.plan.grid.n_h;
    const n_h = Math.round(HALF_WINDOW / this.plan.tStep);
    const n_t = 2 * n_h;
    const dhRe_dmpt = new Float64Array(n_rows * n_t);
    const dhIm_dmpt = new Float64Array(n_rows * n_t);
    const { z_rct } = this.transform;
    for (let r = 0; r < n_rows; r++) {
      const from = r * 4 * padded;
      for (let h = 0; h < n_h; h++) {
        const [later, earlier] = [r * n_t + n_h + h, r * n_t + n_h - 1 - h];
        dhRe_dmpt[later] = z_rct[from + h];
        dhRe_dmpt[earlier] = z_rct[from + padded + h];
        dhIm_dmpt[later] = z_rct[from + 2 * padded + h];
        dhIm_dmpt[earlier] = z_rct[from + 3 * padded + h];
      }
    }
    return { n_t, dhRe_dmpt, dhIm_dmpt };
  }
}

function marginalOverDistance(table: DistanceTable): DistanceMarginal {
  return (dh, hh, out, n) => lnLikeMarginalized(table, dh, hh, out, n);
}

function marginalizer(plan: Omit<CandidatePlan, "products" | "firstRank">): Marginalizer {
  const { detectors, sky, table, beta_d, seed, minNEffectivePrior } = plan;
  return {
    detectors: detectorsNamed(detectors),
    sky,
    lnLikeMarginalized: marginalOverDistance(table),
    beta_d,
    seed,
    options: { ...DEFAULT_MARGINALIZATION, minNEffectivePrior },
  };
}

/** The tempering of the proposals that works best for item 0 of the plan. */
export function bestTempering(plan: CandidatePlan, kernels: Kernels): Float64Array {
  const maker = new ProductMaker(plan.products, kernels);
  try {
    return optimizeBeta(maker.make(0), marginalizer(plan));
  } finally {
    maker.close();
  }
}

export function openCandidates(plan: CandidatePlan, kernels: Kernels): TaskRunner<CandidateResult> {
  const maker = new ProductMaker(plan.products, kernels);
  const using = marginalizer(plan);
  const infos: { rank: number; info: MargInfo }[] = [];
  return {
    run(task) {
      const rank = plan.firstRank + task;
      infos.push({ rank, info: marginalize(maker.make(task), using, rank) });
    },
    result: () => ({ infos }),
    close: () => maker.close(),
  };
}

export function openCross(plan: CrossPlan, kernels: Kernels): TaskRunner<CrossResult> {
  const maker = new ProductMaker(plan.products, kernels);
  const lnL: { k: number; lnL_q: Float64Array }[] = [];
  return {
    run(task) {
      lnL.push({ k: task, lnL_q: crossLnL(maker.make(task), plan.own[task], plan.points) });
    },
    result: () => ({ lnL }),
    close: () => maker.close(),
  };
}
