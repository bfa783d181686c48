/** Stage 6: rows drawn by weight, and the table of physical parameters made of them. */

import { type Bank, SAMPLE_COLUMNS } from "../gw/bank.ts";
import { sampleDistance } from "../gw/distance.ts";
import { derivedColumns, type NetworkFrame } from "../gw/prior.ts";
import { STREAMS, uniform } from "../gw/random.ts";
import { greenwichMeanSiderealTime } from "../gw/sidereal.ts";
import { lonToRa } from "../gw/sky-angles.ts";
import { type BankResult, type ProbSamples, takeSamples } from "./bank-posterior.ts";
import type { ExtrinsicSamples } from "./extrinsic.ts";

/** prob_samples of all banks: bank by bank, each ascending in bestfit_lnlike. */
export interface MergedRows {
  readonly columns: ProbSamples;
  /** Position of each row's bank. */
  readonly bank: Uint16Array;
  /** ln_posterior - ln N_k. */
  readonly ln_weight_unnormalized: Float64Array;
}

/** What turns the indices i, e, o into parameters. */
export interface SampleSources {
  readonly banks: readonly {
    readonly bank: Pick<Bank, "samples" | "config">;
    readonly result: Pick<BankResult, "id" | "dt">;
  }[];
  readonly extrinsic: Omit<ExtrinsicSamples, "exhausted">;
  readonly n_phi: number;
  readonly frame: NetworkFrame;
}

/** One column of samples.feather. */
export type TableColumn =
  | { readonly name: string; readonly type: "f64"; readonly data: Float64Array }
  | { readonly name: string; readonly type: "i64"; readonly data: Int32Array }
  | { readonly name: string; readonly type: "utf8"; readonly data: readonly string[] };

/** Which rows become samples, with which weights, and which share of the distance's distribution lies below each. */
export interface Picks {
  readonly rows: Uint32Array;
  readonly weights: Float64Array;
  readonly distanceShare: Float64Array;
}

/** Points of the terminal table's quantiles. */
export const N_TABLE_POINTS = 4096;
/** Counters of the table's distances: far from those of the samples. */
const TABLE_COUNTER = 2 ** 40;

const BANK_COLUMNS = [...SAMPLE_COLUMNS.filter((name) => name !== "log_prior_weights"), "l1", "l2"] as const;

/** n rows with replacement, each with probability proportional to its weight; all of weight 1. */
export function drawRows(weights: Float64Array, n: number, seed: number): Picks {
  const shares = Float64Array.from({ length: n }, (_, j) => uniform(seed, STREAMS.draw, j));
  return picksAt(weights, shares, seed, 0);
}

/** Evenly spaced points of the cumulative weights: quantiles of these are quantiles of all rows. */
export function spreadRows(weights: Float64Array, seed: number): Picks {
  const shares = Float64Array.from({ length: N_TABLE_POINTS }, (_, j) => (j + 0.5) / N_TABLE_POINTS);
  return picksAt(weights, shares, seed, TABLE_COUNTER);
}

/** Every row once with its weight. */
export function everyRow(weights: Float64Array, seed: number): Picks {
  const rows = Uint32Array.from(weights, (_, j) => j);
  return { rows, weights, distanceShare: distanceShares(rows.length, seed, 0) };
}

function picksAt(weights: Float64Array, shares: Float64Array, seed: number, counter: number): Picks {
  const cumulative = new Float64Array(weights.length);
  let total = 0;
  for (let j = 0; j < weights.length; j++) {
    total += weights[j];
    cumulative[j] = total;
  }
  return {
    rows: Uint32Array.from(shares, (share) => firstAbove(cumulative, share * total)),
    weights: new Float64Array(shares.length).fill(1),
    distanceShare: distanceShares(shares.length, seed, counter),
  };
}

function distanceShares(n: number, seed: number, counter: number): Float64Array {
  return Float64Array.from({ length: n }, (_, j) => uniform(seed, STREAMS.distance, counter + j));
}

/** First position where the ascending values exceed x, so that a row of weight zero is never found; at most the last. */
function firstAbove(ascending: Float64Array, x: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] > x) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * The columns of samples.feather, in the reference's order: angles in rad, masses in Msun (detector frame), distances in
 * Mpc, times in s after tgps.
 */
export function sampleTable(merged: MergedRows, picks: Picks, sources: SampleSources): TableColumn[] {
  const rows = pickedRows(merged, picks);
  const intrinsic = intrinsicColumns(rows, sources);
  const extrinsic = extrinsicColumns(rows, sources);
  const aligned = alignedColumns(rows, sources, extrinsic.t_geocenter_linfree);
  const sky = skyColumns(extrinsic, sources.frame);
  const distance = distanceColumns(rows, picks.distanceShare);
  const physical = { ...intrinsic, ...aligned, ...sky, ...distance, psi: extrinsic.psi };
  return [
    ...floatColumns({ ...intrinsic, ...extrinsic }),
    ...rowColumns(rows, picks.weights, sources),
    ...floatColumns({ ...aligned, ...sky, ...distance }),
    ...floatColumns(derivedColumns(physical, sources.frame)),
  ];
}

