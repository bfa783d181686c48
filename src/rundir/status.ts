/** What a run directory says of its run: what it is, who works on it, how far it is. Changes nothing. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { toKebab } from "../cli.ts";
import { DotpeError } from "../errors.ts";
import { readIfGood } from "../io/checked-json.ts";
import { SUMS_FILE } from "../io/sha256.ts";
import { SystemFiles } from "../machine/system-files.ts";
import { OPTION_NAMES, TABLE } from "../option-table.ts";
import { hasManifest, MANIFEST_FILE, type Manifest, readManifest } from "./manifest.ts";
import type { OomCount } from "./oom.ts";
import {
  type Attempt,
  attemptsOf,
  holderOf,
  isOnThisBoot,
  killsSince,
  type Owner,
  thisOwner,
} from "./owner.ts";
import { PROGRESS, PROGRESS_FILE, type Progress } from "./progress-file.ts";
import { isComplete, SUMMARY_FILE } from "./results.ts";
import { CHECKPOINT_FOLDER, numberedRundirs } from "./rundir.ts";
import { type SavedState, savedStates } from "./saved-states.ts";
import { readSummary, type StoredSummary } from "./verify-results.ts";

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
  readonly run?: Pick<Manifest, "begun" | "program" | "options">;
  /** Options given that are not the defaults, as on the command line. */
  readonly options: readonly string[];
  /** When by the file system's clock. */
  readonly result?: StoredSummary & { readonly completed: string };
  readonly progress?: Progress;
  readonly saved: readonly SavedState[];
  /** Those that worked in it, the first one first; of a complete run they are not kept. */
  readonly processes: readonly Attempt[];
  /** Of killed: where the system has killed for lack of memory since that process began. */
  readonly outOfMemory?: OomCount;
}

export function isRundir(rundir: string): boolean {
  const isThere = (name: string) => existsSync(join(rundir, name));
  // The reference's runs have a summary alone.
  if (isThere(MANIFEST_FILE) || (isComplete(rundir) && isThere(SUMS_FILE))) return true;
  return attemptsOf(join(rundir, CHECKPOINT_FOLDER)).length > 0;
}

export function notARundir(rundir: string): DotpeError {
  const found = existsSync(rundir) ? `found no ${MANIFEST_FILE}, expected a run directory` : "no such folder";
  return new DotpeError(
    "noInput",
    `${rundir}: ${found}`,
    "Give the folder of a run, or one that holds run_N.",
  );
}

/** A run directory, or those run_N of a folder that are one, the last one first. @throws DotpeError noInput. */
export function rundirsOf(folder: string): string[] {
  if (isRundir(folder)) return [folder];
  const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
  const found = isFolder ? numberedRundirs(folder).filter(isRundir) : [];
  if (found.length === 0) throw notARundir(folder);
  return found;
}

/**
 * @param files where control groups are
 * @throws DotpeError noInput if it is no run directory.
 */
export function runStatus(
  rundir: string,
  me: Owner = thisOwner(0),
  files: SystemFiles = new SystemFiles(),
): RunStatus {
  if (!isRundir(rundir)) throw notARundir(rundir);
  const folder = join(rundir, CHECKPOINT_FOLDER);
  const processes = attemptsOf(folder);
  const known = { rundir, options: [], saved: savedStates(folder), processes };
  try {
    const manifest = hasManifest(rundir) ? readManifest(rundir) : undefined;
    const found = { ...known, ...(manifest && factsOf(manifest)) };
    if (isComplete(rundir)) {
      const summary = join(rundir, SUMMARY_FILE);
      const result = { ...readSummary(summary), completed: statSync(summary).mtime.toISOString() };
      return { ...found, state: "complete", result };
    }
    const state = stateOf(processes, me);
    const kills = state === "killed" ? killsSince(processes.at(-1)?.owner, me, files) : [];
    const said = readIfGood(PROGRESS, join(folder, PROGRESS_FILE));
    // What an earlier process has said is past.
    const progress = said?.process === processes.at(-1)?.number ? said : undefined;
    return {
      ...found,
      state,
      ...(progress && { progress }),
      ...(kills.length > 0 && { outOfMemory: kills[0] }),
    };
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
    return { ...known, state: "damaged", damage: error.message };
  }
}

function stateOf(attempts: readonly Attempt[], me: Owner): RunState {
  if (attempts.length === 0 || attempts.at(-1)?.end !== undefined) return "interrupted";
  const holder = holderOf(attempts, me);
  if (holder === undefined) return "killed";
  const isSeen = isOnThisBoot(holder.owner, me) && holder.owner?.pidNamespace === me.pidNamespace;
  return isSeen ? "running" : "held";
}

function factsOf({ begun, program, options }: Manifest): Pick<RunStatus, "run" | "options"> {
  return { run: { begun, program, options }, options: flagsOf(options) };
}

function flagsOf(options: Manifest["options"]): string[] {
  return OPTION_NAMES.flatMap((name) => {
    const flag = toKebab(name);
    const value = options[flag.replaceAll("-", "_")] ?? null;
    const initial = v.safeParse(TABLE[name].schema as v.GenericSchema, undefined).output;
    const isUsual = value === null || JSON.stringify(value) === JSON.stringify(initial);
    if (isUsual || name === "rundir" || name === "eventDir") return [];
    if (typeof value === "boolean") return [value ? `--${flag}` : `--no-${flag}`];
    if (typeof value !== "object") return [`--${flag} ${value}`];
    return Object.entries(value).map(([bank, of]) => `--${flag} ${bank}=${of}`);
  });
}
