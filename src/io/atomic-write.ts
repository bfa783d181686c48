/**
 * Writing a file so that a reader sees either the old content or all of the new, whatever dies in between:
 * temporary file in the same folder, length check, fsync, rename, fsync of the folder.
 */
import { closeSync, fstatSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DotpeError } from "../errors.ts";

/** One write call moves at most this many bytes (the kernel's limit is just below 2^31). */
const MAX_WRITE_BYTES = 2 ** 30;

/**
 * Replaces `path` by these bytes, or by these chunks one after the other (each is used before the next is asked for).
 * The temporary file is `.<name>.<process id>-<unique>.part` and is removed if anything fails.
 * @throws DotpeError cannotCreate (no space, no permission, no such folder); whatever the chunks' iterator throws.
 */
export function writeFileAtomic(path: string, content: Uint8Array | string | Iterable<Uint8Array>): void {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}-${Bun.randomUUIDv7()}.part`);
  try {
    writeAndSync(temporary, chunksOf(content));
    renameSync(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    throw isSystemError(error) ? cannotCreate(path, error.code) : error;
  }
  syncFolder(folder);
}

function chunksOf(content: Uint8Array | string | Iterable<Uint8Array>): Iterable<Uint8Array> {
  if (typeof content === "string") return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}

function writeAndSync(path: string, chunks: Iterable<Uint8Array>): void {
  const fd = openSync(path, "wx", 0o644);
  try {
    let expected = 0;
    for (const chunk of chunks) {
      writeAll(fd, chunk);
      expected += chunk.length;
    }
    const found = fstatSync(fd).size;
    if (found !== expected) {
      throw new DotpeError(
        "cannotCreate",
        `${path}: found ${found} bytes after writing ${expected}`,
        CHECK_DISK,
      );
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, chunk: Uint8Array): void {
  for (let done = 0; done < chunk.length; ) {
    done += writeSync(fd, chunk, done, Math.min(chunk.length - done, MAX_WRITE_BYTES));
  }
}

/** Makes the rename survive a power cut; some network file systems refuse, and the file is whole there too. */
function syncFolder(folder: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(folder, "r");
    fsyncSync(fd);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "syscall" in error && "code" in error;
}

const CHECK_DISK = "Check the free space, the quota and the permissions of the folder.";

function cannotCreate(path: string, code: string): DotpeError {
  const reasons: Record<string, string> = {
    ENOSPC: "no space left",
    EDQUOT: "quota exceeded",
    EACCES: "permission denied",
    EROFS: "read-only file system",
    ENOENT: "no such folder",
    ENOTDIR: "its folder is a file",
    EISDIR: "it is a folder",
  };
  return new DotpeError(
    "cannotCreate",
    `${path}: cannot write: ${reasons[code] ?? code} (${code})`,
    CHECK_DISK,
  );
}
