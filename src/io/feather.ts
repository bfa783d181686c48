/**
 * Feather v2 tables (Arrow IPC files). Reading is done here rather than by apache-arrow, which can hang on a damaged file
 * (apache/arrow-js#315): once all lengths have been checked, nothing is left for it to do. Writing: feather-write.ts.
 */
import { zstdDecompressSync } from "node:zlib";
import type { DotpeError } from "../errors.ts";
import {
  type ArrowBatch,
  type ArrowColumn,
  type ArrowFile,
  type BufferSpan,
  badFeather,
  type Codec,
  type ColumnChunk,
  type ColumnType,
  chunkOf,
  parseArrowFile,
} from "./arrow-file.ts";
import { clipped } from "./clipped.ts";
import { readInt64 } from "./flatbuffer.ts";
import { type OpenFile, readAt, withInput } from "./input.ts";
import { decompressLz4Frame } from "./lz4.ts";

export {
  encodeFeather,
  encodeFeatherBatches,
  encodeFeatherChunks,
  type FeatherColumn,
} from "./feather-write.ts";

export interface FeatherTable {
  readonly path: string;
  readonly n_rows: number;
  readonly names: readonly string[];
  has(name: string): boolean;
  /**
   * A column of numbers (float, double, any integer, bool), read from the file when asked for.
   * @throws DotpeError badData: no such column, not numbers, nulls (pandas writes NaN as null), integers beyond 2^53.
   */
  f64(name: string): Float64Array<ArrayBuffer>;
  /** A column of text, plain or categorical. @throws DotpeError badData: no such column, not text, nulls. */
  strings(name: string): string[];
  /** The table as several, one after the other: of whole batches, `n_rows` rows at most where they are shorter than that. */
  pieces(n_rows: number): FeatherTable[];
}

/** Writers may pad a buffer's end. */
const MAX_PADDING_BYTES = 64;
const MAX_TEXT_BYTES = 2 ** 30;
const PREFIX_BYTES = 8;
/** What a byte can stand for: a block of ZSTD holds up to 128 KiB and takes 4 bytes at least. */
const MAX_RATIO = { lz4: 255, zstd: 2 ** 15 } as const;
/** Output is made in pieces of this size at most, so that a length that is only claimed takes no memory. */
const MAX_PIECE_BYTES = 2 ** 30;
const MIN_PIECE_BYTES = 64;

/**
 * Opens a table: only its footer and the batches' headers are read. The file is not kept open.
 * @throws DotpeError noInput, badData (not Feather, truncated, damaged, nested column types, two columns of one name).
 */
export function readFeather(path: string): FeatherTable {
  const file = withInput(path, parseArrowFile);
  const names = file.columns.map(({ name }) => name);
  const known = new Set<string>();
  for (const name of names) {
    if (known.has(name)) throw badFeather(path, `found two columns named ${clipped(name)}`);
    known.add(name);
  }
  return tableOf(path, file, names, known);
}

function tableOf(
  path: string,
  file: ArrowFile,
  names: readonly string[],
  known: ReadonlySet<string>,
): FeatherTable {
  return {
    path,
    n_rows: file.n_rows,
    names,
    has: (name) => known.has(name),
    f64: (name) => withColumn(path, file, name, readNumbers),
    strings: (name) => withColumn(path, file, name, readStrings),
    pieces: (n_rows) => piecesOf(file, n_rows).map((piece) => tableOf(path, piece, names, known)),
  };
}

function piecesOf(file: ArrowFile, most: number): ArrowFile[] {
  const pieces: ArrowFile[] = [];
  for (const batch of file.batches) {
    const last = pieces.at(-1);
    if (last === undefined || last.n_rows + batch.n_rows > most)
      pieces.push({ ...file, batches: [batch], n_rows: batch.n_rows });
    else {
      last.batches.push(batch);
      last.n_rows += batch.n_rows;
    }
  }
  return pieces;
}

/** What a column's reader is given. */
interface ColumnContext {
  input: OpenFile;
  file: ArrowFile;
  column: ArrowColumn;
  /** The column's part of each batch. */
  parts: { chunk: ColumnChunk; codec: Codec }[];
  fail(message: string): DotpeError;
}

