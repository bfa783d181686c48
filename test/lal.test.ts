import { expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { openLal } from "../src/approximants/lal.ts";
import { openLibrary } from "../src/approximants/lal-binding.ts";
import { findLal, type LalPlaces } from "../src/approximants/lal-library.ts";
import type { WaveformParameters } from "../src/approximants/source.ts";
import { parametersOf } from "../src/banks/waveform-job.ts";
import { openBank } from "../src/gw/bank.ts";
import { BankReader, bankFiles } from "../src/gw/bank-reader.ts";
import { BINARY, runBinary } from "./helpers.ts";
import { expectRefusal, expectRejection, FIXTURES, temporaryFolder } from "./io-helpers.ts";

const FOLDER = temporaryFolder();
const NOWHERE: LalPlaces = { environment: {}, folders: [], linked: () => [] };

/** An empty file there. */
function place(...parts: string[]): string {
  const path = join(FOLDER, ...parts);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "");
  return path;
}

const wheel = place("venv/lib/python3.12/site-packages/lalsuite.libs/liblalsimulation-23824854.so.37.2.1");
place("venv/lib/python3.12/site-packages/lalsuite.libs/liblal-9eb973fe.so.20.5.1");
const conda = place("conda/lib/liblalsimulation.so");
place("conda/lib/liblalsimulation.so.37");
place("conda/lib/liblalsimulationfoo.so");
const system = place("system/liblalsimulation.so.37");
place("system/liblalsimulation.so.9");
const empty = dirname(place("empty/readme"));
const inFolder = (name: string) => join(FOLDER, name);

test("a library is found by its path, and in the folder of an environment or any below it", () => {
  expect(findLal(wheel, NOWHERE)).toEqual({ path: wheel, source: "--lal" });
  const sitePackages = "venv/lib/python3.12/site-packages";
  for (const folder of ["venv", "venv/lib", sitePackages, `${sitePackages}/lalsuite.libs`])
    expect(findLal(inFolder(folder), NOWHERE).path).toBe(wheel);
  expect(findLal(inFolder("conda"), NOWHERE).path).toBe(conda);
  expect(findLal(inFolder("system"), NOWHERE).path).toBe(system);
});

test("what is named goes first, then the environments, the system's folders, the linker's list", () => {
  const environment = {
    LALSIMULATION_LIBRARY: inFolder("system"),
    CONDA_PREFIX: inFolder("conda"),
    VIRTUAL_ENV: inFolder("venv"),
    LD_LIBRARY_PATH: `relative:${inFolder("system")}`,
    HOME: inFolder("empty"),
  };
  const found = (unset: string[], more: Partial<LalPlaces> = {}, given: string | null = null) => {
    const left = Object.fromEntries(Object.entries(environment).filter(([name]) => !unset.includes(name)));
    return Object.values(findLal(given, { ...NOWHERE, environment: left, ...more }));
  };
  const gone = ["LALSIMULATION_LIBRARY"];
  expect(found([], {}, inFolder("venv"))).toEqual([wheel, "--lal"]);
  expect(found([])).toEqual([system, "$LALSIMULATION_LIBRARY"]);
  expect(found(gone)).toEqual([conda, "$CONDA_PREFIX"]);
  expect(found([...gone, "CONDA_PREFIX"])).toEqual([wheel, "$VIRTUAL_ENV"]);
  const most = [...gone, "CONDA_PREFIX", "VIRTUAL_ENV"];
  expect(found(most)).toEqual([system, "$LD_LIBRARY_PATH"]);
  const all = [...most, "LD_LIBRARY_PATH"];
  expect(found(all, { folders: [inFolder("conda")] })).toEqual([conda, "the system"]);
  expect(found(all, { linked: () => [inFolder("gone.so"), conda] })).toEqual([conda, "the dynamic linker"]);
});

test("what is not found is told with all the places", () => {
  const environment = { VIRTUAL_ENV: empty };
  const places = { environment, folders: ["/no/such"], linked: () => [join(empty, "readme")] };
  expectRefusal(
    () => findLal(null, places),
    "noInput",
    `$VIRTUAL_ENV (${empty})`,
    "/no/such",
    "$CONDA_PREFIX",
  );
  expectRefusal(
    () => findLal(empty, places),
    "noInput",
    `--lal: ${empty}: found no liblalsimulation in ${empty}`,
  );
  expectRefusal(
    () => findLal("/no/such", NOWHERE),
    "noInput",
    "--lal: /no/such: found neither a file nor a folder",
  );
  const named = { ...NOWHERE, environment: { LALSIMULATION_LIBRARY: "/no/such" } };
  expectRefusal(() => findLal(null, named), "noInput", "$LALSIMULATION_LIBRARY: /no/such");
});

