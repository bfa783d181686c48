import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { STREAMS, uniform } from "../src/gw/random.ts";
import { readFeather } from "../src/io/feather.ts";
import { type BankResult, bankPosterior, best } from "../src/stages/bank-posterior.ts";
import { edgeWarnings, parameterSummaries } from "../src/stages/parameter-summary.ts";
import { type FinishInput, finish, lnEvidenceError, type TableColumn } from "../src/stages/posterior.ts";
import { drawRows, everyRow, type MergedRows, sampleTable } from "../src/stages/sample-table.ts";
import { SHARED } from "./helpers.ts";
import { expectRefusal } from "./io-helpers.ts";
import { readJsonFile, runInput, SMALL_RUN, smallInput } from "./posterior-fixture.ts";

const input = smallInput();
const theirs = readJsonFile(join(SMALL_RUN, "summary_results.json"));

function withOptions(options: Partial<FinishInput["options"]>): FinishInput {
  return { ...input, options: { ...input.options, ...options } };
}

function withResult(change: Partial<BankResult>): FinishInput {
  const [{ bank, result }] = input.banks;
  return { ...input, banks: [{ bank, result: { ...result, ...change } }] };
}

function floats(table: readonly TableColumn[], name: string): Float64Array {
  return table.find((column) => column.name === name)!.data as Float64Array;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (value, j) => Math.abs(value - b[j])).reduce((x, y) => Math.max(x, y), 0);
}

function row(table: MergedRows, i: number, e: number, o: number): number {
  const { columns } = table;
  return columns.i.findIndex((value, j) => value === i && columns.e[j] === e && columns.o[j] === o);
}

describe("the reference's rows give the reference's numbers", () => {
  const { summary, rows } = finish(input);

  test("summary", () => {
    for (const name of ["n_effective", "n_effective_i", "n_effective_e", "ln_evidence"] as const)
      expect(Math.abs(summary[name] - theirs[name]) / theirs[name]).toBeLessThan(1e-13);
    const { bank_0 } = summary.per_bank_results;
    expect(bank_0.ln_evidence).toBe(summary.ln_evidence);
    expect(bank_0.N_k).toBe(98304);
    expect(bank_0.n_inds_used).toBe(11);
    expect(Math.abs(bank_0.n_effective - 9.298138245239727)).toBeLessThan(1e-11);
    expect(summary.bestfit_lnlike_max).toBeCloseTo(124.68455267317542, 11);
    expect(summary.lnl_marginalized_max).toBeCloseTo(114.80063213572797, 11);
    expect(summary.ln_evidence_discarded).toBeCloseTo(70 - Math.log(98304), 12);
    expect(summary.n_discarded).toBe(100);
  });

  test("every row", () => {
    const table = readFeather(join(SMALL_RUN, "prob_samples_top.feather"));
    expect(rows.columns.n).toBe(table.n_rows);
    const [i, e, o] = ["i", "e", "o"].map((name) => table.f64(name));
    const place = new Map(Array.from(i, (_, j): [string, number] => [`${i[j]},${e[j]},${o[j]}`, j]));
    const { columns, ln_weight_unnormalized } = rows;
    const order = Array.from(
      columns.i,
      (_, j) => place.get(`${columns.i[j]},${columns.e[j]},${columns.o[j]}`)!,
    );
    const expected = (name: string) => {
      const values = table.f64(name);
      return order.map((j) => values[j]);
    };
    for (const name of ["ln_posterior", "bestfit_lnlike", "weights", "d_h_1Mpc"] as const)
      expect(largestDifference(columns[name], expected(name))).toBeLessThan(1e-12);
    expect(largestDifference(ln_weight_unnormalized, expected("ln_weight_unnormalized"))).toBeLessThan(1e-12);
  });

  test("rows ascend in bestfit_lnlike, ties by (i, e, o)", () => {
    const { n, bestfit_lnlike, i, e, o } = rows.columns;
    expect(bestfit_lnlike.filter((value) => value === 0).length).toBe(2819);
    for (let j = 1; j < n; j++) {
      const step =
        bestfit_lnlike[j] - bestfit_lnlike[j - 1] || i[j] - i[j - 1] || e[j] - e[j - 1] || o[j] - o[j - 1];
      if (!(step > 0)) throw new Error(`row ${j} is out of order`);
    }
  });

  test("samples: the rows that the reference drew have the reference's columns", () => {
    const drawn = readFeather(join(SMALL_RUN, "samples.feather"));
    const [i, e, o] = ["i", "e", "o"].map((name) => drawn.f64(name));
    const picks = {
      rows: Uint32Array.from(i, (_, j) => row(rows, i[j], e[j], o[j])),
      weights: new Float64Array(drawn.n_rows).fill(1),
      distanceShare: new Float64Array(drawn.n_rows).fill(0.5),
    };
    const table = sampleTable(rows, picks, input);
    expect(table.map(({ name }) => name)).toEqual([...drawn.names]);
    const byDistance = ["d_luminosity", "lnl", "d_hat"];
    const numbers = drawn.names.filter((name) => name !== "bank_id" && !byDistance.includes(name));
    for (const name of numbers) {
      const expected = drawn.f64(name);
      const scale = name.endsWith("1Mpc") ? 1e-12 * expected[0] : 1e-9;
      expect([name, largestDifference(floats(table, name), expected) < scale]).toEqual([name, true]);
    }
    const [d, dHat, theirD, theirDHat] = [
      ...[floats(table, "d_luminosity"), floats(table, "d_hat")],
      ...[drawn.f64("d_luminosity"), drawn.f64("d_hat")],
    ];
    const ratio = (top: Float64Array, bottom: Float64Array) => top.map((value, j) => value / bottom[j]);
    expect(largestDifference(ratio(dHat, d), ratio(theirDHat, theirD))).toBeLessThan(1e-9);
    // lnl of the reference is the same function of its own distances.
    const [dh, hh] = [drawn.f64("d_h_1Mpc"), drawn.f64("h_h_1Mpc")];
    const lnl = (at: Float64Array) => at.map((x, j) => dh[j] / x - hh[j] / (2 * x * x));
    expect(largestDifference(lnl(theirD), drawn.f64("lnl"))).toBeLessThan(1e-9);
    expect(largestDifference(lnl(d), floats(table, "lnl"))).toBeLessThan(1e-9);
  });
});

