import { expect, test } from "bun:test";
import { join } from "node:path";
import {
  decodeNpy,
  encodeNpy,
  type NpyArray,
  type NpyData,
  parseNpyHeader,
  readNpyHeader,
} from "../src/io/npy.ts";
import numpyFiles from "./fixtures/numpy-files.json";
import { expectRefusal, FIXTURES, fromBase64, temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();

function valuesOf(array: NpyArray): (number | string)[] {
  if (array.dtype === "U") return array.toStrings();
  return Array.from(array.dtype.startsWith("c") ? array.toComplex() : array.toFloat64());
}

for (const { name, npy, shape, values } of numpyFiles.cases) {
  test(`numpy's ${name} is read in C order`, () => {
    const array = decodeNpy(fromBase64(npy), name);
    expect(array.shape).toEqual(shape);
    expect(valuesOf(array)).toEqual(values);
  });
}

const encoders: Record<string, (values: (number | string)[]) => NpyData> = {
  "f8 C": (values) => ({ dtype: "f8", data: Float64Array.from(values as number[]) }),
  "f8 scalar": (values) => ({ dtype: "f8", data: Float64Array.from(values as number[]) }),
  i8: (values) => ({ dtype: "i8", data: Float64Array.from(values as number[]) }),
  c16: (values) => ({ dtype: "c16", data: Float64Array.from(values as number[]) }),
  "U scalar": (values) => ({ dtype: "U", data: values as string[] }),
  "U array": (values) => ({ dtype: "U", data: values as string[] }),
  empty: () => ({ dtype: "f8", data: new Float64Array(0) }),
};

for (const [name, encode] of Object.entries(encoders)) {
  test(`what is written is byte for byte what numpy writes: ${name}`, () => {
    const { npy, shape, values } = numpyFiles.cases.find((entry) => entry.name === name)!;
    const bytes = encodeNpy(shape, encode(values as (number | string)[]));
    expect(Buffer.from(bytes).toString("base64")).toBe(npy);
  });
}

test("integers are written alike from every integer array", () => {
  const bytes = encodeNpy([3], { dtype: "i8", data: Int32Array.of(-1, 0, 2 ** 31 - 1) });
  expect(bytes).toEqual(encodeNpy([3], { dtype: "i8", data: BigInt64Array.of(-1n, 0n, 2n ** 31n - 1n) }));
  expect(() => encodeNpy([1], { dtype: "i8", data: Float64Array.of(0.5) })).toThrow(RangeError);
  expect(() => encodeNpy([2], { dtype: "f8", data: Float64Array.of(0.5) })).toThrow("do not fill");
});

test("items that are not aligned to 8 bytes are read", () => {
  const bytes = fromBase64(numpyFiles.cases[0].npy);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  expect(Array.from(decodeNpy(shifted.subarray(3), "x").toFloat64())).toEqual(
    numpyFiles.cases[0].values as number[],
  );
});

test("a file's header is read without its data", () => {
  const path = join(FIXTURES, "banks/s/waveforms/phase_block_0.npy");
  expect(readNpyHeader(path)).toEqual({
    dtype: "f8",
    shape: [32, 4, 2, 378],
    fortranOrder: false,
    dataOffset: 128,
    itemBytes: 8,
  });
});

test("pickles, structures and big-endian numbers are refused", () => {
  const read = (text: string) => () => decodeNpy(fromBase64(text), "x.npy");
  expectRefusal(
    read(numpyFiles.pickled),
    "badData",
    "x.npy",
    "holds pickled Python objects; they are never loaded",
  );
  expectRefusal(read(numpyFiles.structured), "badData", "x.npy", "structured dtype");
  expectRefusal(read(numpyFiles.bigEndian), "badData", "x.npy", "big-endian");
});

test("values that do not fit the asked type are refused", () => {
  const array = decodeNpy(encodeNpy([1], { dtype: "i8", data: BigInt64Array.of(2n ** 53n) }), "x");
  expectRefusal(() => array.toFloat64(), "badData", "9007199254740992", "position 0");
  const wide = decodeNpy(encodeNpy([1], { dtype: "i8", data: Float64Array.of(2 ** 31) }), "x");
  expectRefusal(() => wide.toInt32(), "badData", "2147483648");
  expectRefusal(() => wide.toStrings(), "badData", "found dtype i8, expected text");
  const real = decodeNpy(encodeNpy([1], { dtype: "f8", data: Float64Array.of(1) }), "x");
  expectRefusal(() => real.toInt32(), "badData", "expected integers");
  expectRefusal(() => real.toComplex(), "badData", "expected complex");
});

test("truncated and lengthened files name the bytes found and expected", () => {
  const whole = encodeNpy([2, 2], { dtype: "f8", data: new Float64Array(4) });
  const short = writeTemporary(folder, "short.npy", whole.subarray(0, whole.length - 1));
  expectRefusal(() => readNpyHeader(short), "badData", short, "truncated", "159", "160");
  const long = writeTemporary(folder, "long.npy", Buffer.concat([whole, Buffer.of(0)]));
  expectRefusal(() => readNpyHeader(long), "badData", long, "longer", "161", "160");
  expectRefusal(() => readNpyHeader(join(folder, "absent.npy")), "noInput", "absent.npy", "no such file");
  expectRefusal(() => readNpyHeader(folder), "noInput", "a folder");
});

function withHeader(text: string, declared = text.length): Uint8Array<ArrayBuffer> {
  const prefix = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 2, 0, 0, 0, 0, 0]);
  prefix.writeUInt32LE(declared, 8);
  return Uint8Array.from(Buffer.concat([prefix, Buffer.from(text)]));
}

