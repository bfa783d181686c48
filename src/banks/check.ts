/** Reads a bank as a whole and says what is wrong with it: `dotpe-hpc bank check`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import { type Bank, openBank } from "../gw/bank.ts";
import { bankFiles } from "../gw/bank-reader.ts";
import type { Event } from "../gw/event.ts";
import { formatCount } from "../report/format.ts";
import type { Reporter } from "../report/reporter.ts";
import { shareF64 } from "../workers/arena.ts";
import type { Pool } from "../workers/pool.ts";
import { againCheck, findMaker } from "./check-again.ts";
import { type BinningErrors, checkForEvent } from "./check-event.ts";
import { checkPlan } from "./check-job.ts";
import { type BankCheck, failed, passed, skipped } from "./check-list.ts";
import { checkSamples } from "./check-samples.ts";
import { namesOf, readSums, sumChecks } from "./check-sums.ts";
import { lookAtWaveforms, waveformChecks } from "./check-waveforms.ts";

export interface BankReport {
  readonly bank: string;
  readonly checks: readonly BankCheck[];
  /** Of an event that was given, with the errors of relative binning. */
  readonly event?: string;
  readonly binning?: BinningErrors;
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

export interface CheckOptions {
  /** An event to check it for. */
  readonly event?: Event;
  /** LALSimulation's library, or where it is: see `openWaveforms`. */
  readonly lal: string | null;
}

/** Of bytes as progress counts them. */
const MB = 1e6;

/**
 * All checks. What is wrong with the bank is a line of the list, not an error.
 * @throws DotpeError noInput: no such folder, or no LALSimulation where the user says.
 */
export async function checkBank(
  folder: string,
  { event, lal }: CheckOptions,
  pool: Pool,
  report: Reporter,
): Promise<BankReport> {
  const opened = open(folder);
  if (!("bank" in opened)) return { bank: folder, checks: [opened.check] };
  const { bank } = opened;
  const samples = checkSamples(bank);
  const { checks: waveforms, read } = await readAll(bank, samples, pool, report);
  const checks = [opened.check, ...samples, ...waveforms];
  const areNumbers = ["parameters", "masses", "reading", "numbers", "empty waveforms"];
  if (checks.some(({ name, level }) => level === "fail" && areNumbers.includes(name))) {
    // What is computed of such samples says nothing.
    const later = ["made again", ...(event === undefined ? [] : ["event"])];
    const rest = later.map((name) => skipped(name, "not checked: see what failed"));
    return { bank: folder, checks: [...checks, ...rest], read };
  }
  const maker = await findMaker(bank, lal);
  checks.push(await againCheck(bank, maker, pool));
  if (event === undefined) return { bank: folder, checks, read };
  const { checks: ofEvent, ...found } = await checkForEvent(bank, event, maker, pool, report);
  return { bank: folder, checks: [...checks, ...ofEvent], read, ...found };
}

/** Everything that the bank's files hold. */
async function readAll(bank: Bank, samples: readonly BankCheck[], pool: Pool, report: Reporter) {
  const { config, n_i, folder } = bank;
  const files = bankFiles(bank);
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
  const read = { samples: n_i, approximant: config.approximant, bytes, seconds, threads: pool.n_procs };
  return { checks: [...waveformChecks(bank, plan, found), ...sumChecks(sums, found.sums)], read };
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
    const shape = `${formatCount(n_i)} samples, m = ${config.m_arr.join(", ")}, ${config.fbin.length} bins`;
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