test("what is no LALSimulation is refused", () => {
  const text = join(FIXTURES, "README.md");
  expectRefusal(() => openLibrary(text), "badData", text, "expected a LALSimulation library");
});

const LIBRARY = libraryHere();
/** Of banks/s: IMRPhenomXPHM has changed between versions. */
const MAJOR = "6.";
const version = LIBRARY === null ? "" : openLibrary(LIBRARY).version;
const withLal = test.skipIf(LIBRARY === null);
const withLal6 = test.skipIf(!version.startsWith(MAJOR));

function libraryHere(): string | null {
  try {
    return findLal(null).path;
  } catch {
    return null;
  }
}

const BANK = openBank(join(FIXTURES, "banks/s"), "bank_0");
const REQUEST = {
  approximant: "IMRPhenomXPHM",
  f: Float64Array.from(BANK.config.fbin),
  f_ref: BANK.config.f_ref,
  harmonic_modes: null,
  phenomXPrecVersion: null,
  lal: LIBRARY,
};
const SAMPLE: WaveformParameters = {
  ...{ m1: 36, m2: 29, s1z: 0.1, s1x_n: 0, s1y_n: 0, s2z: -0.2, s2x_n: 0, s2y_n: 0, iota: 1, l1: 0, l2: 0 },
};

/** Amplitudes and phases of one sample. */
async function waveform(approximant: string, sample = SAMPLE, f = REQUEST.f) {
  const source = await openLal({ ...REQUEST, approximant, f });
  const amplitude_mpb = new Float64Array(source.m_arr.length * 2 * f.length);
  const phase_mpb = new Float64Array(amplitude_mpb.length);
  source.fill(sample, amplitude_mpb, phase_mpb);
  return { source, amplitude_mpb, phase_mpb };
}

withLal6("LALSimulation 6: the waveforms of dot_pe's bank s, to 1e-10 of h at every frequency", async () => {
  const { source, amplitude_mpb, phase_mpb } = await waveform("IMRPhenomXPHM");
  expect(source.maker).toBe(`LALSimulation ${version}`);
  expect(source.harmonic_modes).toEqual(BANK.config.harmonic_modes!);
  expect([source.m_arr, source.alignedSpins]).toEqual([[2, 1, 3, 4], false]);
  const reader = new BankReader(bankFiles(BANK));
  const size = amplitude_mpb.length;
  for (let i = 0; i < BANK.n_i; i++) {
    reader.load(i, i + 1);
    source.fill(parametersOf(BANK.samples, i), amplitude_mpb, phase_mpb);
    for (let k = 0; k < size; k++) {
      const expected = reader.amplitude[k]!;
      const turn = phase_mpb[k]! - reader.phase[k]!;
      const off = Math.hypot(
        amplitude_mpb[k]! * Math.cos(turn) - expected,
        amplitude_mpb[k]! * Math.sin(turn),
      );
      if (!(off <= 1e-10 * expected) || !(Math.abs(turn) < 1))
        throw new Error(`sample ${i}, number ${k}: off by ${off} of ${expected}, phase by ${turn}`);
    }
  }
  reader.close();
});

withLal("LALSimulation: the same bits from 1, 2 and 4 threads", async () => {
  const samples = Array.from({ length: 24 }, (_, i) => parametersOf(BANK.samples, i));
  const ofThread = () =>
    new Promise<string[]>((done, failed) => {
      const data = { request: REQUEST, samples };
      const worker = new Worker(new URL("./lal-thread.ts", import.meta.url), { workerData: data });
      worker.once("message", done);
      worker.once("error", failed);
    });
  const [first] = await Promise.all([ofThread()]);
  expect(new Set(first).size).toBe(24);
  for (const n of [2, 4])
    for (const sums of await Promise.all(Array.from({ length: n }, ofThread))) expect(sums).toEqual(first!);
});

withLal(
  "LALSimulation: aligned spins, (2, 2), and tides of one sample do not stay for the next",
  async () => {
    const f = Float64Array.from({ length: 40 }, (_, b) => 30 + 10 * b);
    const star = { ...SAMPLE, m1: 1.6, m2: 1.4, l1: 400, l2: 700 };
    const { source, amplitude_mpb, phase_mpb } = await waveform("IMRPhenomD_NRTidalv2", star, f);
    expect([source.harmonic_modes, source.m_arr, source.alignedSpins]).toEqual([[[2, 2]], [2], true]);
    const other = { amplitude: amplitude_mpb.slice(), phase: phase_mpb.slice() };
    source.fill({ ...star, l1: 3000, l2: 0 }, amplitude_mpb, phase_mpb);
    expect(phase_mpb).not.toEqual(other.phase);
    source.fill(star, amplitude_mpb, phase_mpb);
    expect([amplitude_mpb, phase_mpb]).toEqual([other.amplitude, other.phase]);
  },
);

