/** A run directory as one HTML file: no scripts, nothing from elsewhere, figures as SVG inside. */
import { version } from "../../package.json";
import { SQUARE_DEGREES } from "../gw/sky-area.ts";
import { writeFileAtomic } from "../io/atomic-write.ts";
import { formatCount, formatDuration, formatMegabytes } from "./format.ts";
import { histogram } from "./histogram.ts";
import { escapeHtml, table } from "./html.ts";
import { decimalsOf, type Interval, writeInterval } from "./interval.ts";
import { PAGE_STYLE } from "./page-style.ts";
import type { Published } from "./published.ts";
import { type Quantity, type QuantityName, type RunReport, readRun } from "./run-report.ts";
import { partOfSky, wholeSky } from "./sky-figure.ts";
import { doubtsOfCounts } from "./summary.ts";

export interface PageOptions {
  readonly published?: Published;
  /** What the run warned of; what its numbers say is added. */
  readonly warnings?: readonly string[];
  /** What was done, with the time it took; otherwise the stages of the run. */
  readonly steps?: readonly Step[];
  /** How to do it again: commands. */
  readonly commands?: readonly string[];
  /** What the bank is made of, e.g. 'IMRPhenomD'. */
  readonly waveforms?: string;
}

export interface Step {
  readonly name: string;
  readonly seconds: number;
}

/** The figures, in this order. */
const SHOWN: readonly QuantityName[] = [
  ...(["mchirp_source", "m1_source", "m2_source", "mchirp", "q", "chieff"] as const),
  ...(["d_luminosity", "costheta_jn", "t_geocenter"] as const),
];
/** The rows of the answer. */
const ANSWER: readonly QuantityName[] = [
  ...(["mchirp_source", "mchirp", "m1_source", "m2_source", "q", "chieff"] as const),
  ...(["d_luminosity", "redshift", "costheta_jn"] as const),
];
/** Nothing is loaded; styles stand in the page. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/**
 * Reads a run directory and writes its page.
 * @param path of the page @returns what was read
 * @throws DotpeError noInput, badData, notFinite, mismatch (the run's files), cannotCreate.
 */
export function writeReport(rundir: string, path: string, options: PageOptions = {}): RunReport {
  const report = readRun(rundir);
  writeFileAtomic(path, pageOf(report, options));
  return report;
}

