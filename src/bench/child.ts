/** Runs of this program as processes of their own: what a user waits for, start-up included. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DotpeError, EXIT_CODES, type ExitName } from "../errors.ts";

/** Of timings.json. */
export interface StageTimes {
  readonly name: string;
  readonly seconds: number;
  readonly cpu_seconds: number;
  readonly parent_cpu_seconds: number;
  readonly peak_memory_mb: number;
  readonly bytes_read?: number;
  readonly likelihoods?: number;
}

export interface ChildRun {
  /** From the start of the process to its end, s. */
  readonly wall: number;
  /** Processor time of all its threads, s. */
  readonly cpu: number;
  /** Anonymous and shared memory, 1e6 bytes. */
  readonly peakMB: number;
  readonly stages: readonly StageTimes[];
  /** From the start of the process to the start of its first task, s. */
  readonly firstTask: number;
}

/** How this program is called: the binary itself or, from source, the runtime and its entry point. */
export function programCommand(): string[] {
  const inBinary = import.meta.dir.startsWith("/$bunfs");
  return inBinary ? [process.execPath] : [process.execPath, join(import.meta.dir, "../main.ts")];
}

/** @throws DotpeError with the exit name and the message of the child. */
export async function callProgram(args: readonly string[]): Promise<{ wall: number; cpu: number }> {
  const start = performance.now();
  const child = Bun.spawn([...programCommand(), ...args], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const stderr = await new Response(child.stderr).text();
  const code = await child.exited;
  const wall = (performance.now() - start) / 1000;
  if (code !== 0) throw errorOf(code, stderr);
  return { wall, cpu: Number(child.resourceUsage()?.cpuTime.total ?? Number.NaN) / 1e6 };
}

function errorOf(code: number, stderr: string): DotpeError {
  const exits = Object.entries(EXIT_CODES).find(([, value]) => value === code);
  const exit = (exits?.[0] ?? "internal") as ExitName;
  const message = /^error: (.*)$/m.exec(stderr)?.[1] ?? `a run ended with code ${code}: ${stderr}`;
  return new DotpeError(exit, message, /^ {2}hint: (.*)$/m.exec(stderr)?.[1] ?? "Call it alone to see why.");
}

/** A run into a folder below `scratch`; the folder is removed unless `keep` names it. */
export async function runProgram(scratch: string, args: readonly string[], keep?: string): Promise<ChildRun> {
  const rundir = keep ?? join(mkdtempSync(join(scratch, "run-")), "out");
  const trace = `${rundir}.trace.json`;
  const files = ["--rundir", rundir, "--trace", trace, "--quiet", "--no-tune"];
  try {
    const { wall, cpu } = await callProgram(["run", ...args, ...files]);
    const timings = JSON.parse(readFileSync(join(rundir, "timings.json"), "utf8"));
    const { traceEvents } = JSON.parse(readFileSync(trace, "utf8")) as { traceEvents: TraceEvent[] };
    const starts = traceEvents.filter(({ cat }) => cat === "task").map(({ ts }) => ts ?? 0);
    const firstTask = starts.reduce((least, ts) => Math.min(least, ts), Infinity) / 1e6;
    return { wall, cpu, peakMB: timings.peak_memory_mb, stages: timings.stages, firstTask };
  } finally {
    if (keep === undefined) rmSync(join(rundir, ".."), { recursive: true, force: true });
  }
}

interface TraceEvent {
  readonly cat?: string;
  readonly ts?: number;
}

export function stageSeconds({ stages }: ChildRun, name: string): number {
  return stages.find((stage) => stage.name === name)?.seconds ?? Number.NaN;
}
