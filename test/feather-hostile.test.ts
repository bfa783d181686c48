/** Feather files whose metadata lie, made field by field. */
import { expect, test } from "bun:test";
import { encodeFeather, readFeather } from "../src/io/feather.ts";
import { FlatTable } from "../src/io/flatbuffer.ts";
import { flatBuffer, int8, int16, int32, int64, type Slot } from "../src/io/flatbuffer-write.ts";
import { bytesOf, joined } from "./fuzz/bytes.ts";
import { growthOf, ROOM_BYTES } from "./fuzz/memory.ts";
import { expectRefusal, temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();
const write = (bytes: Uint8Array) => writeTemporary(folder, "hostile.feather", bytes);
const words = (values: readonly number[], perStruct: number): Slot => ({
  words: Float64Array.from(values),
  n: values.length / perStruct,
});

const F64: readonly Slot[] = [
  { text: "x" },
  int8(1),
  int8(3),
  { table: [int16(2)] },
  undefined,
  { tables: [] },
];
const TEXT: readonly Slot[] = [{ text: "x" }, int8(1), int8(5), { table: [] }, undefined, { tables: [] }];

interface Lies {
  fields?: readonly (readonly Slot[])[];
  /** Rows of a batch. */
  n?: number;
  /** Offset and length of each buffer. */
  spans?: readonly number[];
  /** 0: LZ4, 1: ZSTD. */
  codec?: number;
  body?: Uint8Array;
  /** Where the footer says that batches lie, beside the one. */
  blocks?: (own: readonly [offset: number, metadata: number, body: number]) => readonly number[];
}

/** A file of one batch: one column of 4 doubles if nothing else is said. */
function arrowFile(lies: Lies = {}): Uint8Array {
  const { fields = [F64], n = 4, body = new Uint8Array(32), spans = [0, 0, 0, body.length], codec } = lies;
  const nodes = fields.flatMap(() => [n, 0]);
  const compression: Slot = codec === undefined ? undefined : { table: [int8(codec), int8(0)] };
  const records = { table: [int64(n), words(nodes, 2), words(spans, 2), compression] };
  const message = flatBuffer([int16(4), int8(3), records, int64(body.length)]);
  const frame = new Int32Array([-1, message.length]);
  const metadata = joined(new Uint8Array(frame.buffer), message);
  const own = [8, metadata.length, body.length] as const;
  const blocks = lies.blocks?.(own) ?? own;
  const schema = { table: [undefined, { tables: fields }] };
  const footer = flatBuffer([int16(4), schema, words([], 3), words(blocks, 3)]);
  const length = new Uint8Array(Int32Array.of(footer.length).buffer);
  return joined(bytesOf("ARROW1\0\0"), metadata, body, footer, length, bytesOf("ARROW1"));
}

const refuse = (lies: Lies, ...parts: string[]) => {
  const read = () => {
    const table = readFeather(write(arrowFile(lies)));
    return lies.fields?.includes(TEXT) ? table.strings("x") : table.f64("x");
  };
  expectRefusal(read, "badData", "hostile.feather", ...parts);
};

test("the file without a lie is read", () => {
  expect(Array.from(readFeather(write(arrowFile())).f64("x"))).toEqual([0, 0, 0, 0]);
});

test("batches that share bytes, lie outside, or are very many", () => {
  refuse({ blocks: (own) => [...own, ...own] }, "the batch at byte 8 overlaps another");
  refuse({ blocks: ([at, metadata, body]) => [at, metadata, body, at + 8, metadata, body - 8] }, "overlaps");
  refuse({ blocks: ([, metadata, body]) => [2 ** 40, metadata, body] }, "truncated");
  refuse({ blocks: ([at, , body]) => [at, -8, body] }, "truncated");
  refuse({ blocks: ([at, metadata]) => [at, metadata, -1] }, "truncated");
  refuse(
    { blocks: ([at, metadata]) => [at, metadata, 2 ** 62] },
    "damaged: 4611686018427388000 is no length",
  );
  const many = new Array(2 ** 16 + 1).fill([8, 8, 0]).flat();
  refuse({ blocks: () => many }, "found 65537 batches");
});

test("buffers that share bytes, go backwards or beyond, or are missing", () => {
  const two = [F64, [{ text: "y" }, ...F64.slice(1)]] as const;
  refuse({ fields: two, spans: [0, 0, 0, 32, 0, 0, 0, 32] }, "64 bytes of buffers in a batch of 32");
  for (const [at, length] of [
    [-8, 32],
    [8, 32],
    [0, -1],
    [0, 2 ** 52],
  ])
    refuse({ spans: [0, 0, at, length] }, "found a buffer at bytes");
  refuse({ spans: [0, 0] }, "a batch lacks buffers");
  refuse({ spans: [0, 0, 0, 24] }, "found a buffer of 24 bytes, expected 32");
});

test("more rows than there are bytes for take no memory", () => {
  const lies = { n: 2 ** 28, body: new Uint8Array(4096) };
  expect(
    growthOf(() => {
      refuse(lies, "found a buffer of 4096 bytes, expected 2147483648");
      for (const codec of [0, 1]) refuse({ ...lies, codec }, "found a buffer of 4096 bytes");
      refuse({ ...lies, n: 2 ** 29 }, "found a batch of 536870912 rows");
    }),
  ).toBeLessThan(ROOM_BYTES);
});

test("compressed buffers that lie about their length", () => {
  const prefixed = (length: number, content: Uint8Array) => {
    const prefix = new Uint8Array(Float64Array.BYTES_PER_ELEMENT);
    new DataView(prefix.buffer).setBigInt64(0, BigInt(length), true);
    return joined(prefix, content, new Uint8Array(7 - ((content.length - 1) % 8)));
  };
  const zstd = Bun.zstdCompressSync(new Uint8Array(2 ** 26));
  expect(growthOf(() => refuse({ codec: 1, body: prefixed(32, zstd) }, "damaged: ZSTD"))).toBeLessThan(
    ROOM_BYTES,
  );
  for (const length of [0, 31, 2 ** 40, -2])
    refuse({ codec: 1, body: prefixed(length, zstd) }, `found a buffer of ${length} bytes, expected 32`);
  refuse({ codec: 0, body: prefixed(32, new Uint8Array(30)) }, "not an LZ4 frame");
  refuse({ codec: 1, body: prefixed(-1, new Uint8Array(20)), n: 4 }, "expected 32");
  refuse({ codec: 1, body: new Uint8Array(4) }, "expected 32");
  refuse({ codec: 7 }, "found compression codec 7");
});

test("text offsets that go backwards or beyond", () => {
  const text = (...offsets: number[]) => {
    const body = new Uint8Array(32);
    new Int32Array(body.buffer).set(offsets);
    return { fields: [TEXT], n: offsets.length - 1, body, spans: [0, 0, 0, 4 * offsets.length, 24, 8] };
  };
  expect(readFeather(write(arrowFile(text(0, 3, 8)))).strings("x")).toEqual(["\0\0\0", "\0\0\0\0\0"]);
  for (const offsets of [
    [0, 5, 3, 8],
    [-4, 2, 8],
    [0, 2 ** 31 - 1, 8],
    [4, 0, 8],
  ])
    refuse(text(...offsets), "its text offsets go backwards");
  refuse(text(0, 2, -1), "found -1 bytes of text");
  refuse(text(0, 2, 2 ** 31 - 1), "found 2147483647 bytes of text");
  refuse(text(0, 2, 9), "found a buffer of 8 bytes, expected 9");
});

test("vectors of 2^31 items, long names, very many columns", () => {
  refuse({ fields: [[{ text: "x".repeat(5000) }, ...F64.slice(1)]] }, "a text of 5000 bytes");
  refuse({ fields: new Array(4097).fill(F64) }, "found 4097 tables, expected at most 4096");
  refuse({ fields: [F64, F64], spans: [0, 0, 0, 32, 0, 0, 32, 0] }, "two columns named x");
  const whole = arrowFile();
  const view = new DataView(whole.buffer);
  const footer = whole.length - 10 - view.getInt32(whole.length - 10, true);
  for (const value of [2 ** 31, 2 ** 32 - 1]) {
    for (let at = footer; at + 4 <= whole.length - 10; at += 4) {
      const bytes = Uint8Array.from(whole);
      new DataView(bytes.buffer).setUint32(at, value, true);
      try {
        readFeather(write(bytes));
      } catch (error) {
        expect((error as Error).name).toBe("DotpeError");
      }
    }
  }
});

test("a FlatBuffer table that is its own child has no end, and needs none", () => {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  // The root at 16, its list of fields at 8: one field, at 20, a table that is the root (2^32 - 4 ahead is 4 back).
  view.setUint32(0, 16, true);
  view.setUint16(8, 6, true);
  view.setUint16(12, 4, true);
  view.setInt32(16, 8, true);
  view.setUint32(20, 2 ** 32 - 4, true);
  expect(() => FlatTable.root(bytes).table(0)).toThrow(RangeError);
  view.setUint32(20, 0, true);
  let table = FlatTable.root(bytes);
  for (let k = 0; k < 3; k++) table = table.table(0) ?? table;
  expect(() => table.int32(0)).not.toThrow();
});

test("integers of 64 bits take no more than the column does, text little more", () => {
  const n = 2 ** 21;
  const columns = [
    {
      name: "i",
      type: "i64" as const,
      data: Float64Array.from({ length: n }, (_, k) => (k % 2 ? -k : k) * 2 ** 30),
    },
    { name: "t", type: "utf8" as const, data: Array.from({ length: 2 ** 18 }, (_, k) => `\u00e9${k}`) },
  ];
  for (const compression of ["none", "zstd"] as const) {
    const path = write(encodeFeather(columns.slice(0, 1), { compression }));
    let read = new Float64Array(0);
    const growth = growthOf(() => {
      read = readFeather(path).f64("i");
    });
    expect(Bun.deepEquals(read, columns[0].data)).toBe(true);
    expect(growth).toBeLessThan(2 * 8 * n + ROOM_BYTES);
  }
  const path = write(encodeFeather(columns.slice(1)));
  let read: string[] = [];
  expect(
    growthOf(() => {
      read = readFeather(path).strings("t");
    }),
  ).toBeLessThan(2 * 2 ** 18 * 80 + ROOM_BYTES);
  expect(Bun.deepEquals(read, columns[1].data)).toBe(true);
  expect(
    readFeather(write(encodeFeather([{ name: "t", type: "utf8", data: ["\ufeffa", "\ufeff"] }]))).strings(
      "t",
    ),
  ).toEqual(["\ufeffa", "\ufeff"]);
});

test("integers beyond 2^53 are refused and named, whatever their sign", () => {
  const body = new Uint8Array(32);
  const view = new DataView(body.buffer);
  for (const [signed, value] of [
    [1, -(2n ** 53n)],
    [1, 2n ** 63n - 1n],
    [0, 2n ** 64n - 1n],
  ] as const) {
    view.setBigUint64(16, BigInt.asUintN(64, value), true);
    const field = [{ text: "x" }, int8(1), int8(2), { table: [int32(64), int8(signed)] }] as const;
    refuse({ fields: [field], body }, `found ${value} in row 2`);
  }
  view.setBigInt64(16, -(2n ** 53n) + 1n, true);
  const field = [{ text: "x" }, int8(1), int8(2), { table: [int32(64), int8(1)] }] as const;
  expect(readFeather(write(arrowFile({ fields: [field], body }))).f64("x")[2]).toBe(-(2 ** 53) + 1);
});
