/** What a run directory says of its run: what it is, who works on it, how far it is. Changes nothing. */
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import * as v from "valibot";
import { toKebab } from "../cli.ts";
import { DotpeError } from "../errors.ts";
import { readJson } from "../io/json.ts";
import { OPTION_NAMES, TABLE } from "../option-table.ts";
import { hasManifest, MANIFEST_FILE, type Manifest, readManifest } from "./manifest.ts";
import { moreKills } from "./oom.ts";
import { type Attempt, attemptsOf, holderOf, type Owner, thisOwner } from "./owner.ts";
import { PROGRESS, PROGRESS_FILE, type Progress } from "./progress-file.ts";
import { SUMMARY_FILE } from "./results.ts";
import { CHECKPOINT_FOLDER, numberedRundirs } from "./rundir.ts";
import { type SavedState, savedStates } from "./saved-states.ts";

/**
 * running: by a process of this host that lives. held: by one of which nobody here knows whether it has ended. interrupted: the last
 * one said how it left. killed: it left no word. damaged: what the run is cannot be believed.
 */
export type RunState = "complete" | "running" | "held" | "interrupted" | "killed" | "damaged";

export interface RunStatus {
  readonly rundir: string;
  readonly state: RunState;
  /** Of damaged. */
  readonly damage?: string;
  /** Absent: manifest.json was not written yet, or is damaged. */
  readonly run?: RunFacts;
  readonly result?: Result;
  /** Of one that is not complete. */
  readonly progress?: RunProgress;
  readonly saved: readonly SavedState[];
  /** Of those that worked in it, the first one first; of a complete run they are not kept. */
  readonly processes: readonly WorkedOnIt[];
  /** Control group in which the system has killed for lack of memory since the last process began. */
  readonly outOfMemory?: { readonly folder: string; readonly kills: number };
}

export interface RunFacts extends Pick<Manifest, "begun"> {
  readonly event: string;
  readonly banks: readonly string[];
  readonly version: string;
  /** Those given that are not the defaults, as on the command line. */
  readonly options: readonly string[];
}

export interface Result {
  /** By the file system's clock. */
  readonly completed: string;
  readonly lnEvidence: number | null;
  readonly lnEvidenceError: number | null;
  readonly nEffective: number | null;
  readonly nRows: number | null;
}

export interface RunProgress extends Progress {
  /** Units a second since the process began the stage, and how long the rest of the stage takes (s); 0: not known. */
  readonly rate: number;
  readonly secondsLeft: number;
}

export type WorkedOnIt = Pick<Attempt, "number" | "end"> &
  Partial<Pick<Owner, "host" | "pid" | "slurmJob" | "began" | "threads">>;

export function isRundir(rundir: string): boolean {
  return (
    existsSync(join(rundir, MANIFEST_FILE)) ||
    existsSync(join(rundir, SUMMARY_FILE)) ||
    attemptsOf(join(rundir, CHECKPOINT_FOLDER)).length > 0
  );
}

export function notARundir(rundir: string): DotpeError {
  const stat = statSync(rundir, { throwIfNoEntry: false });
  const found = stat === undefined ? "no such folder" : `found no ${MANIFEST_FILE}, expected a run directory`;
  return new DotpeError(
    "noInput",
    `${rundir}: ${found}`,
    "Give the folder of a run, or one that holds run_N.",
  );
}

/** A run directory, or those run_N of a folder that are one, the last one first. @throws DotpeError noInput. */
export function rundirsOf(folder: string): string[] {
  if (isRundir(folder)) return [folder];
  const stat = statSync(folder, { throwIfNoEntry: false });
  const found = stat?.isDirectory() ? numberedRundirs(folder).filter(isRundir) : [];
  if (found.length === 0) throw notARundir(folder);
  return found;
}

