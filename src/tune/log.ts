/**
 * What a tune has measured so far, so that the next one goes on where an interrupted one stopped.
 *
 * A log bears the name of the process that writes it: `tune_<signature>_<host>_<pid>-<start>.log`. It is taken over by
 * renaming it, once that process has ended: of several that try, one succeeds, and nobody needs a lock. Every line is one
 * write at the end of the file, with a checksum, so whatever else happens (hosts that share a name and a folder, a full
 * disk) leaves good lines and at most a bad one, which ends the log.
 */
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import { readInput } from "../io/input.ts";
import { isRunning, type ProcessIdentity, thisProcess } from "../machine/process-identity.ts";
import { cachePlaces } from "./cache.ts";
import {
  headerLine,
  type LogHeader,
  type LogRecord,
  MAX_LOG_BYTES,
  MAX_LOG_LINES,
  readLines,
  recordLine,
} from "./log-lines.ts";
import type { Ask } from "./search.ts";

export type { LogHeader, LogRecord } from "./log-lines.ts";

/** Rates measured longer ago than this (ms) are of another state of the machine. */
const MAX_AGE_MS = 7 * 24 * 3600e3;

/** Paths of the logs that this process has open. */
const inUse = new Set<string>();

export class TuneLog {
  private readonly waiting: LogRecord[];
  private n_lines: number;

  constructor(
    private readonly path: string,
    /** undefined: nothing is written. */
    private fd: number | undefined,
    /** What the interrupted tune measured, in its order. */
    readonly known: readonly LogRecord[],
    private n_bytes: number,
  ) {
    this.waiting = [...known];
    this.n_lines = known.length;
    if (fd !== undefined) inUse.add(path);
  }

  /** The known answer to a question; each is given once. */
  take(ask: Ask): LogRecord | undefined {
    const k = this.waiting.findIndex(
      ({ point, effort }) =>
        effort === ask.effort &&
        point.length === ask.point.length &&
        point.every((value, d) => value === ask.point[d]),
    );
    return k === -1 ? undefined : this.waiting.splice(k, 1)[0];
  }

  /**
   * Adds an answer. If it cannot be written nothing more is.
   * @returns the reason, the first time
   */
  append(record: LogRecord): string | undefined {
    if (this.fd === undefined) return undefined;
    const line = recordLine(record);
    if (this.n_lines >= MAX_LOG_LINES || this.n_bytes + line.length > MAX_LOG_BYTES)
      return this.stop("it is full");
    try {
      const written = writeSync(this.fd, line);
      if (written !== line.length) return this.stop("no space left");
    } catch (error) {
      return this.stop(`${(error as NodeJS.ErrnoException).code ?? error}`);
    }
    this.n_lines++;
    this.n_bytes += line.length;
    return undefined;
  }

  /** The tune is done: the log goes. */
  finish(): void {
    const isMine = inUse.has(this.path);
    this.close();
    if (isMine) quietly(() => unlinkSync(this.path));
  }

  /** The log stays, for the next tune. */
  close(): void {
    this.stopWriting();
    inUse.delete(this.path);
  }

  private stopWriting(): void {
    const { fd } = this;
    if (fd !== undefined) quietly(() => closeSync(fd));
    this.fd = undefined;
  }

  private stop(reason: string): string {
    this.stopWriting();
    return `${this.path}: ${reason}: what is measured from here on is lost if this tune is interrupted`;
  }
}

/**
 * The log of this process, with what a process that has ended left for the same header. Logs of ended processes with
 * another header, for the same signature and host, are removed.
 * @param folder of the logs; undefined: there is none
 * @returns a log in any case: `warning` says why it does not write
 */
export function openLog(
  header: LogHeader,
  folder: string | undefined = cachePlaces().user,
  self: ProcessIdentity = thisProcess(),
): { log: TuneLog; warning?: string } {
  if (!/^[0-9a-f]{16}$/.test(header.signature)) throw new RangeError(`signature: found ${header.signature}`);
  if (folder === undefined) return without("", "neither XDG_CACHE_HOME nor HOME names a folder");
  const prefix = `tune_${header.signature}_${self.host}_`;
  const path = join(folder, `${prefix}${self.pid}-${self.start}.log`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    takeOver(folder, prefix, path, header);
    return { log: openOwn(path, header) };
  } catch (error) {
    const code = error instanceof DotpeError ? error.message : (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    return without(path, `${path}: ${code}`);
  }
}

function without(path: string, reason: string): { log: TuneLog; warning: string } {
  const warning = `this tune keeps no log (${reason}): if it is interrupted, the next one starts anew`;
  return { log: new TuneLog(path, undefined, [], 0), warning };
}

/** Renames the longest log that was left for this header to `path`, and removes the others that were left. */
function takeOver(folder: string, prefix: string, path: string, header: LogHeader): void {
  const left = readdirSync(folder)
    .filter((name) => isLeft(name, prefix))
    .map((name) => join(folder, name))
    .filter((from) => from !== path && !inUse.has(from))
    .map((from) => ({ from, n: countRecords(from, header) }))
    .sort((a, b) => b.n - a.n);
  let taken = false;
  for (const { from, n } of left) {
    // Renaming fails where another process was first.
    if (!taken && n >= 0) taken = quietly(() => renameSync(from, path));
    else quietly(() => unlinkSync(from));
  }
}

/** Whether the process that a log is named for has ended. */
function isLeft(name: string, prefix: string): boolean {
  const owner = /^(\d{1,10})-(\d{1,20})\.log$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : "");
  return owner !== null && !isRunning({ pid: Number(owner[1]), start: owner[2] });
}

/** -1: it is of another header, too old, or cannot be read. */
function countRecords(path: string, header: LogHeader): number {
  try {
    const stat = statSync(path);
    if (!stat.isFile() || Date.now() - stat.mtimeMs > MAX_AGE_MS) return -1;
    return readLines(readInput(path, MAX_LOG_BYTES), header)?.records.length ?? -1;
  } catch {
    return -1;
  }
}

/** Cuts off what follows the good lines, so that the next line begins a line. */
function openOwn(path: string, header: LogHeader): TuneLog {
  const fd = openSync(path, "a", 0o644);
  try {
    const found = readLines(readInput(path, MAX_LOG_BYTES), header);
    if (found !== undefined) {
      ftruncateSync(fd, found.goodBytes);
      return new TuneLog(path, fd, found.records, found.goodBytes);
    }
    ftruncateSync(fd, 0);
    const line = headerLine(header);
    writeSync(fd, line);
    return new TuneLog(path, fd, [], line.length);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Whether the system did it. */
function quietly(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return false;
  }
}
