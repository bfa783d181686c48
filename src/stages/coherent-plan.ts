/** Stage 5, its plan: what the threads need to evaluate accepted intrinsic samples with all extrinsic samples. */
import { timeSetBasis } from "../gw/low-rank.ts";
import type { Reference } from "../gw/reference.ts";
import type { PhaseTables } from "../kernels/table.ts";
import { sharedF64, shareF64, shareI32 } from "../workers/arena.ts";
import { type BankBins, type SamplePlan, samplePlan } from "./bank-samples.ts";
import type { Items } from "./incoherent.ts";
import { phaseTables } from "./phases.ts";

/**
 * Extrinsic samples whose arrival times in one detector lie together: response (zero for the others), and the low-rank
 * basis at their arrival times.
 */
export interface ArrivalSet {
  readonly rc: number;
  readonly rs: number;
  readonly rp: number;
  readonly q: Float64Array;
  /** (rc + rs, n_e): cosine then sine. */
  readonly basis_ke: Float64Array;
  readonly cosFc_e: Float64Array;
  readonly sinFc_e: Float64Array;
  /** (p, n_e). */
  readonly response_pe: Float64Array;
}

export interface CoherentSettings {
  readonly n_phi: number;
  /** Keep rows within this of the best lnL: of all, or of the bank's own. */
  readonly maxDrop: number;
  readonly bestPerBank: boolean;
  /** Items, and extrinsic samples, of a task. */
  readonly taskItems: number;
  readonly eBatch: number;
  /** Items whose projections are held at once for one pass over the tiles; extrinsic samples of a tile. */
  readonly iTile: number;
  readonly eTile: number;
  /** One (i, e) pair in so many is looked at, at one phase, whatever its likelihood: see `probePhase`. */
  readonly probeEvery: number;
  readonly seed: number;
}

export interface CoherentPlan extends Omit<CoherentSettings, "n_phi"> {
  readonly samples: SamplePlan;
  /** Accepted intrinsic samples, the most promising first. */
  readonly items: Items;
  readonly n_e: number;
  /** By transform s; each extrinsic sample belongs to one of every detector. */
  readonly sets: readonly ArrivalSet[];
  /** F+F+, F+Fx, FxFx, (d, x, e). */
  readonly ff_dxe: Float64Array;
  readonly phases: PhaseTables;
  /** Output: best lnL so far, one in all or one a bank (`bestPerBank`). Written with Atomics. */
  readonly best: Float64Array;
  /** Output: the time alignment of each item (s). */
  readonly dt_j: Float64Array;
}

export interface ExtrinsicSet {
  readonly n_e: number;
  /** F_p of each detector, (d, p, e), and arrival (s from the start of the segment), (d, e). */
  readonly response_dpe: Float64Array;
  readonly arrival_de: Float64Array;
}

export function planCoherent(
  bins: BankBins,
  reference: Reference,
  items: Items,
  set: ExtrinsicSet,
  settings: CoherentSettings,
): CoherentPlan {
  const groups = Array.from({ length: reference.n_d }, (_, d) => arrivalGroups(set, d, reference)).flat();
  const norms = Array.from(reference.asdDrift_d, (drift, d) => ({ of: reference.coherent, d, drift }));
  const data = groups.map(({ d, centre }) => ({ ...dataWeights(reference, d, centre), centre }));
  const weightSet = { data, norms, alignment: reference.coherentAlignment };
  const { n_phi, ...rest } = settings;
  return {
    ...rest,
    samples: samplePlan(bins, weightSet, "difference"),
    items: { bank_j: shareI32(items.bank_j), i_j: shareI32(items.i_j) },
    n_e: set.n_e,
    sets: groups.map((group) => arrivalSet(bins.fbin, set, group)),
    ff_dxe: responseProducts(set, reference.n_d),
    phases: phaseTables(bins.mArr, n_phi),
    best: sharedF64(settings.bestPerBank ? bins.banks.length : 1),
    dt_j: sharedF64(items.i_j.length),
  };
}

export function nCoherentTasks(plan: CoherentPlan): number {
  return Math.ceil(plan.items.i_j.length / plan.taskItems) * Math.ceil(plan.n_e / plan.eBatch);
}

/** Arrival times further than this (s) from where h0 was put cost precision: they get weights of their own. */
const MAX_OFFSET = 0.003;

interface ArrivalGroup {
  readonly d: number;
  readonly centre: number;
  readonly holds: (arrival: number) => boolean;
}

/** Equal pieces of the range of arrival times in detector d, few enough to be short. */
function arrivalGroups({ n_e, arrival_de }: ExtrinsicSet, d: number, reference: Reference): ArrivalGroup[] {
  let [low, high] = [Infinity, -Infinity];
  for (const t of arrival_de.subarray(d * n_e, (d + 1) * n_e))
    [low, high] = [Math.min(low, t), Math.max(high, t)];
  const n = reference.dataWeightsAt ? Math.max(1, Math.ceil((high - low) / (2 * MAX_OFFSET))) : 1;
  const width = (high - low) / n;
  const pieceOf = (t: number) => Math.min(n - 1, Math.floor((t - low) / (width || 1)));
  return Array.from({ length: n }, (_, k) => ({
    d,
    centre: low + (k + 0.5) * width,
    holds: (t: number) => pieceOf(t) === k,
  })).filter(({ holds }) => arrival_de.subarray(d * n_e, (d + 1) * n_e).some(holds));
}

function dataWeights(reference: Reference, d: number, centre: number) {
  const drift = reference.asdDrift_d[d];
  const own = reference.dataWeightsAt?.(d, centre);
  return own ? { of: own, d: 0, drift } : { of: reference.coherent, d, drift };
}

function arrivalSet(fbin: Float64Array, set: ExtrinsicSet, { d, centre, holds }: ArrivalGroup): ArrivalSet {
  const { n_e, arrival_de, response_dpe } = set;
  const arrival_e = arrival_de.subarray(d * n_e, (d + 1) * n_e);
  const tau_e = arrival_e.map((t) => (holds(t) ? t - centre : 0));
  const { rc, rs, rp, q, ec, es, cosFc_e, sinFc_e } = timeSetBasis(fbin, tau_e, 8);
  const basis_ke = sharedF64((rc + rs) * n_e);
  basis_ke.set(ec.subarray(0, rc * n_e));
  basis_ke.set(es.subarray(0, rs * n_e), rc * n_e);
  const response_pe = sharedF64(2 * n_e);
  for (let k = 0; k < 2 * n_e; k++)
    response_pe[k] = holds(arrival_e[k % n_e]) ? response_dpe[d * 2 * n_e + k] : 0;
  return {
    rc,
    rs,
    rp,
    q: shareF64(q),
    basis_ke,
    cosFc_e: shareF64(cosFc_e),
    sinFc_e: shareF64(sinFc_e),
    response_pe,
  };
}

function responseProducts({ n_e, response_dpe }: ExtrinsicSet, n_d: number): Float64Array {
  const ff_dxe = sharedF64(n_d * 3 * n_e);
  for (let d = 0; d < n_d; d++) {
    for (let e = 0; e < n_e; e++) {
      const [plus, cross] = [response_dpe[d * 2 * n_e + e], response_dpe[(d * 2 + 1) * n_e + e]];
      ff_dxe[d * 3 * n_e + e] = plus * plus;
      ff_dxe[(d * 3 + 1) * n_e + e] = plus * cross;
      ff_dxe[(d * 3 + 2) * n_e + e] = cross * cross;
    }
  }
  return ff_dxe;
}
