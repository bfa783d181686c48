/** The histogram of one quantity as SVG: median, 5% and 95%, and a published interval as a band. */
import { scaleLinear } from "d3-scale";
import { quantile } from "../stages/parameter-summary.ts";
import { coordinate as at, escapeHtml } from "./html.ts";
import type { Interval } from "./interval.ts";

export interface HistogramInput {
  readonly title: string;
  /** Under the axis, e.g. 'Msun'. */
  readonly unit: string;
  /** Rising; of equal weight. */
  readonly sorted: Float64Array;
  readonly interval: Interval;
  readonly bounds?: readonly [number, number];
  readonly published?: Interval;
  /** What the samples are worth: it sets the width of the bins. */
  readonly nEffective: number;
}

export const HISTOGRAM = { width: 300, height: 170 } as const;
const MARGIN = { left: 12, right: 12, top: 8, bottom: 34 };
const TICKS = 5;
/** The axis' height over the highest bar's. */
const HEADROOM = 1.06;
const BINS = { min: 12, max: 48 };
/** Shown without what lies outside of these quantiles, except what was published. */
const SHOWN = 0.002;

export function histogram(input: HistogramInput): string {
  const { sorted, interval, published, unit, title } = input;
  const { width, height } = HISTOGRAM;
  const [low, high] = domainOf(input);
  const x = scaleLinear([low, high], [MARGIN.left, width - MARGIN.right]);
  const counts = countsIn(sorted, low, high, binsOf(input, low, high));
  const floor = height - MARGIN.bottom;
  const y = scaleLinear([0, HEADROOM * Math.max(...counts, 1)], [floor, MARGIN.top]);
  const upright = (value: number, name: string) =>
    `<line class="${name}" x1="${at(x(value))}" x2="${at(x(value))}" y1="${MARGIN.top}" y2="${at(floor)}"/>`;
  const ticks = x.ticks(TICKS);
  const format = x.tickFormat(TICKS);
  const parts = [
    published && band(x(published.lo), x(published.hi), floor),
    `<path class="bars" d="${steps(counts, x.range() as [number, number], y)}"/>`,
    published && upright(published.median, "published-median"),
    upright(interval.median, "median"),
    upright(interval.lo, "limit"),
    upright(interval.hi, "limit"),
    `<line class="axis" x1="${MARGIN.left}" x2="${width - MARGIN.right}" y1="${at(floor)}" y2="${at(floor)}"/>`,
    ...ticks.map(
      (value) =>
        `<line class="axis" x1="${at(x(value))}" x2="${at(x(value))}" y1="${at(floor)}" y2="${at(floor + 4)}"/>` +
        `<text class="tick" x="${at(x(value))}" y="${at(floor + 16)}">${escapeHtml(format(value))}</text>`,
    ),
    unit && `<text class="unit" x="${width - MARGIN.right}" y="${height - 4}">${escapeHtml(unit)}</text>`,
  ];
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`histogram of ${title}`)}">` +
    parts.filter(Boolean).join("") +
    "</svg>"
  );
}

function band(left: number, right: number, floor: number): string {
  return `<rect class="published" x="${at(left)}" y="${MARGIN.top}" width="${at(right - left)}" height="${at(floor - MARGIN.top)}"/>`;
}

function domainOf({ sorted, published, bounds }: HistogramInput): [number, number] {
  let [low, high] = [quantile(sorted, SHOWN), quantile(sorted, 1 - SHOWN)];
  if (published) [low, high] = [Math.min(low, published.lo), Math.max(high, published.hi)];
  const room = high > low ? 0.04 * (high - low) : Math.max(1e-6, 1e-3 * Math.abs(low));
  [low, high] = [low - room, high + room];
  return bounds ? [Math.max(low, bounds[0]), Math.min(high, bounds[1])] : [low, high];
}

/** Freedman & Diaconis (1981): a bin is 2 quartile ranges over the cube root of the number. */
function binsOf({ sorted, nEffective }: HistogramInput, low: number, high: number): number {
  const quartiles = quantile(sorted, 0.75) - quantile(sorted, 0.25);
  const width = (2 * quartiles) / Math.cbrt(Math.max(1, nEffective));
  const bins = width > 0 ? Math.ceil((high - low) / width) : BINS.min;
  return Math.min(BINS.max, Math.max(BINS.min, bins));
}

function countsIn(sorted: Float64Array, low: number, high: number, n: number): number[] {
  const counts = new Array<number>(n).fill(0);
  for (const value of sorted) {
    const bin = Math.floor(((value - low) / (high - low)) * n);
    if (bin >= 0 && bin < n) counts[bin]++;
    else if (value === high) counts[n - 1]++;
  }
  return counts;
}

function steps(counts: readonly number[], [left, right]: [number, number], y: (count: number) => number) {
  const edge = (k: number) => at(left + ((right - left) * k) / counts.length);
  const tops = counts.map((count, k) => `V${at(y(count))}H${edge(k + 1)}`);
  return `M${edge(0)} ${at(y(0))}${tops.join("")}V${at(y(0))}Z`;
}