/** The page's text. */
export function pageOf(report: RunReport, options: PageOptions): string {
  const event = escapeHtml(report.event);
  const sections = [
    `<h1>${event}</h1>`,
    `<p class="lead">${leadOf(report, options)}</p>`,
    section("The answer", answer(report, options)),
    section("Where it came from", skySection(report, options.published)),
    section("Posterior distributions", histograms(report, options.published)),
    section("How good it is", quality(report, options)),
    section("Time", times(report, options.steps)),
    section("Settings", settings(report, options.commands ?? [])),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${event}: posterior</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
${sections.join("\n")}
</main>
</body>
</html>
`;
}

function section(title: string, content: string): string {
  return `<section>\n<h2>${title}</h2>\n${content}\n</section>`;
}

const DETECTORS: Record<string, string> = { H: "LIGO Hanford", L: "LIGO Livingston", V: "Virgo" };

function leadOf({ detectors, tgps, band, banks }: RunReport, { waveforms }: PageOptions): string {
  const total = banks.reduce((sum, { n }) => sum + n, 0);
  const bank = `${Number.isFinite(total) ? `${formatCount(total)} ` : ""}${escapeHtml(waveforms ?? "")} waveforms`;
  const where = detectors?.map((letter) => DETECTORS[letter] ?? letter);
  const parts = [
    where === undefined ? "" : ` to the data of ${escapeHtml(listed(where))}`,
    tgps === undefined ? "" : ` around GPS time ${tgps}`,
    band === undefined ? "" : `, ${band[0].toFixed(0)} to ${band[1].toFixed(0)} Hz`,
  ];
  return `Posterior from comparing ${bank.replace(/\s+/g, " ")}${parts.join("")}.`;
}

function listed(words: readonly string[]): string {
  return words.length < 2
    ? words.join("")
    : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

function answer({ quantities, sky, n_samples }: RunReport, { published }: PageOptions): string {
  const byName = new Map(quantities.map((quantity) => [quantity.name, quantity]));
  const rows = ANSWER.map((name) => {
    const { label, unit, interval } = byName.get(name) as Quantity;
    const other = published?.values[name];
    const cells = [escapeHtml(label), unitCell(unit), numberHtml(interval)];
    return published ? [...cells, other ? numberHtml(other) : ""] : cells;
  });
  for (const { level, area } of sky?.regions ?? []) {
    const other = level === 0.9 ? published?.skyArea90 : undefined;
    const cells = [`sky area, ${Math.round(100 * level)}%`, unitCell("deg^2"), areaText(area)];
    rows.push(published ? [...cells, other === undefined ? "" : String(other)] : cells);
  }
  const head = ["", "", "this run", ...(published ? [escapeHtml(published.label)] : [])];
  const source = published ? ` ${escapeHtml(published.label)}: ${escapeHtml(published.citation)}.` : "";
  const note =
    `Medians and 90% intervals of ${formatCount(n_samples)} draws from the posterior. Masses in the source frame are those of the detector ` +
    `over 1 + z, z by a flat universe with H0 = 67.9 km/s/Mpc and matter 0.3065 (Planck 2015).${source}`;
  return `${table(head, rows, "answer")}\n<p class="note">${note}</p>`;
}

/** sr to deg^2, as people read it. */
export function areaText(area: number): string {
  const degrees = area * SQUARE_DEGREES;
  return degrees >= 10 ? formatCount(degrees) : degrees.toPrecision(2);
}

const UNITS: Record<string, string> = { Msun: "M<sub>☉</sub>", "deg^2": "deg<sup>2</sup>" };

function unitCell(unit: string): string {
  return `<span class="unit-name">${UNITS[unit] ?? escapeHtml(unit)}</span>`;
}

function numberHtml(interval: Interval, decimals = decimalsOf(interval)): string {
  const { median, plus, minus } = writeInterval(interval, decimals);
  const sign = (text: string) => text.replace("-", "\u2212");
  return `${sign(median)}<span class="errors"><span>${plus}</span><span>${sign(minus)}</span></span>`;
}

function skySection({ sky }: RunReport, published: Published | undefined): string {
  if (sky === undefined)
    return `<p>The posterior rests on too few directions for a map: raise <code>--n-ext</code>.</p>`;
  const [half, most] = sky.regions.map(({ area }) => areaText(area));
  const other = published?.skyArea90;
  const beside = other === undefined ? "" : ` (${escapeHtml(published?.label ?? "")}: ${other} deg²)`;
  return `<div class="skies">
<figure class="whole">${wholeSky(sky)}</figure>
<figure class="part">${partOfSky(sky)}</figure>
</div>
<p><span class="key half"></span>50% of the probability within ${half} deg²,
<span class="key most"></span>90% within ${most} deg²${beside}.</p>
<p class="note">Right ascension grows to the left. The areas rest on ${formatCount(sky.nEffective)} effective directions, which
leaves the 90% area uncertain by about ${Math.round(100 * areaError(sky.nEffective))}% (one standard deviation).</p>`;
}

/** Relative, of the 90% area: that of the content, sqrt(0.9 x 0.1 / n), times d ln A / d level of a Gaussian on the sky. */
function areaError(nEffective: number): number {
  return Math.sqrt(0.09 / nEffective) / (0.1 * Math.log(10));
}

function histograms({ quantities, summary }: RunReport, published: Published | undefined): string {
  const byName = new Map(quantities.map((quantity) => [quantity.name, quantity]));
  const nEffective = Math.max(summary.n_effective_i_merged ?? 0, 100);
  const figures = SHOWN.map((name) => {
    const { label, unit, sorted, interval, bounds } = byName.get(name) as Quantity;
    const other = published?.values[name];
    const svg = histogram({
      title: label,
      unit: unit === "Msun" ? "M☉" : unit,
      sorted,
      interval,
      bounds,
      published: other,
      nEffective,
    });
    const caption = `<span>${escapeHtml(label)}</span><span class="value">${numberHtml(interval)}</span>`;
    return `<figure><figcaption>${caption}</figcaption>${svg}</figure>`;
  });
  const key = published
    ? `, <span class="key other"></span>90% interval and median of ${escapeHtml(published.label)}`
    : "";
  return (
    `<div class="histograms">\n${figures.join("\n")}\n</div>\n` +
    `<p class="note"><span class="key own"></span>this run: solid median, dashed 5% and 95%${key}.</p>`
  );
}

function quality({ summary, banks }: RunReport, { warnings = [] }: PageOptions): string {
  const s = summary;
  const [nI, nE] = [s.n_effective_i_merged ?? s.n_effective_i, s.n_effective_e_merged ?? s.n_effective_e];
  const total = banks.reduce((sum, { n }) => sum + n, 0);
  const number = (value: number | null | undefined, write: (x: number) => string) =>
    value === null || value === undefined ? "not known" : write(value);
  const error = s.ln_evidence_error == null ? "" : ` ± ${s.ln_evidence_error.toFixed(3)}`;
  const of = Number.isFinite(total) ? ` of ${formatCount(total)}` : "";
  const rows = [
    ["ln evidence", `${s.ln_evidence.toFixed(3)}${error}`],
    ["best ln likelihood", number(s.bestfit_lnlike_max, (x) => x.toFixed(3))],
    ["effective rows", formatCount(s.n_effective)],
    ["effective bank samples", number(nI, (x) => x.toFixed(1))],
    ["effective extrinsic samples", number(nE, (x) => x.toFixed(1))],
    ["bank samples kept after a look at each detector", `${number(s.n_i_inds_used, formatCount)}${of}`],
    ["rows (bank sample, extrinsic sample, phase)", number(s.n_rows, formatCount)],
  ];
  const doubts = [...warnings, ...doubtsOfCounts(nI ?? Infinity, nE ?? Infinity)];
  const list =
    doubts.length === 0
      ? "<p>Nothing about this run is doubtful.</p>"
      : `<p>Doubtful:</p><ul class="doubts">${doubts.map((doubt) => `<li>${escapeHtml(doubt)}</li>`).join("")}</ul>`;
  return `${table([], rows, "facts")}\n${list}`;
}

function times({ timings }: RunReport, steps: readonly Step[] = timings?.stages ?? []): string {
  if (steps.length === 0) return "<p>This run has no timings.json.</p>";
  const total = steps.reduce((sum, { seconds }) => sum + seconds, 0);
  const longest = Math.max(...steps.map(({ seconds }) => seconds));
  const rows = steps.map(({ name, seconds }) => [
    escapeHtml(name),
    formatDuration(seconds),
    `<span class="length" style="width:${((100 * seconds) / longest).toFixed(1)}%"></span>`,
  ]);
  rows.push(["together", formatDuration(total), ""]);
  const threads = timings?.n_procs === 1 ? "1 thread" : `${timings?.n_procs} threads`;
  const machine = timings
    ? `<p class="note">${threads}, kernel ${escapeHtml(timings.kernel)}, peak memory of the run ${formatMegabytes(timings.peak_memory_mb)}.</p>`
    : "";
  return `${table([], rows, "times")}\n${machine}`;
}

function settings({ settings, rundir }: RunReport, commands: readonly string[]): string {
  const rows = Object.entries(settings)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => [
      escapeHtml(name),
      `<code>${escapeHtml(typeof value === "string" ? value : JSON.stringify(value))}</code>`,
    ]);
  const again =
    commands.length === 0
      ? ""
      : `<p>The same again:</p><pre><code>${commands.map(escapeHtml).join("\n")}</code></pre>`;
  return (
    `<p>Made by dotpe-hpc ${escapeHtml(version)} from <code>${escapeHtml(rundir)}</code>.</p>\n${again}\n` +
    `<details><summary>all options of the run</summary>\n${table([], rows, "facts")}\n</details>`
  );
}
