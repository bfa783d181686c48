import { describe, expect, test } from "bun:test";
import { formatCount, formatDuration, formatMegabytes, formatRate } from "../src/report/format.ts";
import { createReporter, PLAIN_INTERVAL_MS, TERMINAL_INTERVAL_MS } from "../src/report/progress.ts";
import {
  findDoubts,
  formatPlan,
  formatSummary,
  type RunSummary,
  summaryJson,
} from "../src/report/summary.ts";

/** A reporter that writes into a list, with a clock that the test moves. */
function recorder(settings: { isTerminal?: boolean; quiet?: boolean; columns?: number } = {}) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const reporter = createReporter({
    write: (text) => written.push(text),
    isTerminal: settings.isTerminal ?? false,
    quiet: settings.quiet ?? false,
    columns: settings.columns,
    now: () => clock.ms,
  });
  return { reporter, written, clock };
}

describe("off a terminal", () => {
  test("one plain line when a stage ends", () => {
    const { reporter, written, clock } = recorder();
    const stage = reporter.stage("incoherent", 16384, "samples");
    clock.ms = 1000;
    stage.update(8000);
    clock.ms = 2000;
    stage.update(16384);
    stage.end("745 accepted");
    expect(written).toEqual(["incoherent     2.00 s  16,384 samples  8,380/s  745 accepted\n"]);
  });

  test("what an earlier process has done is not in the rate", () => {
    const { reporter, written, clock } = recorder();
    const stage = reporter.stage("incoherent", 10_000, "samples");
    clock.ms = 100;
    stage.update(6000);
    clock.ms = PLAIN_INTERVAL_MS + 100;
    stage.update(9000);
    expect(written).toEqual(["incoherent    90%  9,000/10,000 samples  100/s  10.0 s left\n"]);
  });

  test("and one every 30 s while it lasts, with rate and time left", () => {
    const { reporter, written, clock } = recorder();
    const stage = reporter.stage("coherent", 1000, "batches");
    clock.ms = PLAIN_INTERVAL_MS - 1;
    stage.update(299);
    expect(written).toEqual([]);
    clock.ms = PLAIN_INTERVAL_MS;
    stage.update(300);
    expect(written).toEqual(["coherent      30%  300/1,000 batches  10.0/s  70.0 s left\n"]);
    clock.ms = PLAIN_INTERVAL_MS + 1;
    stage.update(301);
    expect(written.length).toBe(1);
  });

  test("no escapes ever, and end is once", () => {
    const { reporter, written, clock } = recorder();
    const stage = reporter.stage("setup", 0, "steps");
    clock.ms = PLAIN_INTERVAL_MS * 2;
    stage.update(2);
    reporter.note("a note");
    reporter.warn("a warning");
    stage.end();
    stage.end();
    stage.update(3);
    expect(written).toEqual([
      "setup        2 steps  60.0 s\n",
      "a note\n",
      "warning: a warning\n",
      "setup          60.0 s  2 steps  0.0333/s\n",
    ]);
  });
});

describe("on a terminal", () => {
  test("one line is rewritten, at most every 100 ms, and left whole at the end", () => {
    const { reporter, written, clock } = recorder({ isTerminal: true });
    const stage = reporter.stage("coherent", 100, "batches");
    for (const [ms, done] of [
      [TERMINAL_INTERVAL_MS - 1, 1],
      [TERMINAL_INTERVAL_MS, 2],
      [TERMINAL_INTERVAL_MS + 1, 3],
    ]) {
      clock.ms = ms;
      stage.update(done);
    }
    expect(written).toEqual(["\r\x1b[Kcoherent       2%  2/100 batches  20.0/s  4.90 s left"]);
    stage.end();
    expect(written[1]).toStartWith("\r\x1b[Kcoherent ");
    expect(written[1]).toEndWith("\n");
  });

  test("is cut to the terminal's width", () => {
    const { reporter, written, clock } = recorder({ isTerminal: true, columns: 20 });
    const stage = reporter.stage("coherent", 100, "batches");
    clock.ms = 500;
    stage.update(50);
    expect(written[0].replace("\r\x1b[K", "").length).toBe(19);
  });

  test("a warning in between does not tear it", () => {
    const { reporter, written, clock } = recorder({ isTerminal: true });
    const stage = reporter.stage("coherent", 100, "batches");
    clock.ms = 500;
    stage.update(50);
    reporter.warn("odd");
    const line = written[0].replace("\r\x1b[K", "");
    expect(written[1]).toBe(`\r\x1b[Kwarning: odd\n${line}`);
  });
});

test("--quiet leaves warnings only", () => {
  const { reporter, written, clock } = recorder({ quiet: true });
  const stage = reporter.stage("coherent", 100, "batches");
  clock.ms = PLAIN_INTERVAL_MS;
  stage.update(50);
  stage.end();
  reporter.note("note");
  reporter.warn("warn");
  expect(written).toEqual(["warning: warn\n"]);
});

