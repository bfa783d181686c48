/**
 * The framing of an Arrow IPC file (arrow.apache.org/docs/format/Columnar.html; a Feather v2 file is one): footer, schema,
 * and where each column's buffers lie. All lengths are checked against the file here, before any data are read.
 */
import { DotpeError } from "../errors.ts";
import { clipped } from "./clipped.ts";
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

/** Plain numbers, because a file may have very many. Columns are in the schema's order. */
export interface ArrowBatch {
  n_rows: number;
  codec: Codec;
  /** -1: not stated. */
  n_null_k: Float64Array;
  /** Offset in the file and length of each buffer. */
  spans: Float64Array;
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
const MAX_NAME_BYTES = 4096;
/** Of records, and of dictionaries. */
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
  const columns = schema.tables(1, MAX_COLUMNS).map((field) => parseField(field, file.path));
  const dictionaryTypes = new Map(
    columns.flatMap(({ dictionary }) => (dictionary ? [[dictionary.id, dictionary.type]] : [])),
  );
  const dictionaries = new Map<number, ArrowBatch[]>();
  const blocks = [2, 3].map((slot) => readBlocks(file, footer.structs(slot, BLOCK_BYTES)));
  checkApart(file, blocks.flat());
  for (const block of blocks[0]) {
    const { id, batch } = parseDictionaryBatch(file, block, dictionaryTypes);
    const known = dictionaries.get(id);
    if (known === undefined) dictionaries.set(id, [batch]);
    else known.push(batch);
  }
  const types = columns.map(({ type }) => type);
  const batches = blocks[1].map((block) => {
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
  const name = field.text(0, MAX_NAME_BYTES);
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
      `column ${clipped(name)}: found a nested or unknown type (${code}), expected numbers or text`,
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

/** Where a message lies, bytes. */
interface Block {
  offset: number;
  metadataBytes: number;
  bodyBytes: number;
}

function readBlocks(file: OpenFile, structs: DataView): Block[] {
  const n = structs.byteLength / BLOCK_BYTES;
  if (n > MAX_BATCHES) throw badFeather(file.path, `found ${n} batches, expected at most ${MAX_BATCHES}`);
  return Array.from({ length: n }, (_, k) => {
    const at = k * BLOCK_BYTES;
    const offset = readInt64(structs, at);
    const metadataBytes = structs.getInt32(at + 8, true);
    const bodyBytes = readInt64(structs, at + 16);
    const end = offset + metadataBytes + bodyBytes;
    const isInside = offset >= HEAD_BYTES && metadataBytes >= 8 && bodyBytes >= 0;
    if (isInside && end <= file.size - TAIL_BYTES) return { offset, metadataBytes, bodyBytes };
    throw badFeather(file.path, `truncated: a batch lies at bytes ${offset} to ${end}`);
  });
}

/** Batches that share bytes could hold far more rows than the file has room for. */
function checkApart(file: OpenFile, blocks: readonly Block[]): void {
  let end = 0;
  for (const { offset, metadataBytes, bodyBytes } of blocks.toSorted((a, b) => a.offset - b.offset)) {
    if (offset < end) throw badFeather(file.path, `damaged: the batch at byte ${offset} overlaps another`);
    end = offset + metadataBytes + bodyBytes;
  }
}

/** The message at a block: its header table, and the body as a span of the file. */
function readMessage(
  file: OpenFile,
  { offset, metadataBytes, bodyBytes }: Block,
  headerType: number,
): { header: FlatTable; body: BufferSpan } {
  const body = { offset: offset + metadataBytes, length: bodyBytes };
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
  block: Block,
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
  if (n_rows < 0 || n_rows > MAX_ROWS) throw badFeather(path, `found a batch of ${n_rows} rows`);
  if (nodes.byteLength !== PAIR_BYTES * types.length) {
    const n_nodes = nodes.byteLength / PAIR_BYTES;
    throw badFeather(path, `found ${n_nodes} columns in a batch, expected ${types.length}`);
  }
  const n_null_k = Float64Array.from(types, (_, k) => {
    const n = readInt64(nodes, PAIR_BYTES * k);
    if (n !== n_rows) throw badFeather(path, `found ${n} rows in a column of a batch of ${n_rows}`);
    return readInt64(nodes, PAIR_BYTES * k + 8);
  });
  const n_buffers = types.reduce((sum, type) => sum + countBuffers(type), 0);
  const spans = readSpans(records.structs(2, PAIR_BYTES), n_buffers, body, path);
  return { n_rows, codec: codecOf(records.table(3), path), n_null_k, spans };
}

/** Offsets in the file and lengths of the first n_buffers buffers. Those that share bytes are refused, as batches are. */
function readSpans(pairs: DataView, n_buffers: number, body: BufferSpan, path: string): Float64Array {
  if (pairs.byteLength < PAIR_BYTES * n_buffers) throw badFeather(path, "damaged: a batch lacks buffers");
  const spans = new Float64Array(2 * n_buffers);
  let total = 0;
  for (let k = 0; k < n_buffers; k++) {
    const offset = readInt64(pairs, PAIR_BYTES * k);
    const length = readInt64(pairs, PAIR_BYTES * k + 8);
    if (offset < 0 || length < 0 || offset + length > body.length) {
      const found = `a buffer at bytes ${offset} to ${offset + length} of a batch of ${body.length}`;
      throw badFeather(path, `found ${found}`);
    }
    total += length;
    spans[2 * k] = body.offset + offset;
    spans[2 * k + 1] = length;
  }
  if (total > body.length)
    throw badFeather(path, `damaged: found ${total} bytes of buffers in a batch of ${body.length}`);
  return spans;
}

/** The part of column k in a batch whose columns have these types. */
export function chunkOf(batch: ArrowBatch, types: readonly ColumnType[], k: number): ColumnChunk {
  const first = types.slice(0, k).reduce((sum, type) => sum + countBuffers(type), 0);
  const buffers = Array.from({ length: countBuffers(types[k]) }, (_, j): BufferSpan => {
    const at = 2 * (first + j);
    return { offset: batch.spans[at], length: batch.spans[at + 1] };
  });
  return { n_rows: batch.n_rows, n_null: batch.n_null_k[k], buffers };
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