const AB = join(SHARED, "runs/GW170814-ab");

test.skipIf(!existsSync(AB))("two banks: the reference's evidence and effective sizes", () => {
  const banks = ["a", "b"].map((name) => join(SHARED, "banks", name));
  const two = finish(runInput(AB, banks, 32)).summary;
  const expected = readJsonFile(join(AB, "summary_results.json"));
  for (const name of ["n_effective", "n_effective_i", "n_effective_e", "ln_evidence"] as const)
    expect(Math.abs(two[name] - expected[name]) / expected[name]).toBeLessThan(1e-11);
  for (const id of ["bank_0", "bank_1"])
    for (const [name, value] of Object.entries(expected.per_bank_results[id]) as [string, number][])
      expect(Math.abs(two.per_bank_results[id][name as "N_k"] - value) / value).toBeLessThan(1e-11);
  expect(two.n_i_inds_used).toBe(35);
});

describe("several banks", () => {
  const [{ bank, result }] = input.banks;
  const twins: FinishInput = {
    ...input,
    banks: [
      { bank, result },
      { bank, result: { ...result, id: "bank_1" } },
    ],
  };
  const one = finish(input).summary;

  test("the same bank twice: twice the evidence, twice the bank samples, the same extrinsic samples", () => {
    const { summary, rows } = finish(twins);
    expect(summary.ln_evidence).toBeCloseTo(one.ln_evidence + Math.LN2, 12);
    expect(summary.n_effective).toBeCloseTo(2 * one.n_effective, 10);
    expect(summary.n_effective_i_merged).toBeCloseTo(2 * one.n_effective_i, 10);
    expect(summary.n_effective_e_merged).toBeCloseTo(one.n_effective_e, 10);
    expect(summary.n_effective_i).toBeCloseTo(one.n_effective_i, 10);
    expect(rows.columns.n).toBe(2 * 5828);
    expect([...new Set(rows.bank)]).toEqual([0, 1]);
  });

  test("rows weigh as exp(ln_posterior - ln N_k)", () => {
    const larger = { ...result, id: "bank_1", n_total: 4 * result.n_total };
    const { summary, rows } = finish({ ...twins, banks: [twins.banks[0], { bank, result: larger }] });
    const share = rows.columns.weights.subarray(5828).reduce((sum, weight) => sum + weight, 0);
    expect(share).toBeCloseTo(1 / 5, 12);
    expect(summary.ln_evidence).toBeCloseTo(one.ln_evidence + Math.log(1.25), 12);
  });

  test("a limit over all banks keeps the best rows and leaves the evidence alone", () => {
    const { summary, rows, warnings } = finish({ ...twins, options: { ...twins.options, sizeLimit: 5828 } });
    expect(summary.ln_evidence).toBeCloseTo(one.ln_evidence + Math.LN2, 12);
    expect(rows.columns.n).toBe(5828);
    expect(rows.columns.weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    // 3,009 rows of each bank have dh > 0.
    expect(rows.columns.bestfit_lnlike.filter((value) => value > 0).length).toBe(5828);
    expect(warnings.join("\n")).toContain("all banks: 5828 rows beyond --size-limit 5828");
  });
});

describe("size limit of a bank", () => {
  // scipy's logsumexp over the rows sorted by bestfit_lnlike in pandas.
  test.each([
    [100, 88.1122561377965, 79.1671534812515],
    [300, 88.11238627897716, 72.80258288755056],
  ])("%i rows", (sizeLimit, lnEvidence, lnEvidenceCapped) => {
    const { summary, rows, banks, warnings } = finish(withOptions({ sizeLimit }));
    expect(summary.ln_evidence).toBeCloseTo(lnEvidence, 11);
    expect(banks[0].capped.lnEvidence).toBeCloseTo(lnEvidenceCapped, 11);
    expect(summary.n_capped).toBe(5828 - sizeLimit);
    expect(rows.columns.n).toBe(sizeLimit);
    expect(warnings.join("\n")).toContain(
      `bank_0: ${5828 - sizeLimit} rows beyond --size-limit ${sizeLimit}`,
    );
  });

  test("of equal values the first are kept", () => {
    const { kept, dropped } = best(Float64Array.of(5, 1, 3, 3, 9, 3, 3), 4);
    expect([...kept]).toEqual([0, 2, 3, 4]);
    expect([...dropped]).toEqual([1, 5, 6]);
  });
});

describe("the standard error of ln Z", () => {
  test("small: the formula in NumPy", () => {
    expect(finish(input).summary.ln_evidence_error).toBeCloseTo(0.9863029563074586, 12);
  });

  /** A table L_ie = a_i + b_e + c_ie of positive numbers with mean 3, n_i x n_e, one phase. */
  function table(n_i: number, n_e: number, seed: number): BankResult {
    const n = n_i * n_e;
    const cell = Array.from({ length: n }, (_, j) => [Math.floor(j / n_e), j % n_e]);
    const share = (j: number) => 2 * uniform(seed, 99, j);
    const values = cell.map(([i, e], j) => share(i) ** 3 / 2 + share(10_000 + e) + share(20_000 + j));
    return {
      ...{ id: "bank_0", n_total: n, n_indsUsed: n_i, logPriorWeights_i: new Float64Array(n_i) },
      ...{ discarded: { n: 0, lnSum: -Infinity }, nDistanceMarginalizations: n },
      dt: { inds: new Int32Array(0), dt: new Float64Array(0) },
      rows: {
        n,
        ...{ i: Int32Array.from(cell, ([i]) => i), e: Int32Array.from(cell, ([, e]) => e) },
        ...{ o: new Int32Array(n), dh: new Float64Array(n).fill(1), hh: new Float64Array(n).fill(1) },
        lnlMarginalized: Float64Array.from(values, (value) => Math.log(value)),
      },
    };
  }

  test("is the scatter of ln Z over repeated draws of i and e", () => {
    const [n_i, n_e, n_repeat] = [40, 25, 400];
    const tables = Array.from({ length: n_repeat }, (_, seed) =>
      bankPosterior(table(n_i, n_e, seed), new Float64Array(n_e), 1e7),
    );
    const lnZ = tables.map(({ lnEvidence }) => lnEvidence);
    const mean = lnZ.reduce((sum, value) => sum + value, 0) / n_repeat;
    const scatter = Math.sqrt(lnZ.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n_repeat - 1));
    const errors = tables.map((bank) => lnEvidenceError([bank], 1, n_e));
    const error = Math.sqrt(errors.reduce((sum, value) => sum + value * value, 0) / n_repeat);
    // 400 repeats know the scatter to 3.5%.
    expect(Math.abs(error / scatter - 1)).toBeLessThan(0.12);
  });

  test("rows that are all equal have none", () => {
    const equal = table(8, 4, 1);
    const flat = { ...equal, rows: { ...equal.rows, lnlMarginalized: new Float64Array(32).fill(50) } };
    expect(lnEvidenceError([bankPosterior(flat, new Float64Array(4), 1e7)], 1, 4)).toBeLessThan(1e-7);
  });
});

