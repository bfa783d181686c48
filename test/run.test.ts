/** Runs that succeed, through the binary. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readFeather } from "../src/io/feather.ts";
import { readNpy } from "../src/io/npy.ts";
import { openNpz } from "../src/io/npz.ts";
import { type BinaryResult, FIXTURES, runBinary } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import {
  addBins,
  BANK,
  type BankContent,
  EVENT,
  keepDetectors,
  readBankContent,
  takeModes,
  takeSamples,
  writeBank,
  writeEvent,
  writeNumbers,
} from "./make-inputs.ts";

const SMALL = join(FIXTURES, "runs/small");
const folder = temporaryFolder();
const path = (name: string) => join(folder, name);
const COARSE = ["--n-phi", "16", "--n-t", "32"];
/** The run on the fixtures that others are compared with. */
const BASE = path("base");
/** With the base's reference and without stage 4: quick, and comparable where stage 4 would draw otherwise. Run `given`. */
const GIVEN = ["--reference", join(BASE, "reference.npz")];
GIVEN.push("--extrinsic-samples", join(BASE, "extrinsic_samples.feather"));
let base: BinaryResult;
let bank: BankContent;

/** Runs into the folder's `name`. */
async function run(name: string, inputs: string[], flags: string[] = []): Promise<BinaryResult> {
  const result = await runBinary(["run", ...inputs, "--rundir", path(name), ...flags], { cwd: folder });
  if (result.code !== 0) throw new Error(`exit ${result.code}: ${result.stderr}`);
  return result;
}

const summaryOf = (name: string) =>
  JSON.parse(readFileSync(join(path(name), "summary_results.json"), "utf8"));
const bytesOf = (name: string, file: string) => readFileSync(join(path(name), file));
const TABLES = ["prob_samples.feather", "samples.feather", "extrinsic_samples.feather"];
const RESULTS = [...TABLES, "summary_results.json"];
const BANK_FILES = ["intrinsic_samples.npz", "intrinsic_sample_processor_cache.json", "prob_samples.feather"];
const ALL_RESULTS = [...RESULTS, ...BANK_FILES.map((file) => `banks/bank_0/${file}`)];

function expectSameBytes(name: string, other: string, files: string[]): void {
  expect(files.filter((file) => !bytesOf(name, file).equals(bytesOf(other, file)))).toEqual([]);
}

beforeAll(async () => {
  bank = readBankContent();
  base = await run("base", [EVENT, BANK], [...COARSE, "--n-ext", "96", "--seed", "9"]);
  await run("given", [EVENT, BANK], [...COARSE, ...GIVEN]);
});

