/**
 * Stage 4 on the real event of test/fixtures against plain Monte Carlo over the prior of sky, time, polarization and
 * phase.
 *
 * How the expected values were made: a separate program (C, nothing shared with this project) took the aligned
 * waveforms of runs/small/coherent_block.npz and the weights of its reference.npz, drew 3e7 points uniformly from
 * the prior within the cells of (sky, time) where a bound on lnL allows to come within 14 of the best, and averaged
 * the likelihood over 128 phases, with the distance integral by Simpson's rule. The error is that of the mean.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readReference } from "../src/gw/reference-file.ts";
import { readFeather } from "../src/io/feather.ts";
import { encodeNpy, toBigInt64 } from "../src/io/npy-write.ts";
import { loadKernels } from "../src/kernels/table.ts";
import { prepare, temper } from "../src/stages/extrinsic-samples.ts";
import { openCandidates } from "../src/stages/extrinsic-tasks.ts";
import { Pool } from "../src/workers/pool.ts";
import { FIXTURES, runBinary } from "./helpers.ts";
import { openCase, runPath, SMALL } from "./reference-cases.ts";

/** By bank sample: ln Z_i (Z_i in seconds) and its standard error. */
const BRUTE_FORCE = [
  { i: 28, lnZ: 95.7794, error: 0.0055 },
  { i: 49, lnZ: 86.2523, error: 0.0057 },
  { i: 66, lnZ: 87.708, error: 0.0053 },
];
const SAMPLES = Int32Array.from(BRUTE_FORCE, ({ i }) => i);

/** ln of the mean of exp(lnZ), and its standard error from the scatter. */
function average(lnZ: number[]) {
  const best = Math.max(...lnZ);
  const Z = lnZ.map((x) => Math.exp(x - best));
  const mean = Z.reduce((a, b) => a + b, 0) / Z.length;
  const variance = Z.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (Z.length - 1);
  return { lnZ: best + Math.log(mean), error: Math.sqrt(variance / Z.length) / mean };
}

/** @param largestError of ours: with more scatter the comparison would mean nothing. */
function expectAgreement(lnZ_r: number[], brute: { lnZ: number; error: number }, largestError: number) {
  const { lnZ, error } = average(lnZ_r);
  expect(error).toBeLessThan(largestError);
  expect(Math.abs(lnZ - brute.lnZ)).toBeLessThan(3 * Math.hypot(error, brute.error));
}

describe("ln Z_i of real samples against brute force", () => {
  test("of the marginalizations", async () => {
    const n_repeat = 12;
    const { event, banks, band, mArr } = openCase(SMALL);
    const reference = readReference(runPath(SMALL, "reference.npz"), event, band, mArr, loadKernels("auto"));
    const pool = new Pool(1, "auto");
    const items = {
      bank_j: new Int32Array(n_repeat * SAMPLES.length),
      i_j: Int32Array.from({ length: n_repeat * SAMPLES.length }, (_, j) => SAMPLES[j % SAMPLES.length]!),
    };
    const bins = { banks, mArr, b0: band.b0, fbin: band.fbin };
    const options = { seed: 1, nExt: 1, compat: "none", coherentScoreMinNEffectivePrior: 100 } as const;
    const inputs = { event, bins, reference, options };
    const prepared = await prepare(pool, inputs);
    const { sky, table, products, beta_d } = await temper(pool, inputs, prepared, items);
    const plan = {
      sky,
      products,
      beta_d,
      table,
      seed: 1,
      minNEffectivePrior: 100,
      firstRank: 0,
    };
    const runner = openCandidates(plan, pool.kernels);
    for (let task = 0; task < items.i_j.length; task++) runner.run(task);
    const infos = runner.result().candidates;
    BRUTE_FORCE.forEach((brute, k) => {
      const own = infos.filter(({ rank }) => rank % SAMPLES.length === k);
      expectAgreement(
        own.map(({ info }) => info.lnZ),
        brute,
        0.02,
      );
    });
  });

  const folder = mkdtempSync(join(tmpdir(), "extrinsic-real-"));
  const n_phi = 64;
  const seeds = [1, 2, 3, 4];
  const drawnLnZ_si: number[][] = [];

  beforeAll(async () => {
    const indices = join(folder, "indices.npy");
    writeFileSync(indices, encodeNpy([SAMPLES.length], { dtype: "i8", data: toBigInt64(SAMPLES) }));
    for (const seed of seeds) drawnLnZ_si.push(await lnZOfDraws(indices, seed));
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A run on these samples alone; ln of the mean over e and o of weight x likelihood, by sample. */
  async function lnZOfDraws(indices: string, seed: number): Promise<number[]> {
    const rundir = join(folder, `seed-${seed}`);
    const { code, stderr } = await runBinary([
      ...["run", join(FIXTURES, "events/GW170814.npz"), join(FIXTURES, "banks/s"), "--rundir", rundir],
      ...["--reference", runPath(SMALL, "reference.npz"), "--preselected-indices", indices],
      ...["--n-ext", "4096", "--n-phi", `${n_phi}`, "--seed", `${seed}`],
      ...["--max-bestfit-lnlike-diff", "30", "--no-draw-subset", "--quiet"],
    ]);
    if (code !== 0) throw new Error(stderr);
    const rows = readFeather(join(rundir, "prob_samples.feather"));
    const samples = readFeather(join(rundir, "extrinsic_samples.feather"));
    const [i_r, e_r, lnl_r] = ["i", "e", "lnl_marginalized"].map((name) => rows.f64(name)) as Float64Array[];
    const lnWeight_e = samples.f64("log_prior_weights");
    return BRUTE_FORCE.map(({ i, lnZ }) => {
      let sum = 0;
      for (let r = 0; r < rows.n_rows; r++)
        if (i_r![r] === i) sum += Math.exp(lnl_r![r]! + lnWeight_e[e_r![r]!]! - lnZ);
      return lnZ + Math.log(sum / (n_phi * samples.n_rows));
    });
  }

  test("of the drawn samples and their weights, through the program", () => {
    BRUTE_FORCE.forEach((brute, k) => {
      expectAgreement(
        drawnLnZ_si.map((lnZ_i) => lnZ_i[k]!),
        brute,
        0.05,
      );
    });
  });
});
