import { expect, test } from "bun:test";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { encodeFeather, type FeatherColumn, readFeather } from "../src/io/feather.ts";
import { BATCH_ROWS, encodeFeatherChunks } from "../src/io/feather-write.ts";
import { flatBuffer, int8, int16, int32, int64 } from "../src/io/flatbuffer-write.ts";
import { decompressLz4Frame } from "../src/io/lz4.ts";
import featherFiles from "./fixtures/feather-files.json";
import { expectRefusal, FIXTURES, fromBase64, temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();
const { columns, files } = featherFiles;

for (const [name, base64] of Object.entries(files)) {
  test(`pandas' file is read: ${name}`, () => {
    const table = readFeather(writeTemporary(folder, "pandas.feather", fromBase64(base64)));
    expect(table.n_rows).toBe(40);
    expect(table.names).toEqual(["x", "n", "k", "b", "bank_id", "bank_id_cat"]);
    for (const key of ["x", "n", "k", "b"] as const) expect(Array.from(table.f64(key))).toEqual(columns[key]);
    expect(table.strings("bank_id")).toEqual(columns.bank_id);
    expect(table.strings("bank_id_cat")).toEqual(columns.bank_id);
  });
}

test("an empty table, and matches that overlap themselves, are read", () => {
  const empty = readFeather(writeTemporary(folder, "empty.feather", fromBase64(featherFiles.empty)));
  expect([empty.n_rows, empty.f64("x").length, empty.strings("bank_id").length]).toEqual([0, 0, 0]);
  const table = readFeather(
    writeTemporary(folder, "repeat.feather", fromBase64(featherFiles.repetitive.file)),
  );
  expect(Array.from(table.f64("x"))).toEqual(Array.from({ length: 900 }, (_, k) => 1 + Math.floor(k / 300)));
  expect(table.strings("s")).toEqual(Array.from({ length: 900 }, (_, k) => "ab".repeat((k % 5) * 40)));
});

test("the reference's bank and results are read", () => {
  const bank = readFeather(join(FIXTURES, "banks/s/intrinsic_sample_bank.feather"));
  expect(bank.n_rows).toBe(96);
  expect(Math.min(...bank.f64("m1"))).toBeGreaterThan(26);
  const rows = readFeather(join(FIXTURES, "runs/small/prob_samples_top.feather"));
  expect(new Set(rows.strings("bank_id"))).toEqual(new Set(["bank_0"]));
  // the largest bestfit_lnlike that runs/small/digest.json states
  expect(Math.max(...rows.f64("bestfit_lnlike"))).toBe(124.68455267317542);
});

test("nulls, nested columns, wrong types and absent columns are refused by name", () => {
  const nulls = readFeather(writeTemporary(folder, "nulls.feather", fromBase64(featherFiles.nulls)));
  expectRefusal(() => nulls.f64("x"), "badData", "nulls.feather", "column x", "null in row 2");
  const nested = writeTemporary(folder, "nested.feather", fromBase64(featherFiles.nested));
  expectRefusal(() => readFeather(nested), "badData", nested, "column x", "nested");
  const table = readFeather(writeTemporary(folder, "t.feather", fromBase64(files.lz4)));
  expectRefusal(() => table.f64("bank_id"), "badData", "column bank_id", "found text, expected numbers");
  expectRefusal(() => table.f64("bank_id_cat"), "badData", "found categories, expected numbers");
  expectRefusal(() => table.strings("x"), "badData", "column x", "found float, expected text");
  expectRefusal(
    () => table.f64("y"),
    "badData",
    "found x, n, k, b, bank_id, bank_id_cat; expected a column y",
  );
});

function sampleColumns(n: number): FeatherColumn[] {
  return [
    { name: "lnl", type: "f64", data: Float64Array.from({ length: n }, (_, k) => Math.sin(k) * 1e3) },
    { name: "i", type: "i64", data: Int32Array.from({ length: n }, (_, k) => k - 3) },
    {
      name: "big",
      type: "i64",
      data: Float64Array.from({ length: n }, (_, k) => (k % 2 ? -1 : 1) * (2 ** 40 + k)),
    },
    { name: "bank_id", type: "utf8", data: Array.from({ length: n }, (_, k) => (k % 7 ? "bank_0" : "é😀")) },
  ];
}

for (const compression of ["none", "lz4", "zstd"] as const) {
  for (const n of [0, 1, 1000, BATCH_ROWS + 5]) {
    test(`what is written is read again: ${n} rows, ${compression}`, () => {
      const written = sampleColumns(n);
      const path = writeTemporary(folder, "own.feather", encodeFeather(written, { compression }));
      const table = readFeather(path);
      expect(table.n_rows).toBe(n);
      for (const { name, type, data } of written) {
        const read = type === "utf8" ? table.strings(name) : Array.from(table.f64(name));
        expect(Bun.deepEquals(read, Array.from<string | number | bigint>(data))).toBe(true);
      }
    });
  }
}

test("an independent reader agrees, and sees int64 and large_utf8", () => {
  const table = tableFromIPC(encodeFeather(sampleColumns(20), { compression: "none" }));
  expect(table.schema.fields.map(({ type }) => String(type))).toEqual([
    "Float64",
    "Int64",
    "Int64",
    "LargeUtf8",
  ]);
  expect(table.get(2)?.toJSON()).toEqual({
    lnl: Math.sin(2) * 1e3,
    i: -1n,
    big: 2n ** 40n + 2n,
    bank_id: "bank_0",
  });
});

/** The tables of a FlatBuffer begin with the distance to their field list, which must stand at an even place. */
test("FlatBuffers: numbers at places that their size divides, whatever the length of the names", () => {
  for (let n = 0; n < 9; n++) {
    const inner = [{ text: "n".repeat(n) }, int64(7), { table: [int16(5)] }, int8(3)];
    const bytes = flatBuffer([{ text: "m".repeat(n) }, { tables: [inner, inner] }, int32(9)]);
    const view = new DataView(bytes.buffer);
    const visit = (at: number, children: (field: (slot: number) => number) => void) => {
      const fields = at - view.getInt32(at, true);
      expect([at % 4, fields % 2]).toEqual([0, 0]);
      children((slot) => at + view.getUint16(fields + 4 + 2 * slot, true));
    };
    const target = (at: number) => at + view.getUint32(at, true);
    visit(target(0), (field) => {
      const list = target(field(1));
      expect(view.getInt32(field(2), true)).toBe(9);
      for (const k of [0, 1]) {
        visit(target(list + 4 + 4 * k), (innerField) => {
          expect([innerField(1) % 8, view.getBigInt64(innerField(1), true)]).toEqual([0, 7n]);
          expect(view.getUint32(target(innerField(0)), true)).toBe(n);
          visit(target(innerField(2)), (last) => expect(view.getInt16(last(0), true)).toBe(5));
        });
      }
    });
  }
});

test("equal columns give equal bytes, and the pieces are the whole", () => {
  const whole = encodeFeather(sampleColumns(500));
  expect(encodeFeather(sampleColumns(500))).toEqual(whole);
  const joined = Buffer.concat([...encodeFeatherChunks(sampleColumns(500))]);
  expect(joined.equals(whole)).toBe(true);
});

test("columns of different lengths, and fractions in integer columns, are a defect of the caller", () => {
  const short: FeatherColumn = { name: "y", type: "f64", data: new Float64Array(1) };
  expect(() => encodeFeather([...sampleColumns(2), short])).toThrow("column y has 1 rows, not 2");
  expect(() => encodeFeather([{ name: "i", type: "i64", data: Float64Array.of(0.5) }])).toThrow(RangeError);
});

test("files that are not Feather or are cut are refused", () => {
  const whole = fromBase64(files.lz4);
  const write = (bytes: Uint8Array) => writeTemporary(folder, "cut.feather", bytes);
  expectRefusal(() => readFeather(write(new Uint8Array(100))), "badData", "does not start with ARROW1");
  expectRefusal(() => readFeather(write(whole.subarray(0, whole.length - 1))), "badData", "truncated");
  expectRefusal(() => readFeather(join(folder, "absent.feather")), "noInput", "no such file");
  const footer = whole.slice();
  new DataView(footer.buffer).setInt32(whole.length - 10, 0x7fffffff, true);
  expectRefusal(() => readFeather(write(footer)), "badData", "footer of 2147483647 bytes");
});

/** Reads every column; a refusal is fine, anything else that is thrown is not. */
function readAll(path: string): void {
  try {
    const table = readFeather(path);
    for (const name of table.names) {
      try {
        table.f64(name);
      } catch (error) {
        expect((error as Error).name).toBe("DotpeError");
      }
      try {
        table.strings(name);
      } catch (error) {
        expect((error as Error).name).toBe("DotpeError");
      }
    }
  } catch (error) {
    expect((error as Error).name).toBe("DotpeError");
  }
}

for (const name of ["uncompressed", "lz4", "zstd in batches of 16"] as const) {
  test(`no damaged byte makes the reader crash, hang or run over: ${name}`, () => {
    const whole = fromBase64(files[name]);
    const stride = Math.ceil(whole.length / 600);
    for (let at = 0; at < whole.length; at += stride) {
      for (const value of [0xff, whole[at] ^ 0x40]) {
        const bytes = whole.slice();
        bytes[at] = value;
        readAll(writeTemporary(folder, "damaged.feather", bytes));
      }
    }
  });
}

test("LZ4 frames that claim too much are refused", () => {
  const frame = (...block: number[]) =>
    Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x40, 0x70, 0, block.length, 0, 0, 0, ...block, 0, 0, 0, 0);
  expect(Array.from(decompressLz4Frame(frame(0x22, 7, 8, 2, 0, 0x10, 9), 9))).toEqual([
    7, 8, 7, 8, 7, 8, 7, 8, 9,
  ]);
  expect(() => decompressLz4Frame(frame(0x22, 7, 8, 2, 0, 0x10, 9), 8)).toThrow("overflow");
  expect(() => decompressLz4Frame(frame(0x22, 7, 8, 3, 0, 0x10, 9), 9)).toThrow("match overflow");
  expect(() => decompressLz4Frame(frame(0x22, 7, 8, 0, 0, 0x10, 9), 9)).toThrow("match overflow");
  expect(() => decompressLz4Frame(frame(0xf0, 255, 255), 9)).toThrow("truncated");
  expect(() => decompressLz4Frame(frame(0x10, 9), 2)).toThrow("hold 1 bytes, expected 2");
});