describe("draws", () => {
  test("half the effective samples, of weight 1, the same for the same seed", () => {
    const [a, b] = [finish(input), finish(input)];
    expect(a.summary.n_samples).toBe(4);
    expect([...floats(a.samples, "weights")]).toEqual([1, 1, 1, 1]);
    expect(a).toEqual(b);
    const other = finish(withOptions({ seed: 8, nDraws: 9 }));
    const same = finish(withOptions({ nDraws: 9 }));
    expect(floats(other.samples, "d_luminosity")).not.toEqual(floats(same.samples, "d_luminosity"));
    expect([...floats(same.samples, "d_luminosity")].slice(0, 4)).toEqual([
      ...floats(a.samples, "d_luminosity"),
    ]);
  });

  test("more draws than effective samples, and more than there can be, are said", () => {
    const { summary, warnings } = finish(withOptions({ nDraws: 20_000 }));
    expect(summary.n_samples).toBe(10_000);
    expect(warnings.join("\n")).toContain("20000 draws were asked for: 10000 are made");
    expect(warnings.join("\n")).toContain("10000 draws from 9.3 effective samples");
    expect(finish(input).warnings.join("\n")).not.toContain("draws");
  });

  test("rows come as often as their weights say, and rows of weight zero never", () => {
    const weights = Float64Array.of(0, 0.1, 0, 0.6, 0.3, 0);
    const n = 20_000;
    const counts = new Float64Array(6);
    for (const drawn of drawRows(weights, n, 3).rows) counts[drawn]++;
    weights.forEach((weight, j) => {
      expect(Math.abs(counts[j] - n * weight)).toBeLessThanOrEqual(4 * Math.sqrt(n * weight * (1 - weight)));
    });
  });

  test("--no-draw-subset: every row once with its weight", () => {
    const { samples, rows, summary } = finish(withOptions({ drawSubset: false }));
    expect(summary.n_samples).toBe(5828);
    expect(floats(samples, "weights")).toEqual(rows.columns.weights);
    expect(floats(samples, "ln_posterior")).toEqual(rows.columns.ln_posterior);
    const { distanceShare } = everyRow(rows.columns.weights, 7);
    expect(distanceShare[5]).toBe(uniform(7, STREAMS.distance, 5));
  });
});

