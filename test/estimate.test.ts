/** Forecasts of memory and time. Times are never compared with a clock: only how they scale. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { assumedShares, forecastMemory, type Sizes, sizesOf, totalMB } from "../src/forecast/memory.ts";
import type { SampleRun, Samples } from "../src/forecast/samples.ts";
import { acceptedOf, forecastTime, measuredShares } from "../src/forecast/time.ts";
import { parseRunOptions } from "../src/options.ts";
import { readInputs } from "../src/stages/setup.ts";
import { runBinary } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import { BANK, EVENT } from "./make-inputs.ts";

const folder = temporaryFolder();

const SIZES: Sizes = {
  ...{ n_i: 100_000, n_candidates: 100_000, n_d: 3, n_m: 4, n_b: 378, n_bankBins: 378 },
  ...{ n_e: 1024, n_phi: 50, n_t: 128, sizeLimit: 1e7, drawsExtrinsic: true },
};
const WORK = { n_procs: 4, batchItems: 16, eTile: 128 };
const SHARES = { accepted: 0.03, rows: 0.006 };

describe("memory", () => {
  const total = (sizes: Partial<Sizes> = {}, work: Partial<typeof WORK> = {}, shares = SHARES) =>
    totalMB(forecastMemory({ ...SIZES, ...sizes }, { ...WORK, ...work }, shares));

  test("grows with everything that it depends on", () => {
    const usual = total();
    expect(total({ n_i: 1e6, n_candidates: 1e6 })).toBeGreaterThan(usual + 100);
    expect(total({}, { n_procs: 16 })).toBeGreaterThan(1.5 * usual);
    expect(total({}, {}, { ...SHARES, rows: 0.5 })).toBeGreaterThan(2 * usual);
    expect(total({ n_e: 8192 })).toBeGreaterThan(usual + 5);
    expect(total({ n_phi: 500 })).toBeGreaterThan(usual);
  });

  test("read buffers: 2 x i_batch x n_m x 2 x n_b x 8 bytes of each thread, where stage 2 decides", () => {
    const sizes = { n_i: 1e6, n_candidates: 1e6 };
    const few = { accepted: 1e-4, rows: 0.001 };
    const more = total(sizes, { batchItems: 2016 }, few) - total(sizes, { batchItems: 1016 }, few);
    expect(more).toBeCloseTo((4 * 1000 * 2 * 4 * 2 * 378 * 8) / 1e6, 6);
  });

  test("is within a factor of 1.5 of a run on the fixtures, and --dry-run says the same", async () => {
    const flags = ["--n-procs", "2", "--seed", "1"];
    const rundir = join(folder, "run");
    const done = await runBinary(["run", EVENT, BANK, ...flags, "--rundir", rundir, "--quiet"]);
    expect(done.code).toBe(0);
    const { peak_memory_mb: peak } = JSON.parse(readFileSync(join(rundir, "timings.json"), "utf8"));
    const options = parseRunOptions([EVENT, BANK, ...flags]);
    const work = { ...WORK, n_procs: 2 };
    const forecast = totalMB(
      forecastMemory(sizesOf(readInputs(options), options), work, assumedShares(options)),
    );
    expect(forecast / peak).toBeGreaterThan(1 / 1.5);
    expect(forecast / peak).toBeLessThan(1.5);
    const dry = await runBinary(["run", EVENT, BANK, ...flags, "--dry-run", "--json"]);
    expect(totalMB(JSON.parse(dry.stdout).memoryMB)).toBeCloseTo(forecast, 3);
  });

  test("shares: the more that may pass, the more are assumed, never more than all", () => {
    const of = (drop: number) =>
      assumedShares({ maxIncoherentLnlikeDrop: drop, maxBestfitLnlikeDiff: drop, loadInds: false });
    expect(of(20)).toEqual({ accepted: 0.03, rows: 0.006 });
    expect(of(10).accepted).toBeLessThan(0.03);
    expect(of(1e4)).toEqual({ accepted: 1, rows: 1 });
  });
});

/** A run on 4,000 samples, with two threads that took 1 ms for each task but the first ones. */
function sampleRun(changed: Partial<SampleRun> = {}): SampleRun {
  const tasks = (kind: string, n: number) =>
    [1, 2].flatMap((thread) =>
      Array.from({ length: n / 2 }, (_, k) => ({
        ...{ kind, thread, task: 2 * k + thread - 1 },
        seconds: k === 0 ? 0.05 : 0.001,
      })),
    );
  const lnlikes = Array.from({ length: 100 }, (_, k) => 100 - 0.19 * k);
  return {
    ...{ n: 4000, n_accepted: 100, lnlikes, added: -Infinity, n_e: 1024, n_rows: 51_200 },
    seconds: { start: 0.03, setup: 0.3, incoherent: 0.12, extrinsic: 0.1, coherent: 0.11, posterior: 0.08 },
    tasks: {
      incoherent: [...tasks("incoherent", 100), ...tasks("skySort", 20)],
      coherent: tasks("rows", 40),
    },
    ...{ around: 0.02, peakMB: 100, ...changed },
  };
}

