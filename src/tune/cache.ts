/**
 * Settings that were measured, one file each: `hpc_config_<signature>.json` in the user's cache folder, or in the
 * machine's own folder, which is looked at first. Nothing here fails: what is wrong with a file or folder comes back as
 * a warning, and the run goes on without it.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { DotpeError } from "../errors.ts";
import { writeFileAtomic } from "../io/atomic-write.ts";
import { readInput } from "../io/input.ts";
import { parseJson } from "../io/json.ts";
import { type CacheEntry, parseEntry, shown, toFile, type Usable, whyUnusable } from "./entry.ts";
import type { Signature } from "./signature.ts";

const MAX_ENTRY_BYTES = 64 * 2 ** 10;
/** More files than this are not listed. */
const MAX_ENTRIES = 4096;
const ENTRY_NAME = /^hpc_config_([0-9a-f]{16})\.json$/;
/** What an interrupted write or tune leaves behind. */
const LEFTOVER = /^(\.hpc_config_[0-9a-f]{16}\.json\..*\.part|tune_[0-9a-f]{16}_.*\.log)$/;
/** Younger ones may be in use by another host that shares the folder. */
const LEFTOVER_MS = 3600e3;

/** Where settings are. */
export interface Places {
  /** The user's own; undefined if there is no home. */
  readonly user: string | undefined;
  /** Written by who runs the machine, only read here. */
  readonly system: string;
}

/** By the XDG base directory specification, which says to ignore a relative XDG_CACHE_HOME. */
export function cachePlaces(environment: Readonly<Record<string, string | undefined>> = process.env): Places {
  const home = absolute(environment.HOME);
  const base = absolute(environment.XDG_CACHE_HOME) ?? (home && join(home, ".cache"));
  return { user: base && join(base, "dotpe"), system: "/etc/dotpe" };
}

/** The path, unless it is relative, or its bytes are not UTF-8: then what is left of it names another folder. */
function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) && !path.includes("\ufffd") ? path : undefined;
}

export interface FoundEntry {
  readonly entry: CacheEntry;
  readonly path: string;
}

/** The remembered setting for a signature, if there is one that can be used; one warning for each file that cannot. */
export function readCached(
  { id }: Signature,
  usable: Usable,
  places: Places = cachePlaces(),
): { found?: FoundEntry; warnings: string[] } {
  const warnings: string[] = [];
  for (const folder of foldersOf(places)) {
    const path = join(folder, entryName(id));
    const entry = readEntry(path, id);
    const problem = typeof entry === "string" ? entry : entry && whyUnusable(entry, usable);
    if (problem !== undefined) warnings.push(ignored(path, problem));
    else if (entry !== undefined) return { found: { entry: entry as CacheEntry, path }, warnings };
  }
  return { warnings };
}

/** Writes an entry into the user's folder; two writers at once: the last one's is there, whole. */
export function writeCached(
  entry: CacheEntry,
  places: Places = cachePlaces(),
): { path: string } | { warning: string } {
  const file = toFile(entry);
  const checked = parseEntry(file);
  if (typeof checked === "string") return { warning: `the setting is not remembered: ${checked}` };
  if (places.user === undefined) {
    return { warning: "the setting is not remembered: neither XDG_CACHE_HOME nor HOME names a folder" };
  }
  const path = join(places.user, entryName(file.signature));
  try {
    mkdirSync(places.user, { recursive: true, mode: 0o700 });
    writeFileAtomic(path, JSON.stringify(file, null, 2) + "\n");
    return { path };
  } catch (error) {
    return { warning: `the setting is not remembered: ${reasonOf(error, path)}` };
  }
}

/** Every entry that can be read, the system's first, each folder's by signature. */
export function listCached(places: Places = cachePlaces()): { found: FoundEntry[]; warnings: string[] } {
  const found: FoundEntry[] = [];
  const warnings: string[] = [];
  for (const folder of foldersOf(places)) {
    const names = namesIn(folder, ENTRY_NAME, warnings);
    if (names.length > MAX_ENTRIES) {
      warnings.push(`${folder}: found ${names.length} settings; the first ${MAX_ENTRIES} are listed`);
    }
    for (const name of names.slice(0, MAX_ENTRIES)) {
      const path = join(folder, name);
      const entry = readEntry(path, (ENTRY_NAME.exec(name) as RegExpExecArray)[1]);
      if (typeof entry === "string") warnings.push(ignored(path, entry));
      else if (entry !== undefined) found.push({ entry, path });
    }
  }
  return { found, warnings };
}

/**
 * Removes the user's entries, readable or not, and what interrupted tunes have left there more than an hour ago. The
 * system's stay.
 * @param ids of these signatures only
 * @returns paths of the entries
 */
export function clearCached(
  places: Places = cachePlaces(),
  ids?: readonly string[],
): { removed: string[]; warnings: string[] } {
  const removed: string[] = [];
  const warnings: string[] = [];
  const { user } = places;
  if (user === undefined) return { removed, warnings };
  const wanted = (name: string) => ids === undefined || ids.some((id) => name === entryName(id));
  for (const name of namesIn(user, ENTRY_NAME, warnings).filter(wanted)) {
    if (remove(join(user, name), warnings)) removed.push(join(user, name));
  }
  if (ids !== undefined) return { removed, warnings };
  for (const name of namesIn(user, LEFTOVER, warnings)) {
    const age = Date.now() - (statSync(join(user, name), { throwIfNoEntry: false })?.mtimeMs ?? Infinity);
    if (age > LEFTOVER_MS) remove(join(user, name), warnings);
  }
  return { removed, warnings };
}

function foldersOf({ user, system }: Places): string[] {
  return user === undefined ? [system] : [system, user];
}

function entryName(id: string): string {
  return `hpc_config_${id}.json`;
}

/** @returns undefined if there is no such file; what is wrong with it as text */
function readEntry(path: string, id: string): CacheEntry | string | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    // Opening a named pipe would wait for somebody who writes to it.
    if (!stat.isFile())
      return `found a ${stat.isDirectory() ? "folder" : "special file"}, expected a regular file`;
    const entry = parseEntry(parseJson(readTwice(path), path));
    if (typeof entry === "string" || entry.signature.id === id) return entry;
    return `field signature: found ${entry.signature.id}, expected ${id} as in the file's name`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    return reasonOf(error, path);
  }
}

/** On NFS a file that another host replaces while it is read is lost (ESTALE); the one in its place can be read. */
function readTwice(path: string): Uint8Array {
  try {
    return readInput(path, MAX_ENTRY_BYTES);
  } catch (error) {
    if (!(error instanceof DotpeError) || error.exit !== "noInput") throw error;
    return readInput(path, MAX_ENTRY_BYTES);
  }
}

/** Sorted; none if there is no such folder. */
function namesIn(folder: string, pattern: RegExp, warnings: string[]): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => pattern.test(name))
      .sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") warnings.push(reasonOf(error, folder));
    return [];
  }
}

function remove(path: string, warnings: string[]): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch (error) {
    warnings.push(reasonOf(error, path));
    return false;
  }
}

function ignored(path: string, problem: string): string {
  const what = problem.startsWith(`${path}: `) ? problem : `${path}: ${problem}`;
  return shown(`${what}. The file is ignored.`);
}

/** One line that names the path. @throws what is not of the system or of this program's making */
function reasonOf(error: unknown, path: string): string {
  if (error instanceof DotpeError) return error.message;
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return `${path}: ${code}`;
}