function withColumn<T>(path: string, file: ArrowFile, name: string, read: (context: ColumnContext) => T): T {
  const k = file.columns.findIndex((column) => column.name === name);
  const fail = (message: string) => badFeather(path, `column ${clipped(name)}: ${message}`);
  if (k === -1) {
    const found = clipped(file.columns.map((column) => column.name).join(", ")) || "no columns";
    throw badFeather(path, `found ${found}; expected a column ${name}`);
  }
  const types = file.columns.map(({ type }) => type);
  const parts = file.batches.map((batch) => ({ chunk: chunkOf(batch, types, k), codec: batch.codec }));
  try {
    return withInput(path, (input) => read({ input, file, column: file.columns[k], parts, fail }));
  } catch (error) {
    if (error instanceof RangeError) throw fail(`damaged: ${error.message}`);
    throw error;
  }
}

function readNumbers(context: ColumnContext): Float64Array<ArrayBuffer> {
  const { column, parts, file, fail } = context;
  const { type } = column;
  if (column.dictionary !== null || type.kind === "text" || type.kind === "other") {
    throw fail(`found ${nameOf(column)}, expected numbers`);
  }
  const neededOf = ({ n_rows }: ColumnChunk) =>
    type.kind === "bool" ? Math.ceil(n_rows / 8) : n_rows * type.bytes;
  for (const { chunk, codec } of parts) checkHolds(context, chunk.buffers[1], codec, neededOf(chunk));
  const isOnePiece = parts.length === 1 && type.kind === "float" && type.bytes === 8;
  const out = new Float64Array(isOnePiece ? 0 : file.n_rows);
  let row = 0;
  for (const { chunk, codec } of parts) {
    refuseNulls(context, chunk, codec, row);
    const bytes = readBuffer(context, chunk.buffers[1], codec, neededOf(chunk));
    if (isOnePiece) return new Float64Array(bytes.buffer, bytes.byteOffset, chunk.n_rows);
    copyNumbers(bytes, type, out.subarray(row, row + chunk.n_rows), fail);
    row += chunk.n_rows;
  }
  return out;
}

/** @throws DotpeError if a buffer cannot hold so many bytes, before room is made for what it does hold. */
function checkHolds(context: ColumnContext, span: BufferSpan, codec: Codec, needed: number): void {
  const possible =
    codec === "none" ? span.length : MAX_RATIO[codec] * Math.max(0, span.length - PREFIX_BYTES);
  if (possible < needed) throw context.fail(`found a buffer of ${span.length} bytes, expected ${needed}`);
}

function copyNumbers(
  bytes: Uint8Array<ArrayBuffer>,
  type: ColumnType,
  out: Float64Array,
  fail: (message: string) => DotpeError,
): void {
  if (type.kind === "bool") {
    for (let k = 0; k < out.length; k++) out[k] = (bytes[k >> 3] >> (k & 7)) & 1;
    return;
  }
  if (type.kind === "int" && type.bytes === 8) copyInt64(bytes, type.signed, out, fail);
  else out.set(typedView(bytes, type, out.length));
}

/** From their halves: a bigint for each would take several times the memory of the column. */
function copyInt64(
  bytes: Uint8Array<ArrayBuffer>,
  signed: boolean,
  out: Float64Array,
  fail: (message: string) => DotpeError,
): void {
  const low = new Uint32Array(bytes.buffer, bytes.byteOffset, 2 * out.length);
  const high = new (signed ? Int32Array : Uint32Array)(bytes.buffer, bytes.byteOffset, 2 * out.length);
  for (let k = 0; k < out.length; k++) {
    out[k] = 2 ** 32 * high[2 * k + 1] + low[2 * k];
    if (Number.isSafeInteger(out[k])) continue;
    const found = (BigInt(high[2 * k + 1]) << 32n) + BigInt(low[2 * k]);
    throw fail(`found ${found} in row ${k} of a batch: beyond 2^53`);
  }
}

function typedView(bytes: Uint8Array<ArrayBuffer>, type: ColumnType, n: number) {
  const { buffer, byteOffset } = bytes;
  if (type.kind === "float") {
    return type.bytes === 8
      ? new Float64Array(buffer, byteOffset, n)
      : new Float32Array(buffer, byteOffset, n);
  }
  if (type.kind !== "int" || type.bytes === 8) throw new RangeError("not a column of numbers");
  const arrays = type.signed
    ? { 1: Int8Array, 2: Int16Array, 4: Int32Array }
    : { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array };
  return new arrays[type.bytes](buffer, byteOffset, n);
}

function readStrings(context: ColumnContext): string[] {
  const { column, parts, fail } = context;
  if (column.dictionary !== null) return readCategories(context, column.dictionary);
  if (column.type.kind !== "text") throw fail(`found ${nameOf(column)}, expected text`);
  const { offsetBytes } = column.type;
  let row = 0;
  return parts.flatMap(({ chunk, codec }) => {
    refuseNulls(context, chunk, codec, row);
    row += chunk.n_rows;
    return readTextChunk(context, chunk, codec, offsetBytes);
  });
}