interface PickedRows extends ProbSamples {
  readonly bank: Uint16Array;
  readonly ln_weight_unnormalized: Float64Array;
}

function pickedRows({ columns, bank, ln_weight_unnormalized }: MergedRows, { rows }: Picks): PickedRows {
  return {
    ...takeSamples(columns, rows),
    bank: Uint16Array.from(rows, (j) => bank[j]),
    ln_weight_unnormalized: Float64Array.from(rows, (j) => ln_weight_unnormalized[j]),
  };
}

type Floats = Record<string, Float64Array>;

function floatColumns(columns: Floats): TableColumn[] {
  return Object.entries(columns).map(([name, data]) => ({ name, type: "f64", data }));
}

function intrinsicColumns({ i, bank }: PickedRows, { banks }: SampleSources): Floats {
  const column = (name: (typeof BANK_COLUMNS)[number]) =>
    Float64Array.from(i, (index, j) => banks[bank[j]].bank.samples[name][index]);
  return {
    ...Object.fromEntries(BANK_COLUMNS.map((name) => [name, column(name)])),
    f_ref: Float64Array.from(bank, (k) => banks[k].bank.config.f_ref),
  };
}

function extrinsicColumns({ e }: PickedRows, { extrinsic }: SampleSources) {
  const column = (values: Float64Array) => Float64Array.from(e, (index) => values[index]);
  return {
    lat: column(extrinsic.lat),
    lon: column(extrinsic.lon),
    _phi_ref: column(extrinsic._phi_ref),
    psi: column(extrinsic.psi),
    t_geocenter_linfree: column(extrinsic.t_geocenter),
  };
}

function rowColumns(rows: PickedRows, weights: Float64Array, { banks }: SampleSources): TableColumn[] {
  const { lnl_marginalized, ln_posterior, bestfit_lnlike, d_h_1Mpc, h_h_1Mpc } = rows;
  return [
    { name: "i", type: "i64", data: rows.i },
    { name: "e", type: "i64", data: rows.e },
    { name: "o", type: "i64", data: rows.o },
    ...floatColumns({ lnl_marginalized, ln_posterior, bestfit_lnlike, d_h_1Mpc, h_h_1Mpc, weights }),
    { name: "bank_id", type: "utf8", data: Array.from(rows.bank, (k) => banks[k].result.id) },
    { name: "ln_weight_unnormalized", type: "f64", data: rows.ln_weight_unnormalized },
  ];
}

/** The likelihood saw waveforms moved by dt, so the waveform itself arrives that much earlier. Phases are not moved. */
function alignedColumns({ i, o, bank }: PickedRows, { banks, n_phi }: SampleSources, linfree: Float64Array) {
  const dtOf = banks.map(({ result }) => alignmentOf(result));
  const phi_ref_linfree = Float64Array.from(o, (phase) => phase * ((2 * Math.PI) / n_phi));
  return {
    phi_ref_linfree,
    t_geocenter: linfree.map((t, j) => t - dtOf[bank[j]](i[j])),
    phi_ref: phi_ref_linfree.slice(),
  };
}

function alignmentOf({ id, dt }: Pick<BankResult, "id" | "dt">): (i: number) => number {
  const byIndex = new Map(Array.from(dt.inds, (i, j): [number, number] => [i, dt.dt[j]]));
  return (i) => {
    const found = byIndex.get(i);
    if (found === undefined) throw new Error(`${id}: no time alignment for sample ${i}`);
    return found;
  };
}

function skyColumns({ lat, lon }: { lat: Float64Array; lon: Float64Array }, frame: NetworkFrame) {
  const gmst = greenwichMeanSiderealTime(frame.tgps);
  return { ra: lon.map((angle) => lonToRa(angle, gmst)), dec: lat };
}

function distanceColumns({ d_h_1Mpc, h_h_1Mpc }: PickedRows, share: Float64Array) {
  const d_luminosity = share.map((u, j) => sampleDistance(u, d_h_1Mpc[j], h_h_1Mpc[j]));
  return {
    d_luminosity,
    bestfit_d_luminosity: h_h_1Mpc.map((hh, j) => hh / d_h_1Mpc[j]),
    lnl: d_luminosity.map((d, j) => d_h_1Mpc[j] / d - (0.5 * h_h_1Mpc[j]) / d ** 2),
  };
}
