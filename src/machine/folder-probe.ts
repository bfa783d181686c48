/** Whether a folder can be written, by writing: what a file system says of itself is not always so. */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";

export interface FolderProbe {
  /** The folder asked for, or the nearest one above it that exists, in which it would be made. */
  readonly folder: string;
  /** Why nothing could be written: EACCES, ENOSPC, ...; undefined: it could. */
  readonly error: string | undefined;
  /** For other users than root; NaN: not said. */
  readonly freeBytes: number;
  /** Files that can still be made; NaN: not said, or unlimited. */
  readonly freeFiles: number;
  /** To write a small file and have it on the disk (s). */
  readonly seconds: number;
  /** Time of the file system less that of this machine (s): a file server has a clock of its own. NaN: not known. */
  readonly skew: number;
}

const CONTENT = Buffer.alloc(4096, "dotpe-hpc check\n");
/** File systems keep whole seconds at worst: the file's time lies between those before and after, less this (s). */
const COARSEST = 1;

/** Writes a small file, has it go to the disk, reads it back, removes it. */
export function probeFolder(path: string): FolderProbe {
  const folder = nearestFolder(resolve(path));
  const unknown = { freeBytes: Number.NaN, freeFiles: Number.NaN, skew: Number.NaN, seconds: Number.NaN };
  if (folder === undefined) return { ...unknown, folder: path, error: "ENOTDIR" };
  const file = join(folder, `.dotpe-hpc-check-${process.pid}-${Bun.randomUUIDv7()}`);
  const space = freeSpace(folder);
  let made = false;
  try {
    const before = Date.now() / 1000;
    const started = performance.now();
    const fd = openSync(file, "wx", 0o600);
    made = true;
    let time: number;
    try {
      for (let at = 0; at < CONTENT.length; ) at += writeSync(fd, CONTENT, at);
      fsyncSync(fd);
      time = fstatSync(fd).mtimeMs / 1000;
    } finally {
      closeSync(fd);
    }
    const seconds = (performance.now() - started) / 1000;
    const after = Date.now() / 1000;
    const error = readFileSync(file).equals(CONTENT) ? undefined : "other content than was written";
    unlinkSync(file);
    made = false;
    return { ...space, folder, error, seconds, skew: outside(time, before, after) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { ...unknown, ...space, folder, error: code ?? message };
  } finally {
    if (made) removeQuietly(file);
  }
}

/** How far a time lies outside first <= t <= last. */
function outside(time: number, first: number, last: number): number {
  if (time < first - COARSEST) return time - first;
  return time > last + COARSEST ? time - last : 0;
}

function nearestFolder(path: string): string | undefined {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(at)) return statSync(at).isDirectory() ? at : undefined;
    if (at === dirname(at)) return undefined;
  }
}

function freeSpace(folder: string): Pick<FolderProbe, "freeBytes" | "freeFiles"> {
  try {
    const { bavail, bsize, ffree, files } = statfsSync(folder);
    return { freeBytes: bavail * bsize, freeFiles: files > 0 ? ffree : Number.NaN };
  } catch {
    return { freeBytes: Number.NaN, freeFiles: Number.NaN };
  }
}

function removeQuietly(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // The folder is reported as one that cannot be used: it could not be written, read or emptied.
  }
}
