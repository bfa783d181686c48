/** Stage 6: from the rows of the coherent stage to evidence, weights, drawn samples and their summary. */

import { DotpeError } from "../errors.ts";
import type { Bank } from "../gw/bank.ts";
import { logSumExp } from "../gw/special.ts";
import type { Options } from "../options.ts";
import type { ParameterSummary } from "../report/summary.ts";
import type { Pool } from "../workers/pool.ts";
import { edgeWarnings } from "./bank-edge.ts";
import {
  type BankPosterior,
  type BankResult,
  bankPosterior,
  type CoherentRows,
  sumOfSquares,
} from "./bank-posterior.ts";
import { drawSamples, everySample } from "./draws.ts";
import { NOT_KEPT } from "./keeper.ts";
import { type MergedSums, mergedSums } from "./merged-sums.ts";
import { parameterSummaries } from "./parameter-summary.ts";
import type { SampleSources, TableColumn } from "./sample-table.ts";

export type { BankPosterior, BankResult, CoherentRows } from "./bank-posterior.ts";
export type { TableColumn } from "./sample-table.ts";

/** Nobody needs more draws than this: they only repeat rows. */
export const MAX_DRAWS = 10_000;
/** Rows below the threshold may hold this share of the evidence before it is said. */
const NOTABLE_SHARE = 0.01;

export interface FinishInput extends SampleSources {
  readonly banks: readonly { readonly bank: Bank; readonly result: BankResult }[];
  readonly rows: CoherentRows;
  readonly options: Pick<Options, "sizeLimit" | "drawSubset" | "nDraws" | "seed">;
  /** Injected parameters, from --truth. */
  readonly truth?: Readonly<Record<string, number>>;
}

/** summary_results.json: the reference's keys in its order, then ours. Numbers that are not finite are written as null. */
export interface SummaryResults {
  readonly n_effective: number;
  readonly n_effective_i: number;
  readonly n_effective_e: number;
  readonly bestfit_lnlike_max: number;
  readonly lnl_marginalized_max: number;
  readonly n_i_inds_used: number;
  readonly ln_evidence: number;
  readonly ln_evidence_discarded: number;
  readonly n_distance_marginalizations: number;
  readonly n_banks: number;
  readonly per_bank_results: Readonly<
    Record<string, { ln_evidence: number; n_effective: number; n_inds_used: number; N_k: number }>
  >;
  /** Standard error of ln_evidence: see `lnEvidenceError`. */
  readonly ln_evidence_error: number;
  /** Effective numbers of distinct bank samples (of all banks together) and of extrinsic samples. */
  readonly n_effective_i_merged: number;
  readonly n_effective_e_merged: number;
  readonly n_rows: number;
  readonly n_samples: number;
  /** Rows below the threshold, and rows beyond the size limit of their bank. */
  readonly n_discarded: number;
  readonly n_capped: number;
  readonly truth?: Readonly<Record<string, number>>;
}

export interface Posterior {
  readonly summary: SummaryResults;
  /** In the order of the banks. */
  readonly banks: readonly BankPosterior[];
  /** Columns of samples.feather, part by part. */
  readonly samples: Iterable<readonly TableColumn[]>;
  /** For the terminal's table: from all rows by weight, not only from the draws. */
  readonly parameters: readonly ParameterSummary[];
  readonly warnings: readonly string[];
}

/**
 * The posterior; the rows' files get their weights. Depends on nothing but its input: no clock, no folder, no number of
 * threads.
 * @throws DotpeError noSamples if no row has weight, runAgain if the run is to end here.
 */
