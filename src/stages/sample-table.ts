/** Stage 6: which rows are drawn, and the table of physical parameters made of them. */

import { type Bank, SAMPLE_COLUMNS } from "../gw/bank.ts";
import { derivedColumns, intrinsicDerivedColumns, type NetworkFrame } from "../gw/prior.ts";
import { STREAMS, uniform } from "../gw/random.ts";
import { greenwichMeanSiderealTime } from "../gw/sidereal.ts";
import { lonToRa } from "../gw/sky-angles.ts";
import type { BankResult } from "./bank-posterior.ts";
import type { ExtrinsicSamples } from "./extrinsic.ts";

/** What turns the indices i, e, o into parameters. */
export interface SampleSources {
  readonly banks: readonly {
    readonly bank: Pick<Bank, "samples" | "config">;
    readonly result: Pick<BankResult, "id" | "dt" | "n_total">;
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

/** Points of the terminal table's quantiles. */
export const N_TABLE_POINTS = 4096;
/** Counters of the table's distances: far from those of the samples. */
export const TABLE_COUNTER = 2 ** 40;

const BANK_COLUMNS = [...SAMPLE_COLUMNS.filter((name) => name !== "log_prior_weights"), "l1", "l2"] as const;

/** Where n draws with replacement lie in the cumulative weights, 0 <= share < 1. */
export function drawShares(n: number, seed: number): Float64Array {
  return Float64Array.from({ length: n }, (_, j) => uniform(seed, STREAMS.draw, j));
}

/** Evenly spaced points of the cumulative weights: quantiles of these are quantiles of all rows. */
export function evenShares(): Float64Array {
  return Float64Array.from({ length: N_TABLE_POINTS }, (_, j) => (j + 0.5) / N_TABLE_POINTS);
}

/** Which share of the distance's distribution lies below each of n samples, the first being number `counter`. */
export function distanceShares(n: number, seed: number, counter: number): Float64Array {
  return Float64Array.from({ length: n }, (_, j) => uniform(seed, STREAMS.distance, counter + j));
}

/** Rows that become samples, with a distance (Mpc) each. */
export interface SampleRows {
  readonly bank: Int32Array;
  readonly i: Int32Array;
  readonly e: Int32Array;
  readonly o: Int32Array;
  readonly lnl_marginalized: Float64Array;
  readonly ln_posterior: Float64Array;
  readonly bestfit_lnlike: Float64Array;
  readonly d_h_1Mpc: Float64Array;
  readonly h_h_1Mpc: Float64Array;
  readonly d_luminosity: Float64Array;
}

/**
 * The columns of samples.feather, in the reference's order: angles in rad, masses in Msun (detector frame), distances in
 * Mpc, times in s after tgps.
 */
export function sampleTable(rows: SampleRows, weights: Float64Array, sources: SampleSources): TableColumn[] {
  const intrinsic = intrinsicColumns(rows, sources);
  const extrinsic = extrinsicColumns(rows, sources);
  const aligned = alignedColumns(rows, sources, extrinsic.t_geocenter_linfree);
  const sky = skyColumns(extrinsic, sources.frame);
  const distance = distanceColumns(rows);
  const physical = { ...intrinsic, ...aligned, ...sky, ...distance, psi: extrinsic.psi };
  return [
    ...floatColumns({ ...intrinsic, ...extrinsic }),
    ...rowColumns(rows, weights, sources),
    ...floatColumns({ ...aligned, ...sky, ...distance }),
    ...floatColumns(derivedColumns(physical, sources.frame)),
  ];
}

/** Columns of `sampleTable` that a summary of parameters is made of. */
export function shownTable(rows: SampleRows, sources: SampleSources): TableColumn[] {
  const intrinsic = intrinsicColumns(rows, sources);
  const { lat, lon, t_geocenter_linfree } = extrinsicColumns(rows, sources);
  const { t_geocenter } = alignedColumns(rows, sources, t_geocenter_linfree);
  const { d_luminosity } = rows;
  return floatColumns({
    ...{ ...intrinsic, ...intrinsicDerivedColumns(intrinsic), d_luminosity, t_geocenter },
    ...skyColumns({ lat, lon }, sources.frame),
  });
}

/** Float64Array.from, without its iterator. */
function floatsOf(from: Int32Array, of: (value: number, j: number) => number): Float64Array {
  const out = new Float64Array(from.length);
  for (let j = 0; j < out.length; j++) out[j] = of(from[j], j);
  return out;
}

type Floats = Record<string, Float64Array>;

function floatColumns(columns: Floats): TableColumn[] {
  return Object.entries(columns).map(([name, data]) => ({ name, type: "f64", data }));
}

function intrinsicColumns({ i, bank }: SampleRows, { banks }: SampleSources): Floats {
  const column = (name: (typeof BANK_COLUMNS)[number]) => {
    const values_k = banks.map((one) => one.bank.samples[name]);
    return floatsOf(i, (index, j) => values_k[bank[j]][index]);
  };
  return {
    ...Object.fromEntries(BANK_COLUMNS.map((name) => [name, column(name)])),
    f_ref: floatsOf(bank, (k) => banks[k].bank.config.f_ref),
  };
}

function extrinsicColumns({ e }: SampleRows, { extrinsic }: SampleSources) {
  const column = (values: Float64Array) => floatsOf(e, (index) => values[index]);
  return {
    lat: column(extrinsic.lat),
    lon: column(extrinsic.lon),
    _phi_ref: column(extrinsic._phi_ref),
    psi: column(extrinsic.psi),
    t_geocenter_linfree: column(extrinsic.t_geocenter),
  };
}

function rowColumns(rows: SampleRows, weights: Float64Array, { banks }: SampleSources): TableColumn[] {
  const { lnl_marginalized, ln_posterior, bestfit_lnlike, d_h_1Mpc, h_h_1Mpc } = rows;
  const lnTotals = banks.map(({ result }) => Math.log(result.n_total));
  return [
    { name: "i", type: "i64", data: rows.i },
    { name: "e", type: "i64", data: rows.e },
    { name: "o", type: "i64", data: rows.o },
    ...floatColumns({ lnl_marginalized, ln_posterior, bestfit_lnlike, d_h_1Mpc, h_h_1Mpc, weights }),
    { name: "bank_id", type: "utf8", data: Array.from(rows.bank, (k) => banks[k].result.id) },
    {
      name: "ln_weight_unnormalized",
      type: "f64",
      data: ln_posterior.map((ln, j) => ln - lnTotals[rows.bank[j]]),
    },
  ];
}

/** The likelihood saw waveforms moved by dt, so the waveform itself arrives that much earlier. Phases are not moved. */
function alignedColumns({ i, o, bank }: SampleRows, { banks, n_phi }: SampleSources, linfree: Float64Array) {
  const dtOf = banks.map(({ result }) => alignmentOf(result));
  const phi_ref_linfree = floatsOf(o, (phase) => phase * ((2 * Math.PI) / n_phi));
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

function distanceColumns({ d_h_1Mpc, h_h_1Mpc, d_luminosity }: SampleRows) {
  return {
    d_luminosity,
    bestfit_d_luminosity: h_h_1Mpc.map((hh, j) => hh / d_h_1Mpc[j]),
    lnl: d_luminosity.map((d, j) => d_h_1Mpc[j] / d - (0.5 * h_h_1Mpc[j]) / d ** 2),
  };
}
