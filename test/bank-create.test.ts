import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createBank } from "../src/banks/create.ts";
import { BANK_DEFAULTS, type BankOptions } from "../src/banks/options.ts";
import { openBank } from "../src/gw/bank.ts";
import { BankReader, bankFiles } from "../src/gw/bank-reader.ts";
import { readEvent } from "../src/gw/event.ts";
import { sha256OfFile } from "../src/io/sha256.ts";
import { SILENT_REPORTER } from "../src/report/reporter.ts";
import { BINARY, runBinary } from "./helpers.ts";
import { expectRejection, FIXTURES, temporaryFolder } from "./io-helpers.ts";

const FOLDER = temporaryFolder();
const EVENT = join(FIXTURES, "events/GW170814.npz");

const OPTIONS: BankOptions = {
  ...{ ...BANK_DEFAULTS, out: "", event: EVENT, mchirp: [25, 30], n: 150, seed: 1, blocksize: 64, nProcs: 1 },
};

const create = (out: string, more: Partial<BankOptions> = {}) =>
  createBank({ ...OPTIONS, ...more, out: join(FOLDER, out) }, SILENT_REPORTER);

/** Every file's bytes, by name. */
function contentOf(name: string): Record<string, string> {
  const folder = join(FOLDER, name);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Object.fromEntries(
    files.map((file) => [
      join(file.parentPath, file.name).slice(folder.length + 1),
      sha256OfFile(join(file.parentPath, file.name)),
    ]),
  );
}

test("a bank has the event's bins, the samples that were asked for, and waveforms as openBank expects them", async () => {
  const made = await create("one");
  expect([made.n_i, made.n_b, made.m_arr, made.made]).toEqual([150, 378, [2], 150]);
  const bank = openBank(join(FOLDER, "one"), "bank_0");
  expect(bank.blocks.map(({ n_i }) => n_i)).toEqual([64, 64, 22]);
  expect([bank.config.approximant, bank.config.f_ref, bank.config.harmonic_modes]).toEqual([
    "IMRPhenomD",
    50,
    [[2, 2]],
  ]);
  const { f0, f1 } = readEvent(EVENT);
  expect([bank.config.fbin[0], bank.config.fbin.at(-1)]).toEqual([f0, f1]);
  const reader = new BankReader(bankFiles(bank));
  reader.load(128, 150);
  const size = 2 * 378;
  expect(reader.amplitude.subarray(0, 22 * size).every((a) => a >= 0 && a < 1e-18)).toBe(true);
  expect(reader.amplitude[21 * size]).toBeGreaterThan(1e-22);
  expect(reader.phase.subarray(0, 22 * size).every(Number.isFinite)).toBe(true);
  reader.close();
});

test("SHA256SUMS has the checksums of all files, as sha256sum checks them", async () => {
  const lines = readFileSync(join(FOLDER, "one/SHA256SUMS"), "utf8").trim().split("\n");
  const found = contentOf("one");
  delete found.SHA256SUMS;
  expect(Object.fromEntries(lines.map((line) => line.split("  ").reverse()))).toEqual(found);
  expect(Object.keys(found).length).toBe(8);
});

test("the files do not depend on the number of threads, nor on an interruption", async () => {
  await create("two", { nProcs: 2 });
  expect(contentOf("two")).toEqual(contentOf("one"));
  await create("three");
  // As if it had been killed in the middle of block 1.
  for (const name of [
    "bank_config.json",
    "SHA256SUMS",
    "waveforms/phase_block_1.npy",
    "waveforms/phase_block_2.npy",
  ])
    rmSync(join(FOLDER, "three", name));
  writeFileSync(join(FOLDER, "three/waveforms/.phase_block_1.npy.1-2.part"), "half");
  const configuration = JSON.parse(readFileSync(join(FOLDER, "one/bank_config.json"), "utf8"));
  writeFileSync(join(FOLDER, "three/bank_config.unfinished.json"), JSON.stringify(configuration));
  const again = await create("three", { nProcs: 2 });
  expect(again.made).toBe(64 + 22);
  expect(contentOf("three")).toEqual(contentOf("one"));
});

test("killed before its first file has a name, or after its last one, a command goes on and leaves nothing over", async () => {
  mkdirSync(join(FOLDER, "early"));
  writeFileSync(join(FOLDER, "early/.bank_config.unfinished.json.1-2.part"), "{");
  await create("early");
  expect(contentOf("early")).toEqual(contentOf("one"));
  writeFileSync(
    join(FOLDER, "early/bank_config.unfinished.json"),
    readFileSync(join(FOLDER, "one/bank_config.json")),
  );
  writeFileSync(join(FOLDER, "early/.SHA256SUMS.1-2.part"), "half");
  expect((await create("early")).made).toBe(0);
  expect(contentOf("early")).toEqual(contentOf("one"));
});

