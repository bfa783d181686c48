/** `dotpe-hpc bank info`. Expected numbers: pandas 2 and numpy on the same Feather file and bank_config.json. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { bankInfo, binInfo, rangeOf, weightInfo } from "../src/banks/info.ts";
import { formatBankInfo } from "../src/report/bank-info.ts";
import { runBinary } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import { BANK, readBankContent, takeSamples, writeBank } from "./make-inputs.ts";

const FOLDER = temporaryFolder();

test("ranges and medians of bank s are those that pandas finds", () => {
  const { parameters, weights, samples, bins } = bankInfo(BANK);
  const expected: Record<string, readonly number[]> = {
    mchirp: [26.016540111706394, 27.058013091187235, 28.48770378494265],
    q: [0.20274422129190914, 0.4730953791253806, 0.9994198324831332],
    m1: [30.121126214099846, 45.427986579778285, 72.55333105123817],
    chieff: [-0.9891562972937415, -0.1496365755374207, 0.9906693483159145],
    "in-plane spin 1": [0.010766544812441601, 0.4107265392137571, 0.988383729183171],
    iota: [0.11003185790195323, 1.6334147659975398, 3.092985863978609],
  };
  for (const [name, numbers] of Object.entries(expected)) {
    const { min, median, max } = parameters[name];
    [min, median, max].forEach((value, k) => {
      expect(value).toBeCloseTo(numbers[k], 12);
    });
  }
  expect(samples).toBe(96);
  expect(weights.effective).toBeCloseTo(95.81574196848675, 10);
  expect([weights.log.min, weights.log.max]).toEqual([-0.07329984243664359, 0.08095824958665956]);
  expect(bins).toEqual({
    ...{ n: 378, band: [15, 512], step: { min: 0.03125, median: 0.53125, max: 3.6875 } },
    ...{ spacing: "uneven", grid: 32 },
  });
});

test("the histogram counts every sample once, also where all masses are equal", () => {
  const { density, samples } = bankInfo(BANK);
  expect(density.counts.reduce((sum, n) => sum + n, 0)).toBe(samples);
  expect([density.edges[0], density.edges.at(-1)]).toEqual([26.016540111706394, 28.48770378494265]);
  const one = bankInfo(writeBank(join(FOLDER, "one"), takeSamples(readBankContent(), 3, 4)));
  expect(one.density.counts).toEqual([1]);
  expect(formatBankInfo(one)).toContain("1 a percent of mass");
});

test("bins that are even, geometric, or on no grid", () => {
  const bins = (n: number, of: (b: number) => number) =>
    binInfo(Float64Array.from({ length: n }, (_, b) => of(b)));
  expect(bins(10, (b) => 20 + 0.25 * b)).toMatchObject({ spacing: "even", grid: 4 });
  expect(bins(10, (b) => 20 * 1.01 ** b)).toMatchObject({ spacing: "geometric", grid: null });
  expect(bins(10, (b) => 20 + b * b)).toMatchObject({ spacing: "uneven", grid: 1 });
});

test("the effective number of samples does not count those of weight zero", () => {
  const { zero, effective, log } = weightInfo(Float64Array.of(-Infinity, 700, 700, 700));
  expect([zero, log.min]).toEqual([1, -Infinity]);
  expect(effective).toBeCloseTo(3, 12);
  expect(weightInfo(Float64Array.of(-Infinity, -Infinity)).effective).toBe(0);
});

test("the median of an even number of values is between the middle ones", () => {
  expect(rangeOf(Float64Array.of(4, 1, 3, 10))).toEqual({ min: 1, median: 3.5, max: 10 });
});

test("what bank_config.json says besides is shown, without what a terminal would obey", () => {
  const content = takeSamples(readBankContent(), 0, 4);
  const config = { ...content.config, made_by: "someone\u001b[2J", note: "x".repeat(500) };
  const folder = writeBank(join(FOLDER, "words"), { ...content, config });
  const text = formatBankInfo(bankInfo(folder));
  expect(text).toContain("made_by someone?[2J");
  expect(text).toContain("seed 12");
  expect(text).not.toContain("\u001b");
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(400);
});

test("the command prints a screen, or JSON, and names a folder that is missing", async () => {
  const [text, json, missing] = await Promise.all([
    runBinary(["bank", "info", BANK]),
    runBinary(["bank", "info", BANK, BANK, "--json"]),
    runBinary(["bank", "info", join(FOLDER, "missing")]),
  ]);
  expect(text.stdout).toContain(
    "96 of IMRPhenomXPHM, m = 2, 1, 3, 4 of (l, m) (2,2) (2,1) (3,3) (3,2) (4,4)",
  );
  expect(text.stdout.split("\n").length).toBeLessThan(32);
  expect(JSON.parse(json.stdout).map(({ samples }: { samples: number }) => samples)).toEqual([96, 96]);
  expect([missing.code, missing.stderr.includes("no such folder")]).toEqual([66, true]);
});
