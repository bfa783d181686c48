/** Stage 6, one bank: ln posterior of the rows, evidence, weights, effective sample sizes. */

import { DotpeError } from "../errors.ts";
import { stableArgsort } from "../gw/radix-sort.ts";
import { logSumExp } from "../gw/special.ts";

/** Rows of one bank as the coherent stage leaves them: those above the final threshold, by (i, e, o) ascending. */
export interface CoherentRows {
  readonly n: number;
  readonly i: Int32Array;
  readonly e: Int32Array;
  readonly o: Int32Array;
  /** <d|h> and <h|h> at 1 Mpc. */
  readonly dh: Float64Array;
  readonly hh: Float64Array;
  readonly lnlMarginalized: Float64Array;
}

/** What the coherent stage makes of one bank. */
export interface BankResult {
  readonly id: string;
  /** N_k: phases x extrinsic samples x bank samples, of which the rows are a part. */
  readonly n_total: number;
  readonly n_indsUsed: number;
  readonly rows: CoherentRows;
  /** By bank index. */
  readonly logPriorWeights_i: Float64Array;
  /** Below the threshold: how many, and ln sum exp(ln_posterior), estimated. */
  readonly discarded: { readonly n: number; readonly lnSum: number; readonly lnSumError?: number };
  readonly nDistanceMarginalizations: number;
  /** Time alignment (s) of the bank samples that were used. */
  readonly dt: { readonly inds: Int32Array; readonly dt: Float64Array };
}

const INTEGER_COLUMNS = ["i", "e", "o"] as const;
const FLOAT_COLUMNS = [
  "lnl_marginalized",
  "ln_posterior",
  "bestfit_lnlike",
  "d_h_1Mpc",
  "h_h_1Mpc",
  "weights",
] as const;
type IntegerColumn = (typeof INTEGER_COLUMNS)[number];
type FloatColumn = (typeof FLOAT_COLUMNS)[number];

/** The columns of prob_samples, ascending in bestfit_lnlike, ties by (i, e, o). */
export type ProbSamples = { readonly n: number } & Readonly<
  Record<IntegerColumn, Int32Array> & Record<FloatColumn, Float64Array>
>;

/** Sums of squared shares of the bank's evidence: by row, by i, by e, by (i, e). Zero without evidence. */
export interface SquareSums {
  readonly row: number;
  readonly i: number;
  readonly e: number;
  readonly ie: number;
}

export interface BankPosterior {
  readonly id: string;
  readonly n_total: number;
  readonly n_indsUsed: number;
  /** -Infinity without rows. */
  readonly lnEvidence: number;
  /** Shares of the bank's evidence by bank index and by extrinsic sample; all zero without evidence. */
  readonly share_i: Float64Array;
  readonly share_e: Float64Array;
  readonly squares: SquareSums;
  readonly rows: ProbSamples;
  /** Rows left out because there were more than the limit. */
  readonly capped: { readonly n: number; readonly lnEvidence: number };
}

/** Extrinsic samples in one leaf of the tree that sums the evidence. */
const E_CHUNK = 256;

/**
 * ln_posterior = lnL marginalized over distance + log prior weights of i and of e; ln Z = ln sum exp(ln_posterior) - ln N_k.
 * @param sizeLimit only this many rows are kept, those with the best bestfit_lnlike (ties: the first by i, e, o).
 * @throws DotpeError notFinite for a row that is not finite.
 */
export function bankPosterior(
  result: BankResult,
  logPriorWeights_e: Float64Array,
  sizeLimit: number,
): BankPosterior {
  const { id, n_total, n_indsUsed, logPriorWeights_i } = result;
  checkFinite(result);
  const lnTotal = Math.log(n_total);
  const { rows, dropped } = keepBest(result.rows, sizeLimit);
  const lnPosteriorOf = (some: CoherentRows) => lnPosterior(some, logPriorWeights_i, logPriorWeights_e);
  const ln_posterior = lnPosteriorOf(rows);
  const lnSum = sumTree(rows, ln_posterior);
  const weights = ln_posterior.map((value) => (value > -Infinity ? Math.exp(value - lnSum) : 0));
  return {
    ...{ id, n_total, n_indsUsed, lnEvidence: lnSum - lnTotal },
    ...sharesOf(rows, weights, logPriorWeights_i.length, logPriorWeights_e.length),
    rows: inFileOrder(rows, ln_posterior, weights),
    capped: { n: dropped.n, lnEvidence: sumTree(dropped, lnPosteriorOf(dropped)) - lnTotal },
  };
}