describe("time", () => {
  const samples: Samples = { small: sampleRun({ n: 64 }), large: sampleRun() };
  const accepted = { expected: 100, low: 80, high: 120 };
  const stage = (sizes: Partial<Sizes>, n: number, name: string) =>
    forecastTime(samples, { ...SIZES, ...sizes }, 2, { ...accepted, expected: n }).stages.find(
      (one) => one.name === name,
    )!.seconds;

  test("of the samples themselves is what they took", () => {
    const of = { n_candidates: 4000 };
    expect(stage(of, 100, "incoherent")).toBeCloseTo(0.12, 2);
    expect(stage(of, 100, "coherent")).toBeCloseTo(0.11, 3);
  });

  test("of more samples grows by the steady rate alone: not by what runs once or beside", () => {
    const grown =
      stage({ n_candidates: 400_000 }, 100, "incoherent") - stage({ n_candidates: 4000 }, 100, "incoherent");
    // 99 times 100 tasks of 1 ms, on two threads; choosing takes 0.04 s.
    expect(grown).toBeCloseTo((99 * 100 * 0.001) / 2 + 0.0396, 6);
    expect(stage({}, 1000, "coherent") - stage({}, 100, "coherent")).toBeCloseTo((9 * 40 * 0.001) / 2, 6);
    expect(stage({ n_e: 10_240 }, 100, "coherent")).toBeCloseTo(stage({}, 1000, "coherent"), 6);
  });

  test("more rows than the limit: the pass is made again, and few rows are written", () => {
    const { n_rows } = forecastTime(samples, { ...SIZES, sizeLimit: 10_000 }, 2, accepted);
    expect(n_rows).toBe(10_000);
    const [all, half, few] = [1e7, 25_600, 1].map((sizeLimit) => stage({ sizeLimit }, 100, "coherent"));
    expect(half).toBeGreaterThan(all);
    expect(few).toBeLessThan(all);
  });

  test("low and high enclose what is expected", () => {
    const { low, seconds, high, stages } = forecastTime(samples, SIZES, 2, accepted);
    expect(low).toBeLessThan(seconds);
    expect(seconds).toBeLessThan(high);
    expect(stages.reduce((sum, one) => sum + one.seconds, 0)).toBeCloseTo(seconds, 9);
  });

  test("accepted: of the samples as they are, fewer where a better best is to be expected", () => {
    expect(acceptedOf(samples, 4000, 20, false).expected).toBe(100);
    const many = acceptedOf(samples, 400_000, 20, false);
    expect(many.expected).toBeLessThan(10_000);
    expect(many.low).toBeLessThan(many.expected);
    expect(many.high).toBeGreaterThanOrEqual(10_000);
    // A known better sample raises the threshold.
    const better = { ...samples, large: sampleRun({ added: 110 }) };
    expect(acceptedOf(better, 400_000, 20, false).high).toBeLessThan(many.high);
    expect(acceptedOf(samples, 400_000, 20, true).expected).toBe(400_000);
    const none = { ...samples, large: sampleRun({ lnlikes: [], added: 90 }) };
    expect(acceptedOf(none, 400_000, 20, false)).toMatchObject({ expected: 1, low: 1 });
    expect(measuredShares(samples, SIZES, 100).rows).toBeCloseTo(0.01, 12);
  });
});

describe("the command", () => {
  test("prints stages, memory and what dominates; leaves nothing behind", async () => {
    const scratch = join(folder, "scratch");
    await Bun.write(join(scratch, "keep"), "");
    const args = ["machine", "estimate", EVENT, BANK, "--n-procs", "2", "--n-ext", "128", "--n-phi", "16"];
    const { code, stdout, stderr } = await runBinary(args, { cwd: scratch, env: { TMPDIR: scratch } });
    expect([code, stderr]).toEqual([0, ""]);
    for (const word of ["setup", "incoherent", "coherent", "posterior", "total", "most time", "program"])
      expect(stdout).toContain(word);
    // The runtime keeps the native kernels that it unpacks.
    expect(readdirSync(scratch).filter((name) => !name.startsWith(".bun-"))).toEqual(["keep"]);
    const json = await runBinary([...args, "--json"], { cwd: scratch, env: { TMPDIR: scratch } });
    const report = JSON.parse(json.stdout);
    expect(report.time.stages).toHaveLength(6);
    expect(report.time.seconds).toBeGreaterThan(0);
    expect(report.total_mb).toBeGreaterThan(50);
  });

  test("refuses what a run would refuse", async () => {
    const { code } = await runBinary(["machine", "estimate", EVENT, join(folder, "none")]);
    expect(code).toBe(66);
  });
});
