/** Writing Feather v2 tables that pandas.read_feather opens as float64, int64 and str. */
import {
  CompressionType,
  compressionRegistry,
  type Data,
  Field,
  Float64,
  Int64,
  LargeUtf8,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
} from "apache-arrow";
import { compress as compressLz4 } from "lz4js";
import { toBigInt64 } from "./npy-write.ts";

export type FeatherColumn =
  | { name: string; type: "f64"; data: Float64Array }
  | { name: string; type: "i64"; data: Int32Array | Float64Array | BigInt64Array }
  | { name: string; type: "utf8"; data: readonly string[] };

export interface FeatherOptions {
  /** zstd (level 1) unless told: smaller and faster than LZ4 here. */
  compression?: "lz4" | "zstd" | "none";
}

/** Rows in a record batch. */
export const BATCH_ROWS = 2 ** 18;
const ZSTD_LEVEL = 1;

compressionRegistry.set(CompressionType.LZ4_FRAME, { encode: compressLz4 });
compressionRegistry.set(CompressionType.ZSTD, {
  encode: (bytes) => Bun.zstdCompressSync(bytes, { level: ZSTD_LEVEL }),
});

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
  { compression = "zstd" }: FeatherOptions = {},
): Generator<Uint8Array> {
  const n_rows = columns[0]?.data.length ?? 0;
  const odd = columns.find(({ data }) => data.length !== n_rows);
  if (odd !== undefined)
    throw new RangeError(`column ${odd.name} has ${odd.data.length} rows, not ${n_rows}`);
  const schema = new Schema(columns.map(({ name, type }) => new Field(name, new ARROW_TYPES[type](), true)));
  const writer = new ChunkWriter(COMPRESSION_TYPES[compression]);
  for (let row = 0; row === 0 || row < n_rows; row += BATCH_ROWS) {
    const end = Math.min(row + BATCH_ROWS, n_rows);
    const children = columns.map((column) => sliceColumn(column, row, end));
    const struct = makeData({ type: new Struct(schema.fields), length: end - row, nullCount: 0, children });
    writer.write(new RecordBatch(schema, struct));
    yield* writer.take();
  }
  writer.close();
  yield* writer.take();
}

const ARROW_TYPES = { f64: Float64, i64: Int64, utf8: LargeUtf8 };
const COMPRESSION_TYPES = { none: null, lz4: CompressionType.LZ4_FRAME, zstd: CompressionType.ZSTD };

function sliceColumn(column: FeatherColumn, row: number, end: number): Data {
  const length = end - row;
  if (column.type === "f64") {
    return makeData({ type: new Float64(), length, nullCount: 0, data: column.data.subarray(row, end) });
  }
  if (column.type === "i64") {
    return makeData({
      type: new Int64(),
      length,
      nullCount: 0,
      data: toBigInt64(column.data.subarray(row, end)),
    });
  }
  const { valueOffsets, data } = joinText(column.data.slice(row, end));
  return makeData({ type: new LargeUtf8(), length, nullCount: 0, valueOffsets, data });
}

/** Offsets are counted in the low halves of 64-bit integers: the text of one batch stays far below 2^31 bytes. */
function joinText(items: readonly string[]): { valueOffsets: BigInt64Array; data: Uint8Array } {
  const words = new Int32Array(2 * (items.length + 1));
  for (let k = 0; k < items.length; k++) words[2 * k + 2] = words[2 * k] + Buffer.byteLength(items[k]);
  const text = items.every((item) => item.isWellFormed()) ? items : items.map((item) => item.toWellFormed());
  return { valueOffsets: new BigInt64Array(words.buffer), data: new TextEncoder().encode(text.join("")) };
}

/**
 * Collects what the library writes, and repairs its compressed buffers: release 21.2.0 prefixes them with their
 * compressed length where the format wants the uncompressed one (apache/arrow-js#470).
 */
class ChunkWriter extends RecordBatchFileWriter {
  #chunks: Uint8Array[] = [];

  constructor(compressionType: CompressionType | null) {
    super({ compressionType });
  }

  /** What was written since the last call. */
  take(): Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }

  protected override _write(chunk: ArrayBufferView): this {
    if (!this._started || chunk.byteLength === 0) return this;
    this.#chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this._position += chunk.byteLength;
    return this;
  }

  protected override _compressBodyBuffers(buffers: ArrayBufferView[]) {
    const compressed = super._compressBodyBuffers(buffers);
    buffers.forEach((buffer, k) => {
      const prefix = compressed.buffers[2 * k];
      const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
      const isCompressed = prefix.byteLength === 8 && view.getBigInt64(0, true) !== -1n;
      if (isCompressed) view.setBigInt64(0, BigInt(buffer.byteLength), true);
    });
    return compressed;
  }
}
