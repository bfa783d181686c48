/** The work on 1, 2, ... copies of a slice of a bank: plans of stages 2 and 5 as a run makes them. */
import { join } from "node:path";
import { buildDistanceTable } from "../gw/distance.ts";
import { readReference } from "../gw/reference-file.ts";
import { openNpz } from "../io/npz.ts";
import { loadKernels } from "../kernels/table.ts";
import type { Options } from "../options.ts";
import { type CoherentPlan, planCoherent } from "../stages/coherent-plan.ts";
import { shareTable } from "../stages/distance-table.ts";
import type { EvaluateInputs } from "../stages/evaluate.ts";
import { extrinsicSet, importExtrinsic } from "../stages/extrinsic-samples.ts";
import { paysFirstLook, worthAnotherLook } from "../stages/first-look.ts";
import { type IncoherentPlan, type Items, openIncoherent, planIncoherent } from "../stages/incoherent.ts";
import { bestFirst } from "../stages/select.ts";
import { coherentCuts } from "../stages/settings.ts";
import type { Inputs } from "../stages/setup.ts";
import type { Setting } from "./setting.ts";

/** (i, e, o) of a worker in stage 5: as long as stage 2 takes, about. */
const VOLUME = 2 ** 20;
/** Samples, and accepted ones, that the definition of the kernels is asked about. */
const [FEW, FEW_ACCEPTED] = [16, 2];

type Tiles = Pick<Setting, "iTile" | "eTile">;

export interface Problem {
  /** Of stage 2: undefined where a run takes one look only. */
  readonly first: IncoherentPlan | undefined;
  readonly second: IncoherentPlan;
  /** Of stage 5. */
  rows(tiles: Tiles): EvaluateInputs;
  /** By e-tile: making one takes longer than to use it. */
  readonly plans: Map<number, CoherentPlan>;
}

/** Items of the looks of stage 2, and likelihoods of both stages. */
export interface ProblemSizes {
  /** As many as in the second look where there is one look only. */
  readonly n_first: number;
  readonly n_second: number;
  readonly likelihoods: number;
}

/** Places in the slice. */
interface Chosen {
  /** All; those that are looked at again; those that are accepted, with their likelihoods. */
  readonly all: Int32Array;
  readonly close: Int32Array;
  readonly accepted: Int32Array;
  readonly lnlike: Float64Array;
}

export class Problems {
  readonly n_d: number;
  private readonly shared: Omit<
    EvaluateInputs,
    "accepted" | "order" | "lnlike_j" | "settings" | "logPriorWeights"
  >;
  private readonly chosen: Chosen;
  private readonly looksTwice: boolean;
  private readonly made = new Map<number, Problem>();

  /**
   * @param inputs a bank that repeats the slice's n samples
   * @param base the directory of a run on the slice
   * @param n_candidates of the run that is to be tuned
   */
  constructor(
    private readonly options: Options,
    private readonly inputs: Inputs,
    base: string,
    private readonly n: number,
    n_candidates: number,
  ) {
    const { event, band, bins, n_int } = inputs;
    const kernels = loadKernels("auto");
    const extrinsic = importExtrinsic(join(base, "extrinsic_samples.feather"), { nExt: 0, given: [] });
    this.n_d = event.n_d;
    this.shared = {
      ...{ bins, n_int, sizeLimit: Infinity, paths: { merged: "", banks: [""] } },
      reference: readReference(join(base, "reference.npz"), event, band, bins.mArr, kernels),
      set: extrinsicSet(extrinsic, event),
      logPriorWeights_e: extrinsic.log_prior_weights,
      table: shareTable(buildDistanceTable(undefined, kernels)),
    };
    this.looksTwice = paysFirstLook(n_candidates, kernels);
    this.chosen = this.choose(base);
  }