describe("nothing usable", () => {
  const { rows } = input.banks[0].result;

  test("no rows", () => {
    const none = new Int32Array(0);
    const empty = new Float64Array(0);
    const noRows = { n: 0, i: none, e: none, o: none, dh: empty, hh: empty, lnlMarginalized: empty };
    expectRefusal(() => finish(withResult({ rows: noRows })), "noSamples", "found no row");
  });

  test("no prior weight", () => {
    const logPriorWeights_i = new Float64Array(96).fill(-Infinity);
    expectRefusal(() => finish(withResult({ logPriorWeights_i })), "noSamples", "prior weight of zero");
  });

  test("a row that is not a number", () => {
    const lnlMarginalized = rows.lnlMarginalized.slice();
    lnlMarginalized[3] = Number.NaN;
    const place = `i ${rows.i[3]}, e ${rows.e[3]}, o ${rows.o[3]}`;
    const action = () => finish(withResult({ rows: { ...rows, lnlMarginalized } }));
    expectRefusal(action, "notFinite", "bank_0", place, "lnlMarginalized: found NaN");
  });

  test("bank samples without prior weight have no share, and the others all of it", () => {
    const logPriorWeights_i = input.banks[0].result.logPriorWeights_i.slice();
    logPriorWeights_i[28] = -Infinity;
    const { rows: merged, summary } = finish(withResult({ logPriorWeights_i }));
    const { i, weights } = merged.columns;
    expect(weights.filter((weight, j) => i[j] === 28 && weight > 0).length).toBe(0);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    expect(summary.ln_evidence).toBeLessThan(theirs.ln_evidence - 5);
  });
});