function checkFinite({ id, rows }: BankResult): void {
  for (const column of ["dh", "hh", "lnlMarginalized"] as const) {
    const values = rows[column];
    for (let j = 0; j < rows.n; j++) {
      if (Number.isFinite(values[j])) continue;
      const place = `i ${rows.i[j]}, e ${rows.e[j]}, o ${rows.o[j]}`;
      throw new DotpeError(
        "notFinite",
        `${id}: row (${place}): ${column}: found ${values[j]}, expected a finite number`,
        "Look at this bank sample's waveform and this extrinsic sample; leave the sample out of the bank.",
      );
    }
  }
}

/** dh^2 / (2 hh), the lnL maximised over distance; 0 where dh <= 0. */
function bestfitLnLike({ n, dh, hh }: CoherentRows): Float64Array {
  const bestfit = new Float64Array(n);
  for (let j = 0; j < n; j++) bestfit[j] = dh[j] > 0 ? (0.5 * dh[j] * dh[j]) / hh[j] : 0;
  return bestfit;
}

function lnPosterior(rows: CoherentRows, logw_i: Float64Array, logw_e: Float64Array): Float64Array {
  const { n, i, e, lnlMarginalized } = rows;
  const out = new Float64Array(n);
  for (let j = 0; j < n; j++) out[j] = lnlMarginalized[j] + logw_i[i[j]] + logw_e[e[j]];
  return out;
}

function keepBest(rows: CoherentRows, limit: number): { rows: CoherentRows; dropped: CoherentRows } {
  if (rows.n <= limit) return { rows, dropped: takeRows(rows, new Uint32Array(0)) };
  const { kept, dropped } = best(bestfitLnLike(rows), limit);
  return { rows: takeRows(rows, kept), dropped: takeRows(rows, dropped) };
}

/** The positions of the `limit` largest values, of equal ones the first; and the others. Both ascending. */
export function best(values: Float64Array, limit: number): { kept: Uint32Array; dropped: Uint32Array } {
  const order = stableArgsort(values);
  const cut = order.length - limit;
  const worstKept = values[order[cut]];
  let tie = cut;
  while (tie > 0 && values[order[tie - 1]] === worstKept) tie--;
  let tieEnd = cut;
  while (tieEnd < order.length && values[order[tieEnd]] === worstKept) tieEnd++;
  const n_ofTie = tieEnd - cut;
  const kept = new Uint32Array(limit);
  kept.set(order.subarray(tie, tie + n_ofTie));
  kept.set(order.subarray(tieEnd), n_ofTie);
  const dropped = new Uint32Array(cut);
  dropped.set(order.subarray(0, tie));
  dropped.set(order.subarray(tie + n_ofTie, tieEnd), tie);
  return { kept: kept.sort(), dropped: dropped.sort() };
}

function takeRows(rows: CoherentRows, positions: Uint32Array): CoherentRows {
  const integers = (name: "i" | "e" | "o") => Int32Array.from(positions, (j) => rows[name][j]);
  const floats = (name: "dh" | "hh" | "lnlMarginalized") =>
    Float64Array.from(positions, (j) => rows[name][j]);
  return {
    n: positions.length,
    ...{ i: integers("i"), e: integers("e"), o: integers("o") },
    ...{ dh: floats("dh"), hh: floats("hh"), lnlMarginalized: floats("lnlMarginalized") },
  };
}

