/**
 * The messages of an Arrow IPC file (arrow.apache.org/docs/format/Columnar.html, Message.fbs, Schema.fbs, File.fbs): schema,
 * record batches, footer. A file is head, batches one after the other, tail.
 */
import { flatBuffer, int8, int16, int32, int64, type Slot } from "./flatbuffer-write.ts";

export type ColumnKind = "f64" | "i64" | "utf8";
export interface ColumnSchema {
  readonly name: string;
  readonly type: ColumnKind;
}

/** Where a batch lies in its file, bytes. */
export interface BatchPlace {
  readonly offset: number;
  readonly metadataBytes: number;
  readonly bodyBytes: number;
}

const METADATA_VERSION_5 = 4;
const HEADER = { schema: 1, recordBatch: 3 } as const;
const CODECS = { lz4: 0, zstd: 1 } as const;
const MAGIC = "ARROW1";
const CONTINUATION = -1;

/** Type code and details in the format's `Type` union. */
const TYPES: Record<ColumnKind, readonly [code: number, detail: readonly Slot[]]> = {
  f64: [3, [int16(2)]],
  i64: [2, [int32(64), int8(1)]],
  utf8: [20, []],
};

function schemaTable(columns: readonly ColumnSchema[]): readonly Slot[] {
  const fields = columns.map(({ name, type }) => {
    const [code, detail] = TYPES[type];
    return [{ text: name }, int8(1), int8(code), { table: detail }, undefined, { tables: [] }] as const;
  });
  return [undefined, { tables: fields }];
}

/** What stands before the first batch. */
export function fileHead(columns: readonly ColumnSchema[]): Uint8Array<ArrayBuffer> {
  const message = flatBuffer([
    int16(METADATA_VERSION_5),
    int8(HEADER.schema),
    { table: schemaTable(columns) },
    int64(0),
  ]);
  return joined([ascii(`${MAGIC}\0\0`), framed(message)]);
}

/** What stands after the last batch. */
export function fileTail(
  columns: readonly ColumnSchema[],
  batches: readonly BatchPlace[],
): Uint8Array<ArrayBuffer> {
  const blocks = Float64Array.from(
    batches.flatMap(({ offset, metadataBytes, bodyBytes }) => [offset, metadataBytes, bodyBytes]),
  );
  const footer = flatBuffer([
    int16(METADATA_VERSION_5),
    { table: schemaTable(columns) },
    { words: new Float64Array(0), n: 0 },
    { words: blocks, n: batches.length },
  ]);
  const size = new Uint8Array(4);
  new DataView(size.buffer).setInt32(0, footer.length, true);
  const endOfStream = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);
  return joined([endOfStream, footer, size, ascii(MAGIC)]);
}

/**
 * The metadata of a record batch; equally long for every batch of a table.
 * @param columns one kind each @param spans offset in the body and length of every buffer, in the columns' order: validity
 * (empty), then values; for text validity, offsets, characters
 */
export function batchMetadata(
  columns: readonly ColumnKind[],
  n_rows: number,
  spans: Float64Array,
  bodyBytes: number,
  codec: "none" | "lz4" | "zstd",
): Uint8Array<ArrayBuffer> {
  const nodes = new Float64Array(2 * columns.length);
  for (let k = 0; k < columns.length; k++) nodes[2 * k] = n_rows;
  const compression: Slot = codec === "none" ? undefined : { table: [int8(CODECS[codec]), int8(0)] };
  const header: Slot[] = [
    int64(n_rows),
    { words: nodes, n: columns.length },
    { words: spans, n: spans.length / 2 },
    compression,
  ];
  const slots = [int16(METADATA_VERSION_5), int8(HEADER.recordBatch), { table: header }, int64(bodyBytes)];
  return framed(flatBuffer(slots));
}

/** Buffers of a column in a batch. */
export const buffersOf = (kind: ColumnKind): number => (kind === "utf8" ? 3 : 2);

function framed(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(8 + message.length);
  const view = new DataView(frame.buffer);
  view.setInt32(0, CONTINUATION, true);
  view.setInt32(4, message.length, true);
  frame.set(message, 8);
  return frame;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