withLal("LALSimulation: errors name what is wrong", async () => {
  const open = (approximant: string, more: object = {}) => openLal({ ...REQUEST, approximant, ...more });
  await expectRejection(open("IMRPhenomXPMH"), "usage", "IMRPhenomXPMH: found no approximant of this name");
  await expectRejection(open("IMRPhenomDthreePointFivePN"), "usage", "found no approximant of this name");
  await expectRejection(open("SEOBNRv4"), "usage", "SEOBNRv4: LALSimulation", "time domain only");
  await expectRejection(open("IMRPhenomXODE"), "usage", "Python code of cogwheel");
  await expectRejection(open("TaylorF2Ecc"), "badData", "TaylorF2Ecc: LALSimulation", "makes no waveform");
  const modes = (...harmonic_modes: number[][]) => ({ harmonic_modes });
  await expectRejection(open("IMRPhenomXPHM", modes([2, 2], [5, 5])), "usage", "makes no mode (5, 5)");
  await expectRejection(open("IMRPhenomXPHM", modes([2, 2], [2, 2])), "usage", "none of them twice");
  await expectRejection(open("IMRPhenomD", modes([2, 2], [3, 2])), "usage", "mode (3, 2) alone");
  await expectRejection(open("IMRPhenomD", modes([3, 3])), "usage", "mode (3, 3) alone");
  await expectRejection(open("IMRPhenomD", { phenomXPrecVersion: 102 }), "usage", "precession version");
  await expectRejection(open("IMRPhenomD", { f: Float64Array.of(20, 10) }), "badData", "10 Hz at 1");

  const { source, amplitude_mpb, phase_mpb } = await waveform("IMRPhenomD");
  const fill = (more: Partial<WaveformParameters>) => () =>
    source.fill({ ...SAMPLE, ...more }, amplitude_mpb, phase_mpb);
  expectRefusal(
    fill({ s1x_n: 0.1 }),
    "badData",
    "IMRPhenomD: no waveform for m1 36,",
    "s1x_n 0.1",
    "orbital plane",
  );
  expectRefusal(fill({ m1: Number.NaN }), "badData", "m1 NaN", "not finite");
  expectRefusal(fill({ s1z: 1.5 }), "badData", "s1z 1.5", "mode (2, 2): Input domain error");
  expect(fill({})).not.toThrow();
});

withLal("LALSimulation: other precession of IMRPhenomX models", async () => {
  const sample = { ...SAMPLE, s1x_n: 0.5, s1y_n: 0.3 };
  const { amplitude_mpb: usual } = await waveform("IMRPhenomXPHM", sample);
  const source = await openLal({ ...REQUEST, phenomXPrecVersion: 102 });
  const amplitude_mpb = new Float64Array(usual.length);
  source.fill(sample, amplitude_mpb, new Float64Array(usual.length));
  expect(amplitude_mpb.every((value, k) => Math.abs(value - usual[k]!) < 0.5 * Math.max(...usual))).toBe(
    true,
  );
  expect(amplitude_mpb).not.toEqual(usual);
});

test.skipIf(LIBRARY === null || !existsSync(BINARY))(
  "LALSimulation: the compiled binary makes the same bank with one thread and with two, quietly",
  async () => {
    const event = join(FIXTURES, "events/GW170814.npz");
    const made = ["1", "2"].map(async (threads) => {
      const out = inFolder(`made-${threads}`);
      const numbers = ["--mchirp", "25,30", "--n", "40", "--blocksize", "20", "--n-procs", threads];
      const args = ["--event", event, ...numbers, "--approximant", "IMRPhenomXPHM", "--lal", LIBRARY!];
      const { code, stderr } = await runBinary(["bank", "create", out, ...args, "--quiet"]);
      expect([code, stderr]).toEqual([0, ""]);
      return Bun.file(join(out, "SHA256SUMS")).text();
    });
    const [one, two] = await Promise.all(made);
    expect(one).toContain("amplitudes_block_1.npy");
    expect(two).toBe(one!);

    const band = ["--band", "20,400", "--mchirp", "25,30", "--n", "4", "--modes", "22,55"];
    const args = [inFolder("not-made"), ...band, "--approximant", "IMRPhenomXPHM", "--lal", LIBRARY!];
    const { code, stderr } = await runBinary(["bank", "create", ...args]);
    expect([code, stderr.split("\n").length]).toEqual([64, 3]);
    expect(stderr).toStartWith("error: IMRPhenomXPHM: LALSimulation");
  },
);
