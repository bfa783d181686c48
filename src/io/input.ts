/**
 * Opening input files: every way in which that can fail is a DotpeError that names the file.
 * Reads are bounded by the file's own size or by a stated limit.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { DotpeError } from "../errors.ts";

/** Without O_NONBLOCK, opening a named pipe waits for somebody to write; without O_NOCTTY, a terminal may become ours. */
const HOW_TO_OPEN = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
/** One read call moves at most this many bytes (the kernel's limit is just below 2^31). */
const MAX_READ_BYTES = 2 ** 30;

export interface OpenFile {
  readonly path: string;
  readonly fd: number;
  /** Bytes. */
  readonly size: number;
}

/**
 * Opens a regular file for reading, hands it to `use` and closes it.
 * @throws DotpeError noInput if it does not exist, cannot be read, or is not a regular file.
 */
export function withInput<T>(path: string, use: (file: OpenFile) => T): T {
  const file = openInput(path);
  try {
    return use(file);
  } finally {
    closeSync(file.fd);
  }
}

/** Opens a regular file for reading; the caller closes it. @throws as `withInput`. */
export function openInput(path: string): OpenFile {
  const fd = openDescriptor(path);
  const stat = fstatSync(fd);
  if (stat.isFile()) return { path, fd, size: stat.size };
  closeSync(fd);
  throw notRegular(path, stat.isDirectory() ? "a folder" : "a special file");
}

function notRegular(path: string, found: string): DotpeError {
  return new DotpeError(
    "noInput",
    `${path}: found ${found}, expected a regular file`,
    "Give the path of a file.",
  );
}

function openDescriptor(path: string): number {
  try {
    return openSync(path, HOW_TO_OPEN);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EMFILE" || code === "ENFILE") {
      throw new DotpeError("tryAgain", `${path}: too many open files (${code})`, "Raise `ulimit -n`.");
    }
    if (PASSING.has(code ?? "")) throw fault(path, "opening", code);
    // A socket, or a device that is not there.
    if (code === "ENXIO" || code === "ENODEV") throw notRegular(path, "a special file");
    const reason = code === "ENOENT" ? "no such file" : code === "EACCES" ? "permission denied" : `${code}`;
    throw new DotpeError("noInput", `${path}: ${reason}`, "Check the path and its permissions.");
  }
}

/**
 * Reads `length` bytes at `offset`.
 * @throws DotpeError badData if the file ends before, naming the bytes found and expected.
 */
export function readAt(file: OpenFile, offset: number, length: number): Uint8Array<ArrayBuffer> {
  if (offset < 0 || length < 0 || offset + length > file.size) throw truncated(file, offset + length);
  const bytes = allocate(file.path, length);
  readInto(file, bytes, offset);
  return bytes;
}

/**
 * Fills `bytes` from `offset` on.
 * @throws DotpeError badData if the file ends before, naming the bytes found and expected; noInput if it cannot be read,
 * tryAgain if that may pass.
 */
export function readInto(file: Pick<OpenFile, "path" | "fd">, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; ) {
    const n = readOnce(file, bytes, done, Math.min(bytes.length - done, MAX_READ_BYTES), offset + done);
    if (n === 0) throw truncated({ ...file, size: offset + done }, offset + bytes.length);
    done += n;
  }
}

function readOnce(
  file: Pick<OpenFile, "path" | "fd">,
  into: Uint8Array,
  at: number,
  length: number,
  position: number,
): number {
  try {
    return readSync(file.fd, into, at, length, position);
  } catch (error) {
    throw fault(file.path, "reading", (error as NodeJS.ErrnoException).code);
  }
}

/** Of a disk, a server or a connection that may be well again the next time. */
const PASSING: ReadonlySet<string> = new Set([
  ...["EIO", "EREMOTEIO", "ESTALE", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN", "ESHUTDOWN"],
  ...["EAGAIN", "EINTR", "ENOMEM", "ENOBUFS"],
]);

function fault(path: string, doing: string, code = "no reason given"): DotpeError {
  return new DotpeError(
    PASSING.has(code) ? "tryAgain" : "noInput",
    `${path}: ${doing} failed (${code})`,
    "Check the disk or network file system.",
  );
}

function allocate(path: string, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch {
    throw new DotpeError(
      "tryAgain",
      `${path}: no memory for ${length} bytes`,
      "Use a machine with more memory.",
    );
  }
}

function truncated(file: Pick<OpenFile, "path" | "size">, expected: number): DotpeError {
  return new DotpeError(
    "badData",
    `${file.path}: truncated: found ${file.size} bytes, expected at least ${expected}`,
    "Copy or make the file again.",
  );
}

/**
 * A whole file, if it is at most `maxBytes` long.
 * @throws DotpeError noInput (cannot be opened), badData (too long).
 */
export function readInput(path: string, maxBytes: number): Uint8Array<ArrayBuffer> {
  return withInput(path, (file) => {
    if (file.size > maxBytes) {
      throw new DotpeError(
        "badData",
        `${path}: found ${file.size} bytes, expected at most ${maxBytes}`,
        "Check that this is the right file.",
      );
    }
    return readAt(file, 0, file.size);
  });
}