test("numbers as people read them", () => {
  expect([formatCount(1234567), formatRate(12345), formatRate(4.3111)]).toEqual([
    "1,234,567",
    "12,300",
    "4.31",
  ]);
  const seconds = [0, 9.994, 9.999, 99.94, 99.96, 3599.4, 3599.6, 7260];
  const durations = [
    "0.00 s",
    "9.99 s",
    "10.0 s",
    "99.9 s",
    "1 min 40 s",
    "59 min 59 s",
    "1 h 00 min",
    "2 h 01 min",
  ];
  expect(seconds.map(formatDuration)).toEqual(durations);
  expect([formatMegabytes(812.4), formatMegabytes(3254)]).toEqual(["812 MB", "3.25 GB"]);
});

const SUMMARY: RunSummary = {
  event: "GW170814",
  rundir: "GW170814/run_0",
  parameters: [
    { name: "mchirp", label: "chirp mass", unit: "Msun", median: 27.1234, lo: 26.3, hi: 28.02, truth: 27 },
    { name: "d_luminosity", label: "luminosity distance", unit: "Mpc", median: 541.2, lo: 320, hi: 680.9 },
  ],
  lnEvidence: 94.98,
  lnEvidenceError: 0.081,
  nEffective: 174,
  nEffectiveI: 23.4,
  nEffectiveE: 142,
  n_i: 16384,
  nAccepted: 745,
  n_e: 1024,
  n_rows: 332342,
  bestfitLnlikeMax: 134.26,
  stages: [
    { name: "incoherent", seconds: 1.5 },
    { name: "coherent", seconds: 0.25 },
  ],
  peakMemoryMB: 812,
  warnings: ["the best sample is at the bank's edge in chirp mass"],
  kernel: "x86-64-v4",
  nProcs: 2,
};

describe("the final table", () => {
  test("has each parameter's median and interval, to the digits that its width bears", () => {
    const lines = formatSummary(SUMMARY).split("\n");
    expect(lines[1].split(/ {2,}/)).toEqual(["chirp mass", "Msun", "27.12", "26.30 to 28.02", "27.00"]);
    expect(lines[2].split(/ {2,}/)).toEqual(["luminosity distance", "Mpc", "541", "320 to 681"]);
  });

  test("has evidence, effective samples, time by stage, memory, folder and what is doubtful", () => {
    const table = formatSummary(SUMMARY);
    const parts = [
      ...[
        "94.980 +- 0.081",
        "174.0 (intrinsic 23.4, extrinsic 142.0)",
        "745 of 16,384",
        "332,342",
        "134.260",
      ],
      ...["1.75 s: incoherent 1.50 s, coherent 0.25 s", "812 MB", "x86-64-v4", "2 threads", "GW170814/run_0"],
      "doubtful:\n  - the best sample is at the bank's edge",
    ];
    for (const part of parts) expect(table).toContain(part);
  });

  test("no doubts, no injection: neither is mentioned", () => {
    const parameters = SUMMARY.parameters.map(({ truth: _, ...rest }) => rest);
    const table = formatSummary({ ...SUMMARY, parameters, warnings: [] });
    expect(table).not.toContain("doubtful");
    expect(table).not.toContain("injected");
  });

  test("few effective samples are doubtful", () => {
    const doubts = findDoubts({ ...SUMMARY, warnings: [], nEffectiveI: 1.04, nEffectiveE: 8.1 });
    expect(doubts.length).toBe(2);
    expect(doubts[0]).toContain("bank is too sparse");
    expect(doubts[1]).toContain("--n-ext");
    expect(findDoubts({ ...SUMMARY, warnings: [] })).toEqual([]);
  });

  test("as JSON: every doubt, null where a number is not finite", () => {
    const parsed = JSON.parse(summaryJson({ ...SUMMARY, lnEvidenceError: Number.NaN, nEffectiveI: 2 }));
    expect(parsed.lnEvidenceError).toBeNull();
    expect(parsed.warnings.length).toBe(2);
    expect(parsed.parameters[0].truth).toBe(27);
  });
});

test("the plan of a dry run adds the memory up and says that nothing was done", () => {
  const plan = formatPlan({
    event: "GW170814",
    lines: [["bank a", "384 samples"]],
    memoryMB: [
      { name: "weights", megabytes: 100 },
      { name: "rows", megabytes: 900 },
    ],
    warnings: ["the bank is wider than the event"],
  });
  expect(plan).toContain("bank a           384 samples");
  expect(plan).toContain("1.00 GB: weights 100 MB, rows 900 MB");
  expect(plan).toContain("  - the bank is wider");
  expect(plan).toContain("Nothing was computed");
});
