/** Writing Feather v2 tables that pandas.read_feather opens as float64, int64 and str: in one piece, or batch by batch. */
import { type BatchPlace, batchMetadata, type ColumnKind, fileHead, fileTail } from "./arrow-message.ts";
import { toBigInt64 } from "./npy-write.ts";

export type FeatherColumn =
  | { name: string; type: "f64"; data: Float64Array }
  | { name: string; type: "i64"; data: Int32Array | Float64Array | BigInt64Array }
  | { name: string; type: "utf8"; data: readonly string[] };

export interface FeatherOptions {
  /** zstd (level 1) unless told: smaller and faster than LZ4 here. */
  compression?: Compression;
}

export type Compression = "lz4" | "zstd" | "none";

/** Rows in a record batch. */
export const BATCH_ROWS = 2 ** 18;
const ZSTD_LEVEL = 1;
/** Buffers begin at multiples of this. */
const ALIGNMENT = 8;
/** In front of a buffer of a compressed batch stands its length, or this where it is not compressed. */
const PREFIX_BYTES = 8;
const NOT_COMPRESSED = -1n;

/** The bytes of a table; equal columns give equal bytes. As `encodeFeatherChunks`, in one piece. */
export function encodeFeather(
  columns: readonly FeatherColumn[],
  options: FeatherOptions = {},
): Uint8Array<ArrayBuffer> {
  const chunks = [...encodeFeatherChunks(columns, options)];
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/**
 * The bytes of a table piece by piece, one record batch of `BATCH_ROWS` rows at a time, for `writeFileAtomic`.
 * Integers are written as int64. RangeError if the columns differ in length or an integer column holds others.
 */
export function* encodeFeatherChunks(
  columns: readonly FeatherColumn[],
  options: FeatherOptions = {},
): Generator<Uint8Array> {
  const n_rows = columns[0]?.data.length ?? 0;
  const odd = columns.find(({ data }) => data.length !== n_rows);
  if (odd !== undefined)
    throw new RangeError(`column ${odd.name} has ${odd.data.length} rows, not ${n_rows}`);
  const parts = function* () {
    for (let row = 0; row === 0 || row < n_rows; row += BATCH_ROWS) {
      yield columns.map((column) => sliceColumn(column, row, Math.min(row + BATCH_ROWS, n_rows)));
    }
  };
  yield* encodeFeatherBatches(parts(), options);
}

/**
 * As `encodeFeatherChunks`, of a table whose parts come one after the other: each becomes a record batch, and is asked for
 * when the one before has been taken. All must have the columns of the first.
 */
export function* encodeFeatherBatches(
  parts: Iterable<readonly FeatherColumn[]>,
  { compression = "zstd" }: FeatherOptions = {},
): Generator<Uint8Array> {
  const places: BatchPlace[] = [];
  const body = new BatchBody(compression);
  let columns: readonly FeatherColumn[] = [];
  let offset = 0;
  for (const part of parts) {
    if (offset === 0) {
      columns = part.map(({ name, type }) => ({ name, type, data: [] }) as never);
      const head = fileHead(columns);
      offset = head.length;
      yield head;
    }
    body.start();
    const n_rows = part[0]?.data.length ?? 0;
    for (const column of part) addColumn(body, column, n_rows);
    const metadata = body.metadata(
      part.map(({ type }) => type),
      n_rows,
    );
    places.push({ offset, metadataBytes: metadata.length, bodyBytes: body.length });
    offset += metadata.length + body.length;
    yield metadata;
    yield body.bytes().slice();
  }
  yield fileTail(columns, places);
}

function sliceColumn({ name, type, data }: FeatherColumn, row: number, end: number): FeatherColumn {
  const part = Array.isArray(data) ? data.slice(row, end) : (data as Float64Array).subarray(row, end);
  return { name, type, data: part } as FeatherColumn;
}

function addColumn(body: BatchBody, column: FeatherColumn, n_rows: number): void {
  const { type, data } = column;
  if (data.length !== n_rows)
    throw new RangeError(`column ${column.name} has ${data.length} rows, not ${n_rows}`);
  if (type === "utf8") {
    const text = joinText(data);
    body.addText(text.offsets, text.characters);
  } else body.addNumbers(bytesOf(type === "i64" ? toBigInt64(data) : data));
}

/** lz4js is loaded only where it is asked for: that takes longer than a small table. */
function pack(values: Uint8Array<ArrayBuffer>, compression: "lz4" | "zstd"): Uint8Array {
  return compression === "zstd"
    ? Bun.zstdCompressSync(values, { level: ZSTD_LEVEL })
    : require("lz4js").compress(values);
}

function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Offsets are counted in the low halves of 64-bit integers: the text of one batch stays far below 2^31 bytes. */
function joinText(items: readonly string[]): { offsets: Uint8Array; characters: Uint8Array } {
  const words = new Int32Array(2 * (items.length + 1));
  for (let k = 0; k < items.length; k++) words[2 * k + 2] = words[2 * k] + Buffer.byteLength(items[k]);
  const text = items.every((item) => item.isWellFormed()) ? items : items.map((item) => item.toWellFormed());
  return { offsets: bytesOf(words), characters: new TextEncoder().encode(text.join("")) };
}

/** The body of one record batch after the other, in memory that is used again. */
export class BatchBody {
  private room = new Uint8Array(2 ** 16);
  private spans: number[] = [];
  length = 0;

  constructor(private readonly compression: Compression) {}

  start(): void {
    this.length = 0;
    this.spans = [];
  }

  /** A column of numbers without nulls, little-endian. */
  addNumbers(values: Uint8Array): void {
    this.spans.push(this.length, 0);
    this.add(values);
  }

  /** A column of text without nulls. @param offsets 64-bit integers, one more than rows */
  addText(offsets: Uint8Array, characters: Uint8Array): void {
    this.spans.push(this.length, 0);
    this.add(offsets);
    this.add(characters);
  }

  /** A column of numbers that is not compressed; where its bytes begin in the body. */
  addPlain(values: Uint8Array): number {
    this.spans.push(this.length, 0);
    return this.put(values, NOT_COMPRESSED);
  }

  private add(values: Uint8Array): void {
    if (this.compression === "none" || values.length === 0) this.put(values, undefined);
    else {
      const packed = pack(values as Uint8Array<ArrayBuffer>, this.compression);
      if (packed.length < values.length) this.put(packed, BigInt(values.length));
      else this.put(values, NOT_COMPRESSED);
    }
  }

  private put(bytes: Uint8Array, prefix: bigint | undefined): number {
    const start = this.length;
    const at = start + (prefix === undefined || bytes.length === 0 ? 0 : PREFIX_BYTES);
    const end = at + bytes.length;
    this.spans.push(start, end - start);
    this.length = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    if (this.length > this.room.length) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.room.subarray(0, start));
      this.room = larger;
    }
    if (prefix !== undefined && at > start) new DataView(this.room.buffer).setBigInt64(start, prefix, true);
    this.room.set(bytes, at);
    this.room.fill(0, end, this.length);
    return at;
  }

  /** Valid until the next `start`. */
  bytes(): Uint8Array {
    return this.room.subarray(0, this.length);
  }

  /** Of a batch with the first `columns.length` columns that were added, whose body ends at `bodyBytes`. */
  metadata(columns: readonly ColumnKind[], n_rows: number, bodyBytes = this.length): Uint8Array<ArrayBuffer> {
    const n_buffers = columns.reduce((sum, kind) => sum + (kind === "utf8" ? 3 : 2), 0);
    const spans = Float64Array.from(this.spans.slice(0, 2 * n_buffers));
    return batchMetadata(columns, n_rows, spans, bodyBytes, this.compression);
  }
}