describe("a run on the fixtures", () => {
  test("leaves the files of a run directory, and no other", () => {
    const files = readdirSync(BASE, { recursive: true }).map(String).sort();
    expect(files).toEqual(
      [
        ...["banks", "banks/bank_0", ...ALL_RESULTS, "reference.npz", "response_dpe.npy"],
        ...["SHA256SUMS", "manifest.json", "run_kwargs.json", "timings.json"],
        ...["used_bank_idx.npy", "used_sample_idx.npy"],
      ].sort(),
    );
  });

  test("writes the reference's tables: its columns, in its order, of its types", () => {
    for (const [file, theirs] of [
      ["prob_samples.feather", "prob_samples_top.feather"],
      ["samples.feather", "samples.feather"],
      ["extrinsic_samples.feather", "extrinsic_samples.feather"],
    ]) {
      const [found, expected] = [readFeather(join(BASE, file)), readFeather(join(SMALL, theirs))];
      expect([...found.names]).toEqual([...expected.names]);
      for (const name of found.names) {
        if (name === "bank_id") expect(new Set(found.strings(name))).toEqual(new Set(["bank_0"]));
        else expect(found.f64(name).every(Number.isFinite)).toBe(true);
      }
    }
  });

  test("i, e, o of every row lie in their ranges, and weights add up to one", () => {
    const rows = readFeather(join(BASE, "prob_samples.feather"));
    const accepted = new Set(openNpz(join(BASE, "banks/bank_0/intrinsic_samples.npz")).get("inds").toInt32());
    expect(rows.f64("i").every((i) => accepted.has(i))).toBe(true);
    for (const [name, end] of [
      ["e", 96],
      ["o", 16],
    ] as const)
      expect(rows.f64(name).every((value) => Number.isInteger(value) && value >= 0 && value < end)).toBe(
        true,
      );
    expect(rows.f64("weights").reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    const drop = Math.max(...rows.f64("bestfit_lnlike")) - Math.min(...rows.f64("bestfit_lnlike"));
    expect(drop).toBeLessThanOrEqual(20);
    expect(summaryOf("base").n_rows).toBe(rows.n_rows);
  });

  test("says each stage on standard error and the table on standard output", () => {
    for (const stage of ["reference waveform", "incoherent", "extrinsic", "coherent"])
      expect(base.stderr).toContain(`\n${stage}`.replace("\nreference", "reference"));
    expect(base.stderr).not.toContain("\x1b");
    expect(base.stdout).toContain("chirp mass");
    expect(base.stdout).toContain(`ln evidence         ${summaryOf("base").ln_evidence.toFixed(3)} +- `);
    expect(base.stdout).toContain(`run directory       ${BASE}`);
    expect(base.stdout).toContain("effective intrinsic samples are few");
  });

  test("--config with its run_kwargs.json is the same run: bytes", async () => {
    await run("again", ["--config", join(BASE, "run_kwargs.json")], ["--quiet"]);
    expectSameBytes("again", "base", [...ALL_RESULTS, "reference.npz"]);
  });

  test("its own reference.npz gives the same results: bytes", async () => {
    const flags = [...COARSE, "--n-ext", "96", "--seed", "9", "--reference", join(BASE, "reference.npz")];
    await run("own-reference", [EVENT, BANK], flags);
    expectSameBytes("own-reference", "base", ALL_RESULTS);
  });

  test("another seed gives other extrinsic samples", async () => {
    await run("seed", [EVENT, BANK], [...COARSE, "--n-ext", "96", "--seed", "10", "--quiet"]);
    expect(bytesOf("seed", TABLES[2]).equals(bytesOf("base", TABLES[2]))).toBe(false);
  });

  test("--kernel ref: ln evidence within 1e-9", async () => {
    await run("ref", [EVENT, BANK], [...COARSE, ...GIVEN, "--kernel", "ref"]);
    expect(Math.abs(summaryOf("ref").ln_evidence - summaryOf("given").ln_evidence)).toBeLessThan(1e-9);
    expect(summaryOf("ref").n_rows).toBe(summaryOf("given").n_rows);
    expect(JSON.parse(String(bytesOf("ref", "timings.json"))).kernel).toBe("ref");
  });
});

describe("events and banks of every make", () => {
  test.each(["H", "VL"])("detectors %s", async (letters) => {
    const event = writeEvent(path(`${letters}.npz`), keepDetectors(letters));
    await run(letters, [event, BANK], [...COARSE, "--n-ext", "64", "--quiet"]);
    expect(Number.isFinite(summaryOf(letters).ln_evidence)).toBe(true);
    const lnlikes = openNpz(join(path(letters), "banks/bank_0/intrinsic_samples.npz")).get("lnlikes_di");
    expect(lnlikes.shape[0]).toBe(letters.length);
    expect(readNpy(join(path(letters), "response_dpe.npy")).shape).toEqual([letters.length, 2, 64]);
  });

  test.each([[[2]], [[2, 1, 3]]])("modes %p", async (modes) => {
    const name = `modes-${modes.join("")}`;
    const part = writeBank(path(`bank-${name}`), takeModes(bank, modes));
    await run(name, [EVENT, part], [...COARSE, "--n-ext", "64", "--quiet"]);
    expect(
      Array.from(
        openNpz(join(path(name), "reference.npz"))
          .get("m_arr")
          .toFloat64(),
      ),
    ).toEqual(modes);
    // Most of the signal is in m = 2: without the other modes the best fit is a little worse, not another.
    const [found, whole] = [summaryOf(name), summaryOf("base")].map((s) => s.bestfit_lnlike_max);
    expect(Math.abs(found - whole)).toBeLessThan(10);
  });

  test("the order of the modes does not matter", async () => {
    const other = writeBank(path("bank-order"), takeModes(bank, [4, 2, 3, 1]));
    const extrinsic = GIVEN.slice(2);
    await run("order", [EVENT, other], [...COARSE, ...extrinsic]);
    await run("order-as-is", [EVENT, BANK], [...COARSE, ...extrinsic]);
    const [found, expected] = [summaryOf("order"), summaryOf("order-as-is")];
    expect(Math.abs(found.ln_evidence - expected.ln_evidence)).toBeLessThan(1e-6);
    expect(found.n_rows).toBe(expected.n_rows);
  });

  test("a short last block, and one block for all: the same bytes", async () => {
    const ninety = takeSamples(bank, 0, 90);
    for (const blocksize of [32, 90, 7])
      writeBank(path(`bank-blocks-${blocksize}`), { ...ninety, blocksize });
    for (const blocksize of [32, 90, 7])
      await run(`blocks-${blocksize}`, [EVENT, path(`bank-blocks-${blocksize}`)], [...COARSE, ...GIVEN]);
    expectSameBytes("blocks-32", "blocks-90", ALL_RESULTS);
    expectSameBytes("blocks-7", "blocks-90", ALL_RESULTS);
  });

  test("a bank that reaches beyond the event's band: a line says so, and the bytes are those without", async () => {
    const wide = writeBank(path("bank-wide"), addBins(bank, [520, 600, 800, 1600]));
    const { stderr } = await run("wide", [EVENT, wide], [...COARSE, "--n-ext", "96", "--seed", "9"]);
    expect(stderr).toContain("using 378 of 382 bins, 15-512 Hz");
    expectSameBytes("wide", "base", [...ALL_RESULTS, "reference.npz"]);
  });

  test("two halves of a bank: twice the evidence, and a warning that they overlap", async () => {
    const halves = [0, 48].map((i0) => writeBank(path(`half-${i0}`), takeSamples(bank, i0, i0 + 48)));
    const { stderr, stdout } = await run("halves", [EVENT, ...halves], [...COARSE, ...GIVEN]);
    expect(stderr).toContain("warning: banks bank_0 and bank_1 overlap in chirp mass");
    expect(stdout).toContain("  - banks bank_0 and bank_1 overlap");
    const [found, whole] = [summaryOf("halves"), summaryOf("given")];
    expect(found.ln_evidence).toBeCloseTo(whole.ln_evidence + Math.LN2, 9);
    expect(found.n_rows).toBe(whole.n_rows);
    expect(Object.keys(found.per_bank_results)).toEqual(["bank_0", "bank_1"]);
  });
});

describe("other inputs", () => {
  test("--extrinsic-samples: those of the file, as many as it has", async () => {
    const file = join(SMALL, "extrinsic_samples.feather");
    await run("imported", [EVENT, BANK], [...COARSE, "--extrinsic-samples", file]);
    const [found, given] = [readFeather(join(path("imported"), TABLES[2])), readFeather(file)];
    expect(found.n_rows).toBe(64);
    for (const name of given.names) expect(found.f64(name)).toEqual(given.f64(name));
    expect(JSON.parse(String(bytesOf("imported", "run_kwargs.json"))).n_ext).toBe(64);
    expect(existsSync(join(path("imported"), "used_bank_idx.npy"))).toBe(false);
  });

  test("--reference of the reference: its noise drift and modes, and our copy of it reads back", async () => {
    const theirs = join(SMALL, "reference.npz");
    const flags = [...COARSE, "--n-ext", "64", "--seed", "2"];
    await run("theirs", [EVENT, BANK], [...flags, "--reference", theirs]);
    const copy = join(path("theirs"), "reference.npz");
    expect(openNpz(copy).get("asd_drift").toFloat64()).toEqual(openNpz(theirs).get("asd_drift").toFloat64());
    await run("theirs-copy", [EVENT, BANK], [...flags, "--reference", copy]);
    expectSameBytes("theirs-copy", "theirs", ALL_RESULTS);
  });

  test("--load-inds: the .npz of a run gives its bytes; indices alone the same rows", async () => {
    const npz = join(BASE, "banks/bank_0/intrinsic_samples.npz");
    const flags = [...COARSE, ...GIVEN, "--load-inds", "--inds-path"];
    await run("inds-npz", [EVENT, BANK], [...flags, npz]);
    expectSameBytes("inds-npz", "given", ALL_RESULTS);
    const inds = writeNumbers(path("inds.npy"), openNpz(npz).get("inds").toInt32(), "i8");
    await run("inds-npy", [EVENT, BANK], [...flags, inds]);
    expectSameBytes("inds-npy", "given", RESULTS);
  });

  test("--preselected-indices: only those; the evidence is still normalised by the whole bank", async () => {
    const all = readFeather(join(BASE, "prob_samples.feather")).f64("i");
    const chosen = [...new Set(all)].slice(-3);
    const file = writeNumbers(path("chosen.npy"), [...chosen, 0, 1], "i8");
    const flags = ["--preselected-indices", file, "--max-incoherent-lnlike-drop", "500"];
    await run("preselected", [EVENT, BANK], [...COARSE, ...GIVEN, ...flags]);
    const inds = openNpz(join(path("preselected"), "banks/bank_0/intrinsic_samples.npz")).get("inds");
    expect([...inds.toInt32()]).toEqual([...chosen, 0, 1].sort((a, b) => a - b));
    expect(summaryOf("preselected").per_bank_results.bank_0.N_k).toBe(96 * 96 * 16);
  });

  test("--n-int N: the first N samples, and the evidence is normalised by N", async () => {
    await run("n-int", [EVENT, BANK], [...COARSE, ...GIVEN, "--n-int", "40"]);
    expect(Math.max(...readFeather(join(path("n-int"), TABLES[0])).f64("i"))).toBeLessThan(40);
    expect(summaryOf("n-int").per_bank_results.bank_0.N_k).toBe(40 * 96 * 16);
  });

  test("--bank-logw-override: a constant shifts ln evidence by itself", async () => {
    const shifted = Array.from(bank.samples.log_prior_weights, (weight) => weight + 2.5);
    const file = writeNumbers(path("logw.npy"), shifted, "f8");
    await run("logw", [EVENT, BANK], [...COARSE, ...GIVEN, "--bank-logw-override", `s=${file}`]);
    const [found, own] = [summaryOf("logw"), summaryOf("given")];
    expect(found.ln_evidence - own.ln_evidence).toBeCloseTo(2.5, 11);
    expect(found.n_effective).toBeCloseTo(own.n_effective, 9);
  });
});

describe("outputs", () => {
  test("--no-draw-subset: every row is a sample", async () => {
    await run("every", [EVENT, BANK], [...COARSE, ...GIVEN, "--no-draw-subset"]);
    const [rows, samples] = TABLES.map((file) => readFeather(join(path("every"), file)));
    expect(samples.n_rows).toBe(rows.n_rows);
    expect(samples.f64("weights")).toEqual(rows.f64("weights"));
  });

  test("--n-draws: that many samples of equal weight", async () => {
    await run("draws", [EVENT, BANK], [...COARSE, ...GIVEN, "--n-draws", "321"]);
    const samples = readFeather(join(path("draws"), TABLES[1]));
    expect(samples.n_rows).toBe(321);
    expect(new Set(samples.f64("weights"))).toEqual(new Set([1]));
  });

  test("--json: one object with the summary; --quiet: nothing at all", async () => {
    const { stdout } = await run("json", [EVENT, BANK], [...COARSE, ...GIVEN, "--json"]);
    const summary = JSON.parse(stdout);
    expect(summary.lnEvidence).toBe(summaryOf("json").ln_evidence);
    expect(summary.rundir).toBe(path("json"));
    expect(summary.parameters[0]).toMatchObject({ name: "mchirp" });
    const quiet = await run("quiet", [EVENT, BANK], [...COARSE, ...GIVEN, "--quiet"]);
    expect(quiet).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("--dry-run: the plan, and nothing is written", async () => {
    const empty = path("empty");
    mkdirSync(empty);
    const { code, stdout } = await runBinary(["run", EVENT, BANK, "--dry-run"], { cwd: empty });
    expect(code).toBe(0);
    expect(stdout).toContain("96 of 96 samples, 378 bins, modes 2 1 3 4");
    expect(stdout).toContain("memory forecast");
    const asJson = await runBinary(["run", EVENT, BANK, "--dry-run", "--json", "--rundir", "out"], {
      cwd: empty,
    });
    expect(JSON.parse(asJson.stdout).memoryMB.length).toBeGreaterThan(2);
    expect(readdirSync(empty)).toEqual([]);
  });

  test("--event-dir: run_0, then run_1; without it ./EVENTNAME", async () => {
    const args = ["run", EVENT, BANK, ...COARSE, ...GIVEN, "--quiet"];
    for (let k = 0; k < 2; k++) await runBinary([...args, "--event-dir", "events/x"], { cwd: folder });
    expect(readdirSync(path("events/x")).sort()).toEqual(["run_0", "run_1"]);
    expectSameBytes("events/x/run_0", "events/x/run_1", ALL_RESULTS);
    await runBinary(args, { cwd: folder });
    expect(readdirSync(path("GW170814"))).toEqual(["run_0"]);
  });
});
