/** Fuzzing .npy: headers put together from their parts, and bytes changed. */
import { encodeNpy, type NpyArray, readNpy, readNpyHeader } from "../../src/io/npy.ts";
import numpyFiles from "../fixtures/numpy-files.json";
import { fromBase64 } from "./bytes.ts";
import type { Format, Probe } from "./format.ts";
import { type Bytes, mutateBytes, mutateDoubles, mutateText, writeInteger } from "./mutate.ts";
import type { Random } from "./random.ts";
import { NPY_TOKENS } from "./tokens.ts";

const DTYPES =
  "<f8 <f4 <i8 <i4 <i2 |i1 <u8 <u4 <u2 |u1 |b1 <c16 <c8 <U3 <U0 <U |S3 |O >f8 <f2 <M8 <U99999999 =f8 |V8".split(
    " ",
  );
const LENGTHS = ["0", "1", "2", "3", "4", "7", "64", "65536", "2147483648", "4294967296", "9007199254740992"];
const HUGE = [
  "18446744073709551615",
  "18446744073709551616",
  "-1",
  "9223372036854775808",
  "1e3",
  "0x10",
  "2L",
];

/** A header of random fields, mostly plausible, before data that mostly fill it. */
export function randomNpy(random: Random): Bytes {
  const descr = random.pick(DTYPES);
  const axes = Array.from({ length: random.below(random.chance(0.95) ? 4 : 40) }, () => {
    const rare = random.below(20);
    return rare === 0 ? random.pick(HUGE) : rare <= 2 ? random.pick(LENGTHS) : String(1 + random.below(4));
  });
  const shape = `(${axes.join(", ")}${axes.length === 1 ? "," : ""})`;
  const order = random.chance(0.4) ? "True" : "False";
  let text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`;
  if (random.chance(0.3)) text = mutateText(random, text, NPY_TOKENS);
  const itemBytes = Number(/\d+$/.exec(descr)?.[0] ?? 1) * (descr[1] === "U" ? 4 : 1);
  const size = axes.reduce((product, n) => product * Number(n), itemBytes);
  const wrong = random.chance(0.1) ? random.below(17) - 8 : 0;
  const n = Math.max(
    0,
    Math.min(Number.isFinite(size) ? size : 0, random.chance(0.02) ? 2 ** 16 : 2 ** 10) + wrong,
  );
  const data = descr[1] === "U" ? textData(random, n) : random.bytes(n);
  return withHeader(text, data, 1 + random.below(3));
}

function textData(random: Random, n: number): Bytes {
  const bytes = new Uint8Array(n);
  for (let at = 0; at + 4 <= n; at += 4) {
    const code = random.chance(0.05)
      ? random.word()
      : random.pick([0, 0x48, 0x4c, 0x56, 0xd800, 0x1f600, 0x10ffff]);
    writeInteger(bytes, at, 4, BigInt(code));
  }
  return bytes;
}

/** With the length of the header as it is. */
export function withHeader(text: string, data: Uint8Array, version: number): Bytes {
  const header = new TextEncoder().encode(text);
  const prefix = version === 1 ? 10 : 12;
  const out = new Uint8Array(prefix + header.length + data.length);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  writeInteger(out, 8, prefix - 8, BigInt(header.length));
  out.set(header, prefix);
  out.set(data, prefix + header.length);
  return out;
}

/** Changes a .npy file: its header mostly, its numbers, or any byte. */
export function mutateNpy(random: Random, bytes: Uint8Array, other?: Bytes): Bytes {
  const start = Math.min(12 + (bytes[8] | (bytes[9] << 8)), bytes.length);
  const how = random.below(10);
  if (how < 3) {
    const text = new TextDecoder("latin1").decode(bytes.subarray(10, start));
    return withHeader(mutateText(random, text, NPY_TOKENS), bytes.subarray(start), 1 + random.below(2));
  }
  if (how < 8 && (bytes.length - 128) % 8 === 0 && bytes.length > 128) {
    const values = mutateDoubles(random, new Float64Array(bytes.slice(128).buffer));
    return Uint8Array.from(Buffer.concat([bytes.subarray(0, 128), new Uint8Array(values.buffer)]));
  }
  return mutateBytes(random, bytes, { other, tokens: NPY_TOKENS, hot: [[0, start]] });
}

/** Reads an array as each type that there is. */
export function readArray(array: NpyArray, probe: Probe): void {
  if (array.dtype === "U") {
    const texts = array.toStrings();
    probe.holds(texts.reduce((sum, text) => sum + 64 + 2 * text.length, 0));
  } else if (array.dtype.startsWith("c")) probe.holds(array.toComplex().byteLength);
  else {
    probe.holds(8 * array.n_items);
    if (/^[iub]/.test(array.dtype)) {
      try {
        array.toInt32();
      } catch {
        // Larger numbers are read below.
      }
    }
    array.toFloat64();
  }
}

export const npy: Format = {
  name: "npy",
  extension: "npy",
  stages: ["header", "array", "values"],
  seeds: () => [
    ...numpyFiles.cases.map(({ npy: text }) => fromBase64(text)),
    ...[numpyFiles.pickled, numpyFiles.structured, numpyFiles.bigEndian].map(fromBase64),
    encodeNpy([16], { dtype: "f8", data: Float64Array.from({ length: 16 }, (_, k) => k / 3) }),
  ],
  make: (random, corpus) =>
    random.chance(0.5) ? randomNpy(random) : mutateNpy(random, random.pick(corpus), random.pick(corpus)),
  read(path, probe) {
    readNpyHeader(path);
    probe.reach("header");
    const array = readNpy(path);
    probe.reach("array");
    readArray(array, probe);
    probe.reach("values");
  },
};
