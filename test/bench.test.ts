/** `dotpe-hpc bench`, the comparison with dot_pe and the larger banks: that they measure, not what. */
import { expect, test } from "bun:test";
import { lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sideBySide } from "../bench/peers/main.ts";
import { watchMemory } from "../bench/peers/memory.ts";
import { formatComparison } from "../src/bench/compare.ts";
import { linkBank } from "../src/bench/linked-bank.ts";
import { crossoverOf } from "../src/bench/scaling.ts";
import { brief, formatTable, statistics } from "../src/bench/table.ts";
import { EXIT_CODES } from "../src/errors.ts";
import { type Bank, openBank } from "../src/gw/bank.ts";
import { BankReader, bankFiles } from "../src/gw/bank-reader.ts";
import { runBinary } from "./helpers.ts";
import { expectRefusal, temporaryFolder } from "./io-helpers.ts";
import { BANK } from "./make-inputs.ts";

const folder = temporaryFolder();
const MINUTE = 60_000;

test(
  "the micro benchmark, away from the repository: every part, its numbers, and their change",
  async () => {
    const [before, after] = [join(folder, "before.json"), join(folder, "after.json")];
    const earlier = [
      { name: "run.wall", value: 1e-3, unit: "s" },
      { name: "run.gone", value: 1, unit: "s" },
    ];
    writeFileSync(
      before,
      JSON.stringify({ size: "full", problem: "another", machine: "another", measurements: earlier }),
    );
    const flags = ["--size", "micro", "--json", after, "--against", before];
    const { code, stdout, stderr } = await runBinary(["bench", ...flags], { cwd: folder });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { measurements, size, problem } = JSON.parse(readFileSync(after, "utf8"));
    const value = (name: string) => measurements.find((one: { name: string }) => one.name === name)?.value;
    expect(size).toBe("micro");
    expect(problem).toContain("64 bank samples of 4 modes and 378 bins");
    const names = [
      ...["kernels.stage2.project.ref.ns", "kernels.stage5.expandSet.ref.gflops"],
      ...["run.wall", "run.cpu", "run.peak", "run.first_task", "run.start_up"],
      ...["setup", "incoherent", "coherent", "posterior"].map((stage) => `stages.${stage}.seconds`),
      ...["stages.incoherent.templates_per_second", "stages.coherent.likelihoods_per_second"],
      ...["scaling.incoherent.1.seconds", "scaling.coherent.1.seconds"],
    ];
    for (const name of names) expect([name, value(name) > 0]).toEqual([name, true]);
    expect(value("run.first_task")).toBeLessThan(value("run.wall"));
    expect(value("stages.incoherent.templates_per_second")).toBeCloseTo(
      64 / value("stages.incoherent.alone"),
      6,
    );
    const ratio = (value("run.wall") / 1e-3).toFixed(3);
    expect(stdout).toMatch(new RegExp(`run\\.wall +s +0\\.00100 +\\S+ +${ratio}x`));
    expect(stdout).toContain("not the same size: full, then micro");
    expect(stdout).toContain("1 earlier numbers were not measured");
  },
  MINUTE,
);

test("bench refuses what it cannot do", async () => {
  const notOurs = join(folder, "other.json");
  writeFileSync(notOurs, JSON.stringify({ size: "micro", problem: "", machine: "" }));
  const cases: [string[], keyof typeof EXIT_CODES, string][] = [
    [["--only", "run,kernl"], "usage", "--only: found kernl, expected"],
    [["--size", "huge"], "usage", "--size: found huge, expected micro, small, full"],
    [["event.npz"], "usage", "no bank folder given"],
    [["--against", join(folder, "none.json")], "noInput", "none.json"],
    [["--against", notOurs], "badData", "field measurements"],
    [["none.npz", BANK], "noInput", "none.npz"],
  ];
  for (const [args, exit, message] of cases) {
    const { code, stderr } = await runBinary(["bench", ...args], { cwd: folder });
    expect([args, code]).toEqual([args, EXIT_CODES[exit]]);
    expect(stderr).toContain(message);
  }
});

