/** The folders that a run writes to. */
import type { Check } from "./checklist.ts";
import { type FolderProbe, probeFolder } from "./folder-probe.ts";

export interface FolderToCheck {
  /** "run folder", "scratch folder", ... */
  readonly name: string;
  readonly path: string;
  readonly needBytes: number;
  /** A run cannot do without it. */
  readonly isNeeded: boolean;
}

export function folderChecks(folders: readonly FolderToCheck[]): Check[] {
  return folders.flatMap((one) => folderCheck(one, probeFolder(one.path)));
}

/** A file system whose clock is further off (s), whose disk answers later (s), that has fewer files left. */
const MUCH_SKEW = 2;
const SLOW = 1;
const FEW_FILES = 1000;

/** One line, and one for each doubt beside it. */
export function folderCheck({ name, path, needBytes, isNeeded }: FolderToCheck, probe: FolderProbe): Check[] {
  const { error, freeBytes, freeFiles, folder, seconds, skew } = probe;
  const where = folder === path ? path : `${path} (in ${folder})`;
  if (error !== undefined) {
    const todo = `choose another folder for the ${name}: ${reason(error)}`;
    const found = `${where}: cannot be written (${error})`;
    return isNeeded
      ? [{ name, level: "fail", found, todo, exit: "cannotCreate" }]
      : [{ name, level: "warn", found, todo }];
  }
  const free = Number.isNaN(freeBytes) ? "" : `, ${(freeBytes / 1e9).toPrecision(3)} GB free`;
  const found = `${where}: written in ${(1000 * seconds).toPrecision(2)} ms${free}`;
  const doubts: Check[] = [];
  if (freeBytes < needBytes) {
    const todo = `a run may write ${(needBytes / 1e9).toPrecision(2)} GB here: make room, or lower --size-limit`;
    doubts.push({ name, level: "warn", found, todo });
  }
  if (freeFiles < FEW_FILES)
    doubts.push({ name, level: "warn", found: `${where}: ${freeFiles} files left`, todo: "remove files" });
  if (seconds > SLOW)
    doubts.push({ name, level: "warn", found, todo: "its disk is slow or busy: choose a local folder" });
  if (Math.abs(skew) > MUCH_SKEW) {
    const off = `${where}: its clock is ${skew.toFixed(1)} s off this machine's`;
    doubts.push({ name, level: "warn", found: off, todo: "have both set (chrony, ntpd)" });
  }
  return doubts.length > 0 ? doubts : [{ name, level: "pass", found }];
}

function reason(error: string): string {
  const known: Readonly<Record<string, string>> = {
    EACCES: "permission denied",
    EPERM: "permission denied",
    EROFS: "the file system is mounted read-only",
    ENOSPC: "no space left",
    EDQUOT: "your quota is used up",
    ENOTDIR: "a part of the path is a file",
  };
  return known[error] ?? error;
}
