import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { uniform } from "../src/gw/random.ts";
import { type FeatherTable, readFeather } from "../src/io/feather.ts";
import { edgeWarnings } from "../src/stages/bank-edge.ts";
import { bankPosterior } from "../src/stages/bank-posterior.ts";
import { cutsOf, N_BINS } from "../src/stages/coherent-scan.ts";
import { placePicks } from "../src/stages/draws.ts";
import { parameterSummaries } from "../src/stages/parameter-summary.ts";
import { lnEvidenceError, type TableColumn } from "../src/stages/posterior.ts";
import { drawShares, type SampleRows, sampleTable } from "../src/stages/sample-table.ts";
import { SHARED } from "./helpers.ts";
import { expectRejection, temporaryFolder } from "./io-helpers.ts";
import {
  type Finished,
  finishIn,
  type GivenInput,
  type GivenResult,
  publishGiven,
  readJsonFile,
  runInput,
  SMALL_RUN,
  smallInput,
} from "./posterior-fixture.ts";

const folder = temporaryFolder();
const finishGiven = (given: GivenInput) => finishIn(folder, given);
const input = smallInput();
const theirs = readJsonFile(join(SMALL_RUN, "summary_results.json"));

function withOptions(options: Partial<GivenInput["options"]>): GivenInput {
  return { ...input, options: { ...input.options, ...options } };
}

function withResult(change: Partial<GivenResult>): GivenInput {
  const [{ bank, result }] = input.banks;
  return { ...input, banks: [{ bank, result: { ...result, ...change } }] };
}

function floats(table: readonly TableColumn[], name: string): Float64Array {
  return table.find((column) => column.name === name)!.data as Float64Array;
}

/** The one part of samples that were drawn. */
const samplesOf = ({ samples }: Finished) => [...samples][0];

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (value, j) => Math.abs(value - b[j])).reduce((x, y) => Math.max(x, y), 0);
}

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

/** The (i, e, o) of each row. */
function keysOf(table: FeatherTable): string[] {
  const [i, e, o] = ["i", "e", "o"].map((name) => table.f64(name));
  return Array.from(i, (_, j) => `${i[j]},${e[j]},${o[j]}`);
}

const placesOf = (table: FeatherTable) => new Map(keysOf(table).map((key, j) => [key, j]));