  /** What the run on the slice accepted, and what it looked at again. */
  private choose(base: string): Chosen {
    const { maxIncoherentLnlikeDrop, nPhi } = this.options;
    const file = openNpz(join(base, "banks/bank_0/intrinsic_samples.npz"));
    const most = Math.max(1, Math.floor(VOLUME / (this.shared.set.n_e * nPhi)));
    const all = Int32Array.from({ length: this.n }, (_, i) => i);
    const accepted = file.get("inds").toInt32().slice(0, most);
    const lnlike = file.get("incoherent_lnlikes").toFloat64().slice(0, most);
    if (!this.looksTwice) return { all, close: all, accepted, lnlike };
    const plan = { ...this.incoherent(all, true), taskSize: this.n };
    const runner = openIncoherent(plan, loadKernels("auto"));
    runner.run(0);
    runner.close?.();
    const close = worthAnotherLook(plan.items, plan.lnlike_dj, maxIncoherentLnlikeDrop).i_j;
    return { all, close, accepted, lnlike };
  }

  /** Of n copies of the slice, without making their plans. */
  sizes(n: number): ProblemSizes {
    const { options, chosen, n_d } = this;
    const n_second = n * chosen.close.length;
    const n_first = this.looksTwice ? n * chosen.all.length : n_second;
    const n_pairs = n * chosen.accepted.length * this.shared.set.n_e;
    const perItem = n_d * options.nT * (options.nPhiIncoherent ?? options.nPhi);
    return { n_first, n_second, likelihoods: n_first * perItem + n_pairs * options.nPhi };
  }

  /** n copies of the slice, the first ones of the bank. */
  blocks(n: number): Problem {
    const known = this.made.get(n);
    if (known !== undefined) return known;
    const problem = this.make(this.chosen, n);
    this.made.set(n, problem);
    return problem;
  }

  /** A few samples. */
  few(): Problem {
    const { all, close, accepted, lnlike } = this.chosen;
    const some = {
      ...{ all: all.slice(0, FEW), close: close.slice(0, FEW) },
      ...{ accepted: accepted.slice(0, FEW_ACCEPTED), lnlike: lnlike.slice(0, FEW_ACCEPTED) },
    };
    return this.make(some, 1);
  }

  private make(chosen: Chosen, n_blocks: number): Problem {
    const { options, inputs, shared, n } = this;
    const copies = <T extends Int32Array | Float64Array>(values: T, step: number): T => {
      const n_v = values.length;
      const all = new (values.constructor as new (n: number) => T)(n_v * n_blocks);
      return all.map((_, k) => values[k % n_v] + step * Math.floor(k / n_v)) as T;
    };
    const [all, close, accepted] = [chosen.all, chosen.close, chosen.accepted].map((i) => copies(i, n));
    const lnlike_j = copies(chosen.lnlike, 0);
    const items = { bank_j: new Int32Array(accepted.length), i_j: accepted };
    const { n_e } = shared.set;
    const order = bestFirst(lnlike_j);
    const rows = (tiles: Tiles): EvaluateInputs => ({
      ...{ ...shared, accepted: items, order, lnlike_j },
      logPriorWeights: inputs.logPriorWeights,
      settings: {
        ...{ n_phi: options.nPhi, maxDrop: options.maxBestfitLnlikeDiff, seed: options.seed },
        ...{ bestPerBank: options.compat === "dot_pe", ...coherentCuts(tiles, accepted.length, n_e) },
      },
    });
    return {
      first: this.looksTwice ? this.incoherent(all, true) : undefined,
      second: this.incoherent(close, false),
      ...{ rows, plans: new Map() },
    };
  }

  private incoherent(i_j: Int32Array, single: boolean): IncoherentPlan {
    const { options, inputs, shared } = this;
    const items: Items = { bank_j: new Int32Array(i_j.length), i_j };
    const { event, bins } = inputs;
    const settings = {
      ...{ n_t: options.nT, n_phi: options.nPhiIncoherent ?? options.nPhi, single },
      ...{ dt: 1 / (2 * event.f[event.n_f - 1]), symmetric: options.compat === "none" },
      ...{ taskSize: 1, batchSize: 4 },
    };
    return planIncoherent(bins, shared.reference, items, settings, loadKernels("auto"));
  }
}

/** The plan of stage 5 for these tiles. */
export function coherentPlanOf({ plans, rows }: Problem, tiles: Tiles): CoherentPlan {
  const known = plans.get(tiles.eTile);
  if (known !== undefined) return { ...known, iTile: tiles.iTile };
  const { bins, reference, accepted, set, settings } = rows(tiles);
  const plan = planCoherent(bins, reference, accepted, set, settings, loadKernels("auto"));
  plans.set(tiles.eTile, plan);
  return plan;
}
