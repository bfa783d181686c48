/**
 * Reading zip archives (PKWARE APPNOTE 6.3.10), as far as .npz needs: stored and deflated entries, zip64 sizes,
 * no encryption, one disk. Every length is checked before it is used.
 */
import { inflateRawSync } from "node:zlib";
import { DotpeError } from "../errors.ts";
import { clipped } from "./clipped.ts";
import { type OpenFile, readAt } from "./input.ts";

export interface ZipEntry {
  /** As the archive has it: data, never a path. */
  name: string;
  method: "stored" | "deflated";
  crc32: number;
  /** Bytes in the archive, and once inflated. */
  packedBytes: number;
  bytes: number;
  /** Where the entry's local header starts. */
  headerOffset: number;
  /** Where the next entry starts, or the directory: this one ends before. */
  end: number;
}

const END_BYTES = 22;
const MAX_COMMENT_BYTES = 65_535;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END_BYTES = 56;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_DIRECTORY_BYTES = 2 ** 23;
const MAX_ENTRIES = 2 ** 16;
const MAX_NAME_BYTES = 1024;
/** Output is made in pieces of this size at most, so that a length that is only claimed takes no memory. */
const MAX_PIECE_BYTES = 2 ** 30;
const MIN_PIECE_BYTES = 64;
const FULL16 = 0xffff;
const FULL32 = 0xffffffff;
/** Deflate cannot expand its input by more (zlib's documentation). */
const MAX_DEFLATE_RATIO = 1032;
const ENCRYPTED = 1;

interface Directory {
  offset: number;
  bytes: number;
  n_entries: number;
  /** Where the record begins that says so. */
  end: number;
}

/**
 * The archive's entries, in the order of its central directory.
 * @throws DotpeError badData: not a zip file, truncated, duplicate names, entries that overlap, encryption, an unknown method.
 */
export function readZipDirectory(file: OpenFile): ZipEntry[] {
  const { offset, bytes, n_entries, end } = findDirectory(file);
  const isPossible = offset + bytes <= end && n_entries * CENTRAL_BYTES <= bytes;
  if (bytes > MAX_DIRECTORY_BYTES || n_entries > MAX_ENTRIES || !isPossible) {
    throw bad(file.path, `the central directory claims ${n_entries} entries in ${bytes} bytes at ${offset}`);
  }
  const view = asView(readAt(file, offset, bytes));
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let k = 0; k < n_entries; k++) {
    const { entry, next } = parseCentral(view, at, file);
    if (names.has(entry.name)) throw bad(file.path, `found two entries named ${clipped(entry.name)}`);
    names.add(entry.name);
    entries.push(entry);
    at = next;
  }
  if (at !== bytes) throw bad(file.path, `found ${bytes} bytes of central directory, expected ${at}`);
  setEnds(entries, offset, file.path);
  return entries;
}

/** Entries that share bytes could unpack to far more than the archive can hold (D. Fifield, 'A better zip bomb', 2019). */
function setEnds(entries: readonly ZipEntry[], directoryOffset: number, path: string): void {
  let end = directoryOffset;
  for (const entry of entries.toSorted((a, b) => b.headerOffset - a.headerOffset)) {
    if (entry.headerOffset + LOCAL_BYTES + entry.packedBytes > end)
      throw bad(path, `entry ${clipped(entry.name)} overlaps what follows it`);
    entry.end = end;
    end = entry.headerOffset;
  }
}

function findDirectory(file: OpenFile): Directory {
  const tailBytes = Math.min(file.size, END_BYTES + MAX_COMMENT_BYTES);
  const tailOffset = file.size - tailBytes;
  const view = asView(readAt(file, tailOffset, tailBytes));
  for (let at = tailBytes - END_BYTES; at >= 0; at--) {
    const isEnd = view.getUint32(at, true) === 0x06054b50;
    if (!isEnd || at + END_BYTES + view.getUint16(at + 20, true) !== tailBytes) continue;
    const directory = {
      n_entries: view.getUint16(at + 10, true),
      bytes: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
      end: tailOffset + at,
    };
    const isFull =
      directory.n_entries === FULL16 || directory.bytes === FULL32 || directory.offset === FULL32;
    return (isFull && findZip64Directory(file, tailOffset + at)) || directory;
  }
  throw bad(file.path, "not a zip archive, or truncated: its end record is missing");
}

function findZip64Directory(file: OpenFile, endOffset: number): Directory | null {
  const locatorOffset = endOffset - ZIP64_LOCATOR_BYTES;
  if (locatorOffset < 0) return null;
  const locator = asView(readAt(file, locatorOffset, ZIP64_LOCATOR_BYTES));
  if (locator.getUint32(0, true) !== 0x07064b50) return null;
  const place = safe64(locator, 8, file.path);
  const end = asView(readAt(file, place, ZIP64_END_BYTES));
  if (end.getUint32(0, true) !== 0x06064b50) throw bad(file.path, "its zip64 end record is missing");
  return {
    n_entries: safe64(end, 32, file.path),
    bytes: safe64(end, 40, file.path),
    offset: safe64(end, 48, file.path),
    end: place,
  };
}

