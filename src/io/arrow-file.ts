/**
 * The framing of an Arrow IPC file (arrow.apache.org/docs/format/Columnar.html; a Feather v2 file is one): footer, schema,
 * and where each column's buffers lie. All lengths are checked against the file here, before any data are read.
 */
import { DotpeError } from "../errors.ts";
import { FlatTable, readInt64 } from "./flatbuffer.ts";
import { type OpenFile, readAt } from "./input.ts";

export type ColumnType =
  | { kind: "float"; bytes: 4 | 8 }
  | { kind: "int"; bytes: 1 | 2 | 4 | 8; signed: boolean }
  | { kind: "bool" }
  | { kind: "text"; offsetBytes: 4 | 8 }
  | { kind: "other"; name: string; n_buffers: number };

export interface ArrowColumn {
  name: string;
  /** Of the values, or of the dictionary's indices. */
  type: ColumnType;
  dictionary: { id: number; type: ColumnType } | null;
}

export interface BufferSpan {
  /** Bytes from the start of the file. */
  offset: number;
  length: number;
}

export interface ColumnChunk {
  n_rows: number;
  /** -1: not stated. */
  n_null: number;
  /** Validity bitmap, then values; for text validity, offsets, characters. */
  buffers: BufferSpan[];
}

export type Codec = "none" | "lz4" | "zstd";

export interface ArrowBatch {
  n_rows: number;
  codec: Codec;
  /** In the schema's order. */
  chunks: ColumnChunk[];
}

export interface ArrowFile {
  columns: ArrowColumn[];
  batches: ArrowBatch[];
  dictionaries: Map<number, ArrowBatch[]>;
  n_rows: number;
}

/** More rows than this are refused (2 GiB a column). */
export const MAX_ROWS = 2 ** 28;
const MAX_COLUMNS = 4096;
const MAX_BATCHES = 2 ** 16;
const MAX_FOOTER_BYTES = 64 * 2 ** 20;
const MAGIC = "ARROW1";
const HEAD_BYTES = 8;
const TAIL_BYTES = 10;
const BLOCK_BYTES = 24;
const PAIR_BYTES = 16;
const HEADER_DICTIONARY = 2;
const HEADER_RECORDS = 3;

/** Buffers of the types that are stepped over but never read, by their number in the format's `Type` union. */
const OTHER_TYPES: Record<number, [name: string, n_buffers: number]> = {
  1: ["null", 0],
  4: ["binary", 3],
  7: ["decimal", 2],
  8: ["date", 2],
  9: ["time", 2],
  10: ["timestamp", 2],
  11: ["interval", 2],
  15: ["fixed_size_binary", 2],
  18: ["duration", 2],
  19: ["large_binary", 3],
};

/** @throws DotpeError badData: not an Arrow file, truncated, damaged, a nested or unknown column type, too many rows. */
export function parseArrowFile(file: OpenFile): ArrowFile {
  try {
    return parse(file);
  } catch (error) {
    if (error instanceof RangeError) throw badFeather(file.path, `damaged: ${error.message}`);
    throw error;
  }
}

function parse(file: OpenFile): ArrowFile {
  const footer = readFooter(file);
  const schema = footer.table(1);
  if (schema === null) throw badFeather(file.path, "it has no schema");
  if (schema.int16(0) !== 0) throw badFeather(file.path, "found big-endian data, expected little-endian");
  const columns = schema.tables(1).map((field) => parseField(field, file.path));
  if (columns.length > MAX_COLUMNS) throw badFeather(file.path, `found ${columns.length} columns`);
  const dictionaryTypes = new Map(
    columns.flatMap(({ dictionary }) => (dictionary ? [[dictionary.id, dictionary.type]] : [])),
  );
  const dictionaries = new Map<number, ArrowBatch[]>();
  for (const block of footer.structs(2, BLOCK_BYTES)) {
    const { id, batch } = parseDictionaryBatch(file, block, dictionaryTypes);
    dictionaries.set(id, [...(dictionaries.get(id) ?? []), batch]);
  }
  const types = columns.map(({ type }) => type);
  const blocks = footer.structs(3, BLOCK_BYTES);
  if (blocks.length > MAX_BATCHES) throw badFeather(file.path, `found ${blocks.length} batches`);
  const batches = blocks.map((block) => {
    const { header, body } = readMessage(file, block, HEADER_RECORDS);
    return parseBatch(header, body, types, file.path);
  });
  const n_rows = batches.reduce((sum, batch) => sum + batch.n_rows, 0);
  if (n_rows > MAX_ROWS) throw badFeather(file.path, `found ${n_rows} rows, expected at most ${MAX_ROWS}`);
  return { columns, batches, dictionaries, n_rows };
}

function readFooter(file: OpenFile): FlatTable {
  if (file.size < HEAD_BYTES + TAIL_BYTES || !isMagic(readAt(file, 0, MAGIC.length))) {
    throw badFeather(file.path, `not a Feather (Arrow) file: it does not start with ${MAGIC}`);
  }
  const tail = readAt(file, file.size - TAIL_BYTES, TAIL_BYTES);
  if (!isMagic(tail.subarray(4))) throw badFeather(file.path, `truncated: it does not end with ${MAGIC}`);
  const length = new DataView(tail.buffer).getInt32(0, true);
  const room = file.size - HEAD_BYTES - TAIL_BYTES;
  if (length <= 0 || length > Math.min(room, MAX_FOOTER_BYTES)) {
    throw badFeather(file.path, `found a footer of ${length} bytes in a file of ${file.size}`);
  }
  return FlatTable.root(readAt(file, file.size - TAIL_BYTES - length, length));
}

