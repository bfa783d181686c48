/** Reads a bank as a whole and says what is wrong with it: `dotpe-hpc bank check`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import { type Bank, openBank } from "../gw/bank.ts";
import { bankFiles } from "../gw/bank-reader.ts";
import type { Reporter } from "../report/reporter.ts";
import { shareF64 } from "../workers/arena.ts";
import type { Pool } from "../workers/pool.ts";
import { checkPlan } from "./check-job.ts";
import { type BankCheck, failed, passed } from "./check-list.ts";
import { checkSamples } from "./check-samples.ts";
import { namesOf, readSums, sumChecks } from "./check-sums.ts";
import { lookAtWaveforms, waveformChecks } from "./check-waveforms.ts";

export interface BankReport {
  readonly bank: string;
  readonly checks: readonly BankCheck[];
  /** undefined: the bank cannot be opened. */
  readonly read?: {
    readonly samples: number;
    readonly approximant: string;
    /** Of the waveforms as numbers. */
    readonly bytes: number;
    /** To read and check them. */
    readonly seconds: number;
    readonly threads: number;
  };
}

/** Of bytes as progress counts them. */
const MB = 1e6;

/**
 * All checks that need nothing but the bank. What is wrong with it is a line of the list, not an error.
 * @throws DotpeError noInput: no such folder.
 */
export async function checkBank(
  folder: string,
  pool: Pool,
  report: Reporter,
): Promise<{ report: BankReport; bank: Bank | null }> {
  const opened = open(folder);
  if (!("bank" in opened)) return { report: { bank: folder, checks: [opened.check] }, bank: null };
  const { bank } = opened;
  const { config, n_i } = bank;
  const files = bankFiles(bank);
  const samples = checkSamples(bank);
  const sums = readSums(folder, namesOf(bank));
  const paths = (sums?.files ?? []).map(({ name }) => join(folder, name));
  const grid = { fbin: shareF64(config.fbin), mArr: config.m_arr };
  const plan = checkPlan(files, grid, readableMasses(bank, samples), paths);
  const bytes = 2 * 8 * n_i * files.n_m * 2 * files.n_b;
  const progress = report.stage("reading", Math.round(bytes / MB), "MB");
  const started = performance.now();
  const found = await lookAtWaveforms(plan, pool, (share) => progress.update((share * bytes) / MB));
  const seconds = (performance.now() - started) / 1000;
  progress.update(bytes / MB);
  progress.end();
  const checks = [
    opened.check,
    ...samples,
    ...waveformChecks(bank, plan, found),
    ...sumChecks(sums, found.sums),
  ];
  const { approximant } = config;
  const read = { samples: n_i, approximant, bytes, seconds, threads: pool.n_procs };
  return { report: { bank: folder, checks, read }, bank };
}

type Opened = { readonly check: BankCheck } | { readonly check: BankCheck; readonly bank: Bank };

function open(folder: string): Opened {
  if (!existsSync(folder)) {
    const hint = "Give the folder that holds bank_config.json.";
    throw new DotpeError("noInput", `bank ${folder}: no such folder`, hint);
  }
  try {
    const bank = openBank(folder, "bank");
    const { n_i, config } = bank;
    const shape = `${n_i.toLocaleString("en")} samples, m = ${config.m_arr.join(", ")}, ${config.fbin.length} bins`;
    return { bank, check: passed("format", `every file has its shape: ${shape}`) };
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
    return { check: failed("format", error.message, error.hint) };
  }
}

/** Shared copies of what says how a waveform turns; nothing if a column of the samples is bad. */
function readableMasses({ samples }: Bank, checks: readonly BankCheck[]) {
  if (checks.some(({ name, level }) => name === "parameters" && level === "fail")) return {};
  const { m1, m2, s1z, s2z } = samples;
  return { m1: shareF64(m1), m2: shareF64(m2), s1z: shareF64(s1z), s2z: shareF64(s2z) };
}