test("a killed command goes on where it was", async () => {
  const flags = ["--event", EVENT, "--mchirp", "25,30", "--n", "8000", "--blocksize", "250", "--quiet"];
  const whole = await runBinary(["bank", "create", join(FOLDER, "whole"), ...flags]);
  expect(whole.code).toBe(0);
  const out = join(FOLDER, "killed");
  const child = Bun.spawn([BINARY, "bank", "create", out, ...flags], { stdout: "ignore", stderr: "ignore" });
  while (child.exitCode === null && !existsSync(join(out, "waveforms/phase_block_3.npy"))) await Bun.sleep(1);
  child.kill("SIGKILL");
  await child.exited;
  const again = await runBinary(["bank", "create", out, ...flags, "--json"]);
  expect([again.code, JSON.parse(again.stdout).made < 8000]).toEqual([0, true]);
  expect(contentOf("killed")).toEqual(contentOf("whole"));
});

test("a sample without a waveform is named, and no half-written file stays", async () => {
  const extreme = create("extreme", { q: [0.005, 1], n: 300, nProcs: 2 });
  await expectRejection(extreme, "badData", "found a mass ratio of", "expected at most 100");
  expect(readdirSync(join(FOLDER, "extreme/waveforms")).filter((name) => name.endsWith(".part"))).toEqual([]);
  expect(existsSync(join(FOLDER, "extreme/bank_config.json"))).toBe(false);
});

test("what is in the folder already is never overwritten", async () => {
  await expectRejection(create("one"), "cannotCreate", "found a finished bank");
  rmSync(join(FOLDER, "two/bank_config.json"));
  await expectRejection(create("two"), "cannotCreate", "something that is not a bank");
  const configuration = JSON.parse(readFileSync(join(FOLDER, "one/bank_config.json"), "utf8"));
  writeFileSync(
    join(FOLDER, "two/bank_config.unfinished.json"),
    JSON.stringify({ ...configuration, seed: 7 }),
  );
  await expectRejection(create("two"), "cannotCreate", "its seed is 7, not 1");
  expect(existsSync(join(FOLDER, "two/bank_config.json"))).toBe(false);
});

test("a bank made for a band runs on an event of that grid", async () => {
  const out = join(FOLDER, "band");
  const made = await runBinary([
    ...["bank", "create", out, "--band", "20,400", "--mchirp", "26,29", "--n", "600", "--q-min", "0.5"],
    ...["--seed", "2", "--json", "--quiet"],
  ]);
  expect([made.code, made.stderr]).toEqual([0, ""]);
  expect(JSON.parse(made.stdout)).toMatchObject({ n_i: 600, m_arr: [2] });
  const run = await runBinary([
    ...["run", EVENT, out, "--rundir", join(FOLDER, "rundir"), "--no-tune", "--json", "--n-procs", "2"],
  ]);
  expect(run.code).toBe(0);
  const summary = JSON.parse(readFileSync(join(FOLDER, "rundir/summary_results.json"), "utf8"));
  expect(summary.ln_evidence).toBeGreaterThan(50);
});

test.each([
  [["--mchirp", "25,30", "--n", "10"], "--event, --band: found neither"],
  [["--band", "20,400", "--n", "10"], "--mchirp: found nothing, expected two numbers"],
  [
    ["--band", "20,400", "--mchirp", "30,25", "--n", "10"],
    "--mchirp: found 30,25, expected the smaller number first",
  ],
  [["--band", "20,400", "--mchirp", "25,30"], "--n: found nothing, expected a whole number from 1"],
  [["--band", "20,400", "--mchirp", "25,30", "--n", "10", "--q-min", "1.5"], "--q-min: found 1.5"],
  [["--band", "20,400", "--mchirp", "25,30", "--n", "10", "--draw", "flat"], "--draw: found flat"],
  [["--band", "20,400", "--mchirp", "25,30", "--n", "10", "--modes", "12"], "--modes: found 12"],
  [["--band", "20,20.1", "--mchirp", "25,30", "--n", "10"], "bins: the band and --phase-tolerance give"],
])("refuses %j", async (flags, message) => {
  const { code, stderr } = await runBinary(["bank", "create", join(FOLDER, "never"), ...flags]);
  expect([code, existsSync(join(FOLDER, "never"))]).toEqual([64, false]);
  expect(stderr).toContain(message);
});
