import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readEvent } from "../src/gw/event.ts";
import { encodeNpz, type NpzEntry } from "../src/io/npz.ts";
import { expectRefusal, FIXTURES, temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();
const GW170814 = join(FIXTURES, "events/GW170814.npz");
const INJECTION = join(import.meta.dir, "../../shared/reference/events/injection-c.npz");

test("GW170814 is read", () => {
  const event = readEvent(GW170814);
  expect(event).toMatchObject({
    name: "GW170814",
    detectors: ["H", "L", "V"],
    n_d: 3,
    n_f: 16385,
    df: 1 / 32,
    tgps: 1186741861.5,
    tcoarse: 24,
    f0: 15,
    f1: 512,
  });
  // numpy: strain[0, 1]
  expect([event.strainRe_df[1], event.strainIm_df[1]]).toEqual([6.766891769606293e-17, 6.31354211064412e-17]);
  expect([event.strainRe_df.length, event.whiten_df.length, event.f[16384]]).toEqual([
    3 * 16385,
    3 * 16385,
    512,
  ]);
});

test.skipIf(!existsSync(INJECTION))("an injection event is read without its pickle", () => {
  const event = readEvent(INJECTION);
  expect(event).toMatchObject({
    name: "injection-c",
    detectors: ["H", "L", "V"],
    n_f: 192001,
    f0: 15,
    f1: 1600,
  });
  expect(event.df).toBeCloseTo(1 / 120, 15);
});

const N_F = 9;

/** A small good event for two detectors, with some of its entries replaced; null leaves an entry out. */
function writeEvent(replacements: Record<string, Omit<NpzEntry, "name"> | null> = {}): string {
  const even = Float64Array.from({ length: N_F }, (_, k) => k / 4);
  const entries: Record<string, Omit<NpzEntry, "name"> | null> = {
    eventname: { shape: [], dtype: "U", data: ["test"] },
    frequencies: { shape: [N_F], dtype: "f8", data: even },
    strain: { shape: [2, N_F], dtype: "c16", data: new Float64Array(4 * N_F).fill(1) },
    wht_filter: { shape: [2, N_F], dtype: "f8", data: filter(() => 2) },
    detector_names: { shape: [2], dtype: "U", data: ["H", "V"] },
    tgps: { shape: [], dtype: "f8", data: Float64Array.of(0) },
    tcoarse: { shape: [], dtype: "f8", data: Float64Array.of(2) },
    ...replacements,
  } as Record<string, Omit<NpzEntry, "name"> | null>;
  const kept = Object.entries(entries).flatMap(([name, entry]) =>
    entry ? [{ name, ...entry } as NpzEntry] : [],
  );
  return writeTemporary(folder, "event.npz", encodeNpz(kept));
}

/** (d, f): zero at both ends, with the negative zero that real filters begin with. */
function filter(value: (d: number, k: number) => number): Float64Array {
  return Float64Array.from({ length: 2 * N_F }, (_, at) => {
    const k = at % N_F;
    return k < 2 || k > 6 ? -0 : value(Math.floor(at / N_F), k);
  });
}

function withValue(length: number, at: number, value: number, rest = 1): Float64Array {
  const data = new Float64Array(length).fill(rest);
  data[at] = value;
  return data;
}

function refuse(
  replacements: Parameters<typeof writeEvent>[0],
  exit: "badData" | "notFinite",
  ...parts: string[]
) {
  const path = writeEvent(replacements);
  expectRefusal(() => readEvent(path), exit, path, ...parts);
}

test("an array of detectors, a missing name and the band are understood", () => {
  expect(readEvent(writeEvent({ eventname: null }))).toMatchObject({
    name: "event",
    detectors: ["H", "V"],
    f0: 0.5,
    f1: 1.5,
    df: 0.25,
  });
});

test("numbers that are not finite are named with detector and index", () => {
  const strain = (at: number, value: number) => ({
    strain: { shape: [2, N_F], dtype: "c16" as const, data: withValue(4 * N_F, at, value) },
  });
  refuse(strain(2 * (N_F + 3) + 1, NaN), "notFinite", "field strain", "NaN", "detector V", "index 3");
  refuse(strain(8, Infinity), "notFinite", "Infinity", "detector H", "index 4");
  const filterNaN = filter((d, k) => (d === 1 && k === 5 ? NaN : 2));
  refuse(
    { wht_filter: { shape: [2, N_F], dtype: "f8", data: filterNaN } },
    "notFinite",
    "wht_filter",
    "V",
    "index 5",
  );
  refuse({ tgps: { shape: [], dtype: "f8", data: Float64Array.of(NaN) } }, "notFinite", "field tgps");
});

test("a filter may ring slightly below zero, no more, and must not vanish", () => {
  const path = writeEvent({
    wht_filter: { shape: [2, N_F], dtype: "f8", data: filter((_, k) => (k === 4 ? -0.05 : 2)) },
  });
  expect(readEvent(path).whiten_df[4]).toBe(-0.05);
  const negative = filter((_, k) => (k === 4 ? -1 : 2));
  refuse(
    { wht_filter: { shape: [2, N_F], dtype: "f8", data: negative } },
    "badData",
    "detector H",
    "found -1",
  );
  const silent = filter((d) => (d === 1 ? 0 : 2));
  refuse(
    { wht_filter: { shape: [2, N_F], dtype: "f8", data: silent } },
    "badData",
    "detector V",
    "no positive value",
  );
});

test("shapes, dtypes and missing fields are refused by name", () => {
  refuse({ strain: null }, "badData", "expected an entry strain");
  const flat = { shape: [2 * N_F], dtype: "c16" as const, data: new Float64Array(4 * N_F) };
  refuse({ strain: flat }, "badData", "found c16 of shape (18), expected c16 of shape (2, 9)");
  const real = { shape: [2, N_F], dtype: "f8" as const, data: new Float64Array(2 * N_F) };
  refuse({ strain: real }, "badData", "field strain: found f8");
  refuse(
    { tcoarse: { shape: [], dtype: "f8", data: Float64Array.of(4) } },
    "badData",
    "tcoarse",
    "found 4 s",
    "of 4 s",
  );
  refuse({ tgps: { shape: [2], dtype: "f8", data: Float64Array.of(1, 2) } }, "badData", "tgps", "one number");
});

test("unknown, repeated and missing detectors are refused", () => {
  const named = (...data: string[]) => ({
    detector_names: { shape: [data.length], dtype: "U" as const, data },
  });
  refuse(named("H", "K"), "badData", "'H', 'K'", "H, L, V");
  refuse(named("H", "H"), "badData", "H twice");
  refuse({ detector_names: { shape: [], dtype: "U", data: [""] } }, "badData", "found none");
  refuse(named("H"), "badData", "field wht_filter: found f8 of shape (2, 9), expected f8 of shape (1, 9)");
});

test("frequencies start at zero and are evenly spaced", () => {
  const frequencies = (data: Float64Array) => ({ frequencies: { shape: [N_F], dtype: "f8" as const, data } });
  const even = Float64Array.from({ length: N_F }, (_, k) => k / 4);
  refuse(frequencies(even.map((f) => f + 1)), "badData", "found 1 Hz first, expected 0");
  refuse(frequencies(even.map((f, k) => (k === 5 ? f + 1e-5 : f))), "badData", "step", "index 5");
  refuse(frequencies(even.map(() => 0)), "badData", "step");
  expect(readEvent(writeEvent(frequencies(even.map((f, k) => (k === 5 ? f + 1e-8 : f))))).df).toBe(0.25);
});

test("the keys of early events are understood", () => {
  const matrix = (data: Float64Array) => ({ shape: [2, N_F], dtype: "f8" as const, data });
  const old = { fd_filter: matrix(filter(() => 3)), psd: matrix(new Float64Array(2 * N_F).fill(4)) };
  expect(readEvent(writeEvent({ wht_filter: null, ...old })).whiten_df[3]).toBe(1.5);
  refuse(old, "badData", "psd", "found wht_filter too");
});
