import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CompressionType, compressionRegistry, tableFromIPC } from "apache-arrow";
import { DotpeError } from "../src/errors.ts";
import {
  chieff,
  cumchidiff,
  DERIVED_COLUMNS,
  derivedColumns,
  diskToSquareFactor,
  lnq,
  mchirp,
  type NetworkFrame,
  PHYSICAL_COLUMNS,
  phaseRefdet,
} from "../src/gw/prior.ts";
import { greenwichMeanSiderealTime } from "../src/gw/sidereal.ts";
import { lonToRa, modulo, networkAngles, networkAxes, raToLon } from "../src/gw/sky-angles.ts";

type Reference = Parameters<typeof phaseRefdet>[0];
interface Case {
  frame: Omit<NetworkFrame, "phaseRefdet0">;
  reference: Reference;
  phaseRefdet0: number;
  samples: Record<string, number[]>;
  expected: Record<string, number[]>;
}

const RUNS = join(import.meta.dir, "../../shared/reference/runs");
const TURN = 2 * Math.PI;
const ANGLES = new Set(["phinet_hat", "phi_ref_hat"]);

const fixture: { cases: Case[] } = JSON.parse(
  readFileSync(join(import.meta.dir, "fixtures/prior.json"), "utf8"),
);

function difference(name: string, found: number, expected: number): number {
  const plain = Math.abs(found - expected);
  return ANGLES.has(name) ? Math.min(plain, TURN - plain) : plain;
}

function asColumns(columns: Record<string, number[]>): Record<string, Float64Array> {
  return Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [name, Float64Array.from(values)]),
  );
}

function expectColumns(
  samples: Record<string, Float64Array>,
  frame: NetworkFrame,
  expected: Record<string, ArrayLike<number>>,
) {
  const found = derivedColumns(samples, frame);
  expect(Object.keys(found)).toEqual([...DERIVED_COLUMNS]);
  for (const name of DERIVED_COLUMNS) {
    expect(found[name].length).toBe(expected[name]!.length);
    found[name].forEach((value, n) => {
      const off = difference(name, value, expected[name]![n]!);
      if (!(off < 1e-9)) throw new Error(`${name}[${n}]: found ${value}, expected ${expected[name]![n]}`);
    });
  }
}

for (const { frame, reference, phaseRefdet0, samples, expected } of fixture.cases)
  test(`random systems agree with cogwheel, frame ${frame.detectorPair}, reference ${frame.refDetector}`, () => {
    const found = phaseRefdet(reference, frame);
    expect(Math.abs(found - phaseRefdet0)).toBeLessThan(1e-9);
    expectColumns(asColumns(samples), { ...frame, phaseRefdet0: found }, expected);
  });

function featherColumns(path: string): Record<string, Float64Array> {
  const lz4 = require("lz4js");
  compressionRegistry.set(CompressionType.LZ4_FRAME, {
    encode: (data) => lz4.compress(data) as Uint8Array,
    decode: (data) => lz4.decompress(data) as Uint8Array,
  });
  const table = tableFromIPC(readFileSync(path));
  const names = [...PHYSICAL_COLUMNS, ...DERIVED_COLUMNS];
  return Object.fromEntries(
    names.map((name) => [name, Float64Array.from(table.getChild(name)!.toArray() as ArrayLike<number>)]),
  );
}

for (const run of ["small", "GW170814-ab", "injection-c"])
  test.skipIf(!existsSync(join(RUNS, run, "samples.feather")))(
    `samples.feather of reference run ${run} (needs the reference data)`,
    () => {
      const posterior = JSON.parse(
        readFileSync(join(RUNS, run, "Posterior.json"), "utf8").replaceAll("Infinity", "null"),
      );
      const prior = posterior.init_kwargs.prior.init_kwargs;
      const frame = {
        tgps: prior.tgps,
        detectorPair: prior.detector_pair,
        refDetector: prior.ref_det_name,
        fAvg: prior.f_avg,
      };
      const columns = featherColumns(join(RUNS, run, "samples.feather"));
      expectColumns(columns, { ...frame, phaseRefdet0: phaseRefdet(prior.par_dic_0, frame) }, columns);
    },
  );

function oneSystem(changes: Record<string, number>): Record<string, Float64Array> {
  const { samples } = fixture.cases[0]!;
  return Object.fromEntries(
    PHYSICAL_COLUMNS.map((name) => [name, Float64Array.of(changes[name] ?? samples[name]![0]!)]),
  );
}

const FRAME: NetworkFrame = { ...fixture.cases[0]!.frame, phaseRefdet0: 0 };

test("aligned, zero and extreme spins give finite columns", () => {
  const inplane = { m1: 30, m2: 29, s1x_n: 0, s1y_n: 0, s2x_n: 0, s2y_n: 0 };
  for (const s1z of [-1, 0, 0.3, 1])
    for (const s2z of [-1, 0, 1]) {
      const found = derivedColumns(oneSystem({ ...inplane, s1z, s2z, iota: 0.5 }), FRAME);
      for (const name of DERIVED_COLUMNS) expect(Number.isFinite(found[name][0]!)).toBe(true);
      for (const name of ["x1", "y1", "x2", "y2"] as const) expect(Math.abs(found[name][0]!)).toBe(0);
      expect(found.costheta_jn[0]!).toBeCloseTo(Math.cos(0.5), 14);
    }
});

