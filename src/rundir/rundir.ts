/** The folder that a run writes into: new, or empty, and this run's alone. */
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DotpeError } from "../errors.ts";

const RUN_PREFIX = "run_";
/** Every run directory holds this folder; making it claims the directory. */
export const BANKS_FOLDER = "banks";
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
 * ones.
 * @param made gets the folders that were not there before, outermost first
 * @throws DotpeError cannotCreate if `rundir` exists and is not empty, is claimed by another run, or nothing can be made there.
 */
export function createRundir({ rundir, eventDir, eventName }: RundirChoice, made: string[] = []): string {
  if (rundir !== undefined) return claimExactly(rundir, made);
  return makeNumbered(eventDir ?? safeFolderName(eventName), made);
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

function claimExactly(rundir: string, made: string[]): string {
  makeFolder(rundir, made);
  if (!isEmpty(rundir) || !makeNew(join(rundir, BANKS_FOLDER))) {
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
    makeNew(join(rundir, BANKS_FOLDER));
    return rundir;
  }
  throw new DotpeError(
    "cannotCreate",
    `${eventDir}: found no free name from ${RUN_PREFIX}${first} on`,
    "Give --rundir.",
  );
}

/** One more than the largest N of the run_N here. */
function nextNumber(eventDir: string): number {
  const numbers = list(eventDir).flatMap((name) => {
    const digits = name.match(/^run_(\d{1,9})$/);
    return digits === null ? [] : [Number(digits[1])];
  });
  return numbers.reduce((largest, number) => Math.max(largest, number), -1) + 1;
}

function isEmpty(folder: string): boolean {
  return list(folder).length === 0;
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