export async function finish(pool: Pool, input: FinishInput, keeper = NOT_KEPT): Promise<Posterior> {
  const { options, rows, truth } = input;
  const banks = input.banks.map(({ result }, k) => bankPosterior(result, rows, k));
  const lnEvidence = logSumExp(banks.map((bank) => bank.lnEvidence));
  const merged = mergedSums(rows);
  if (!(lnEvidence > -Infinity)) throw nothingLeft(merged);
  const n_draws = numberOfDraws(merged, options);
  const written = { ...rows, files: rows.files.shared(), ...lnSums(banks, merged) };
  const drawn = await drawSamples(pool, written, merged, options.drawSubset ? n_draws : 0, input, keeper);
  const n_samples = options.drawSubset ? n_draws : merged.n;
  const summary = summarise(input, banks, merged, n_samples);
  return {
    ...{ summary, banks, samples: options.drawSubset ? [drawn.samples] : everySample(written, input) },
    parameters: parameterSummaries(drawn.table, input.frame, truth),
    warnings: [
      ...capWarnings(banks, merged, options.sizeLimit),
      ...discardedWarnings(summary),
      ...(options.drawSubset ? drawWarnings(n_draws, merged, options) : []),
      ...edgeWarnings(posteriorByBankSample(input, banks, lnEvidence)),
    ],
  };
}

/** What the weights of rows are relative to: ln sum exp(ln_posterior) of each bank, and of all. */
function lnSums(banks: readonly BankPosterior[], { lnSum }: MergedSums) {
  return { lnSum_k: banks.map(({ lnEvidence, n_total }) => lnEvidence + Math.log(n_total)), lnMerged: lnSum };
}

function numberOfDraws({ n_effective }: MergedSums, { nDraws }: FinishInput["options"]): number {
  return Math.min(nDraws ?? Math.max(Math.floor(n_effective / 2), 1), MAX_DRAWS);
}

function nothingLeft({ n }: MergedSums): DotpeError {
  const found = n === 0 ? "no row" : `${n} rows, all with a prior weight of zero`;
  return new DotpeError(
    "noSamples",
    `posterior: found ${found}, expected at least one with weight`,
    "Check that the banks cover the event; raise --max-incoherent-lnlike-drop or --max-bestfit-lnlike-diff.",
  );
}

function shareOf(bank: BankPosterior, lnEvidence: number): number {
  return Math.exp(bank.lnEvidence - lnEvidence);
}

function drawWarnings(
  n_draws: number,
  { n_effective }: MergedSums,
  { nDraws }: FinishInput["options"],
): string[] {
  const warnings: string[] = [];
  if (nDraws !== undefined && nDraws > MAX_DRAWS)
    warnings.push(`${nDraws} draws were asked for: ${MAX_DRAWS} are made, the most there can be`);
  if (n_draws > n_effective)
    warnings.push(
      `samples.feather holds ${n_draws} draws from ${n_effective.toFixed(1)} effective samples: many repeat each other`,
    );
  return warnings;
}

function summarise(
  { banks: inputs, extrinsic, n_phi, truth }: FinishInput,
  banks: readonly BankPosterior[],
  merged: MergedSums,
  n_samples: number,
): SummaryResults {
  const results = inputs.map(({ result }) => result);
  const lnEvidence = logSumExp(banks.map((bank) => bank.lnEvidence));
  const sizes = banks.map(({ n_total }) => n_total);
  const inverse = (sum: number) => (sum > 0 ? 1 / sum : 0);
  return {
    n_effective: merged.n_effective,
    n_effective_i: weightedMean(
      banks.map(({ squares }) => inverse(squares.i)),
      sizes,
    ),
    n_effective_e: weightedMean(
      banks.map(({ squares }) => inverse(squares.e)),
      sizes,
    ),
    bestfit_lnlike_max: merged.bestfit,
    lnl_marginalized_max: merged.lnl,
    n_i_inds_used: sumOf(banks.map(({ n_indsUsed }) => n_indsUsed)),
    ln_evidence: lnEvidence,
    ln_evidence_discarded: logSumExp(
      results.map(({ discarded, n_total }) => discarded.lnSum - Math.log(n_total)),
    ),
    n_distance_marginalizations: sumOf(results.map((result) => result.nDistanceMarginalizations)),
    n_banks: banks.length,
    per_bank_results: Object.fromEntries(banks.map((bank) => [bank.id, perBankResults(bank)])),
    ln_evidence_error: lnEvidenceError(banks, n_phi, extrinsic.n_e),
    n_effective_i_merged: 1 / sumOf(banks.map((bank) => shareOf(bank, lnEvidence) ** 2 * bank.squares.i)),
    n_effective_e_merged: 1 / sumOfSquares(mergedShare_e(banks, lnEvidence)),
    n_rows: merged.n,
    n_samples,
    n_discarded: sumOf(results.map(({ discarded }) => discarded.n)),
    n_capped: sumOf(banks.map(({ capped }) => capped.n)),
    ...(truth === undefined ? {} : { truth }),
  };
}

