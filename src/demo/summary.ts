/** The end of a demo: the answer beside the published one, the time it took, and what to do with one's own data. */
import { SQUARE_DEGREES } from "../gw/sky-area.ts";
import { formatDuration } from "../report/format.ts";
import { decimalsOf, type Interval, writeInterval } from "../report/interval.ts";
import { areaText } from "../report/page.ts";
import type { Quantity, QuantityName } from "../report/run-report.ts";
import { findDoubts } from "../report/summary.ts";
import type { DemoResult } from "./demo.ts";
import { GW170814_PUBLISHED as PUBLISHED } from "./gw170814.ts";

const ROWS: readonly QuantityName[] = [
  ...(["mchirp_source", "mchirp", "m1_source", "m2_source", "q", "chieff"] as const),
  ...(["d_luminosity", "redshift"] as const),
];

/** Ends in a newline. */
export function formatDemo(result: DemoResult, seconds: number): string {
  const { summary, steps, page, report } = result;
  const doubts = findDoubts(summary);
  const { nEffectiveI, nEffectiveE, lnEvidence, lnEvidenceError } = summary;
  const time = steps.map((step) => `${step.name} ${formatDuration(step.seconds)}`).join(", ");
  const lines = [
    "",
    ...answerTable(result),
    "",
    `${PUBLISHED.label}: ${PUBLISHED.citation}`,
    `effective samples: ${nEffectiveI.toFixed(0)} of the bank, ${nEffectiveE.toFixed(0)} extrinsic; ` +
      `ln evidence ${lnEvidence.toFixed(2)} +- ${lnEvidenceError.toFixed(2)}`,
    ...doubts.map((doubt) => `doubtful: ${doubt}`),
    `time: ${formatDuration(seconds)} (${time})`,
    "",
    `All of it: ${page}`,
    "",
    `With an event of your own (an .npz of cogwheel's EventData, as ${report.settings.event}):`,
    "  dotpe-hpc bank create BANK --event EVENT.npz --mchirp LO,HI --n 65536",
    "  dotpe-hpc run EVENT.npz BANK",
  ];
  return lines.join("\n") + "\n";
}

/** Median, +, - of this run and of the published values. */
function answerTable({ report }: DemoResult): string[] {
  const byName = new Map(report.quantities.map((quantity) => [quantity.name, quantity]));
  const rows = ROWS.map((name) => {
    const { label, unit, interval } = byName.get(name) as Quantity;
    return [label, unit, written(interval), written(PUBLISHED.values[name])];
  });
  const sky = report.sky?.regions.find(({ level }) => level === 0.9);
  rows.push([
    ...["sky area (90%)", "deg^2", sky === undefined ? "" : areaText(sky.area)],
    String(PUBLISHED.skyArea90),
  ]);
  const table = [[report.event, "", "this run", PUBLISHED.label], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column].length)));
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd(),
  );
}

function written(interval: Interval | undefined): string {
  if (interval === undefined) return "";
  const { median, plus, minus } = writeInterval(interval, decimalsOf(interval));
  return `${median} ${plus} ${minus}`;
}

/** For `--json`. */
export function demoJson({ report, summary, steps, page, commands }: DemoResult, seconds: number): string {
  const values = Object.fromEntries(report.quantities.map(({ name, interval }) => [name, interval]));
  const areas = Object.fromEntries(
    (report.sky?.regions ?? []).map(({ level, area }) => [level, area * SQUARE_DEGREES]),
  );
  const result = {
    ...{ event: report.event, page, seconds, steps, values, sky_areas_deg2: areas, published: PUBLISHED },
    ...{ summary: { ...summary, warnings: findDoubts(summary) }, commands },
  };
  return JSON.stringify(result, null, 2) + "\n";
}