test("numbers in tables", () => {
  expect([0, 0.01234, 1.2345, 123.4, 12_345, 1e-7, Number.NaN].map(brief)).toEqual([
    ...["0.00", "0.0123", "1.23", "123", "12,300", "1.00e-7", "-"],
  ]);
  expect(statistics([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, spread: 3 / 2.5 });
  expect(statistics([5])).toEqual({ median: 5, min: 5, spread: 0 });
  expect(
    formatTable([
      ["a", "long"],
      ["bbb", "1"],
    ]),
  ).toBe("a    long\nbbb     1\n");
});

test("a comparison gives every shared number its ratio", () => {
  const result = (value: number) => ({
    ...{ size: "s", problem: "p", machine: "m" },
    measurements: [{ name: "a.b", value, unit: "s" as const }],
  });
  expect(formatComparison(result(4), result(3))).toBe(
    "change\nnumber  unit  before  after  after / before\na.b     s       4.00   3.00          0.750x\n",
  );
});

test("the crossover lies where the logarithm of the ratio crosses 0", () => {
  const point = (n: number, ratio: number) => ({ n, inline: 2, workers: 2 * ratio });
  // ln 2 and -ln 2: half way between 100 and 400, in ln n.
  expect(crossoverOf([point(100, 2), point(400, 0.5)])).toBeCloseTo(200, 9);
  expect(crossoverOf([point(10, 0.9), point(100, 4), point(400, 0.5), point(800, 0.4)])).toBeCloseTo(
    100 * 4 ** (2 / 3),
    9,
  );
  expect(crossoverOf([point(16, 0.9), point(32, 0.8)])).toBe(0);
  // One disturbed measurement does not decide.
  expect(crossoverOf([point(16, 0.9), point(32, 0.9), point(64, 1.1), point(128, 0.8)])).toBe(0);
  expect(crossoverOf([point(16, 1.2), point(32, 1.1)])).toBe(Infinity);
});

test("a bank made of links opens, and repeats its blocks and samples", () => {
  const small = openBank(BANK, "bank_0");
  const to = join(folder, "linked");
  linkBank(BANK, to, 2 * small.n_i);
  const bank = openBank(to, "bank_0");
  expect(bank.n_i).toBe(2 * small.n_i);
  expect(bank.blocks.length).toBe(2 * small.blocks.length);
  const last = bank.blocks[bank.blocks.length - 1];
  expect(lstatSync(last.phasePath).isSymbolicLink()).toBe(true);
  const lastWaveform = (of: Bank) => {
    const reader = new BankReader(bankFiles(of));
    reader.load(of.n_i - 1, of.n_i);
    reader.close();
    return reader.phase;
  };
  expect(lastWaveform(bank)).toEqual(lastWaveform(small));
  const { m1 } = small.samples;
  expect(bank.samples.m1).toEqual(Float64Array.from([...m1, ...m1]));
  const config = JSON.parse(readFileSync(join(to, "bank_config.json"), "utf8"));
  expect(config.bank_size).toBe(2 * small.n_i);
  expectRefusal(() => linkBank(BANK, to, 2 * small.n_i), "cannotCreate", "exists");
  const odd = join(folder, "odd");
  expectRefusal(() => linkBank(BANK, odd, small.n_i + 1), "usage", `found ${small.n_i + 1} samples`, "32");
});

test("side by side: each peer beside how many times ours it is", () => {
  const result = (name: string, wall: number, coherent: number) => ({
    ...{ name, wall, ownMB: 100, rssMB: 200, lnEvidence: 90, nEffective: 10 },
    seconds: { coherent },
  });
  const lines = sideBySide([result("ours", 2, 0.5), result("peer", 50, 10)]).split("\n");
  expect(lines.find((line) => line.startsWith("whole process s"))).toMatch(/ 2\.00 +50\.0 +25\.0x$/);
  expect(lines.find((line) => line.startsWith("coherent s"))).toMatch(/ 0\.500 +10\.0 +20\.0x$/);
  expect(lines.find((line) => line.startsWith("ln evidence"))).toMatch(/ 90\.0 +90\.0$/);
});

test("memory of a process and its children is summed", async () => {
  const hold = "const x = Buffer.alloc(60e6, 1); setTimeout(() => process.exit(x[0] - 1), 1500)";
  const parent = `Bun.spawn([process.execPath, "-e", ${JSON.stringify(hold)}]); ${hold}`;
  const child = Bun.spawn([process.execPath, "-e", parent]);
  const stop = watchMemory(child.pid);
  await child.exited;
  const { ownMB, rssMB } = stop();
  expect(ownMB).toBeGreaterThan(120);
  expect(ownMB).toBeLessThan(600);
  expect(rssMB).toBeGreaterThan(ownMB);
});

/** Has the names that the driver looks for, and sleeps. */
const FAKE_INFERENCE = `
import json, os, time
def prepare_run_objects(**kwargs):
    time.sleep(0.05)
def draw_extrinsic_samples():
    prepare_run_objects()
    time.sleep(0.1)
def run(event, bank_folder, event_dir, n_workers=None, **kwargs):
    prepare_run_objects()
    draw_extrinsic_samples()
    os.makedirs(event_dir)
    return event_dir
`;

test.skipIf(!Bun.which("python3"))("the driver times stages once, whoever calls them", async () => {
  const checkout = join(folder, "checkout");
  mkdirSync(join(checkout, "dot_pe"), { recursive: true });
  writeFileSync(join(checkout, "dot_pe/__init__.py"), "");
  writeFileSync(join(checkout, "dot_pe/inference.py"), FAKE_INFERENCE);
  const kwargs = { event: "e", bank_folder: "b", event_dir: join(folder, "out"), n_ext: 1 };
  const driver = join(import.meta.dir, "../bench/peers/driver.py");
  const call = JSON.stringify({ checkout, peer: "inference", n_procs: 2, kwargs });
  const child = Bun.spawn(["python3", driver, call], { stdout: "pipe" });
  const line = (await new Response(child.stdout).text()).trim().split("\n").at(-1) ?? "";
  expect(line.startsWith("RESULT ")).toBe(true);
  const { seconds, rundir } = JSON.parse(line.slice("RESULT ".length));
  expect(rundir).toBe(join(folder, "out"));
  expect(Object.keys(seconds).sort()).toEqual(["extrinsic", "setup", "start"]);
  expect(seconds.extrinsic).toBeGreaterThanOrEqual(0.15);
  // Once by itself, and not again within the extrinsic stage.
  expect(seconds.setup).toBeLessThan(seconds.extrinsic);
});
