/** Stage 5, its plan: what the threads need to evaluate accepted intrinsic samples with all extrinsic samples. */
import { timeSetBasis } from "../gw/low-rank.ts";
import type { Reference } from "../gw/reference.ts";
import { referenceKernels } from "../kernels/ref.ts";
import type { Kernels, PhaseTables } from "../kernels/table.ts";
import { sharedF64, sharedI32, shareF64, shareI32 } from "../workers/arena.ts";
import { type BankBins, type SamplePlan, samplePlan } from "./bank-samples.ts";
import { type ChunkGrid, chunkGrid, type Tiles, tileRange, tilesOf } from "./chunks.ts";
import type { Items } from "./incoherent.ts";
import { phaseTables } from "./phases.ts";

/**
 * Extrinsic samples whose arrival times in one detector lie together: their response (zero for the others) times the low-rank
 * basis at their arrival times, tile by tile as `expandSet` takes it. t is a tile, e a place in it.
 */
export interface ArrivalSet {
  readonly rc: number;
  readonly rs: number;
  readonly rp: number;
  readonly q: Float64Array;
  /** F_p times the basis (rc cosines, then rs sines), (t, p, k, e). */
  readonly x_tpke: Float64Array;
  readonly cosFc_te: Float64Array;
  readonly sinFc_te: Float64Array;
  /** Whether a tile has a sample of the set, 0 or 1. */
  readonly used_t: Int32Array;
}

export interface CoherentSettings {
  readonly n_phi: number;
  /** Keep rows within this of the best lnL: of all, or of the bank's own. */
  readonly maxDrop: number;
  readonly bestPerBank: boolean;
  /** Items whose projections are held at once for one pass over the tiles; extrinsic samples of a tile. */
  readonly iTile: number;
  readonly eTile: number;
  /** One (i, e) pair in so many is looked at, at one phase, whatever its likelihood: see `Coherent.probes`. */
  readonly probeEvery: number;
  readonly seed: number;
}

export interface CoherentPlan extends Omit<CoherentSettings, "n_phi" | "eTile"> {
  readonly samples: SamplePlan;
  /** Accepted intrinsic samples by (bank, i) ascending. */
  readonly items: Items;
  readonly grid: ChunkGrid;
  readonly tiles: Tiles;
  /** By transform s; each extrinsic sample belongs to one of every detector. */
  readonly sets: readonly ArrivalSet[];
  /** F+F+, F+Fx, FxFx, (t, d, x, e). */
  readonly ff_tdxe: Float64Array;
  readonly phases: PhaseTables;
  /** Output: the time alignment of each item (s). */
  readonly dt_j: Float64Array;
}

export interface ExtrinsicSet {
  readonly n_e: number;
  /** F_p of each detector, (d, p, e), and arrival (s from the start of the segment), (d, e). */
  readonly response_dpe: Float64Array;
  readonly arrival_de: Float64Array;
}

/** What every thread reads for every item. */
export function coherentTables({ samples, sets, ff_tdxe, phases }: CoherentPlan): Float64Array[] {
  return [
    ...[samples.w_smpcb, samples.products.w, ff_tdxe, phases.waves_Oxo],
    ...sets.flatMap(({ q, x_tpke, cosFc_te, sinFc_te }) => [q, x_tpke, cosFc_te, sinFc_te]),
  ];
}

export function planCoherent(
  bins: BankBins,
  reference: Reference,
  items: Items,
  set: ExtrinsicSet,
  settings: CoherentSettings,
  kernels: Kernels = referenceKernels,
): CoherentPlan {
  const groups = Array.from({ length: reference.n_d }, (_, d) => arrivalGroups(set, d, reference)).flat();
  const norms = Array.from(reference.asdDrift_d, (drift, d) => ({ of: reference.coherent, d, drift }));
  const data = groups.map(({ d, centre }) => ({ ...dataWeights(reference, d, centre), centre }));
  const weightSet = { data, norms, alignment: reference.coherentAlignment };
  const { n_phi, eTile, ...rest } = settings;
  const grid = chunkGrid(items, set.n_e, n_phi);
  const tiles = tilesOf(grid, eTile);
  const places = tilePlaces(grid, tiles);
  return {
    ...rest,
    ...{ grid, tiles },
    samples: samplePlan(bins, weightSet),
    items: { bank_j: shareI32(items.bank_j), i_j: shareI32(items.i_j) },
    sets: groups.map((group) => arrivalSet(bins.fbin, set, group, tiles, places, kernels)),
    ff_tdxe: responseProducts(set, reference.n_d, tiles, places),
    phases: phaseTables(bins.mArr, n_phi),
    dt_j: sharedF64(items.i_j.length),
  };
}

