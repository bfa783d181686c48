/**
 * Stage 5 as a whole, its rows read back from the files, against a plain evaluation of every (i, e, o): which rows are kept, in
 * which order, with which numbers; passes that are repeated; several banks; extrinsic samples in spans.
 */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openSubject } from "../bench/equivalence/subject.ts";
import { openBank } from "../src/gw/bank.ts";
import { buildDistanceTable, lnLikeIntegrated } from "../src/gw/distance.ts";
import { uniform } from "../src/gw/random.ts";
import { logSumExp } from "../src/gw/special.ts";
import { readFeather } from "../src/io/feather.ts";
import { FileSet } from "../src/io/file-set.ts";
import { openNpz } from "../src/io/npz.ts";
import { rowPaths } from "../src/rundir/results.ts";
import { bankPosterior } from "../src/stages/bank-posterior.ts";
import { bestfitLnL, Coherent } from "../src/stages/coherent.ts";
import { type CoherentSettings, type ExtrinsicSet, planCoherent } from "../src/stages/coherent-plan.ts";
import { N_BINS } from "../src/stages/coherent-scan.ts";
import { type EvaluateInputs, evaluate } from "../src/stages/evaluate.ts";
import { itemsOf } from "../src/stages/select.ts";
import { Pool } from "../src/workers/pool.ts";
import { FIXTURES } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import { KERNELS, runPath, SMALL } from "./reference-cases.ts";

const folder = temporaryFolder();
const subject = openSubject(SMALL);
const table = buildDistanceTable();
const inds = openNpz(runPath(SMALL, "banks", "bank_0", "intrinsic_samples.npz"))
  .get("inds")
  .toInt32();
/** The reference run's accepted samples, and some of them again as those of a second bank. */
const ACCEPTED = [inds, inds.filter((_, k) => k % 3 !== 1)];

/** Of the first `n_banks`. @param change of the settings */
function inputsOf(
  n_banks: number,
  set: ExtrinsicSet,
  change: Partial<CoherentSettings> = {},
): EvaluateInputs {
  const banks = [0, 1].slice(0, n_banks).map((k) => openBank(join(FIXTURES, "banks/s"), `bank_${k}`));
  const accepted = itemsOf(ACCEPTED.slice(0, n_banks).map((i) => ({ i })));
  const n = accepted.i_j.length;
  const random = (count: number, stream: number) =>
    Float64Array.from({ length: count }, (_, k) => uniform(1, stream, k) - 0.5);
  return {
    bins: { ...subject.bins, banks },
    reference: subject.reference,
    ...{ accepted, set, table, sizeLimit: 1e7 },
    // As if nothing were known of the samples: all are tried for the best.
    ...{ order: Int32Array.from({ length: n }, (_, j) => j), lnlike_j: new Float64Array(n) },
    logPriorWeights_e: random(set.n_e, 71),
    logPriorWeights: banks.map((bank, k) => random(bank.n_i, 72 + k)),
    n_int: [96, 50].slice(0, n_banks),
    settings: {
      ...{ n_phi: 16, maxDrop: 20, bestPerBank: false, iTile: 3, eTile: 40, probeEvery: 5, seed: 4 },
      ...change,
    },
    paths: rowPaths(mkdtempSync(join(folder, "rows-")), banks),
  };
}

/** The extrinsic samples again and again until there are n. */
function repeatedSet({ n_e, response_dpe, arrival_de }: ExtrinsicSet, n: number): ExtrinsicSet {
  const repeat = (x: Float64Array) =>
    Float64Array.from(
      { length: (x.length / n_e) * n },
      (_, k) => x[Math.floor(k / n) * n_e + ((k % n) % n_e)],
    );
  return { n_e: n, response_dpe: repeat(response_dpe), arrival_de: repeat(arrival_de) };
}

interface Row {
  readonly bank: number;
  readonly i: number;
  readonly e: number;
  readonly o: number;
  readonly dh: number;
  readonly hh: number;
  readonly bestfit: number;
}

