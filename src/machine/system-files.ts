/** The text files in which Linux describes itself, /sys and /proc, of this machine or of a captured tree. */
import { closeSync, constants, fstatSync, opendirSync, openSync, readSync, realpathSync } from "node:fs";
import { posix } from "node:path";

const MOST_BYTES = 2 ** 16;
const MOST_ENTRIES = 2 ** 16;

/**
 * Reads below one folder and never elsewhere: a captured tree is input, its symbolic links may point anywhere.
 * What is missing or cannot be read is undefined; nothing is thrown.
 */
export class SystemFiles {
  readonly root: string;
  /** The files and folders that were asked for. */
  reads = 0;
  private readonly kept: Map<string, string> | undefined;
  private readonly realRoot: string | undefined;

  /**
   * @param root "/" for this machine, else a folder that holds `sys` and `proc`
   * @param keep whether `raw` shall hold the texts read
   */
  constructor(root = "/", { keep = false } = {}) {
    this.root = root;
    this.kept = keep ? new Map() : undefined;
    this.realRoot = root === "/" ? "/" : realPath(root);
  }

  /** Whether this is the machine that the program runs on. */
  get isLive(): boolean {
    return this.root === "/";
  }

  /** Paths and texts of every file that was read, if they are kept. */
  get raw(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.kept ?? []);
  }

  /** The text of a file, cut at so many bytes. NUL bytes, which end device-tree texts, become spaces. */
  text(path: string, mostBytes = MOST_BYTES): string | undefined {
    this.reads++;
    const place = this.place(path);
    const found = place === undefined ? undefined : readText(place, mostBytes);
    if (found !== undefined) this.kept?.set(path, found);
    return found;
  }

  /** The text without the spaces around it; undefined if nothing is left. */
  line(path: string): string | undefined {
    return this.text(path)?.trim() || undefined;
  }

  /** A whole number of at least 0. */
  count(path: string): number | undefined {
    const line = this.line(path);
    return line !== undefined && /^\d{1,15}$/.test(line) ? Number(line) : undefined;
  }

  /** The names in a folder, sorted; empty if there is none. */
  names(path: string): string[] {
    this.reads++;
    const place = this.place(path);
    return place === undefined ? [] : listNames(place);
  }

  /** The numbers N of the entries `<prefix>N` of a folder, rising. */
  numbered(path: string, prefix: string): number[] {
    const pattern = new RegExp(`^${prefix}(\\d{1,6})$`);
    const numbers = this.names(path).flatMap((name) => pattern.exec(name)?.[1] ?? []);
    return numbers.map(Number).sort((a, b) => a - b);
  }

  /** Where a path is, links followed; undefined if that is outside the root. */
  private place(path: string): string | undefined {
    const inside = posix.resolve("/", path);
    if (this.realRoot === undefined) return undefined;
    if (this.realRoot === "/") return inside;
    const place = realPath(posix.join(this.realRoot, inside));
    return place?.startsWith(`${this.realRoot}/`) ? place : undefined;
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Files of /proc and /sys have no size: read until they end. A pipe or a device is not opened for long, nor read. */
function readText(path: string, mostBytes: number): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(fd).isFile()) return undefined;
    const bytes = Buffer.allocUnsafe(Math.min(mostBytes, 4096));
    let text = "";
    while (text.length < mostBytes) {
      const n = readSync(fd, bytes, 0, Math.min(bytes.length, mostBytes - text.length), null);
      if (n === 0) break;
      text += bytes.toString("latin1", 0, n);
    }
    return text.replaceAll("\0", " ");
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function listNames(path: string): string[] {
  try {
    const folder = opendirSync(path);
    try {
      const names: string[] = [];
      for (let entry = folder.readSync(); entry && names.length < MOST_ENTRIES; entry = folder.readSync()) {
        names.push(entry.name);
      }
      return names.sort();
    } finally {
      folder.closeSync();
    }
  } catch {
    return [];
  }
}