function readTextChunk(
  context: ColumnContext,
  chunk: ColumnChunk,
  codec: Codec,
  offsetBytes: 4 | 8,
): string[] {
  if (chunk.n_rows === 0) return [];
  const bytes = readBuffer(context, chunk.buffers[1], codec, (chunk.n_rows + 1) * offsetBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offsetOf = (k: number) => (offsetBytes === 4 ? view.getInt32(4 * k, true) : readInt64(view, 8 * k));
  const end = offsetOf(chunk.n_rows);
  if (end < 0 || end > MAX_TEXT_BYTES) throw context.fail(`found ${end} bytes of text in a batch`);
  const text = readBuffer(context, chunk.buffers[2], codec, end);
  // Nothing but the text is made for a row: columns have millions.
  const characters = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const out = new Array<string>(chunk.n_rows);
  for (let k = 0; k < out.length; k++) {
    const from = offsetOf(k);
    const to = offsetOf(k + 1);
    if (from < 0 || to < from || to > end) throw context.fail("damaged: its text offsets go backwards");
    out[k] = characters.toString("utf8", from, to);
  }
  return out;
}

function readCategories(context: ColumnContext, dictionary: { id: number; type: ColumnType }): string[] {
  const { column, parts, file, fail } = context;
  const { type } = dictionary;
  if (type.kind !== "text") throw fail("found categories that are not text, expected text");
  const batches: ArrowBatch[] = file.dictionaries.get(dictionary.id) ?? [];
  const categories = batches.flatMap((batch) => {
    const chunk = chunkOf(batch, [type], 0);
    refuseNulls(context, chunk, batch.codec, 0);
    return readTextChunk(context, chunk, batch.codec, type.offsetBytes);
  });
  const codes = readNumbers({ ...context, column: { ...column, dictionary: null }, parts });
  return Array.from(codes, (code, row) => {
    if (code < 0 || code >= categories.length)
      throw fail(`found category ${code} of ${categories.length} in row ${row}`);
    return categories[code];
  });
}

function refuseNulls(context: ColumnContext, chunk: ColumnChunk, codec: Codec, row0: number): void {
  if (chunk.n_null === 0 || chunk.n_rows === 0 || chunk.buffers[0].length === 0) return;
  const bitmap = readBuffer(context, chunk.buffers[0], codec, Math.ceil(chunk.n_rows / 8));
  for (let k = 0; k < chunk.n_rows; k++) {
    if ((bitmap[k >> 3] >> (k & 7)) & 1) continue;
    throw context.fail(`found a null in row ${row0 + k}, expected a value (pandas writes NaN as null)`);
  }
}

/** At least `needed` bytes of a buffer, decompressed, at an offset that is a multiple of 8. */
function readBuffer(
  context: ColumnContext,
  span: BufferSpan,
  codec: Codec,
  needed: number,
): Uint8Array<ArrayBuffer> {
  if (needed === 0) return new Uint8Array(0);
  checkHolds(context, span, codec, needed);
  if (codec === "none") {
    return readAt(context.input, span.offset, needed);
  }
  const bytes = readAt(context.input, span.offset, span.length);
  const stated = readInt64(new DataView(bytes.buffer), 0);
  const length = stated === -1 ? span.length - PREFIX_BYTES : stated;
  if (length < needed || length > needed + MAX_PADDING_BYTES) {
    throw context.fail(`found a buffer of ${length} bytes, expected ${needed}`);
  }
  const packed = bytes.subarray(PREFIX_BYTES);
  if (stated === -1) return packed;
  return codec === "lz4" ? decompressLz4Frame(packed, length) : decompressZstd(packed, length);
}

function decompressZstd(packed: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array;
  try {
    // One piece where it can be: pieces are joined, which takes their memory twice.
    const chunkSize = Math.min(Math.max(length, MIN_PIECE_BYTES), MAX_PIECE_BYTES);
    bytes = zstdDecompressSync(packed, { maxOutputLength: length, chunkSize });
  } catch (error) {
    throw new RangeError(`ZSTD: ${(error as Error).message}`);
  }
  if (bytes.length !== length)
    throw new RangeError(`ZSTD data hold ${bytes.length} bytes, expected ${length}`);
  return bytes.byteOffset % 8 === 0 && bytes.buffer instanceof ArrayBuffer
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, length)
    : new Uint8Array(bytes);
}

function nameOf(column: ArrowColumn): string {
  if (column.dictionary !== null) return "categories";
  return column.type.kind === "other" ? column.type.name : column.type.kind;
}
