/**
 * The process that reads hostile inputs: `bun child.ts FORMAT SEED FIRST END FOLDER`. Before it reads input k it writes k to FOLDER/beat
 * and the input to FOLDER/input.*: whoever watches it knows what it died of. A report as one line of JSON follows every batch.
 */
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { formatNamed } from "./formats.ts";
import { growthOf, ROOM_BYTES } from "./memory.ts";
import type { Bytes } from "./mutate.ts";
import { type Outcome, readInput } from "./outcome.ts";
import { Random } from "./random.ts";

export interface Report {
  /** The next input. */
  next: number;
  values: number;
  refused: number;
  /** Inputs by the number of stages that they reached. */
  depths: number[];
  /** Different ways of being refused. */
  signatures: string[];
  findings: { kind: "exception" | "memory" | "slow"; message: string; file: string }[];
  /** Largest growth in one batch, bytes. */
  peakBytes: number;
  /** Largest growth of one input beyond twice what it holds; 0 where the whole batch stayed below that of one. */
  beyondBytes: number;
  slowestMs: number;
}

const BATCH = 200;
/** Inputs that went a way of their own are kept, to be changed further: as many as this. */
const MAX_CORPUS = 400;
const MAX_KEPT_BYTES = 2 ** 15;
const MAX_FINDINGS = 50;
const SLOW_MS = 1000;
/** Of the inputs, those made from files that were whole: they come furthest. */
const WHOLE_SHARE = 0.6;

const [name, seed, first, end, folder] = process.argv.slice(2);
const format = formatNamed(name);
const seeds = await format.seeds();
const corpus: Bytes[] = [...seeds];
const input = join(folder, `input.${format.extension}`);
const beat = openSync(join(folder, "beat"), "w");
const known = new Set<string>();
const report: Report = {
  ...{ next: Number(first), values: 0, refused: 0, depths: new Array(format.stages.length + 1).fill(0) },
  ...{ signatures: [], findings: [], peakBytes: 0, beyondBytes: 0, slowestMs: 0 },
};

function find(kind: Report["findings"][number]["kind"], message: string, bytes: Bytes, k: number): void {
  const alike = (text: string) => text.replace(/\d+/g, "#").slice(0, 60);
  const isKnown = report.findings.some((one) => alike(one.message) === alike(message));
  if (report.findings.length >= MAX_FINDINGS || isKnown) return;
  const file = join(folder, `${kind}-${seed}-${k}.${format.extension}`);
  writeFileSync(file, bytes);
  report.findings.push({ kind, message, file });
}

function readOne(bytes: Bytes, k: number): Outcome {
  writeFileSync(input, bytes);
  writeSync(beat, String(k).padStart(12), 0);
  const started = performance.now();
  const outcome = readInput(format, input);
  const ms = performance.now() - started;
  report.slowestMs = Math.max(report.slowestMs, ms);
  if (ms > SLOW_MS) find("slow", `${ms.toFixed(0)} ms: ${outcome.signature}`, bytes, k);
  return outcome;
}

function count(outcome: Outcome, bytes: Bytes, k: number): void {
  if (outcome.kind === "value") report.values++;
  if (outcome.kind === "refused") report.refused++;
  report.depths[outcome.depth]++;
  if (outcome.message !== undefined) find("exception", outcome.message, bytes, k);
  const way = `${outcome.depth} ${outcome.signature}`;
  if (known.has(way)) return;
  known.add(way);
  report.signatures.push(way);
  if (corpus.length < seeds.length + MAX_CORPUS && bytes.length <= MAX_KEPT_BYTES) corpus.push(bytes);
}

/** Each input alone, where all together took more than one may. */
function measureEach(inputs: readonly Bytes[], first: number): void {
  for (const [j, bytes] of inputs.entries()) {
    let held = 0;
    const growth = growthOf(() => {
      held = readOne(bytes, first + j).held;
    });
    report.beyondBytes = Math.max(report.beyondBytes, growth - 2 * held);
    if (growth <= 2 * held + ROOM_BYTES) continue;
    const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
    find("memory", `took ${megabytes(growth)}, holds ${megabytes(held)}`, bytes, first + j);
  }
}

// The readers' code is loaded, and their buffers have grown, before anything is measured.
for (const bytes of corpus) readOne(bytes, -1);
report.slowestMs = 0;
report.findings = [];
while (report.next < Number(end)) {
  const from = report.next;
  const n = Math.min(BATCH, Number(end) - from);
  const inputs = Array.from({ length: n }, (_, j) => {
    const random = new Random(seed, name, from + j);
    return format.make(random, random.chance(WHOLE_SHARE) ? seeds : corpus);
  });
  const outcomes: Outcome[] = [];
  const growth = growthOf(() => {
    for (const [j, bytes] of inputs.entries()) outcomes.push(readOne(bytes, from + j));
  });
  report.peakBytes = Math.max(report.peakBytes, growth);
  if (growth > ROOM_BYTES) measureEach(inputs, from);
  for (const [j, outcome] of outcomes.entries()) count(outcome, inputs[j], from + j);
  report.next = from + n;
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
closeSync(beat);