describe("the reference's rows give the reference's numbers", () => {
  const finished = finishGiven(input);

  test("summary", async () => {
    const { summary } = await finished;
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

  test("every row, in both tables", async () => {
    const { merged, own } = await finished;
    const table = readFeather(join(SMALL_RUN, "prob_samples_top.feather"));
    const place = placesOf(table);
    const names = ["ln_posterior", "bestfit_lnlike", "weights", "d_h_1Mpc", "h_h_1Mpc", "lnl_marginalized"];
    for (const found of [merged, own[0]]) {
      const order = keysOf(found).map((key) => place.get(key)!);
      expect(order.length).toBe(table.n_rows);
      for (const name of found === merged ? [...names, "ln_weight_unnormalized"] : names) {
        const values = table.f64(name);
        expect(
          largestDifference(
            found.f64(name),
            order.map((j) => values[j]),
          ),
        ).toBeLessThan(1e-12);
      }
    }
  });

  test("rows ascend in i, e, o", async () => {
    const { merged } = await finished;
    const [i, e, o] = ["i", "e", "o"].map((name) => merged.f64(name));
    for (let j = 1; j < merged.n_rows; j++) {
      const step = i[j] - i[j - 1] || e[j] - e[j - 1] || o[j] - o[j - 1];
      if (!(step > 0)) throw new Error(`row ${j} is out of order`);
    }
  });

  test("samples: the rows that the reference drew have the reference's columns", async () => {
    const { results, merged } = await finished;
    const drawn = readFeather(join(SMALL_RUN, "samples.feather"));
    const place = placesOf(merged);
    const rows = keysOf(drawn).map((key) => place.get(key)!);
    const [d, theirD, dh, hh] = ["d_luminosity", "d_luminosity", "d_h_1Mpc", "h_h_1Mpc"].map((name) =>
      drawn.f64(name),
    );
    const column = (name: string) => Float64Array.from(rows, (r) => merged.f64(name)[r]);
    const picked: SampleRows = {
      bank: new Int32Array(rows.length),
      ...{
        i: Int32Array.from(column("i")),
        e: Int32Array.from(column("e")),
        o: Int32Array.from(column("o")),
      },
      ...{ lnl_marginalized: column("lnl_marginalized"), ln_posterior: column("ln_posterior") },
      ...{ bestfit_lnlike: column("bestfit_lnlike"), d_luminosity: d },
      ...{ d_h_1Mpc: column("d_h_1Mpc"), h_h_1Mpc: column("h_h_1Mpc") },
    };
    const banks = input.banks.map(({ bank }, k) => ({ bank, result: results[k] }));
    const table = sampleTable(picked, new Float64Array(rows.length).fill(1), { ...input, banks });
    expect(table.map(({ name }) => name)).toEqual([...drawn.names]);
    for (const name of drawn.names.filter((name) => name !== "bank_id")) {
      const expected = drawn.f64(name);
      const scale = name.endsWith("1Mpc") ? 1e-12 * expected[0] : 1e-9;
      expect([name, largestDifference(floats(table, name), expected) < scale]).toEqual([name, true]);
    }
    // lnl of the reference is the same function of its own distances.
    const lnl = (at: Float64Array) => at.map((x, j) => dh[j] / x - hh[j] / (2 * x * x));
    expect(largestDifference(lnl(theirD), drawn.f64("lnl"))).toBeLessThan(1e-9);
  });
});

const AB = join(SHARED, "runs/GW170814-ab");

test.skipIf(!existsSync(AB))("two banks: the reference's evidence and effective sizes", async () => {
  const banks = ["a", "b"].map((name) => join(SHARED, "banks", name));
  const two = (await finishGiven(runInput(AB, banks, 32))).summary;
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
  const twins: GivenInput = {
    ...input,
    banks: [
      { bank, result },
      { bank, result: { ...result, id: "bank_1" } },
    ],
  };
  const one = finishGiven(input);

  test("the same bank twice: twice the evidence, twice the bank samples, the same extrinsic samples", async () => {
    const { summary, merged } = await finishGiven(twins);
    const alone = (await one).summary;
    expect(summary.ln_evidence).toBeCloseTo(alone.ln_evidence + Math.LN2, 12);
    expect(summary.n_effective).toBeCloseTo(2 * alone.n_effective, 10);
    expect(summary.n_effective_i_merged).toBeCloseTo(2 * alone.n_effective_i, 10);
    expect(summary.n_effective_e_merged).toBeCloseTo(alone.n_effective_e, 10);
    expect(summary.n_effective_i).toBeCloseTo(alone.n_effective_i, 10);
    expect(merged.n_rows).toBe(2 * 5828);
    expect([...new Set(merged.strings("bank_id"))]).toEqual(["bank_0", "bank_1"]);
  });

  test("rows weigh as exp(ln_posterior - ln N_k)", async () => {
    const larger = { ...result, id: "bank_1", n_total: 4 * result.n_total };
    const given = { ...twins, banks: [twins.banks[0], { bank, result: larger }] };
    const { summary, merged } = await finishGiven(given);
    expect(sum(merged.f64("weights").subarray(5828))).toBeCloseTo(1 / 5, 12);
    expect(summary.ln_evidence).toBeCloseTo((await one).summary.ln_evidence + Math.log(1.25), 12);
  });

  test("a limit over all banks keeps the best rows and leaves the evidence alone", async () => {
    const limited = { ...twins, options: { ...twins.options, sizeLimit: 5828 } };
    const { summary, merged, own, warnings } = await finishGiven(limited);
    expect(summary.ln_evidence).toBeCloseTo((await one).summary.ln_evidence + Math.LN2, 12);
    expect(own.map(({ n_rows }) => n_rows)).toEqual([5828, 5828]);
    expect(merged.n_rows).toBe(5828);
    expect(sum(merged.f64("weights"))).toBeCloseTo(1, 12);
    // 3,009 rows of each bank have dh > 0.
    expect(merged.f64("bestfit_lnlike").filter((value) => value > 0).length).toBe(5828);
    expect(summary.n_effective).toBeCloseTo(1 / sum(merged.f64("weights").map((w) => w * w)), 9);
    expect(warnings.join("\n")).toContain("all banks: 5828 rows beyond --size-limit 5828");
  });
});

describe("size limit of a bank", () => {
  // scipy's logsumexp over the rows sorted by bestfit_lnlike in pandas.
  test.each([
    [100, 88.1122561377965, 79.1671534812515],
    [300, 88.11238627897716, 72.80258288755056],
  ])("%i rows", async (sizeLimit, lnEvidence, lnEvidenceCapped) => {
    const { summary, merged, banks, warnings } = await finishGiven(withOptions({ sizeLimit }));
    expect(summary.ln_evidence).toBeCloseTo(lnEvidence, 11);
    expect(banks[0].capped.lnEvidence).toBeCloseTo(lnEvidenceCapped, 11);
    expect(summary.n_capped).toBe(5828 - sizeLimit);
    expect(merged.n_rows).toBe(sizeLimit);
    expect(warnings.join("\n")).toContain(
      `bank_0: ${5828 - sizeLimit} rows beyond --size-limit ${sizeLimit}`,
    );
  });

  /** A histogram between 0 and N_BINS, so that bin b begins at b. */
  const histogram = (...bins: [bin: number, rows: number][]) => {
    const rows_kb = new Int32Array(N_BINS);
    for (const [bin, rows] of bins) rows_kb[bin] = rows;
    return { rows_kb, low: 0, high: N_BINS };
  };

  test("whole bins are kept, no more rows than the limit", () => {
    const three = histogram([10, 4], [20, 3], [30, 2]);
    expect(cutsOf(three, 9).bank_k).toEqual([-Infinity]);
    expect(cutsOf(three, 8).bank_k).toEqual([11]);
    expect(cutsOf(three, 5).bank_k).toEqual([11]);
    expect(cutsOf(three, 4).bank_k).toEqual([21]);
    expect(cutsOf(three, 4).merged).toBe(-Infinity);
  });

  test("the best bin is kept even if it alone has more", () => {
    expect(cutsOf(histogram([10, 4], [N_BINS - 1, 3]), 2).bank_k).toEqual([N_BINS - 1]);
  });
});

describe("the standard error of ln Z", () => {
  test("small: the formula in NumPy", async () => {
    expect((await finishGiven(input)).summary.ln_evidence_error).toBeCloseTo(0.9863029563074586, 12);
  });

  /** A table L_ie = a_i + b_e + c_ie of positive numbers with mean 3, n_i x n_e, one phase. */
  function table(n_i: number, n_e: number, seed: number): GivenInput {
    const n = n_i * n_e;
    const cell = Array.from({ length: n }, (_, j) => [Math.floor(j / n_e), j % n_e]);
    const share = (j: number) => 2 * uniform(seed, 99, j);
    const values = cell.map(([i, e], j) => share(i) ** 3 / 2 + share(10_000 + e) + share(20_000 + j));
    const result: GivenResult = {
      ...{ id: "bank_0", n_total: n, n_indsUsed: n_i, logPriorWeights_i: new Float64Array(n_i) },
      ...{ discarded: { n: 0, lnSum: -Infinity }, nDistanceMarginalizations: n },
      dt: { inds: Int32Array.from({ length: n_i }, (_, i) => i), dt: new Float64Array(n_i) },
      rows: {
        n,
        ...{ i: Int32Array.from(cell, ([i]) => i), e: Int32Array.from(cell, ([, e]) => e) },
        ...{ o: new Int32Array(n), dh: new Float64Array(n).fill(1), hh: new Float64Array(n).fill(1) },
        lnlMarginalized: Float64Array.from(values, (value) => Math.log(value)),
      },
    };
    const extrinsic = { ...input.extrinsic, n_e, log_prior_weights: new Float64Array(n_e) };
    return { ...input, extrinsic, n_phi: 1, banks: [{ bank: input.banks[0].bank, result }] };
  }

  function posteriorOf(given: GivenInput) {
    const { rows, results } = publishGiven(given, mkdtempSync(join(folder, "run-")));
    const bank = bankPosterior(results[0], rows, 0);
    rows.files.discard();
    return bank;
  }

  test("is the scatter of ln Z over repeated draws of i and e", () => {
    const [n_i, n_e, n_repeat] = [40, 25, 400];
    const tables = Array.from({ length: n_repeat }, (_, seed) => posteriorOf(table(n_i, n_e, seed)));
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
    const [{ bank, result }] = equal.banks;
    const rows = { ...result.rows, lnlMarginalized: new Float64Array(32).fill(50) };
    const flat = posteriorOf({ ...equal, banks: [{ bank, result: { ...result, rows } }] });
    expect(lnEvidenceError([flat], 1, 4)).toBeLessThan(1e-7);
  });
});

describe("draws", () => {
  test("half the effective samples, of weight 1, the same for the same seed", async () => {
    const [a, b] = [await finishGiven(input), await finishGiven(input)];
    expect(a.summary.n_samples).toBe(4);
    expect([...floats(samplesOf(a), "weights")]).toEqual([1, 1, 1, 1]);
    expect(samplesOf(a)).toEqual(samplesOf(b));
    expect([a.summary, a.parameters]).toEqual([b.summary, b.parameters]);
    const other = samplesOf(await finishGiven(withOptions({ seed: 8, nDraws: 9 })));
    const same = samplesOf(await finishGiven(withOptions({ nDraws: 9 })));
    expect(floats(other, "d_luminosity")).not.toEqual(floats(same, "d_luminosity"));
    expect([...floats(same, "d_luminosity")].slice(0, 4)).toEqual([...floats(samplesOf(a), "d_luminosity")]);
  });

  test("each is the row that its random number finds in the cumulative weights", async () => {
    const n = 300;
    const { samples, merged } = await finishGiven(withOptions({ nDraws: n }));
    const weights = merged.f64("weights");
    const rows = Array.from(drawShares(n, input.options.seed), (share) => {
      let total = 0;
      return weights.findIndex((weight) => {
        total += weight;
        return total > share;
      });
    });
    const [table] = [...samples];
    for (const name of ["i", "e", "o", "lnl_marginalized", "ln_posterior", "bestfit_lnlike", "d_h_1Mpc"])
      expect([...floats(table, name)]).toEqual(rows.map((r) => merged.f64(name)[r]));
  });

  test("more draws than effective samples, and more than there can be, are said", async () => {
    const { summary, warnings } = await finishGiven(withOptions({ nDraws: 20_000 }));
    expect(summary.n_samples).toBe(10_000);
    expect(warnings.join("\n")).toContain("20000 draws were asked for: 10000 are made");
    expect(warnings.join("\n")).toContain("10000 draws from 9.3 effective samples");
    expect((await finishGiven(input)).warnings.join("\n")).not.toContain("draws");
  });

  test("chunks are chosen as often as their weights say, and chunks of weight zero never", () => {
    const weights = Float64Array.of(0, 0.1, 0, 0.6, 0.3, 0);
    const n = 20_000;
    const { firstPick_c, pick_x, target } = placePicks(drawShares(n, 3), weights);
    weights.forEach((weight, c) => {
      const count = firstPick_c[c + 1] - firstPick_c[c];
      expect(Math.abs(count - n * weight)).toBeLessThanOrEqual(4 * Math.sqrt(n * weight * (1 - weight)));
      const inside = [...pick_x.subarray(firstPick_c[c], firstPick_c[c + 1])].map((pick) => target[pick]);
      expect(inside.every((at, x) => at >= 0 && at < weight && (x === 0 || at >= inside[x - 1]))).toBe(true);
    });
    expect(new Set(pick_x).size).toBe(n);
  });

  test("--no-draw-subset: every row once with its weight", async () => {
    const { samples, merged, summary } = await finishGiven(withOptions({ drawSubset: false }));
    expect(summary.n_samples).toBe(5828);
    const column = (name: string) => [...samples].flatMap((part) => [...floats(part, name)]);
    for (const name of ["i", "e", "o", "weights", "ln_posterior"])
      expect(column(name)).toEqual([...merged.f64(name)]);
    expect(new Set(column("d_luminosity")).size).toBe(5828);
  });
});

describe("nothing usable", () => {
  const { rows } = input.banks[0].result;

  test("no rows", async () => {
    const none = new Int32Array(0);
    const empty = new Float64Array(0);
    const noRows = { n: 0, i: none, e: none, o: none, dh: empty, hh: empty, lnlMarginalized: empty };
    await expectRejection(finishGiven(withResult({ rows: noRows })), "noSamples", "found no row");
  });

  test("no prior weight", async () => {
    const logPriorWeights_i = new Float64Array(96).fill(-Infinity);
    await expectRejection(
      finishGiven(withResult({ logPriorWeights_i })),
      ...(["noSamples", "5828 rows, all with a prior weight of zero"] as const),
    );
  });

  test("a row that is not a number", async () => {
    const lnlMarginalized = rows.lnlMarginalized.slice();
    lnlMarginalized[3] = Number.NaN;
    const place = `i ${rows.i[3]}, e ${rows.e[3]}, o ${rows.o[3]}`;
    const action = finishGiven(withResult({ rows: { ...rows, lnlMarginalized } }));
    await expectRejection(action, "notFinite", "bank_0", place, "lnlMarginalized: found NaN");
  });

  test("bank samples without prior weight have no share, and the others all of it", async () => {
    const logPriorWeights_i = input.banks[0].result.logPriorWeights_i.slice();
    logPriorWeights_i[28] = -Infinity;
    const { merged, summary } = await finishGiven(withResult({ logPriorWeights_i }));
    const [i, weights] = [merged.f64("i"), merged.f64("weights")];
    expect(weights.filter((weight, j) => i[j] === 28 && weight > 0).length).toBe(0);
    expect(sum(weights)).toBeCloseTo(1, 12);
    expect(summary.ln_evidence).toBeLessThan(theirs.ln_evidence - 5);
  });
});

describe("for the terminal", () => {
  test("discarded rows that matter are said", async () => {
    const lnSum = theirs.ln_evidence + Math.log(98304) - 2;
    expect((await finishGiven(withResult({ discarded: { n: 9, lnSum } }))).warnings).toContain(
      "the rows below the threshold would add 14% to the evidence: raise --max-bestfit-lnlike-diff",
    );
    expect((await finishGiven(input)).warnings.join("\n")).not.toContain("threshold");
  });

  test("quantiles and injected values", async () => {
    const truth = { m1: 40, m2: 25, s1z: 0.2, s2z: -0.1, d_luminosity: 500, other: 3 };
    const { parameters, summary } = await finishGiven({ ...input, truth });
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
    const { parameters: without } = await finishGiven(input);
    expect(without.some((parameter) => "truth" in parameter)).toBe(false);
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