describe("for the terminal", () => {
  test("discarded rows that matter are said", () => {
    const lnSum = theirs.ln_evidence + Math.log(98304) - 2;
    expect(finish(withResult({ discarded: { n: 9, lnSum } })).warnings).toContain(
      "the rows below the threshold would add 14% to the evidence: raise --max-bestfit-lnlike-diff",
    );
    expect(finish(input).warnings.join("\n")).not.toContain("threshold");
  });

  test("quantiles and injected values", () => {
    const truth = { m1: 40, m2: 25, s1z: 0.2, s2z: -0.1, d_luminosity: 500, other: 3 };
    const { parameters, summary } = finish({ ...input, truth });
    const shown = Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter]));
    // 99.9% of the posterior is bank sample 28.
    expect(shown.mchirp.median).toBeCloseTo(28.216451, 6);
    expect(shown.q.lo).toBeCloseTo(25.938025 / 40.92189, 6);
    expect(shown.mchirp.truth).toBeCloseTo(27.378984044244316, 12);
    expect(shown.q.truth).toBe(0.625);
    expect(shown.chieff.truth).toBeCloseTo((40 * 0.2 - 25 * 0.1) / 65, 14);
    expect(shown.d_luminosity.truth).toBe(500);
    expect(shown.ra.truth).toBeUndefined();
    expect(shown.d_luminosity.lo).toBeLessThan(shown.d_luminosity.median);
    expect(summary.truth).toEqual(truth);
    expect(finish(input).parameters.some((parameter) => "truth" in parameter)).toBe(false);
  });

  test("a right ascension across zero is one interval", () => {
    const n = 1001;
    const column = (name: string, of: (j: number) => number): TableColumn => ({
      ...{ name, type: "f64", data: Float64Array.from({ length: n }, (_, j) => of(j)) },
    });
    const names = [
      "mchirp",
      "lnq",
      "m1",
      "m2",
      "chieff",
      "costheta_jn",
      "d_luminosity",
      "dec",
      "t_geocenter",
    ];
    const turn = 2 * Math.PI;
    const table = [
      ...names.map((name) => column(name, (j) => j)),
      column("ra", (j) => (turn + 0.1 + (j - 500) / 1000) % turn),
      column("f_ref", () => 50),
    ];
    const shown = parameterSummaries(table, input.frame);
    const ra = shown.find(({ name }) => name === "ra")!;
    expect(ra.median).toBeCloseTo(0.1, 12);
    expect(ra.lo).toBeCloseTo(-0.35, 12);
    expect(ra.hi).toBeCloseTo(0.55, 12);
    expect(shown[0].lo).toBeCloseTo(50, 12);
  });

  test("posterior at the bank's edge", () => {
    const n = 1000;
    const m1 = Float64Array.from({ length: n }, (_, j) => 30 + (j * 2) / n);
    const m2 = m1.map((m) => m * 0.9);
    const at = (...places: [number, number][]) => {
      const posterior_i = new Float64Array(n);
      for (const [place, weight] of places) posterior_i[place] = weight;
      return posterior_i;
    };
    const warnings = (posterior_i: Float64Array, samples = { m1, m2 }) =>
      edgeWarnings([{ samples, posterior_i }]);
    expect(warnings(at([500, 1]))).toEqual([]);
    expect(warnings(at([995, 0.04], [500, 0.96]))).toEqual([]);
    expect(warnings(at([995, 0.3], [500, 0.7]))[0]).toStartWith(
      "30% of the posterior lies at the banks' edge, chirp mass above",
    );
    expect(warnings(at([3, 1]))[0]).toContain("chirp mass below");
    const beside = { m1: m1.map((m) => m + 2), m2: m1.map((m) => 0.9 * (m + 2)) };
    const next = { samples: beside, posterior_i: new Float64Array(n) };
    expect(edgeWarnings([{ samples: { m1, m2 }, posterior_i: at([995, 1]) }, next])).toEqual([]);
    const ratios = { m1: m1.map(() => 40), m2: m1.map((_, j) => 4 + (36 * j) / n) };
    expect(warnings(at([2, 1]), ratios).join()).toContain("mass ratio below");
  });
});