/** Extrinsic samples first <= e < end stand in tile t from its beginning. */
interface TilePlace {
  readonly t: number;
  readonly first: number;
  readonly end: number;
}

function tilePlaces(grid: ChunkGrid, tiles: Tiles): TilePlace[] {
  return Array.from({ length: tiles.n }, (_, t) => {
    const [first, end] = tileRange(grid, tiles, t);
    return { t, first, end };
  });
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

function arrivalSet(
  fbin: Float64Array,
  set: ExtrinsicSet,
  { d, centre, holds }: ArrivalGroup,
  { size, n }: Tiles,
  places: readonly TilePlace[],
  kernels: Kernels,
): ArrivalSet {
  const { n_e, arrival_de, response_dpe } = set;
  const arrival_e = arrival_de.subarray(d * n_e, (d + 1) * n_e);
  const tau_e = arrival_e.map((t) => (holds(t) ? t - centre : 0));
  const { rc, rs, rp, q, ec, es, cosFc_e, sinFc_e } = timeSetBasis(fbin, tau_e, 8, kernels);
  const rank = rc + rs;
  const n_te = n * size;
  const [x_tpke, cosFc_te, sinFc_te] = [sharedF64(2 * rank * n_te), sharedF64(n_te), sharedF64(n_te)];
  const used_t = sharedI32(n);
  const response_pe = response_dpe.slice(d * 2 * n_e, (d + 1) * 2 * n_e);
  for (let e = 0; e < n_e; e++) if (!holds(arrival_e[e])) response_pe[e] = response_pe[n_e + e] = 0;
  for (const { t, first, end } of places) {
    cosFc_te.set(cosFc_e.subarray(first, end), t * size);
    sinFc_te.set(sinFc_e.subarray(first, end), t * size);
    for (let p = 0; p < 2; p++) {
      const f_e = response_pe.subarray(p * n_e + first, p * n_e + end);
      if (f_e.some((value) => value !== 0)) used_t[t] = 1;
      for (let k = 0; k < rank; k++) {
        const basis_e = k < rc ? ec.subarray(k * n_e + first) : es.subarray((k - rc) * n_e + first);
        scaled(x_tpke, ((t * 2 + p) * rank + k) * size, f_e, basis_e);
      }
    }
  }
  return { rc, rs, rp, q: shareF64(q), x_tpke, cosFc_te, sinFc_te, used_t };
}

/** out_e = f_e basis_e from place `at` on. */
function scaled(out: Float64Array, at: number, f_e: Float64Array, basis_e: Float64Array): void {
  for (let e = 0; e < f_e.length; e++) out[at + e] = f_e[e] * basis_e[e];
}

function responseProducts(
  { n_e, response_dpe }: ExtrinsicSet,
  n_d: number,
  { size, n }: Tiles,
  places: readonly TilePlace[],
): Float64Array {
  const ff_tdxe = sharedF64(n * n_d * 3 * size);
  for (const { t, first, end } of places) {
    for (let d = 0; d < n_d; d++) {
      const at = (t * n_d + d) * 3 * size;
      for (let e = first; e < end; e++) {
        const [plus, cross] = [response_dpe[d * 2 * n_e + e], response_dpe[(d * 2 + 1) * n_e + e]];
        ff_tdxe[at + e - first] = plus * plus;
        ff_tdxe[at + size + e - first] = plus * cross;
        ff_tdxe[at + 2 * size + e - first] = cross * cross;
      }
    }
  }
  return ff_tdxe;
}
