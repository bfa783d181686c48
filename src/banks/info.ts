/** What a bank is, in numbers: `dotpe-hpc bank info`. Waveforms are not read. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Bank, openBank } from "../gw/bank.ts";
import { bankFiles } from "../gw/bank-reader.ts";
import { intrinsicDerivedColumns } from "../gw/prior.ts";

/** Smallest, middle and largest value. */
export interface Range {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface BinInfo {
  readonly n: number;
  /** Hz: the first and the last bin, and the steps between bins. */
  readonly band: readonly [number, number];
  readonly step: Range;
  /** even: one step. geometric: one ratio. uneven: anything else, as bins for relative binning are. */
  readonly spacing: "even" | "geometric" | "uneven";
  /** The longest 1/df (s, a whole number) of which all bins are multiples; null: none up to MAX_GRID. */
  readonly grid: number | null;
}

export interface WeightInfo {
  /** ln of the prior over the density of the draw. */
  readonly log: Range;
  /** Samples of weight zero. */
  readonly zero: number;
  /** (sum w)^2 / sum w^2 */
  readonly effective: number;
}

export interface MassDensity {
  /** Msun: the edges of the histogram, one more than counts. */
  readonly edges: readonly number[];
  readonly counts: readonly number[];
  /** Samples for each percent of chirp mass, in the densest and the thinnest part that has any. */
  readonly perPercent: readonly [least: number, most: number];
}

export interface BankInfo {
  readonly folder: string;
  readonly samples: number;
  readonly approximant: string;
  readonly modes: readonly number[];
  readonly harmonicModes: readonly (readonly [number, number])[] | null;
  readonly fRef: number;
  readonly bins: BinInfo;
  readonly blocks: number;
  readonly blockSize: number;
  /** Of packed waveforms: exact, or rounded so that no ln likelihood is off by more than this. */
  readonly packed: { readonly tolerance: number | null } | null;
  /** Bytes: of the files, and of the waveforms as numbers. */
  readonly bytesOnDisk: number;
  readonly waveformBytes: number;
  /** Everything else in bank_config.json. */
  readonly madeWith: Readonly<Record<string, unknown>>;
  readonly parameters: Readonly<Record<string, Range>>;
  readonly weights: WeightInfo;
  readonly density: MassDensity;
}

/** Looked for as the grid of the bins, s. */
const MAX_GRID = 4096;
const N_HISTOGRAM = 8;
/** Of a step, and of a frequency. */
const SAME = 1e-6;

/** @throws DotpeError as `openBank`, and for a column that is malformed or not finite. */
export function bankInfo(folder: string): BankInfo {
  const bank = openBank(folder, "bank");
  const { config, n_i } = bank;
  const { blockSize, n_m, n_b } = bankFiles(bank);
  const parameters = parameterColumns(bank);
  return {
    folder,
    samples: n_i,
    approximant: config.approximant,
    modes: config.m_arr,
    harmonicModes: config.harmonic_modes,
    fRef: config.f_ref,
    bins: binInfo(config.fbin),
    blocks: Math.ceil(n_i / blockSize),
    blockSize,
    packed: bank.packed && { tolerance: bank.packed.header.rounding?.tolerance ?? null },
    bytesOnDisk: bytesOf(folder),
    waveformBytes: 2 * 8 * n_i * n_m * 2 * n_b,
    madeWith: config.others,
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([name, values]) => [name, rangeOf(values)]),
    ),
    weights: weightInfo(bank.samples.log_prior_weights),
    density: densityOf(parameters.mchirp),
  };
}

/** Of the folder's own files and those one folder below: a bank is no deeper. */
function bytesOf(path: string, depth = 1): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path, { withFileTypes: true }).reduce((sum, entry) => {
    if (entry.isDirectory()) return sum + (depth > 0 ? bytesOf(join(path, entry.name), depth - 1) : 0);
    // A link may lead nowhere.
    return sum + (statSync(join(path, entry.name), { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}

function parameterColumns(bank: Bank): Record<string, Float64Array> & { mchirp: Float64Array } {
  const { samples, config, n_i } = bank;
  const { m1, m2, s1x_n, s1y_n, s2x_n, s2y_n, iota, l1, l2 } = samples;
  const f_ref = new Float64Array(n_i).fill(config.f_ref);
  const { mchirp, chieff, costheta_jn } = intrinsicDerivedColumns({ ...samples, f_ref });
  const isTidal = [l1, l2].some((values) => values.some((value) => value !== 0));
  return {
    mchirp,
    q: m2.map((m, i) => m / m1[i]),
    ...{ m1, m2, chieff },
    "in-plane spin 1": s1x_n.map((x, i) => Math.hypot(x, s1y_n[i])),
    "in-plane spin 2": s2x_n.map((x, i) => Math.hypot(x, s2y_n[i])),
    iota,
    "cos theta_jn": costheta_jn,
    ...(isTidal ? { l1, l2 } : {}),
  };
}

/** @param values at least one; overwritten by nothing */
export function rangeOf(values: Float64Array): Range {
  const sorted = values.slice().sort();
  const n = sorted.length;
  return { min: sorted[0], median: (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2, max: sorted[n - 1] };
}

export function binInfo(fbin: Float64Array): BinInfo {
  const n = fbin.length;
  const steps = Float64Array.from({ length: n - 1 }, (_, b) => fbin[b + 1] - fbin[b]);
  const ratios = Float64Array.from({ length: n - 1 }, (_, b) => fbin[b + 1] / fbin[b]);
  const isOne = ({ min, max }: Range) => max - min <= SAME * max;
  const step = rangeOf(steps);
  const spacing = isOne(step) ? "even" : isOne(rangeOf(ratios)) ? "geometric" : "uneven";
  return { n, band: [fbin[0], fbin[n - 1]], step, spacing, grid: gridOf(fbin) };
}

/** The shortest segment (s) whose frequencies include every bin. */
function gridOf(fbin: Float64Array): number | null {
  for (let seconds = 1; seconds <= MAX_GRID; seconds++) {
    if (fbin.every((f) => Math.abs(f * seconds - Math.round(f * seconds)) < SAME * seconds)) return seconds;
  }
  return null;
}

export function weightInfo(log_i: Float64Array): WeightInfo {
  let largest = -Infinity;
  let zero = 0;
  for (const log of log_i) {
    if (log > largest) largest = log;
    if (log === -Infinity) zero++;
  }
  let [sum, squares] = [0, 0];
  for (const log of log_i) {
    const weight = largest === -Infinity ? 0 : Math.exp(log - largest);
    sum += weight;
    squares += weight * weight;
  }
  return { log: rangeOf(log_i), zero, effective: squares > 0 ? sum ** 2 / squares : 0 };
}

function densityOf(mchirp: Float64Array): MassDensity {
  const { min, max } = rangeOf(mchirp);
  const n = max > min ? N_HISTOGRAM : 1;
  // Equal in ln mchirp: bars of equal length are equal numbers of samples a percent of mass.
  const width = Math.log(max / min) / n;
  const counts = new Array<number>(n).fill(0);
  for (const mass of mchirp) {
    counts[width > 0 ? Math.min(n - 1, Math.floor(Math.log(mass / min) / width)) : 0]++;
  }
  const edges = Array.from({ length: n + 1 }, (_, k) => (k === n ? max : min * Math.exp(k * width)));
  const perPercent = counts.filter((count) => count > 0).map((count) => (0.01 * count) / (width || 0.01));
  return { edges, counts, perPercent: [Math.min(...perPercent), Math.max(...perPercent)] };
}