/** Every row there is, by (bank, i, e, o). */
function everyRow({ bins, reference, accepted, set, settings }: EvaluateInputs): Row[] {
  const plan = planCoherent(bins, reference, accepted, set, { ...settings, eTile: 8 }, KERNELS);
  const evaluator = new Coherent(plan, KERNELS, 1);
  const { found } = evaluator;
  const rows: Row[] = [];
  accepted.i_j.forEach((i, j) => {
    evaluator.prepare(j, 0);
    for (let t = 0; t < plan.tiles.n; t++) {
      const n = evaluator.rowsAbove(0, t, -Infinity);
      const { e0 } = evaluator.rangeOf(t);
      for (let r = 0; r < n; r++) {
        const [dh, hh] = [found.dh[r], found.hh[r]];
        const place = { bank: accepted.bank_j[j], i, e: e0 + found.e[r], o: found.o[r] };
        rows.push({ ...place, dh, hh, bestfit: bestfitLnL(dh, hh) });
      }
    }
  });
  evaluator.close();
  return rows;
}

const bestOf = (rows: readonly Row[]) => rows.reduce((best, { bestfit }) => Math.max(best, bestfit), 0);

/** Runs stage 5 and completes its files (without weights); also which jobs it took. */
async function run(inputs: EvaluateInputs) {
  const pool = new Pool(1, "auto");
  const { rows, results } = await evaluate(pool, inputs, () => {});
  const set = new FileSet();
  rows.files.complete(rows.progress, rows.grid, rows.bank_j, set);
  await set.commit();
  const [merged, ...own] = [inputs.paths.merged, ...inputs.paths.banks];
  const posteriors = results.map((result, k) => bankPosterior(result, rows, k));
  return { rows, results, posteriors, merged, own, jobs: pool.history.map(({ kind }) => kind) };
}

function bytesOf({ paths }: EvaluateInputs): Buffer[] {
  return [paths.merged, ...paths.banks].map((path) => readFileSync(path));
}

/** The file holds these rows, in this order, with the numbers that belong to them. */
function expectRows(path: string, expected: readonly Row[], inputs: EvaluateInputs): void {
  const found = readFeather(path);
  expect(found.n_rows).toBe(expected.length);
  const same = (name: string, of: (row: Row) => number) =>
    expect([name, Bun.deepEquals([...found.f64(name)], expected.map(of))]).toEqual([name, true]);
  same("i", ({ i }) => i);
  same("e", ({ e }) => e);
  same("o", ({ o }) => o);
  same("d_h_1Mpc", ({ dh }) => dh);
  same("h_h_1Mpc", ({ hh }) => hh);
  same("bestfit_lnlike", ({ bestfit }) => bestfit);
  const lnl = found.f64("lnl_marginalized");
  const worst = expected.reduce(
    (most, { dh, hh }, r) => Math.max(most, Math.abs(lnl[r] - lnLikeIntegrated(dh, hh))),
    0,
  );
  expect(worst).toBeLessThan(1e-8);
  const { logPriorWeights, logPriorWeights_e } = inputs;
  const posterior = expected.map(
    ({ bank, i, e }, r) => lnl[r] + logPriorWeights[bank][i] + logPriorWeights_e[e],
  );
  expect([...found.f64("ln_posterior")]).toEqual(posterior);
  if (!found.has("bank_id")) return;
  expect(found.strings("bank_id")).toEqual(expected.map(({ bank }) => `bank_${bank}`));
  const { n_int, set, settings } = inputs;
  const lnTotal = n_int.map((n_i) => Math.log(settings.n_phi * set.n_e * n_i));
  const unnormalized = expected.map(({ bank }, r) => posterior[r] - lnTotal[bank]);
  expect([...found.f64("ln_weight_unnormalized")]).toEqual(unnormalized);
}

const ofBank = (rows: readonly Row[], bank: number) => rows.filter((row) => row.bank === bank);

