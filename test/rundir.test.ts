import { beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { readFeather } from "../src/io/feather.ts";
import { readNpy } from "../src/io/npy.ts";
import { openNpz } from "../src/io/npz.ts";
import {
  writeAlignment,
  writeExtrinsic,
  writeIncoherent,
  writeResults,
  writeRunKwargs,
} from "../src/rundir/results.ts";
import { createRundir, discardRundir } from "../src/rundir/rundir.ts";
import { readTruth } from "../src/rundir/truth.ts";
import { finish } from "../src/stages/posterior.ts";
import { Pool } from "../src/workers/pool.ts";
import { expectRefusal, FIXTURES, temporaryFolder, writeTemporary } from "./io-helpers.ts";
import { publishGiven, smallInput } from "./posterior-fixture.ts";

const SMALL = join(FIXTURES, "runs/small");

describe("createRundir", () => {
  const folder = temporaryFolder();

  test("--rundir: a new folder with its parents, or an empty one", () => {
    const rundir = join(folder, "a/b/out");
    expect(createRundir({ rundir, eventName: "X" })).toBe(rundir);
    expect(readdirSync(rundir)).toEqual([]);
    // As a process leaves it that ends before it says what it begins.
    mkdirSync(join(folder, "empty/checkpoint"), { recursive: true });
    expect(createRundir({ rundir: join(folder, "empty"), eventName: "X" })).toBe(join(folder, "empty"));
  });

  test("--rundir: a folder with files, a used one and a file are refused", () => {
    mkdirSync(join(folder, "full"));
    writeFileSync(join(folder, "full/.hidden"), "");
    const attempt = (rundir: string) => () => createRundir({ rundir, eventName: "X" });
    expectRefusal(attempt(join(folder, "full")), "cannotCreate", "full", "expected a new or empty folder");
    expect(readdirSync(join(folder, "full"))).toEqual([".hidden"]);
    writeFileSync(join(folder, "file"), "");
    expectRefusal(attempt(join(folder, "file")), "cannotCreate", "file of this name");
    expectRefusal(attempt(join(folder, "file/below")), "cannotCreate", "ENOTDIR");
  });

  test("a failed run takes away what it made, and leaves what was there", () => {
    const attempt = (choice: { rundir?: string; eventDir?: string }) => {
      const made: string[] = [];
      const rundir = createRundir({ ...choice, eventName: "X" }, made);
      writeFileSync(join(rundir, "part"), "");
      return () => discardRundir(rundir, made);
    };
    const mine = join(folder, "mine");
    mkdirSync(mine);
    attempt({ rundir: mine })();
    expect(readdirSync(mine)).toEqual([]);
    attempt({ rundir: join(mine, "x/y") })();
    attempt({ eventDir: join(mine, "events/e") })();
    expect(readdirSync(mine)).toEqual([]);
    const [first, second] = [attempt({ eventDir: join(mine, "e") }), attempt({ eventDir: join(mine, "e") })];
    first();
    expect(readdirSync(join(mine, "e"))).toEqual(["run_1"]);
    second();
    expect(readdirSync(mine)).toEqual(["e"]);
  });

  test("--event-dir: one more than the largest run_N; other names do not count", () => {
    const eventDir = join(folder, "event");
    expect(createRundir({ eventDir, eventName: "X" })).toBe(join(eventDir, "run_0"));
    mkdirSync(join(eventDir, "run_11"));
    for (const name of ["run_20_old", "run_x", "rerun_30"]) mkdirSync(join(eventDir, name));
    writeFileSync(join(eventDir, "run_12"), "");
    expect(createRundir({ eventDir, eventName: "X" })).toBe(join(eventDir, "run_13"));
    expect(readdirSync(join(eventDir, "run_13"))).toEqual([]);
  });

  test("the default folder is ./EVENTNAME, and a name cannot lead elsewhere", () => {
    const before = process.cwd();
    process.chdir(temporaryFolder());
    try {
      expect(createRundir({ eventName: "GW170814" })).toBe("GW170814/run_0");
      expect(createRundir({ eventName: "../../etc" })).toBe("__.._etc/run_0");
      expect(createRundir({ eventName: ".." })).toBe("_/run_0");
      expect(createRundir({ eventName: "" })).toBe("event/run_0");
    } finally {
      process.chdir(before);
    }
  });

  test.skipIf(process.getuid?.() === 0)("a folder without permission is refused", () => {
    const closed = join(folder, "closed");
    mkdirSync(closed);
    chmodSync(closed, 0o500);
    expectRefusal(() => createRundir({ eventDir: closed, eventName: "X" }), "cannotCreate", "permission");
  });

  test("runs that start together get different directories", async () => {
    const script = `import { createRundir } from ${JSON.stringify(join(import.meta.dir, "../src/rundir/rundir.ts"))};
      for (let k = 0; k < 20; k++) console.log(createRundir({ eventDir: "together", eventName: "X" }));`;
    const path = writeTemporary(folder, "start.ts", script);
    const children = [0, 1, 2].map(() =>
      Bun.spawn([process.execPath, path], { cwd: folder, stdout: "pipe", stderr: "inherit" }),
    );
    const outputs = await Promise.all(children.map((child) => new Response(child.stdout).text()));
    const made = outputs.flatMap((text) => text.trim().split("\n"));
    expect(new Set(made).size).toBe(60);
    expect(readdirSync(join(folder, "together")).length).toBe(60);
  });
});

describe("writeResults", () => {
  const folder = temporaryFolder();
  const input = smallInput();
  const files = {
    runKwargs: { event: "x.npz", n_ext: 64 },
    incoherent: [
      {
        id: "bank_0",
        inds: Int32Array.of(16, 28),
        lnlikes_di: Float64Array.of(1, 2, 3, 4, 5, 6),
        incoherent_lnlikes: Float64Array.of(9, 12),
      },
    ],
    extrinsic: {
      samples: input.extrinsic,
      n_d: 3,
      response_dpe: readNpy(join(SMALL, "response_dpe.npy")).toFloat64(),
      usedBankIdx: Int32Array.of(0, 0),
      usedSampleIdx: Int32Array.of(66, 67),
    },
    reference: new TextEncoder().encode("PK"),
  };
  const write = async (name: string, given = input) => {
    const rundir = createRundir({ rundir: join(folder, name), eventName: "X" });
    const { rows, results } = publishGiven(given, rundir);
    const banks = given.banks.map(({ bank }, k) => ({ bank, result: results[k] }));
    const pool = new Pool(1, "ref");
    const posterior = await finish(pool, { ...given, banks, rows });
    await writeResults(rundir, { ...files, rows, results, posterior }, pool);
    return rundir;
  };
  const rundir = join(folder, "one");
  beforeAll(async () => {
    await write("one");
  });

  test("all files are there, and no other", () => {
    const found = readdirSync(rundir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(rundir, join(entry.parentPath, entry.name)));
    expect(found.sort()).toEqual([
      "SHA256SUMS",
      "banks/bank_0/intrinsic_sample_processor_cache.json",
      "banks/bank_0/intrinsic_samples.npz",
      "banks/bank_0/prob_samples.feather",
      "extrinsic_samples.feather",
      "prob_samples.feather",
      "reference.npz",
      "response_dpe.npy",
      "run_kwargs.json",
      "samples.feather",
      "summary_results.json",
      "used_bank_idx.npy",
      "used_sample_idx.npy",
    ]);
  });

  test("tables have the columns of the reference's, in its order", () => {
    const names = (path: string) => readFeather(path).names;
    for (const name of ["samples.feather", "extrinsic_samples.feather"])
      expect(names(join(rundir, name))).toEqual(names(join(SMALL, name)));
    const rows = names(join(SMALL, "prob_samples_top.feather"));
    expect(names(join(rundir, "prob_samples.feather"))).toEqual(rows);
    expect(names(join(rundir, "banks/bank_0/prob_samples.feather"))).toEqual(rows.slice(0, 9));
  });

  test("files hold what was given", () => {
    const table = readFeather(join(rundir, "prob_samples.feather"));
    expect(table.f64("d_h_1Mpc")).toEqual(input.banks[0].result.rows.dh as never);
    expect(new Set(table.strings("bank_id"))).toEqual(new Set(["bank_0"]));
    const [response, given] = [rundir, SMALL].map((place) => readNpy(join(place, "response_dpe.npy")));
    expect(response.shape).toEqual([3, 2, 64]);
    expect(response.toFloat64()).toEqual(given.toFloat64());
    const npz = openNpz(join(rundir, "banks/bank_0/intrinsic_samples.npz"));
    expect(npz.names).toEqual(["inds", "lnlikes_di", "incoherent_lnlikes"]);
    expect(npz.get("lnlikes_di").shape).toEqual([3, 2]);
    expect(npz.get("inds").dtype).toBe("i8");
    const cache = "banks/bank_0/intrinsic_sample_processor_cache.json";
    const alignments = JSON.parse(readFileSync(join(rundir, cache), "utf8"));
    expect(alignments).toEqual(JSON.parse(readFileSync(join(SMALL, cache), "utf8")));
    const summary = JSON.parse(readFileSync(join(rundir, "summary_results.json"), "utf8"));
    const theirs = JSON.parse(readFileSync(join(SMALL, "summary_results.json"), "utf8"));
    expect(Object.keys(summary).slice(0, 11)).toEqual(Object.keys(theirs));
    expect(Object.keys(summary.per_bank_results.bank_0)).toEqual(Object.keys(theirs.per_bank_results.bank_0));
  });

  test("the same again gives the same bytes", async () => {
    const again = await write("two");
    for (const name of ["samples.feather", "prob_samples.feather", "summary_results.json"]) {
      const [a, b] = [rundir, again].map((place) => readFileSync(join(place, name)));
      expect(a.equals(b)).toBe(true);
    }
  });

  test("a bank without rows: an empty table, and null where there is no number", async () => {
    const none = Int32Array.of();
    const rows = { n: 0, i: none, e: none, o: none, ...emptyFloats() };
    const discarded = { n: 0, lnSum: -Infinity };
    const [{ bank, result }] = input.banks;
    const dt = { inds: none, dt: rows.dh };
    const empty = { ...result, id: "bank_1", rows, discarded, n_indsUsed: 0, dt };
    const place = await write("empty", { ...input, banks: [...input.banks, { bank, result: empty }] });
    const summary = JSON.parse(readFileSync(join(place, "summary_results.json"), "utf8"));
    expect(summary.per_bank_results.bank_1).toEqual({
      ...{ ln_evidence: null, n_effective: 0, n_inds_used: 0, N_k: 98304 },
    });
    expect(readFeather(join(place, "banks/bank_1/prob_samples.feather")).n_rows).toBe(0);
    expect(readFeather(join(place, "prob_samples.feather")).n_rows).toBe(5828);
  });

  test("time shifts, indices alone, no used samples", () => {
    const place = createRundir({ rundir: join(folder, "parts"), eventName: "X" });
    const one = (value: number) => Float64Array.of(value, value);
    const samples = {
      ...{ n_e: 2, lat: one(0), lon: one(0), _phi_ref: one(0), psi: one(0), t_geocenter: one(0) },
      ...{ weights: one(1), log_prior_weights: one(0) },
    };
    const timeshifts = { fbin: Float64Array.of(20, 30, 50), t_de: Float64Array.of(0.1, 0.25) };
    writeExtrinsic(place, { samples, n_d: 1, response_dpe: new Float64Array(4), timeshifts });
    const shifts = readNpy(join(place, "timeshift_dbe.npy"));
    expect(shifts.shape).toEqual([1, 3, 2]);
    const values = shifts.toComplex();
    // exp(-2 pi i f t): f t is 2, 5, 3, 7.5, 5, 12.5 turns.
    const expected = [1, 0, 1, 0, 1, 0, -1, 0, 1, 0, -1, 0];
    for (const [at, value] of expected.entries()) expect(values[at]).toBeCloseTo(value, 12);
    expect(values.length).toBe(12);
    expect(existsSync(join(place, "used_bank_idx.npy"))).toBe(false);
    writeIncoherent(place, { id: "bank_3", inds: Int32Array.of(1) });
    expect(openNpz(join(place, "banks/bank_3/intrinsic_samples.npz")).names).toEqual(["inds"]);
    writeAlignment(place, "bank_3", { inds: Int32Array.of(7, 2), dt: Float64Array.of(0.5, -1e-7) });
    const cache = join(place, "banks/bank_3/intrinsic_sample_processor_cache.json");
    expect(readFileSync(cache, "utf8")).toBe('{"2":-1e-7,"7":0.5}\n');
  });

  test("a folder that is gone is the user's to mend", () => {
    expectRefusal(() => writeRunKwargs(join(folder, "gone"), {}), "cannotCreate", "run_kwargs.json");
    expectRefusal(() => publishGiven(input, "/proc/gone"), "cannotCreate", "/proc/gone");
  });
});

function emptyFloats() {
  const none = new Float64Array(0);
  return { dh: none, hh: none, lnlMarginalized: none };
}

describe("readTruth", () => {
  const folder = temporaryFolder();

  test("the numbers, at the top or in par_dic", () => {
    const flat = writeTemporary(
      folder,
      "flat.json",
      '{"m1": 36, "approximant": "X", "m2": 29.5, "ra": null}',
    );
    expect(readTruth(flat)).toEqual({ m1: 36, m2: 29.5 });
    const nested = writeTemporary(folder, "nested.json", '{"h_h": 3, "par_dic": {"m1": 36}}');
    expect(readTruth(nested)).toEqual({ m1: 36 });
  });

  test("nothing to read is refused", () => {
    for (const [name, text] of [
      ["list.json", "[1, 2]"],
      ["words.json", '{"m1": "36"}'],
    ]) {
      const path = writeTemporary(folder, name, text);
      expectRefusal(() => readTruth(path), "badData", name, "no numbers");
    }
    expectRefusal(() => readTruth(join(folder, "none.json")), "noInput", "none.json");
  });
});
