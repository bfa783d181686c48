/**
 * Fuzzes the readers of input files: `bun test/fuzz/run.ts [--format NAME]... [--n 100000] [--seed 1] [--limit 10] [--out FOLDER]`.
 * Prints a table, and what was found with the files that show it. Ends with 1 if anything was found.
 */
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { FORMATS, formatNamed } from "./formats.ts";
import { ROOM_BYTES } from "./memory.ts";
import { type Findings, fuzz } from "./watch.ts";

const { values } = parseArgs({
  options: {
    format: { type: "string", multiple: true },
    n: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    /** s that one input may take. */
    limit: { type: "string", default: "10" },
    out: { type: "string" },
    /** Every way in which inputs were refused. */
    ways: { type: "boolean", default: false },
  },
});

function rowOf(one: Findings): string[] {
  const share = (n: number) => `${((100 * n) / Math.max(1, one.executions)).toFixed(1)}%`;
  const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
  // Those that reached the k-th stage, or went further.
  const reached = one.stages.map(
    (stage, k) => `${stage} ${share(one.depths.slice(k + 1).reduce((a, b) => a + b, 0))}`,
  );
  return [
    one.format,
    `${one.executions}`,
    `${Math.round(one.executions / one.seconds)}`,
    `${one.values}`,
    `${one.refused}`,
    `${one.signatures.size}`,
    `${one.found.length}`,
    megabytes(one.peakBytes),
    one.peakBytes > ROOM_BYTES ? `${megabytes(one.beyondBytes)}` : "-",
    `${one.slowestMs.toFixed(0)}`,
    reached.join(", "),
  ];
}

const HEAD =
  "format executions /s values refused ways findings batch-peak beyond-2x slowest-ms reached".split(" ");

function printTable(rows: readonly string[][]): void {
  const widths = HEAD.map((_, k) => Math.max(...rows.map((row) => row[k].length)));
  for (const row of rows)
    console.log(
      row
        .map((cell, k) => cell.padEnd(widths[k]))
        .join("  ")
        .trimEnd(),
    );
}

const folder = values.out ?? join(tmpdir(), `dotpe-fuzz-${process.pid}`);
mkdirSync(folder, { recursive: true });
const all: Findings[] = [];
for (const format of values.format?.map(formatNamed) ?? FORMATS) {
  const watched = { n: Number(values.n), seed: values.seed, folder, limitMs: 1000 * Number(values.limit) };
  const findings = await fuzz(format, watched);
  all.push(findings);
  console.error(`${format.name}: ${findings.executions} in ${findings.seconds.toFixed(0)} s`);
}
printTable([HEAD, ...all.map(rowOf)]);
if (values.ways)
  for (const one of all) console.log(`\n${one.format}\n${[...one.signatures].sort().join("\n")}`);
for (const one of all)
  for (const { kind, message, file } of one.found)
    console.log(`${one.format} ${kind}: ${message}\n  ${file}`);
const clean = all.every(({ found }) => found.length === 0);
if (clean && values.out === undefined) rmSync(folder, { recursive: true, force: true });
process.exitCode = clean ? 0 : 1;