describe("rows are those within the drop of the best, by (bank, i, e, o)", () => {
  test("two banks, one threshold", async () => {
    const inputs = inputsOf(2, subject.extrinsic);
    const all = everyRow(inputs);
    expect(all.length).toBe(inputs.accepted.i_j.length * 64 * 16);
    const kept = all.filter(({ bestfit }) => bestfit > bestOf(all) - 20);
    const { merged, own, results, jobs } = await run(inputs);
    expect(jobs).toEqual(["scan", "rows"]);
    expect(kept.length).toBeGreaterThan(300);
    expectRows(merged, kept, inputs);
    own.forEach((path, bank) => {
      expectRows(path, ofBank(kept, bank), inputs);
      const n = ofBank(kept, bank).length;
      expect(results[bank].nDistanceMarginalizations).toBe(n);
      expect(results[bank].discarded.n).toBe(ofBank(all, bank).length - n);
    });
  });

  test("two banks, each with its own threshold", async () => {
    // Without its best samples the second bank's threshold is lower than the first's.
    const both = inputsOf(2, subject.extrinsic, { bestPerBank: true });
    const j_best = everyRow(both).reduce((best, row) => (row.bestfit > best.bestfit ? row : best)).i;
    const keep = Array.from(both.accepted.i_j.keys()).filter(
      (j) => both.accepted.bank_j[j] === 0 || both.accepted.i_j[j] !== j_best,
    );
    const accepted = {
      bank_j: Int32Array.from(keep, (j) => both.accepted.bank_j[j]),
      i_j: Int32Array.from(keep, (j) => both.accepted.i_j[j]),
    };
    const n = keep.length;
    const order = Int32Array.from({ length: n }, (_, j) => j);
    const inputs = { ...both, accepted, order, lnlike_j: new Float64Array(n) };
    const all = everyRow(inputs);
    const best = [0, 1].map((bank) => bestOf(ofBank(all, bank)));
    expect(best[1]).toBeLessThan(best[0] - 1);
    const kept = all.filter(({ bank, bestfit }) => bestfit > best[bank] - 20);
    expectRows((await run(inputs)).merged, kept, inputs);
  });

  test("a chunk of one sample with a span of the extrinsic samples", async () => {
    const inputs = inputsOf(1, repeatedSet(subject.extrinsic, 600), { n_phi: 4096, maxDrop: 3 });
    const { accepted } = inputs;
    const three = { bank_j: accepted.bank_j.slice(0, 3), i_j: accepted.i_j.slice(0, 3) };
    const order = Int32Array.of(2, 0, 1);
    const few = { ...inputs, accepted: three, order, lnlike_j: new Float64Array(3) };
    const { rows, merged, posteriors } = await run(few);
    expect([rows.grid.n_spans, rows.grid.span, rows.grid.n_chunks]).toEqual([3, 256, 9]);
    const found = readFeather(merged);
    const [i, e, o, lnPosterior] = ["i", "e", "o", "ln_posterior"].map((name) => found.f64(name));
    for (let r = 1; r < found.n_rows; r++) {
      if (!(i[r] - i[r - 1] || e[r] - e[r - 1] || o[r] - o[r - 1] > 0)) throw new Error(`row ${r}`);
    }
    expect(new Set(e).size).toBeGreaterThan(20);
    expect(Math.max(...e)).toBeGreaterThan(511);
    expect(posteriors[0].lnEvidence).toBeCloseTo(logSumExp(lnPosterior) - Math.log(96 * 600 * 4096), 11);
  });
});

describe("sums", () => {
  test("evidence, shares and squares are those of the rows", async () => {
    const inputs = inputsOf(2, subject.extrinsic, { maxDrop: 30 });
    const { posteriors, own } = await run(inputs);
    posteriors.forEach((posterior, bank) => {
      const found = readFeather(own[bank]);
      const [i, e, lnPosterior] = ["i", "e", "ln_posterior"].map((name) => found.f64(name));
      const lnSum = logSumExp(lnPosterior);
      const share = lnPosterior.map((ln) => Math.exp(ln - lnSum));
      const squares = (keyOf: (r: number) => number | string) => {
        const sums = new Map<number | string, number>();
        share.forEach((value, r) => {
          sums.set(keyOf(r), (sums.get(keyOf(r)) ?? 0) + value);
        });
        return [...sums.values()].reduce((sum, value) => sum + value * value, 0);
      };
      expect(posterior.lnEvidence).toBeCloseTo(lnSum - Math.log(posterior.n_total), 12);
      expect(posterior.squares.row).toBeCloseTo(
        squares((r) => r),
        12,
      );
      expect(posterior.squares.i).toBeCloseTo(
        squares((r) => i[r]),
        12,
      );
      expect(posterior.squares.e).toBeCloseTo(
        squares((r) => e[r]),
        12,
      );
      expect(posterior.squares.ie).toBeCloseTo(
        squares((r) => `${i[r]},${e[r]}`),
        12,
      );
      const at = Math.floor(found.n_rows / 2);
      const ofSample = share.filter((_, r) => e[r] === e[at]).reduce((sum, value) => sum + value, 0);
      expect(posterior.share_e[e[at]]).toBeCloseTo(ofSample, 12);
    });
  });
});