function isMagic(bytes: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(bytes) === MAGIC;
}

function parseField(field: FlatTable, path: string): ArrowColumn {
  const name = field.text(0);
  const type = parseType(field, name, path);
  const encoding = field.table(4);
  if (encoding === null) return { name, type, dictionary: null };
  const indexType = encoding.table(1);
  const index: ColumnType = indexType ? parseIntType(indexType) : { kind: "int", bytes: 4, signed: true };
  return { name, type: index, dictionary: { id: encoding.int64(0), type } };
}

function parseType(field: FlatTable, name: string, path: string): ColumnType {
  const code = field.int8(2);
  const detail = field.table(3);
  if (code === 2 && detail) return parseIntType(detail);
  if (code === 3 && detail) {
    const precision = detail.int16(0);
    if (precision === 1) return { kind: "float", bytes: 4 };
    if (precision === 2) return { kind: "float", bytes: 8 };
    return { kind: "other", name: "float16", n_buffers: 2 };
  }
  if (code === 5) return { kind: "text", offsetBytes: 4 };
  if (code === 20) return { kind: "text", offsetBytes: 8 };
  if (code === 6) return { kind: "bool" };
  const other = OTHER_TYPES[code];
  if (other === undefined) {
    throw badFeather(
      path,
      `column ${name}: found a nested or unknown type (${code}), expected numbers or text`,
    );
  }
  return { kind: "other", name: other[0], n_buffers: other[1] };
}

function parseIntType(detail: FlatTable): ColumnType {
  const bytes = detail.int32(0) / 8;
  if (bytes !== 1 && bytes !== 2 && bytes !== 4 && bytes !== 8)
    throw new RangeError(`an integer of ${bytes} bytes`);
  return { kind: "int", bytes, signed: detail.int8(1) !== 0 };
}

/** The message at a block: its header table, and the body as a span of the file. */
function readMessage(
  file: OpenFile,
  block: DataView,
  headerType: number,
): { header: FlatTable; body: BufferSpan } {
  const offset = readInt64(block, 0);
  const metadataBytes = block.getInt32(8, true);
  const body = { offset: offset + metadataBytes, length: readInt64(block, 16) };
  const isInside = offset >= HEAD_BYTES && metadataBytes >= 8 && body.length >= 0;
  if (!isInside || body.offset + body.length > file.size - TAIL_BYTES) {
    throw badFeather(file.path, `truncated: a batch lies at bytes ${offset} to ${body.offset + body.length}`);
  }
  const bytes = readAt(file, offset, metadataBytes);
  const hasMarker = new DataView(bytes.buffer).getInt32(0, true) === -1;
  const message = FlatTable.root(bytes.subarray(hasMarker ? 8 : 4));
  const header = message.table(2);
  if (header === null || message.int8(1) !== headerType) {
    throw badFeather(file.path, `damaged: no batch at byte ${offset}`);
  }
  return { header, body };
}

function parseDictionaryBatch(
  file: OpenFile,
  block: DataView,
  types: ReadonlyMap<number, ColumnType>,
): { id: number; batch: ArrowBatch } {
  const { header, body } = readMessage(file, block, HEADER_DICTIONARY);
  const id = header.int64(0);
  const records = header.table(1);
  const type = types.get(id);
  if (records === null || type === undefined) throw badFeather(file.path, `damaged: dictionary ${id}`);
  return { id, batch: parseBatch(records, body, [type], file.path) };
}

function parseBatch(records: FlatTable, body: BufferSpan, types: ColumnType[], path: string): ArrowBatch {
  const n_rows = records.int64(0);
  const nodes = records.structs(1, PAIR_BYTES);
  const buffers = records.structs(2, PAIR_BYTES).map((pair) => spanOf(pair, body, path));
  if (n_rows < 0 || n_rows > MAX_ROWS) throw badFeather(path, `found a batch of ${n_rows} rows`);
  if (nodes.length !== types.length) {
    throw badFeather(path, `found ${nodes.length} columns in a batch, expected ${types.length}`);
  }
  let next = 0;
  const chunks = types.map((type, k): ColumnChunk => {
    const n = readInt64(nodes[k], 0);
    if (n !== n_rows) throw badFeather(path, `found ${n} rows in a column of a batch of ${n_rows}`);
    const own = buffers.slice(next, next + countBuffers(type));
    if (own.length !== countBuffers(type)) throw badFeather(path, "damaged: a batch lacks buffers");
    next += own.length;
    return { n_rows, n_null: readInt64(nodes[k], 8), buffers: own };
  });
  return { n_rows, codec: codecOf(records.table(3), path), chunks };
}

function spanOf(pair: DataView, body: BufferSpan, path: string): BufferSpan {
  const offset = readInt64(pair, 0);
  const length = readInt64(pair, 8);
  if (offset < 0 || length < 0 || offset + length > body.length) {
    throw badFeather(
      path,
      `found a buffer at bytes ${offset} to ${offset + length} of a batch of ${body.length}`,
    );
  }
  return { offset: body.offset + offset, length };
}

function countBuffers(type: ColumnType): number {
  if (type.kind === "other") return type.n_buffers;
  return type.kind === "text" ? 3 : 2;
}

function codecOf(compression: FlatTable | null, path: string): Codec {
  if (compression === null) return "none";
  const code = compression.int8(0);
  if (code === 0) return "lz4";
  if (code === 1) return "zstd";
  throw badFeather(path, `found compression codec ${code}, expected 0 (LZ4) or 1 (ZSTD)`);
}

export function badFeather(path: string, message: string): DotpeError {
  return new DotpeError(
    "badData",
    `${path}: ${message}`,
    "Check the file, or save it again with pandas to_feather.",
  );
}
