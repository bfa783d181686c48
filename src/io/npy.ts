/**
 * NumPy's .npy format, versions 1 to 3 (numpy.lib.format): little-endian plain numbers and strings.
 * Nothing pickled is ever loaded.
 */
import { DotpeError } from "../errors.ts";
import { clipped } from "./clipped.ts";
import { readAt, readInput, withInput } from "./input.ts";
import { NpyArray } from "./npy-array.ts";
import { parseHeaderDict } from "./npy-header-dict.ts";

/** NumPy's type letter and bytes per item; U is text of a fixed number of 4-byte code points. */
export type NpyDtype =
  | "f8"
  | "f4"
  | "i8"
  | "i4"
  | "i2"
  | "i1"
  | "u8"
  | "u4"
  | "u2"
  | "u1"
  | "b1"
  | "c16"
  | "c8"
  | "U";

export interface NpyHeader {
  dtype: NpyDtype;
  /** [] for a scalar. */
  shape: number[];
  fortranOrder: boolean;
  /** Where the items start, in bytes from the start of the file. */
  dataOffset: number;
  itemBytes: number;
}

/** Longest header that is read (numpy itself stops at 10,000 characters). */
export const MAX_HEADER_BYTES = 64 * 1024;
const PREFIX_BYTES = 12;
/** What numpy writes for all but the longest headers, and twice that. */
const USUAL_HEADER_BYTES = 256;
const MAX_AXES = 32;
/** Of an array of text: names and settings. As text in memory it takes several times what it takes in the file. */
const MAX_TEXT_BYTES = 2 ** 22;
const CODE_POINT_BYTES = 4;
const PLAIN_DTYPES: ReadonlySet<string> = new Set("f8 f4 i8 i4 i2 i1 u8 u4 u2 u1 b1 c16 c8".split(" "));

/** Product of the axes: 1 for a scalar. */
export function countItems(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/**
 * The header at the start of `bytes` (which may hold less than the whole file).
 * @throws DotpeError badData, beginning with `where`: not .npy, pickled, big-endian, unknown dtype, absurd shape.
 */
export function parseNpyHeader(bytes: Uint8Array, where: string): NpyHeader {
  const { textStart, dataOffset } = headerExtent(bytes, where);
  if (bytes.length < dataOffset) {
    throw bad(where, `truncated header: found ${bytes.length} bytes, expected ${dataOffset}`);
  }
  const text = new TextDecoder("utf-8").decode(bytes.subarray(textStart, dataOffset));
  const dict = parseHeaderDict(text, where);
  const { dtype, itemBytes } = parseDescr(dict.descr, where);
  checkShape(dict.shape, dtype, itemBytes, where);
  return { dtype, itemBytes, shape: dict.shape, fortranOrder: dict.fortranOrder, dataOffset };
}

function headerExtent(bytes: Uint8Array, where: string): { textStart: number; dataOffset: number } {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < PREFIX_BYTES || magic.some((byte, k) => bytes[k] !== byte)) {
    throw bad(where, "not a .npy file: it does not start with \\x93NUMPY");
  }
  const version = bytes[6];
  if (version < 1 || version > 3) throw bad(where, `found .npy version ${version}, expected 1, 2 or 3`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const textStart = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES) {
    throw bad(where, `found a header of ${length} bytes, expected at most ${MAX_HEADER_BYTES}`);
  }
  return { textStart, dataOffset: textStart + length };
}

function parseDescr(descr: string, where: string): { dtype: NpyDtype; itemBytes: number } {
  const shown = clipped(descr);
  const match = /^([<>|=])([a-zA-Z])(\d*)$/.exec(descr);
  if (match === null) throw bad(where, `found dtype '${shown}', expected a plain number or text`);
  const [, order, kind, size] = match;
  if (kind === "O") {
    throw new DotpeError(
      "badData",
      `${where}: holds pickled Python objects; they are never loaded`,
      "Save it as plain numbers or text.",
    );
  }
  if (order === ">") throw bad(where, `found big-endian dtype '${shown}', expected little-endian`);
  if (kind === "U") return { dtype: "U", itemBytes: CODE_POINT_BYTES * Number(size) };
  const dtype = kind + size;
  if (!PLAIN_DTYPES.has(dtype)) {
    throw bad(where, `found dtype '${shown}', expected one of ${[...PLAIN_DTYPES].join(" ")} U`);
  }
  return { dtype: dtype as NpyDtype, itemBytes: Number(size) };
}

function checkShape(shape: number[], dtype: NpyDtype, itemBytes: number, where: string): void {
  if (shape.length > MAX_AXES) throw bad(where, `found ${shape.length} axes, expected at most ${MAX_AXES}`);
  const sizes = shape.filter((n) => n > 0);
  if (!Number.isSafeInteger(countItems(sizes) * Math.max(itemBytes, 1))) {
    throw bad(where, `found shape (${shape.join(", ")}): too many bytes`);
  }
  // Items of no length take no room in the file, so its length is no limit to them.
  const textBytes = countItems(shape) * Math.max(itemBytes, CODE_POINT_BYTES);
  if (dtype === "U" && textBytes > MAX_TEXT_BYTES) {
    throw bad(where, `found ${textBytes} bytes of text, expected at most ${MAX_TEXT_BYTES}`);
  }
}

/**
 * The header of a file of which only the first bytes are read; the file must be exactly as long as it says.
 * @throws DotpeError noInput, or badData as `parseNpyHeader` and if the file is truncated or too long.
 */
export function readNpyHeader(path: string): NpyHeader {
  return withInput(path, (file) => {
    const usual = readAt(file, 0, Math.min(file.size, USUAL_HEADER_BYTES));
    const { dataOffset } = headerExtent(usual, path);
    const start = dataOffset <= usual.length ? usual : readAt(file, 0, Math.min(file.size, dataOffset));
    const header = parseNpyHeader(start, path);
    checkLength(header, file.size, path);
    return header;
  });
}

function checkLength(header: NpyHeader, found: number, where: string): void {
  const expected = header.dataOffset + countItems(header.shape) * header.itemBytes;
  if (found === expected) return;
  const what = found < expected ? "truncated" : "longer than its header says";
  throw bad(where, `${what}: found ${found} bytes, expected ${expected}`);
}

/**
 * The array held by the bytes of a whole .npy file; items are shared with `bytes` where their layout allows.
 * @throws DotpeError badData, as `readNpyHeader`.
 */
export function decodeNpy(bytes: Uint8Array<ArrayBuffer>, where: string): NpyArray {
  const header = parseNpyHeader(bytes, where);
  checkLength(header, bytes.length, where);
  return new NpyArray(header, bytes.subarray(header.dataOffset), where);
}

/** The array of a .npy file. @throws DotpeError noInput, badData. */
export function readNpy(path: string): NpyArray {
  // Before a file of any length is read, its header must be right.
  readNpyHeader(path);
  return decodeNpy(readInput(path, Number.MAX_SAFE_INTEGER), path);
}

function bad(where: string, message: string): DotpeError {
  return new DotpeError(
    "badData",
    `${where}: ${message}`,
    "Check the file, or save it again with numpy.save.",
  );
}

export type { NpyArray } from "./npy-array.ts";
export { encodeNpy, type NpyData } from "./npy-write.ts";