const hostile: [name: string, bytes: Uint8Array<ArrayBuffer>, found: string][] = [
  ["not npy", new Uint8Array(200), "not a .npy file"],
  ["short", Uint8Array.of(0x93), "not a .npy file"],
  ["huge header", withHeader("{}", 0xfffffff0), "expected at most 65536"],
  ["header cut", withHeader("{'descr'", 500), "truncated header"],
  ["no dict", withHeader("print(1)"), "found 'print(1)'"],
  ["open dict", withHeader("{'descr': '<f8', 'shape': (1,"), "found undefined"],
  ["missing key", withHeader("{'descr': '<f8', 'shape': (1,)}"), "keys descr, shape"],
  ["key twice", withHeader("{'descr': '<f8', 'descr': '<f4'}"), "'descr' twice"],
  ["negative", withHeader("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"), "found '-1"],
  [
    "overflow",
    withHeader("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}"),
    "too many",
  ],
  [
    "2^64",
    withHeader("{'descr': '<f8', 'fortran_order': True, 'shape': (18446744073709551616, 0)}"),
    "expected an axis length",
  ],
  [
    "text of no length",
    withHeader("{'descr': '<U0', 'fortran_order': False, 'shape': (4294967296,)}"),
    "found 17179869184 bytes of text",
  ],
  [
    "long text",
    withHeader("{'descr': '<U1048577', 'fortran_order': False, 'shape': ()}"),
    "found 4194308 bytes of text, expected at most 4194304",
  ],
  [
    "33 axes",
    withHeader(`{'descr': '<f8', 'fortran_order': False, 'shape': (${"1, ".repeat(33)})}`),
    "found 33 axes",
  ],
  ["escape", withHeader("{'descr': '\u001b[2J', 'fortran_order': False, 'shape': ()}"), "'?[2J'"],
  ["unknown dtype", withHeader("{'descr': '<f2', 'fortran_order': False, 'shape': ()}"), "'<f2'"],
  ["trailing", withHeader("{'descr': '<f8', 'fortran_order': False, 'shape': ()} x"), "found ' x'"],
];

for (const [name, bytes, found] of hostile) {
  test(`a damaged header is refused: ${name}`, () => {
    expectRefusal(() => parseNpyHeader(bytes, "x.npy"), "badData", "x.npy", found);
  });
}

test("axes of no length are no numbers, in any order", () => {
  for (const order of ["True", "False"]) {
    const bytes = withHeader(`{'descr': '<i4', 'fortran_order': ${order}, 'shape': (0, 4294967296)}`);
    expect(decodeNpy(bytes, "x").toFloat64().length).toBe(0);
  }
});

test("long text is read, zeros at its end are not part of it", () => {
  const text = "a\u0000\u{1f600}".repeat(5000);
  const array = decodeNpy(encodeNpy([2], { dtype: "U", data: [text, "\u0000"] }), "x");
  expect(array.toStrings()).toEqual([text, ""]);
});

test("no damage to one byte does anything but be refused or read", () => {
  const whole = fromBase64(numpyFiles.cases[1].npy);
  for (let at = 0; at < 128; at++) {
    for (const value of [0, 0x27, 0x39, 0xff]) {
      const bytes = whole.slice();
      bytes[at] = value;
      try {
        decodeNpy(bytes, "x").toFloat64();
      } catch (error) {
        expect((error as Error).name).toBe("DotpeError");
      }
    }
  }
});
