/** Archives that lie: see `fuzz/zip-parts.ts`. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { encodeNpy } from "../src/io/npy.ts";
import { openNpz } from "../src/io/npz.ts";
import { growthOf, ROOM_BYTES } from "./fuzz/memory.ts";
import { type Bytes, writeInteger } from "./fuzz/mutate.ts";
import { buildZip, type ZipPart } from "./fuzz/zip-parts.ts";
import { expectRefusal, temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();
const numbers = (n: number) => encodeNpy([n], { dtype: "f8", data: new Float64Array(n).fill(1) });
const write = (bytes: Uint8Array) => writeTemporary(folder, "hostile.npz", bytes);
const zip = (...parts: ZipPart[]) => write(buildZip(parts).bytes);
const part = (name: string, changes: Partial<ZipPart> = {}): ZipPart => ({
  ...{ name, bytes: numbers(8) },
  ...changes,
});

/** Where the k-th record with this signature begins. */
function recordAt(bytes: Bytes, signature: number, k = 0): number {
  const view = new DataView(bytes.buffer);
  let left = k;
  for (let at = 0; at + 4 <= bytes.length; at++)
    if (view.getUint32(at, true) === signature && left-- === 0) return at;
  throw new Error("no such record");
}
const [LOCAL, CENTRAL, END, END64] = [0x04034b50, 0x02014b50, 0x06054b50, 0x06064b50];

function changed(bytes: Bytes, ...changes: (readonly [at: number, size: number, value: number | bigint])[]) {
  for (const [at, size, value] of changes) writeInteger(bytes, at, size, BigInt(value));
  return write(bytes);
}

test("entries that share their bytes are refused: a bomb of many names for one entry", () => {
  const shared = Array.from({ length: 200 }, (_, k) =>
    part(`x${k}.npy`, { sharedWith: k === 0 ? undefined : 0 }),
  );
  expectRefusal(() => openNpz(zip(...shared)), "badData", "hostile.npz", "overlaps");
  const bytes = buildZip([part("a.npy"), part("b.npy")]).bytes;
  const own = recordAt(bytes, LOCAL, 1);
  // The first one's data, said to be longer, hold all of the second.
  const central = recordAt(bytes, CENTRAL);
  const path = changed(bytes, [central + 20, 4, own + 100], [central + 24, 4, own + 100]);
  expectRefusal(() => openNpz(path), "badData", "entry a.npy overlaps");
  const quoted = buildZip([part("a.npy"), part("b.npy")]).bytes;
  // A local header whose name and extra field reach over its data, into those of the next.
  const long = changed(quoted, [recordAt(quoted, LOCAL) + 28, 2, 100]);
  expectRefusal(() => openNpz(long).get("a"), "badData", "entry a.npy: its header is damaged");
});

test("an entry takes twice its size and 64 MB at most, whatever it claims", () => {
  const bytes = new Uint8Array(2 ** 26);
  bytes.set(encodeNpy([2 ** 23 - 16], { dtype: "f8", data: new Float64Array(2 ** 23 - 16) }));
  const path = zip(part("zeros.npy", { bytes, deflate: true }));
  const growth = growthOf(() => expect(openNpz(path).get("zeros").toFloat64().length).toBe(2 ** 23 - 16));
  expect(growth).toBeLessThan(2 * 2 ** 26 + ROOM_BYTES);
  // 100,000 bytes of noise that say they are 90 MB.
  const noise = Uint8Array.from({ length: 100_000 }, (_, k) => (k * k * 2654435761) >>> 13);
  const lie = zip(part("lie.npy", { bytes: noise, deflate: true, claim: { bytes: 9e7 } }));
  expect(
    growthOf(() => expectRefusal(() => openNpz(lie).get("lie"), "badData", "entry lie.npy", "damaged")),
  ).toBeLessThan(ROOM_BYTES);
});

test("zip64: lengths that are missing, cut, too long or beyond 2^53", () => {
  const whole = () => buildZip([part("a.npy", { zip64: true })], true).bytes;
  expect(openNpz(write(whole())).get("a").n_items).toBe(8);
  const extra = recordAt(whole(), CENTRAL) + 46 + "a.npy".length;
  const cases: [changes: Parameters<typeof changed>[1][], found: string][] = [
    [[[extra, 2, 9]], "its zip64 sizes are missing"],
    [[[extra + 2, 2, 16]], "its zip64 sizes are missing"],
    [[[extra + 2, 2, 0xffff]], "its zip64 sizes are missing"],
    [[[extra + 4, 8, 2n ** 64n - 1n]], "found a length of 18446744073709552000 bytes"],
    [[[extra + 12, 8, 2n ** 53n - 1n]], "truncated: entry a.npy"],
    [[[extra + 20, 8, 2n ** 62n]], "found a length of"],
    [[[extra + 4, 8, 2 ** 40]], "cannot hold 1099511627776 bytes"],
    [[[recordAt(whole(), END64) + 32, 8, 2n ** 64n - 1n]], "found a length of"],
    [[[recordAt(whole(), END64) + 32, 8, 2 ** 40]], "claims 1099511627776 entries"],
    [[[recordAt(whole(), END64) + 40, 8, 2 ** 40]], "central directory claims"],
    [[[recordAt(whole(), END64) + 48, 8, 2n ** 53n - 1n]], "central directory claims"],
    [[[recordAt(whole(), END64) + 64, 8, 2 ** 40]], "truncated"],
    [[[recordAt(whole(), END64) + 64, 8, 0]], "its zip64 end record is missing"],
  ];
  for (const [changes, found] of cases)
    expectRefusal(() => openNpz(changed(whole(), ...changes)), "badData", "hostile.npz", found);
});

test("headers that contradict the directory are refused", () => {
  const whole = () => buildZip([part("a.npy"), part("b.npy")]).bytes;
  const local = recordAt(whole(), LOCAL);
  const get = (path: string) => () => openNpz(path).get("a");
  expectRefusal(
    get(changed(whole(), [local + 30, 1, 0x62])),
    "badData",
    "entry a.npy: it calls itself b.npy",
  );
  expectRefusal(get(changed(whole(), [local + 8, 2, 8])), "badData", "entry a.npy: its header is damaged");
  const end = recordAt(whole(), END);
  const one = changed(whole(), [end + 10, 2, 1]);
  expectRefusal(() => openNpz(one), "badData", "bytes of central directory");
  const after = changed(whole(), [end + 16, 4, end - 10]);
  expectRefusal(() => openNpz(after), "badData", "central directory");
});

test("names are data: none becomes a path, none is shown as it is", () => {
  const names = [
    "../../escaped.npy",
    "/tmp/escaped.npy",
    "..\\escaped.npy",
    "a\u0000.npy",
    "__proto__.npy",
    ".npy",
  ];
  const npz = openNpz(zip(...names.map((name) => part(name))));
  expect(npz.names).toEqual(names.map((name) => name.slice(0, -4)));
  for (const name of npz.names) expect(npz.get(name).n_items).toBe(8);
  expect(readdirSync(folder)).toEqual(["hostile.npz"]);
  expect(existsSync(join(folder, "../../escaped.npy"))).toBe(false);
  expectRefusal(() => openNpz(zip(part("\u001b[31m.npy"))).get("x"), "badData", "found ?[31m;");
  expectRefusal(() => openNpz(zip(part("n".repeat(2000)))), "badData", "a name of 2000 bytes");
  const many = Array.from({ length: 300 }, (_, k) => part(`entry_number_${k}.npy`));
  expectRefusal(() => openNpz(zip(...many)).get("x"), "badData", "entry_number_0, entry_number_1", "...");
});
