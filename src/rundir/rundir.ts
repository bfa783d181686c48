/** The folder that a run writes into: new, or empty, and this run's alone. */
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DotpeError } from "../errors.ts";

const RUN_PREFIX = "run_";
/** While the run is not complete: its owners, and the states of its stages. */
export const CHECKPOINT_FOLDER = "checkpoint";
/** Other runs may take the next free number first; more often than this is not a race. */
const MAX_ATTEMPTS = 10_000;

export interface RundirChoice {
  /** Exactly this folder. */
  readonly rundir?: string;
  /** A new run_N in this folder. */
  readonly eventDir?: string;
  /** Names the folder ./<eventName> when neither is given. */
  readonly eventName: string;
}

/**
 * Makes the run directory and returns its path, relative if it was given so. Runs that start at the same time get different
 * run_N; in `rundir` they have to agree whose it is: `owner.ts`.
 * @param made gets the folders that were not there before, outermost first
 * @throws DotpeError cannotCreate if `rundir` holds anything but a checkpoint folder, or nothing can be made there.
 */
export function createRundir(choice: RundirChoice, made: string[] = []): string {
  const { rundir } = choice;
  if (rundir !== undefined) return takeExactly(rundir, made);
  return makeNumbered(eventFolder(choice), made);
}

/** Where the run_N are. */
export function eventFolder({ eventDir, eventName }: RundirChoice): string {
  return eventDir ?? safeFolderName(eventName);
}

/** The run_N of a folder, the last one first. */
export function numberedRundirs(eventDir: string): string[] {
  if (!existsSync(eventDir)) return [];
  return runNumbers(eventDir)
    .sort((a, b) => b - a)
    .map((number) => join(eventDir, `${RUN_PREFIX}${number}`));
}

/**
 * Removes what a failed run has written into its directory, and the folders it made if nothing else is in them by now. A
 * folder that was there before stays. Never throws: the error that ended the run is the one to tell.
 * @param made from `createRundir`
 */
export function discardRundir(rundir: string, made: readonly string[]): void {
  try {
    for (const name of readdirSync(rundir)) rmSync(join(rundir, name), { recursive: true, force: true });
    for (const folder of made.toReversed()) rmdirSync(folder);
  } catch {
    // What cannot be removed stays.
  }
}

function takeExactly(rundir: string, made: string[]): string {
  makeFolder(rundir, made);
  if (list(rundir).some((name) => name !== CHECKPOINT_FOLDER)) {
    throw new DotpeError(
      "cannotCreate",
      `run directory ${rundir}: found files in it, expected a new or empty folder`,
      "Give another --rundir, or --event-dir for a new run_N in a folder.",
    );
  }
  return rundir;
}

function makeNumbered(eventDir: string, made: string[]): string {
  makeFolder(eventDir, made);
  const first = nextNumber(eventDir);
  for (let number = first; number < first + MAX_ATTEMPTS; number++) {
    const rundir = join(eventDir, `${RUN_PREFIX}${number}`);
    if (!makeNew(rundir)) continue;
    made.push(rundir);
    return rundir;
  }
  throw new DotpeError(
    "cannotCreate",
    `${eventDir}: found no free name from ${RUN_PREFIX}${first} on`,
    "Give --rundir.",
  );
}

function runNumbers(eventDir: string): number[] {
  return list(eventDir).flatMap((name) => {
    const digits = name.match(/^run_(\d{1,9})$/);
    return digits === null ? [] : [Number(digits[1])];
  });
}

/** One more than the largest N of the run_N here. */
function nextNumber(eventDir: string): number {
  return runNumbers(eventDir).reduce((largest, number) => Math.max(largest, number), -1) + 1;
}

function list(folder: string): string[] {
  return orRefuse(folder, () => readdirSync(folder));
}

/**
 * Makes the folder and those above it, if they are not there.
 * @param made gets those, outermost first
 * @throws DotpeError cannotCreate.
 */
export function makeFolder(folder: string, made: string[] = []): void {
  const missing: string[] = [];
  for (let at = resolve(folder); !existsSync(at); at = dirname(at)) missing.unshift(at);
  orRefuse(folder, () => mkdirSync(folder, { recursive: true }));
  made.push(...missing);
}

/** False if something of this name exists. */
function makeNew(folder: string): boolean {
  return orRefuse(folder, () => {
    try {
      mkdirSync(folder);
      return true;
    } catch (error) {
      if ((error as { code?: string }).code === "EEXIST") return false;
      throw error;
    }
  });
}

function orRefuse<T>(folder: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined) throw error;
    throw new DotpeError(
      "cannotCreate",
      `run directory ${folder}: cannot be made or read: ${REASONS[code] ?? code} (${code})`,
      "Check the permissions and the free space, or give another --rundir.",
    );
  }
}

const REASONS: Record<string, string> = {
  EACCES: "permission denied",
  EDQUOT: "quota exceeded",
  EEXIST: "there is a file of this name",
  ENOSPC: "no space left",
  ENOTDIR: "a part of its path is a file",
  EROFS: "read-only file system",
};

/** The event's name is data: it names one folder here, never a path. */
function safeFolderName(eventName: string): string {
  const name = eventName.replace(/[^A-Za-z0-9._+-]/g, "_").replace(/^[.-]+/, "_");
  return name === "" ? "event" : name;
}
