/**
 * Compares this program with the recorded runs of dot_pe, level by level, and prints what was measured beside what is
 * allowed: `bun bench/equivalence.ts [--reference-data DIR] [CASE...]`, after `make build`. Ends with 1 if a line is OFF.
 *
 * DIR holds events, banks and runs; by default ../shared/reference beside the repository, else test/fixtures, which has
 * the case `small` only. Lines without an allowed value are shown for comparison.
 *
 * The accuracy lines take the exact inner products from the recorded run, so they need no waveform model. With Python,
 * cogwheel and LALSuite at hand, any run directory can be checked at its own time alignment, by the tools of the
 * reference data:
 *   DOTPE=<checkout of dot_pe> python tools/exact_inner_products.py EVENT.npz RUNDIR BANK bank_0
 *   python tools/accuracy.py RUNDIR BANK N_PHI
 * The first writes RUNDIR/exact_bank_0.npz (with EVENT, BANK and N_PHI those of the run, and its --reference native); the
 * second prints the percentiles of |lnL - exact lnL| over the run's own rows.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { availableKernels } from "../src/kernels/table.ts";
import { FIXTURES, SHARED } from "../test/helpers.ts";
import type { ReferenceCase } from "../test/reference-cases.ts";
import { type Level, passes, type Quantity } from "./equivalence/level.ts";
import { RIGHT, SAME } from "./equivalence/levels.ts";
import { casesIn, openSubject } from "./equivalence/subject.ts";

const COLUMNS = [10, 14, 28, 14, 10, 4];
const USAGE = 64;

function chooseCases(args: string[]): ReferenceCase[] {
  const { values, positionals } = parseArgs({
    args,
    options: { "reference-data": { type: "string" } },
    allowPositionals: true,
  });
  const root = resolve(values["reference-data"] ?? (existsSync(join(SHARED, "runs")) ? SHARED : FIXTURES));
  const cases = casesIn(root);
  const there = cases.filter(({ absent }) => !absent);
  const unknown = positionals.find((name) => !there.some((one) => one.name === name));
  const names = there.map(({ name }) => name).join(", ") || "none";
  if (unknown !== undefined) throw new Error(`case ${unknown}: found in ${root}: ${names}`);
  if (there.length === 0) throw new Error(`${root}: found no reference run, expected runs/small or others`);
  return positionals.length === 0 ? there : there.filter(({ name }) => positionals.includes(name));
}

function printLine(cells: readonly string[]): void {
  console.log(
    cells
      .map((cell, k) => cell.padEnd(COLUMNS[k] ?? 0))
      .join(" ")
      .trimEnd(),
  );
}

function format(value: number, { unit }: Quantity): string {
  if (unit === "count") return `${value}`;
  const text = value >= 1e-4 && value < 1e4 ? value.toPrecision(2) : value.toExponential(1);
  return unit === "s" ? `${text} s` : unit === "relative" ? `${text} rel` : text;
}

/** @returns lines that are off */
function printLevel({ name, quantities }: Level, one: string, measured: readonly number[]): number {
  quantities.forEach((quantity, k) => {
    const { allowed } = quantity;
    const verdict = passes(measured[k], quantity) ? "ok" : "OFF";
    const bound =
      allowed === undefined ? ["-", ""] : [format(allowed, { ...quantity, unit: "count" }), verdict];
    const reason = verdict === "OFF" ? (quantity.knownOff?.[one] ?? "") : "";
    printLine([name, one, quantity.name, format(measured[k], quantity), ...bound, reason]);
  });
  return quantities.filter((quantity, k) => !passes(measured[k], quantity)).length;
}

async function main(args: string[]): Promise<number> {
  const cases = chooseCases(args);
  console.log(`kernels: ${availableKernels().join(", ")} (kernel and stage 2: the worst of them)\n`);
  printLine(["level", "case", "quantity", "measured", "allowed", ""]);
  let off = 0;
  for (const one of cases) {
    const subject = openSubject(one);
    for (const level of [...SAME, ...RIGHT]) off += printLevel(level, one.name, await level.measure(subject));
  }
  console.log(off === 0 ? "\nall ok" : `\n${off} OFF`);
  return off === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = USAGE;
}