function perBankResults({ lnEvidence, squares, n_indsUsed, n_total }: BankPosterior) {
  const n_effective = squares.row > 0 ? 1 / squares.row : 0;
  return { ln_evidence: lnEvidence, n_effective, n_inds_used: n_indsUsed, N_k: n_total };
}

function mergedShare_e(banks: readonly BankPosterior[], lnEvidence: number): Float64Array {
  const shares = banks.map((bank) => shareOf(bank, lnEvidence));
  return banks[0].share_e.map((_, e) => sumOf(banks.map((bank, k) => shares[k] * bank.share_e[e])));
}

/**
 * Standard error of ln Z from the scatter of the rows. Z averages a table over bank samples i (drawn for each bank) and
 * extrinsic samples e (shared by all banks), so rows with one i vary together, and rows with one e. With p the rows' shares
 * of Z, summed over phases, the variance clustered both ways (Cameron, Gelbach and Miller, J. Bus. Econ. Stat. 29 (2011) 238) is
 *   sum_i p_i^2 + sum_e p_e^2 - sum_ie p_ie^2   less what equal shares would give,
 * with p_i = sum_e p_ie, and n_i as many terms as the bank has samples. It knows nothing of a bank that misses the posterior,
 * of the rows left out, or of how the extrinsic samples were proposed.
 */
export function lnEvidenceError(banks: readonly BankPosterior[], n_phi: number, n_e: number): number {
  const lnEvidence = logSumExp(banks.map((bank) => bank.lnEvidence));
  let variance = sumOfSquares(mergedShare_e(banks, lnEvidence)) - 1 / n_e;
  for (const bank of banks) {
    const n_i = bank.n_total / (n_phi * n_e);
    const share = shareOf(bank, lnEvidence);
    variance += share ** 2 * (bank.squares.i - 1 / n_i - bank.squares.ie + 1 / (n_i * n_e));
  }
  return Math.sqrt(Math.max(0, variance));
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function weightedMean(values: readonly number[], weights: readonly number[]): number {
  return sumOf(values.map((value, k) => value * weights[k])) / sumOf(weights);
}

function capWarnings(banks: readonly BankPosterior[], { n_leftOut }: MergedSums, limit: number): string[] {
  const warnings = banks
    .filter(({ capped }) => capped.n > 0)
    .map(
      ({ id, capped, lnEvidence }) =>
        `${id}: ${capped.n} rows beyond --size-limit ${limit} are left out; they would add ` +
        `${percent(Math.exp(capped.lnEvidence - lnEvidence))} to the bank's evidence (ln ${capped.lnEvidence.toFixed(2)})`,
    );
  if (n_leftOut > 0)
    warnings.push(
      `all banks: ${n_leftOut} rows beyond --size-limit ${limit} are left out of prob_samples; the evidence includes them`,
    );
  return warnings;
}

function discardedWarnings({ ln_evidence, ln_evidence_discarded }: SummaryResults): string[] {
  const share = Math.exp(ln_evidence_discarded - ln_evidence);
  if (!(share > NOTABLE_SHARE)) return [];
  return [
    `the rows below the threshold would add ${percent(share)} to the evidence: raise --max-bestfit-lnlike-diff`,
  ];
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(2)}%`;
}

function posteriorByBankSample(
  { banks: inputs }: FinishInput,
  banks: readonly BankPosterior[],
  lnEvidence: number,
) {
  return banks.map((bank, k) => {
    const share = shareOf(bank, lnEvidence);
    return { samples: inputs[k].bank.samples, posterior_i: bank.share_i.map((value) => value * share) };
  });
}