/** @throws DotpeError noInput if it is no run directory. */
export function runStatus(rundir: string, me: Owner = thisOwner(0)): RunStatus {
  if (!isRundir(rundir)) throw notARundir(rundir);
  const folder = join(rundir, CHECKPOINT_FOLDER);
  const attempts = attemptsOf(folder);
  const manifest = hasManifest(rundir) ? tried(() => readManifest(rundir)) : undefined;
  const result = existsSync(join(rundir, SUMMARY_FILE)) ? tried(() => readResult(rundir)) : undefined;
  const damage = [manifest, result].find((one) => one instanceof DotpeError);
  const found = {
    ...{ rundir, saved: savedStates(folder), processes: attempts.map(workedOnIt) },
    ...(manifest instanceof DotpeError || manifest === undefined ? {} : { run: factsOf(manifest) }),
  };
  if (damage instanceof DotpeError) return { ...found, state: "damaged", damage: damage.message };
  if (result !== undefined) return { ...found, state: "complete", result: result as Result };
  const state = stateOf(attempts, me);
  const last = attempts.at(-1)?.owner;
  const isHere = last !== undefined && last.host === me.host && last.boot === me.boot;
  const kills = state === "killed" && isHere ? moreKills(last.oomKills, me.oomKills) : [];
  const progress = readProgress(folder);
  return {
    ...{ ...found, state },
    ...(progress === undefined ? {} : { progress }),
    ...(kills.length === 0 ? {} : { outOfMemory: kills[0] }),
  };
}

function stateOf(attempts: readonly Attempt[], me: Owner): RunState {
  const last = attempts.at(-1);
  if (last === undefined || last.end !== undefined) return "interrupted";
  const holder = holderOf(attempts, me)?.owner;
  if (holderOf(attempts, me) === undefined) return "killed";
  const isHere = holder?.host === me.host && holder.boot === me.boot;
  return isHere && holder.pidNamespace === me.pidNamespace ? "running" : "held";
}

function tried<T>(read: () => T): T | DotpeError {
  try {
    return read();
  } catch (error) {
    if (error instanceof DotpeError) return error;
    throw error;
  }
}

function workedOnIt({ number, owner, end }: Attempt): WorkedOnIt {
  if (owner === undefined) return { number, end };
  const { host, pid, slurmJob, began, threads } = owner;
  return { ...{ number, end, host, pid, slurmJob }, ...{ began, threads } };
}

function factsOf({ options, begun, program }: Manifest): RunFacts {
  const { event, bank_folder } = options;
  return {
    event: basename(String(event)),
    banks: (Array.isArray(bank_folder) ? bank_folder : [bank_folder]).map(String),
    version: program.version,
    begun,
    options: optionsOf(options),
  };
}

function optionsOf(options: Manifest["options"]): string[] {
  return OPTION_NAMES.flatMap((name) => {
    const flag = toKebab(name);
    const value = options[flag.replaceAll("-", "_")];
    const { schema } = TABLE[name] as { schema: v.GenericSchema };
    const initial = v.safeParse(schema, undefined).output;
    if (value === undefined || value === null || name === "rundir" || name === "eventDir") return [];
    if (JSON.stringify(value) === JSON.stringify(initial)) return [];
    if (typeof value === "boolean") return [value ? `--${flag}` : `--no-${flag}`];
    if (typeof value !== "object") return [`--${flag} ${value}`];
    return Object.entries(value).map(([bank, of]) => `--${flag} ${bank}=${of}`);
  });
}

const NUMBER = v.nullable(v.number());
const SUMMARY = v.object({
  ...{ ln_evidence: NUMBER, ln_evidence_error: NUMBER, n_effective: NUMBER, n_rows: NUMBER },
});

function readResult(rundir: string): Result {
  const path = join(rundir, SUMMARY_FILE);
  const parsed = v.safeParse(SUMMARY, readJson(path));
  if (!parsed.success) throw new DotpeError("badData", `${path}: ${parsed.issues[0].message}`, "");
  const { ln_evidence, ln_evidence_error, n_effective, n_rows } = parsed.output;
  return {
    completed: statSync(path).mtime.toISOString(),
    ...{ lnEvidence: ln_evidence, lnEvidenceError: ln_evidence_error },
    ...{ nEffective: n_effective, nRows: n_rows },
  };
}

function readProgress(folder: string): RunProgress | undefined {
  const path = join(folder, PROGRESS_FILE);
  const read = existsSync(path) ? tried(() => v.safeParse(PROGRESS, readJson(path))) : undefined;
  if (read === undefined || read instanceof DotpeError || !read.success) return undefined;
  const { done, before, stageSeconds, total } = read.output;
  const rate = stageSeconds > 0 ? Math.max(0, done - before) / stageSeconds : 0;
  const secondsLeft = rate > 0 && total > done ? (total - done) / rate : 0;
  return { ...read.output, rate, secondsLeft };
}