/** ln sum exp(values) over a tree fixed by (i, e): i ascending, e in chunks of 256, pairwise inside. */
function sumTree({ n, i, e }: CoherentRows, values: Float64Array): number {
  const byI: number[] = [];
  for (let start = 0; start < n; ) {
    const row_i = i[start];
    const byChunk: number[] = [];
    while (start < n && i[start] === row_i) {
      const chunkEnd = (Math.floor(e[start] / E_CHUNK) + 1) * E_CHUNK;
      let end = start + 1;
      while (end < n && i[end] === row_i && e[end] < chunkEnd) end++;
      byChunk.push(logSumExp(values, start, end));
      start = end;
    }
    byI.push(logSumExp(byChunk));
  }
  return logSumExp(byI);
}

function sharesOf(
  { n, i, e }: CoherentRows,
  weights: Float64Array,
  n_i: number,
  n_e: number,
): Pick<BankPosterior, "share_i" | "share_e" | "squares"> {
  const share_i = new Float64Array(n_i);
  const share_e = new Float64Array(n_e);
  let row = 0;
  let ie = 0;
  let pair = 0;
  for (let j = 0; j < n; j++) {
    const weight = weights[j];
    row += weight * weight;
    share_i[i[j]] += weight;
    share_e[e[j]] += weight;
    pair += weight;
    if (j + 1 === n || i[j + 1] !== i[j] || e[j + 1] !== e[j]) {
      ie += pair * pair;
      pair = 0;
    }
  }
  return { share_i, share_e, squares: { row, i: sumOfSquares(share_i), e: sumOfSquares(share_e), ie } };
}

/** Added one after the other. */
export function sumOfSquares(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}

function inFileOrder(rows: CoherentRows, ln_posterior: Float64Array, weights: Float64Array): ProbSamples {
  const bestfit_lnlike = bestfitLnLike(rows);
  const canonical: ProbSamples = {
    ...{ n: rows.n, i: rows.i, e: rows.e, o: rows.o, lnl_marginalized: rows.lnlMarginalized, ln_posterior },
    ...{ bestfit_lnlike, d_h_1Mpc: rows.dh, h_h_1Mpc: rows.hh, weights },
  };
  return takeSamples(canonical, stableArgsort(bestfit_lnlike));
}

/** The rows at these positions, in this order. */
export function takeSamples(rows: ProbSamples, positions: Uint32Array): ProbSamples {
  return mapColumns(
    positions.length,
    (name) => gather(rows[name], new Int32Array(positions.length), positions),
    (name) => gather(rows[name], new Float64Array(positions.length), positions),
  );
}

/** The rows of several banks, one bank after the other; a single bank's are not copied. */
export function concatSamples(parts: readonly ProbSamples[]): ProbSamples {
  if (parts.length === 1) return parts[0];
  const n = parts.reduce((sum, part) => sum + part.n, 0);
  const integers = (name: IntegerColumn) => concat(parts, (part) => part[name], new Int32Array(n));
  const floats = (name: FloatColumn) => concat(parts, (part) => part[name], new Float64Array(n));
  return mapColumns(n, integers, floats);
}

function mapColumns(
  n: number,
  integers: (name: IntegerColumn) => Int32Array,
  floats: (name: FloatColumn) => Float64Array,
): ProbSamples {
  const columns = [
    ...INTEGER_COLUMNS.map((name) => [name, integers(name)]),
    ...FLOAT_COLUMNS.map((name) => [name, floats(name)]),
  ];
  return { n, ...Object.fromEntries(columns) } as ProbSamples;
}

function gather<T extends Int32Array | Float64Array>(from: T, to: T, positions: Uint32Array): T {
  for (let j = 0; j < positions.length; j++) to[j] = from[positions[j]];
  return to;
}

function concat<T extends Int32Array | Float64Array>(
  parts: readonly ProbSamples[],
  columnOf: (part: ProbSamples) => T,
  to: T,
): T {
  let at = 0;
  for (const part of parts) {
    to.set(columnOf(part) as ArrayLike<number>, at);
    at += part.n;
  }
  return to;
}
