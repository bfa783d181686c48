/** What the parts of a benchmark return, and how it is printed. */
import { medianOf } from "../tune/statistics.ts";

/** One number of a benchmark. Names are paths with dots, the same in every run: `--against` compares by them. */
export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: "s" | "ns" | "MB" | "1/s" | "GFLOP/s" | "GB/s" | "share" | "ratio" | "samples";
}

export interface Part {
  readonly title: string;
  /** The first row is the head. */
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
  readonly measurements: readonly Measurement[];
}

/** The first `nLeft` columns to the left, the others to the right; two spaces between columns. */
export function formatTable(rows: readonly (readonly string[])[], nLeft = 1): string {
  const n = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: n }, (_, k) => Math.max(...rows.map((row) => row[k]?.length ?? 0)));
  const pad = (cell: string, k: number) => (k < nLeft ? cell.padEnd(widths[k]) : cell.padStart(widths[k]));
  return rows.map((row) => row.map(pad).join("  ").trimEnd() + "\n").join("");
}

export function formatPart({ title, rows, notes }: Part): string {
  return `${title}\n${formatTable(rows)}${notes.map((note) => `  ${note}\n`).join("")}\n`;
}

/** Three digits, without an exponent where people would not write one: 0.0123, 1.23, 123, 12,300. */
export function brief(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) < 1e-4 && value !== 0) return value.toExponential(2);
  const rounded = Number(value.toPrecision(3));
  if (Math.abs(rounded) >= 1000) return rounded.toLocaleString("en-US");
  return Math.abs(rounded) >= 100 ? rounded.toFixed(0) : value.toPrecision(3);
}

export function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(1)}%` : "-";
}

export interface Statistics {
  readonly median: number;
  readonly min: number;
  /** (largest - smallest) / median. */
  readonly spread: number;
}

export function statistics(values: readonly number[]): Statistics {
  const sorted = [...values].sort((a, b) => a - b);
  const median = medianOf(sorted);
  return { median, min: sorted[0], spread: (sorted[sorted.length - 1] - sorted[0]) / median };
}