function parseCentral(view: DataView, at: number, file: OpenFile): { entry: ZipEntry; next: number } {
  const path = file.path;
  if (at + CENTRAL_BYTES > view.byteLength || view.getUint32(at, true) !== 0x02014b50) {
    throw bad(path, "its central directory is damaged");
  }
  const nameEnd = at + CENTRAL_BYTES + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const next = extraEnd + view.getUint16(at + 32, true);
  if (next > view.byteLength) throw bad(path, "its central directory is damaged");
  const name = textOf(view, at + CENTRAL_BYTES, nameEnd);
  if (nameEnd - at - CENTRAL_BYTES > MAX_NAME_BYTES)
    throw bad(
      path,
      `found a name of ${nameEnd - at - CENTRAL_BYTES} bytes, expected at most ${MAX_NAME_BYTES}`,
    );
  if (view.getUint16(at + 8, true) & ENCRYPTED) throw bad(path, `entry ${clipped(name)} is encrypted`);
  const entry: ZipEntry = {
    name,
    method: methodOf(view.getUint16(at + 10, true), name, path),
    crc32: view.getUint32(at + 16, true),
    packedBytes: view.getUint32(at + 20, true),
    bytes: view.getUint32(at + 24, true),
    headerOffset: view.getUint32(at + 42, true),
    end: 0,
  };
  applyZip64Extra(entry, new DataView(view.buffer, view.byteOffset + nameEnd, extraEnd - nameEnd), path);
  checkSizes(entry, file);
  return { entry, next };
}

const METHODS: Readonly<Record<number, ZipEntry["method"]>> = { 0: "stored", 8: "deflated" };

function methodOf(code: number, name: string, path: string): ZipEntry["method"] {
  const method = METHODS[code];
  if (method !== undefined) return method;
  throw bad(
    path,
    `entry ${clipped(name)}: found compression method ${code}, expected 0 (stored) or 8 (deflated)`,
  );
}

/** The zip64 extra field (id 1) holds, in this order, those of size, packed size, offset that do not fit 32 bits. */
function applyZip64Extra(entry: ZipEntry, extra: DataView, path: string): void {
  const wanted = (["bytes", "packedBytes", "headerOffset"] as const).filter((key) => entry[key] === FULL32);
  if (wanted.length === 0) return;
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const length = extra.getUint16(at + 2, true);
    if (extra.getUint16(at, true) === 1) {
      if (length < 8 * wanted.length || at + 4 + length > extra.byteLength) break;
      wanted.forEach((key, k) => {
        entry[key] = safe64(extra, at + 4 + 8 * k, path);
      });
      return;
    }
    at += 4 + length;
  }
  throw bad(path, `entry ${clipped(entry.name)}: its zip64 sizes are missing`);
}

function checkSizes(entry: ZipEntry, file: OpenFile): void {
  const { name, method, packedBytes, bytes } = entry;
  if (entry.headerOffset + LOCAL_BYTES + packedBytes > file.size) {
    throw bad(file.path, `truncated: entry ${clipped(name)} lies beyond the ${file.size} bytes found`);
  }
  const possible =
    method === "stored" ? packedBytes === bytes : bytes <= MAX_DEFLATE_RATIO * packedBytes + LOCAL_BYTES;
  if (!possible)
    throw bad(file.path, `entry ${clipped(name)}: ${packedBytes} ${method} bytes cannot hold ${bytes} bytes`);
}

/**
 * The inflated bytes of one entry, checked against its declared length and CRC-32.
 * @throws DotpeError badData: longer than `maxBytes`, damaged.
 */
export function readZipEntry(file: OpenFile, entry: ZipEntry, maxBytes: number): Uint8Array<ArrayBuffer> {
  const name = clipped(entry.name);
  if (entry.bytes > maxBytes) {
    throw bad(file.path, `entry ${name}: found ${entry.bytes} bytes, expected at most ${maxBytes}`);
  }
  const local = asView(readAt(file, entry.headerOffset, LOCAL_BYTES));
  const nameStart = entry.headerOffset + LOCAL_BYTES;
  const nameBytes = local.getUint16(26, true);
  const start = nameStart + nameBytes + local.getUint16(28, true);
  const isWhole = local.getUint32(0, true) === 0x04034b50 && start + entry.packedBytes <= entry.end;
  if (!isWhole || METHODS[local.getUint16(8, true)] !== entry.method)
    throw bad(file.path, `entry ${name}: its header is damaged`);
  const ownName = textOf(asView(readAt(file, nameStart, nameBytes)), 0, nameBytes);
  if (ownName !== entry.name) throw bad(file.path, `entry ${name}: it calls itself ${clipped(ownName)}`);
  const packed = readAt(file, start, entry.packedBytes);
  const bytes = entry.method === "stored" ? packed : inflate(packed, entry, file.path);
  if (bytes.length !== entry.bytes || Bun.hash.crc32(bytes) !== entry.crc32) {
    throw bad(file.path, `entry ${name}: damaged: its length or CRC-32 is wrong`);
  }
  return bytes;
}

function inflate(packed: Uint8Array, entry: ZipEntry, path: string): Uint8Array<ArrayBuffer> {
  try {
    // One piece where it can be: pieces are joined, which takes their memory twice.
    const chunkSize = Math.min(Math.max(entry.bytes, MIN_PIECE_BYTES), MAX_PIECE_BYTES);
    const bytes = inflateRawSync(packed, { maxOutputLength: Math.max(entry.bytes, 1), chunkSize });
    return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  } catch (error) {
    throw bad(path, `entry ${clipped(entry.name)}: damaged: ${(error as Error).message}`);
  }
}

function safe64(view: DataView, at: number, path: string): number {
  const value = Number(view.getBigUint64(at, true));
  if (!Number.isSafeInteger(value)) throw bad(path, `found a length of ${value} bytes`);
  return value;
}

function asView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function textOf(view: DataView, start: number, end: number): string {
  return new TextDecoder("utf-8").decode(new Uint8Array(view.buffer, view.byteOffset + start, end - start));
}

function bad(path: string, message: string): DotpeError {
  return new DotpeError("badData", `${path}: ${message}`, "Copy or make the file again.");
}
