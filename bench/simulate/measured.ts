/** What runs on this machine took, from their timings and traces. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFeather } from "../../src/io/feather.ts";

/** The tasks of one kind of job in one stage. */
export interface Kind {
  readonly name: string;
  readonly jobs: number;
  /** Seconds of each task, in the order in which they began. */
  readonly seconds: readonly number[];
  /** Seconds since the start of the process: first start, last end. */
  readonly from: number;
  readonly to: number;
}

export interface Lap {
  readonly name: string;
  readonly seconds: number;
  /** Processor time of all threads, and of the parent alone. */
  readonly cpu: number;
  readonly parentCpu: number;
  /** Seconds in which no task ran. */
  readonly noTask: number;
  readonly bytes: number;
  readonly kinds: readonly Kind[];
}

export interface MeasuredRun {
  readonly n_i: number;
  readonly n_procs: number;
  readonly wall: number;
  readonly accepted: number;
  readonly n_rows: number;
  readonly laps: readonly Lap[];
}

interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  readonly ts: number;
  readonly dur: number;
  readonly args: { readonly task: number };
}

/** Runs the binary once. @throws Error if it fails. */
export async function measureRun(
  binary: string,
  inputs: readonly string[],
  flags: readonly string[],
  n_procs: number,
): Promise<MeasuredRun> {
  const folder = mkdtempSync(join(tmpdir(), "dotpe-simulate-"));
  const [rundir, trace] = [join(folder, "run"), join(folder, "trace.json")];
  try {
    const files = [
      "--rundir",
      rundir,
      "--trace",
      trace,
      "--json",
      "--quiet",
      "--no-tune",
      "--n-procs",
      `${n_procs}`,
    ];
    const start = performance.now();
    const child = Bun.spawn([binary, "run", ...inputs, ...flags, ...files], {
      stdin: "ignore",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all(
      [child.stdout, child.stderr].map((to) => new Response(to).text()),
    );
    if ((await child.exited) !== 0) throw new Error(stderr);
    const wall = (performance.now() - start) / 1000;
    const summary = JSON.parse(stdout);
    const timings = JSON.parse(readFileSync(join(rundir, "timings.json"), "utf8"));
    const { traceEvents } = JSON.parse(readFileSync(trace, "utf8"));
    return {
      ...{ n_procs, wall, n_i: summary.n_i, accepted: summary.nAccepted },
      n_rows: readFeather(join(rundir, "prob_samples.feather")).n_rows,
      laps: lapsOf(timings.stages, traceEvents),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Stage {
  readonly name: string;
  readonly seconds: number;
  readonly cpu_seconds: number;
  readonly parent_cpu_seconds: number;
  readonly bytes_read?: number;
}

export function lapsOf(stages: readonly Stage[], events: readonly TraceEvent[]): Lap[] {
  const tasks = events.filter(({ cat }) => cat === "task").sort((a, b) => a.ts - b.ts);
  return stages.map((stage) => {
    const span = events.find(({ cat, name }) => cat === "stage" && name === stage.name);
    const [start, end] = span ? [span.ts, span.ts + span.dur] : [0, 0];
    const own = tasks.filter(({ ts }) => ts >= start && ts < end);
    const names = [...new Set(own.map(({ name }) => name))];
    return {
      ...{ name: stage.name, seconds: stage.seconds },
      ...{ cpu: stage.cpu_seconds, parentCpu: stage.parent_cpu_seconds },
      noTask: stage.seconds - covered(tasks, start, end) / 1e6,
      bytes: stage.bytes_read ?? 0,
      kinds: names.map((name) =>
        kindOf(
          name,
          own.filter((task) => task.name === name),
        ),
      ),
    };
  });
}

function kindOf(name: string, tasks: readonly TraceEvent[]): Kind {
  return {
    name,
    jobs: Math.max(1, tasks.filter(({ args }) => args.task === 0).length),
    seconds: tasks.map(({ dur }) => dur / 1e6),
    from: tasks[0].ts / 1e6,
    to: tasks.reduce((last, { ts, dur }) => Math.max(last, ts + dur), 0) / 1e6,
  };
}

/** Length of what tasks, sorted by their start, cover of a span. */
function covered(tasks: readonly TraceEvent[], start: number, end: number): number {
  let [sum, free] = [0, start];
  for (const { ts, dur } of tasks) {
    const to = Math.min(end, ts + dur);
    if (to <= free) continue;
    sum += to - Math.max(free, Math.min(ts, end));
    free = to;
  }
  return sum;
}

/**
 * The least disturbed of several equal runs: of every number the smallest, of every task its shortest time where the runs
 * have the same tasks in the same order (with one thread).
 */
export function leastOf(runs: readonly MeasuredRun[]): MeasuredRun {
  const least = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b));
  const [first] = runs;
  return {
    ...first,
    wall: least(runs.map(({ wall }) => wall)),
    laps: first.laps.map((lap, k) => {
      const laps = runs.map((run) => run.laps[k]);
      const of = (name: "seconds" | "cpu" | "parentCpu" | "noTask") => least(laps.map((one) => one[name]));
      return {
        ...lap,
        ...{ seconds: of("seconds"), cpu: of("cpu"), parentCpu: of("parentCpu"), noTask: of("noTask") },
        kinds: lap.kinds.map((kind) => leastKind(kind, laps)),
      };
    }),
  };
}

function leastKind(kind: Kind, laps: readonly Lap[]): Kind {
  const same = laps
    .flatMap(({ kinds }) => kinds.filter(({ name }) => name === kind.name))
    .filter(({ seconds }) => seconds.length === kind.seconds.length);
  return {
    ...kind,
    seconds: kind.seconds.map((_, t) => same.reduce((a, { seconds }) => Math.min(a, seconds[t]), Infinity)),
  };
}
