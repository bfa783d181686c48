/** The result of a benchmark as a file, and its change against an earlier one. */
import * as v from "valibot";
import { DotpeError } from "../errors.ts";
import { readJson } from "../io/json.ts";
import { brief, formatTable, type Measurement } from "./table.ts";

const FILE = v.object({
  size: v.string(),
  problem: v.string(),
  machine: v.string(),
  measurements: v.array(v.object({ name: v.string(), value: v.number(), unit: v.string() })),
});

export type Recorded = v.InferOutput<typeof FILE>;

/** @throws DotpeError noInput, badData. */
export function readRecorded(path: string): Recorded {
  const parsed = v.safeParse(FILE, readJson(path));
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new DotpeError(
    "badData",
    `${path}: field ${v.getDotPath(issue) ?? "(whole file)"}: found ${issue.received}, expected ${issue.expected}`,
    "Give a file that `dotpe-hpc bench --json FILE` wrote.",
  );
}

/** Every number that both have, with the ratio now / before, and what differs between the two benchmarks. */
export function formatComparison(before: Recorded, after: Recorded): string {
  const values = new Map(before.measurements.map(({ name, value }) => [name, value]));
  const shared = after.measurements.filter(({ name }) => values.has(name));
  const rows = shared.map(({ name, value, unit }) => {
    const old = values.get(name) ?? Number.NaN;
    return [name, unit, brief(old), brief(value), `${(value / old).toFixed(3)}x`];
  });
  const differs = (["size", "problem", "machine"] as const)
    .filter((field) => before[field] !== after[field])
    .map((field) => `  not the same ${field}: ${before[field]}, then ${after[field]}\n`);
  const missing = before.measurements.length - shared.length;
  const notes = missing > 0 ? [`  ${missing} earlier numbers were not measured this time\n`] : [];
  return `change\n${formatTable([["number", "unit", "before", "after", "after / before"], ...rows], 2)}${[...differs, ...notes].join("")}`;
}

/** NaN and infinities cannot stand in JSON; a number that could not be measured is left out. */
export function finiteOnly(measurements: readonly Measurement[]): Measurement[] {
  return measurements.filter(({ value }) => Number.isFinite(value));
}
