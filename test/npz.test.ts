import { expect, test } from "bun:test";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { encodeNpz, openNpz } from "../src/io/npz.ts";
import numpyFiles from "./fixtures/numpy-files.json";
import {
  expectRefusal,
  FIXTURES,
  fromBase64,
  temporaryFolder,
  thrownBy,
  writeTemporary,
} from "./io-helpers.ts";

const folder = temporaryFolder();
const npzBytes = fromBase64(numpyFiles.npz);

test("an archive with a pickled entry is read, the pickle never", () => {
  const path = writeTemporary(folder, "pickled.npz", npzBytes);
  const npz = openNpz(path);
  expect(npz.names).toEqual(["x", "injection", "name"]);
  expect(Array.from(npz.get("x").toFloat64())).toEqual([0, 1, 2]);
  expect(npz.get("name").toStrings()).toEqual(["n"]);
  expectRefusal(() => npz.get("injection"), "badData", path, "entry injection", "pickled");
});

test("deflated entries are read", () => {
  const npz = openNpz(writeTemporary(folder, "deflated.npz", fromBase64(numpyFiles.npzCompressed)));
  expect(Array.from(npz.get("x").toFloat64())).toEqual(Array.from({ length: 1000 }, (_, k) => k % 7));
  expect(npz.get("y").shape).toEqual([2, 2]);
});

test("a real event is read", () => {
  const npz = openNpz(join(FIXTURES, "events/GW170814.npz"));
  expect(npz.get("detector_names").toStrings()).toEqual(["HLV"]);
  expect(npz.get("strain").shape).toEqual([3, 16385]);
  expect(Array.from(npz.get("strain").toComplex().subarray(2, 4))).toEqual([
    6.766891769606293e-17, 6.31354211064412e-17,
  ]);
});

test("an absent entry is named with those found", () => {
  const npz = openNpz(writeTemporary(folder, "some.npz", npzBytes));
  expect(npz.has("y")).toBe(false);
  expectRefusal(() => npz.get("y"), "badData", "some.npz", "found x, injection, name", "entry y");
});

for (const deflate of [false, true]) {
  test(`what is written is read again, the same bytes each time (deflate ${deflate})`, () => {
    const encode = () =>
      encodeNpz(
        [
          { name: "a", shape: [2, 2], dtype: "f8", data: Float64Array.of(1, 2, 3, -0) },
          { name: "inds", shape: [3], dtype: "i8", data: Int32Array.of(5, -6, 7) },
          { name: "h", shape: [1], dtype: "c16", data: Float64Array.of(1.5, -2) },
          { name: "detectors", shape: [], dtype: "U", data: ["HLV"] },
        ],
        { deflate },
      );
    const bytes = encode();
    expect(encode()).toEqual(bytes);
    const npz = openNpz(writeTemporary(folder, "own.npz", bytes));
    expect(npz.names).toEqual(["a", "inds", "h", "detectors"]);
    expect(Array.from(npz.get("a").toFloat64())).toEqual([1, 2, 3, -0]);
    expect(Array.from(npz.get("inds").toInt32())).toEqual([5, -6, 7]);
    expect(Array.from(npz.get("h").toComplex())).toEqual([1.5, -2]);
    expect(npz.get("detectors").toStrings()).toEqual(["HLV"]);
    expect(Object.keys(unzipSync(bytes))).toEqual(["a.npy", "inds.npy", "h.npy", "detectors.npy"]);
  });
}

/** Where the k-th record with this signature stands. */
function findRecord(bytes: Uint8Array, signature: number, k = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let left = k;
  for (let at = 0; at + 4 <= bytes.length; at++) {
    if (view.getUint32(at, true) === signature && left-- === 0) return at;
  }
  throw new Error("no such record");
}

const CENTRAL = 0x02014b50;
const END = 0x06054b50;

function damaged(name: string, change: (view: DataView) => void): string {
  const bytes = npzBytes.slice();
  change(new DataView(bytes.buffer));
  return writeTemporary(folder, `${name}.npz`, bytes);
}

test("a changed byte of data is found by its CRC-32", () => {
  const path = damaged("crc", (view) => view.setUint8(200, view.getUint8(200) ^ 1));
  expectRefusal(() => openNpz(path).get("x"), "badData", path, "entry x.npy", "CRC-32");
});

test("impossible sizes are refused before anything is allocated", () => {
  const central = findRecord(npzBytes, CENTRAL);
  const stored = damaged("stored", (view) => view.setUint32(central + 24, 0x7fffffff, true));
  expectRefusal(() => openNpz(stored), "badData", "x.npy", "cannot hold 2147483647");
  const bomb = damaged("bomb", (view) => {
    view.setUint16(central + 10, 8, true);
    view.setUint32(central + 24, 0x7fffffff, true);
  });
  expectRefusal(() => openNpz(bomb), "badData", "x.npy", "deflated bytes cannot hold");
  const far = damaged("far", (view) => view.setUint32(central + 42, 0x7fffffff, true));
  expectRefusal(() => openNpz(far), "badData", "truncated: entry x.npy");
  const path = writeTemporary(folder, "cap.npz", npzBytes);
  expectRefusal(() => openNpz(path, 100).get("x"), "badData", "x.npy", "expected at most 100");
});

test("an entry that inflates to more than it declares is refused", () => {
  const bytes = fromBase64(numpyFiles.npzCompressed);
  const view = new DataView(bytes.buffer);
  view.setUint32(findRecord(bytes, CENTRAL) + 24, 300, true);
  const path = writeTemporary(folder, "overflow.npz", bytes);
  expectRefusal(() => openNpz(path).get("x"), "badData", path, "x.npy", "damaged");
});

test("encryption, unknown methods and duplicate names are refused", () => {
  const central = findRecord(npzBytes, CENTRAL);
  const encrypted = damaged("encrypted", (view) => view.setUint16(central + 8, 1, true));
  expectRefusal(() => openNpz(encrypted), "badData", "encrypted");
  const method = damaged("method", (view) => view.setUint16(central + 10, 12, true));
  expectRefusal(() => openNpz(method), "badData", "method 12");
  const twice = encodeNpz([
    { name: "a", shape: [], dtype: "f8", data: Float64Array.of(1) },
    { name: "b", shape: [], dtype: "f8", data: Float64Array.of(2) },
  ]);
  twice[findRecord(twice, CENTRAL, 1) + 46] = "a".charCodeAt(0);
  expectRefusal(
    () => openNpz(writeTemporary(folder, "twice.npz", twice)),
    "badData",
    "two entries named a.npy",
  );
});

test("a directory that claims too much is refused", () => {
  const end = findRecord(npzBytes, END);
  const many = damaged("many", (view) => view.setUint16(end + 10, 60_000, true));
  expectRefusal(() => openNpz(many), "badData", "60000 entries");
  const away = damaged("away", (view) => view.setUint32(end + 16, 0x7ffffff0, true));
  expectRefusal(() => openNpz(away), "badData", "central directory");
});

test("every truncation is refused, as noInput is for a missing file", () => {
  for (let length = 0; length < npzBytes.length; length += 7) {
    const path = writeTemporary(folder, "cut.npz", npzBytes.subarray(0, length));
    expect(thrownBy(() => openNpz(path)).exit).toBe("badData");
  }
  expectRefusal(() => openNpz(join(folder, "absent.npz")), "noInput", "absent.npz");
});