describe("passes that are repeated", () => {
  test("a best that the scan has missed: the same bytes, with a second pass", async () => {
    const plain = inputsOf(2, subject.extrinsic);
    const { jobs } = await run(plain);
    expect(jobs).toEqual(["scan", "rows"]);
    // The scan begins with the worst sample and believes that no other can be better.
    const all = everyRow(plain);
    const { bank_j, i_j } = plain.accepted;
    const best_j = Array.from(i_j, (i, j) =>
      bestOf(all.filter((row) => row.i === i && row.bank === bank_j[j])),
    );
    const order = Int32Array.from(i_j.keys()).sort((a, b) => best_j[a] - best_j[b]);
    const misled = {
      ...inputsOf(2, subject.extrinsic),
      order,
      lnlike_j: new Float64Array(i_j.length).fill(1e-3),
    };
    expect((await run(misled)).jobs).toEqual(["scan", "rows", "scan", "rows"]);
    expect(bytesOf(misled)).toEqual(bytesOf(plain));
  });

  test("likelihoods that bound the best: the same bytes", async () => {
    const plain = inputsOf(1, subject.extrinsic);
    await run(plain);
    const npz = openNpz(runPath(SMALL, "banks", "bank_0", "intrinsic_samples.npz"));
    const lnlike_j = npz.get("incoherent_lnlikes").toFloat64();
    const order = Int32Array.from(lnlike_j.keys()).sort((a, b) => lnlike_j[b] - lnlike_j[a]);
    const bounded = { ...inputsOf(1, subject.extrinsic), order, lnlike_j };
    expect((await run(bounded)).jobs).toEqual(["scan", "rows"]);
    expect(bytesOf(bounded)).toEqual(bytesOf(plain));
  });

  test("more rows than the limit: the best of each bank, and of all together", async () => {
    const inputs = { ...inputsOf(2, subject.extrinsic, { maxDrop: 40 }), sizeLimit: 300 };
    const all = everyRow(inputs);
    const above = all.filter(({ bestfit }) => bestfit > bestOf(all) - 40);
    const { merged, own, posteriors, jobs } = await run(inputs);
    expect(jobs).toEqual(["scan", "rows", "scan", "count", "rows"]);
    const bin = 40 / N_BINS;
    /** The best of these rows: as many as the limit, but for rows too near the last one to tell. */
    const bestRows = (rows: readonly Row[], found: string) => {
      const n = readFeather(found).n_rows;
      const falling = rows.map(({ bestfit }) => bestfit).sort((a, b) => b - a);
      expect(n).toBeLessThanOrEqual(300);
      expect(falling[n - 1] - falling[299]).toBeLessThan(bin);
      return rows.filter(({ bestfit }) => bestfit >= falling[n - 1]);
    };
    const kept = own.map((path, bank) => bestRows(ofBank(above, bank), path));
    kept.forEach((rows, bank) => {
      expectRows(own[bank], rows, inputs);
      const { capped, lnEvidence, n_total } = posteriors[bank];
      const keptHere = new Set(rows);
      const others = ofBank(above, bank).filter((row) => !keptHere.has(row));
      expect(others.length).toBeGreaterThan(100);
      const lnPosterior = ({ dh, hh, i, e }: Row) =>
        lnLikeIntegrated(dh, hh) + inputs.logPriorWeights[bank][i] + inputs.logPriorWeights_e[e];
      expect(capped.n).toBe(others.length);
      expect(capped.lnEvidence).toBeCloseTo(logSumExp(others.map(lnPosterior)) - Math.log(n_total), 7);
      expect(lnEvidence).toBeCloseTo(logSumExp(rows.map(lnPosterior)) - Math.log(n_total), 7);
    });
    expectRows(merged, bestRows(kept.flat(), merged), inputs);
  });
});

test("a failure leaves no part of a file behind", async () => {
  const inputs = inputsOf(1, subject.extrinsic);
  const broken = { ...inputs, table: { ...table, coefficients: table.coefficients.map(() => Number.NaN) } };
  await expect(run(broken)).rejects.toThrow("expected a finite number");
  expect(readdirSync(join(inputs.paths.merged, ".."), { recursive: true })).toEqual([
    "banks",
    "banks/bank_0",
  ]);
});
