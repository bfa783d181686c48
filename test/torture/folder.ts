/** What is in a folder that a run left, and what a power cut would have left of it. */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { sha256OfFile } from "../../src/io/sha256.ts";
import type { Call } from "./inject.ts";

/** SHA-256 of every file by its name in the folder; "folder" for folders. Nothing if it is not there. */
export function contentOf(folder: string): Map<string, string> {
  if (!existsSync(folder)) return new Map();
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    return [name, entry.isFile() ? sha256OfFile(path) : "folder"] as const;
  });
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Names that differ between two contents. */
export function differences(found: Map<string, string>, wanted: Map<string, string>): string[] {
  const names = new Set([...found.keys(), ...wanted.keys()]);
  return [...names].flatMap((name) => {
    const [is, was] = [found.get(name), wanted.get(name)];
    if (is === was) return [];
    return [`${name} ${is === undefined ? "is missing" : was === undefined ? "is left over" : "differs"}`];
  });
}

/**
 * Takes from the files what was written to them after their last fsync: the bytes become zeros, or the file ends there, as ext4 and
 * XFS leave it. Names stay as they are.
 */
export function cutPower(folder: string, calls: readonly Call[], random: () => number): void {
  const lost = lostRanges(calls);
  for (const [name, sum] of contentOf(folder)) {
    if (sum === "folder") continue;
    const path = join(folder, name);
    const ranges = lost.get(statSync(path).ino);
    if (ranges !== undefined) loseBytes(path, ranges, random() < 0.5);
  }
}

type Range = readonly [begin: number, end: number];

/** By inode: what no fsync has followed. */
function lostRanges(calls: readonly Call[]): Map<number, Range[]> {
  const lost = new Map<number, Range[]>();
  for (const { name, inode, offset, length, result } of calls) {
    if (/sync$/.test(name) && result === 0) lost.delete(inode);
    if (!/write/.test(name) || !(result > 0) || offset < 0) continue;
    const end = offset + (length < 0 ? result : Math.min(length, result));
    lost.set(inode, [...(lost.get(inode) ?? []), [offset, end]]);
  }
  return lost;
}

function loseBytes(path: string, ranges: readonly Range[], asEnd: boolean): void {
  const fd = openSync(path, "r+");
  try {
    const { size } = fstatSync(fd);
    if (asEnd) ftruncateSync(fd, Math.min(size, ...ranges.map(([begin]) => begin)));
    else
      for (const [begin, end] of ranges) {
        const n = Math.min(end, size) - begin;
        if (n > 0) writeSync(fd, new Uint8Array(n), 0, n, begin);
      }
  } finally {
    closeSync(fd);
  }
}