test("a maximal spin in the orbital plane lies on the edge of its square", () => {
  const found = derivedColumns(oneSystem({ s2z: 0, s2x_n: 0.6, s2y_n: -0.8 }), FRAME);
  expect(Math.max(Math.abs(found.x2[0]!), Math.abs(found.y2[0]!))).toBeCloseTo(1, 7);
});

test("in-plane spins that cancel leave J along L, with azimuth 0 as LALSimulation has it", () => {
  const changes = { m1: 30, m2: 30, iota: 1, s1x_n: 0.1, s1y_n: 0.2, s1z: 0.3, s2x_n: -0.1, s2y_n: -0.2 };
  const found = derivedColumns(oneSystem({ ...changes, s2z: -0.5 }), FRAME);
  expect(found.costheta_jn[0]!).toBeCloseTo(Math.cos(1), 14);
  expect(found.x1[0]!).toBeCloseTo(Math.sqrt(0.05 / 0.91), 14);
  expect(found.y1[0]!).toBe(0);
});

test("the mapping of the disk inverts (x, y) / sqrt(1 + x^2 y^2), however small", () => {
  const points = [1, 0.7, 0.1, 1e-3, 1e-6, 1e-9, 0];
  for (const x of points)
    for (const y of points) {
      const factor = 1 / Math.sqrt(1 + (x * y) ** 2);
      const found = diskToSquareFactor(x * factor, y * factor);
      const tolerance = x * y === 1 ? 1e-7 : 1e-14;
      expect(Math.abs(found * factor - 1)).toBeLessThan(tolerance);
    }
});

test("mchirp, lnq and chieff of known systems", () => {
  expect(mchirp(20, 20)).toBeCloseTo(20 * 2 ** -0.2, 13);
  expect(mchirp(40, 10)).toBeCloseTo(400 ** 0.6 / 50 ** 0.2, 13);
  expect(lnq(40, 10)).toBeCloseTo(-Math.LN2 * 2, 15);
  expect(chieff(30, 10, 0.8, -0.4)).toBeCloseTo(0.5, 15);
});

test("cumchidiff runs from 0 to 1 over the s1z allowed at fixed chieff", () => {
  const q = 0.5;
  const effective = 0.2;
  const s2z = (s1z: number) => ((1 + q) * effective - s1z) / q;
  expect(cumchidiff(2, 1, -0.2, s2z(-0.2))).toBeCloseTo(0, 14);
  expect(cumchidiff(2, 1, 0.3, s2z(0.3))).toBeCloseTo(0.5, 14);
  expect(cumchidiff(2, 1, 0.8, s2z(0.8))).toBeCloseTo(1, 14);
});

test("a missing or shorter column is named", () => {
  const samples = oneSystem({});
  const without = { ...samples };
  delete without.iota;
  const message = "samples: column iota: found nothing, expected 1 rows";
  expect(() => derivedColumns(without, FRAME)).toThrow(new DotpeError("badData", message, ""));
  expect(() => derivedColumns({ ...samples, psi: new Float64Array(3) }, FRAME)).toThrow("found 3 rows");
});

/** theta, phi of (ra, dec) = (0.3, -1.2) and (4.0, 0.7) by cogwheel 1.6.0, SkyLocAngles(pair, 1186741861.5). */
const SKY: [string, number[], number[]][] = [
  ["LH", [0.9723932529122442, 2.6165613039442346], [3.5252658565834754, 6.09403739316943]],
  ["HV", [1.322554555936621, 1.770896809231878], [5.365017476495281, 2.8186084083252]],
  ["L", [0.42806056290849076, 2.351320630423243], [5.864037575133558, 3.569475072408459]],
];

for (const [pair, theta, phi] of SKY)
  test(`network angles of ${pair} agree with cogwheel`, () => {
    const gmst = greenwichMeanSiderealTime(1186741861.5);
    const ra = Float64Array.of(0.3, 4);
    const found = networkAngles(networkAxes(pair), gmst, ra, Float64Array.of(-1.2, 0.7));
    for (let n = 0; n < 2; n++) {
      expect(Math.abs(Math.acos(found.costheta[n]!) - theta[n]!)).toBeLessThan(1e-10);
      expect(Math.abs(found.phi[n]! - phi[n]!)).toBeLessThan(1e-10);
    }
  });

test("network axes need one or two different detectors", () => {
  for (const pair of ["", "HLV", "HH", "HK"]) expect(() => networkAxes(pair)).toThrow(DotpeError);
});

test("longitude and right ascension undo each other, within one turn", () => {
  expect(modulo(-0.5)).toBeCloseTo(TURN - 0.5, 15);
  expect(modulo(4, TURN, -Math.PI)).toBeCloseTo(4 - TURN, 15);
  const gmst = 40547.5;
  expect(raToLon(lonToRa(1.25, gmst), gmst)).toBeCloseTo(1.25, 10);
  expect(lonToRa(6, gmst)).toBeLessThan(TURN);
});
