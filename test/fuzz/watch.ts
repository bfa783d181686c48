/** Starts the processes that read hostile inputs, ends those that hang, and goes on after those that die. */
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "./child.ts";
import type { Format } from "./format.ts";

export interface Findings {
  readonly format: string;
  readonly stages: readonly string[];
  executions: number;
  seconds: number;
  values: number;
  refused: number;
  /** Inputs by the number of stages reached. */
  depths: number[];
  signatures: Set<string>;
  found: { kind: string; message: string; file: string }[];
  peakBytes: number;
  beyondBytes: number;
  slowestMs: number;
}

export interface Watched {
  readonly n: number;
  readonly seed: string;
  /** Where inputs are written, the hostile ones among them for good. */
  readonly folder: string;
  /** One input may take so long. */
  readonly limitMs: number;
}

/** A process that dies this often at once is not started again. */
const MAX_DEATHS = 20;

export async function fuzz(format: Format, { n, seed, folder, limitMs }: Watched): Promise<Findings> {
  const place = join(folder, format.name);
  mkdirSync(place, { recursive: true });
  const total: Findings = {
    ...{ format: format.name, stages: format.stages, executions: 0, seconds: 0, values: 0, refused: 0 },
    ...{ depths: new Array(format.stages.length + 1).fill(0), signatures: new Set<string>(), found: [] },
    ...{ peakBytes: 0, beyondBytes: 0, slowestMs: 0 },
  };
  const started = performance.now();
  for (let next = 0, deaths = 0; next < n && deaths < MAX_DEATHS; ) {
    const { report, end, at } = await runChild(format, seed, next, n, place, limitMs);
    if (report !== undefined) add(total, report);
    if (end === undefined) break;
    deaths++;
    const kept = join(
      place,
      `${end.startsWith("hang") ? "hang" : "crash"}-${seed}-${at}.${format.extension}`,
    );
    copyFileSync(join(place, `input.${format.extension}`), kept);
    total.found.push({ kind: end.split(":")[0], message: end, file: kept });
    total.executions += Math.max(0, at + 1 - (report?.next ?? next));
    next = at + 1;
  }
  total.seconds = (performance.now() - started) / 1000;
  return total;

  function add(sum: Findings, report: Report): void {
    sum.executions +=
      report.values + report.refused + report.findings.filter(({ kind }) => kind === "exception").length;
    sum.values += report.values;
    sum.refused += report.refused;
    report.depths.forEach((count, depth) => {
      sum.depths[depth] += count;
    });
    for (const way of report.signatures) sum.signatures.add(way);
    sum.found.push(...report.findings);
    sum.peakBytes = Math.max(sum.peakBytes, report.peakBytes);
    sum.beyondBytes = Math.max(sum.beyondBytes, report.beyondBytes);
    sum.slowestMs = Math.max(sum.slowestMs, report.slowestMs);
  }
}

/** One process, until it is done (`end` is undefined), hangs or dies at input `at`. */
async function runChild(
  format: Format,
  seed: string,
  first: number,
  n: number,
  place: string,
  limitMs: number,
) {
  const command = [
    process.execPath,
    join(import.meta.dir, "child.ts"),
    format.name,
    seed,
    `${first}`,
    `${n}`,
    place,
  ];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  let report: Report | undefined;
  let hung = false;
  let last = "";
  let since = performance.now();
  const beatOf = () => {
    try {
      return readFileSync(join(place, "beat"), "latin1");
    } catch {
      return "";
    }
  };
  const timer = setInterval(() => {
    const beat = beatOf();
    if (beat !== last) [last, since] = [beat, performance.now()];
    else if (performance.now() - since > limitMs) {
      hung = true;
      child.kill("SIGKILL");
    }
  }, 250);
  const stderr = new Response(child.stderr).text();
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("{")) report = JSON.parse(line);
  }
  const code = await child.exited;
  clearInterval(timer);
  const at = Number(beatOf());
  if (hung) return { report, end: `hang: longer than ${limitMs} ms`, at };
  if (code !== 0) {
    const signal = child.signalCode ?? `exit code ${code}`;
    return {
      report,
      end: `crash: ${signal} ${(await stderr).replace(/\s+/g, " ").slice(0, 900)}`,
      at,
    };
  }
  return { report, end: undefined, at };
}
