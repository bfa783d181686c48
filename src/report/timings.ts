/** Where the time went: timings.json, and a trace that chrome://tracing and ui.perfetto.dev open. */
import type { Lap } from "../stopwatch.ts";
import type { ThreadSpans } from "../workers/pool.ts";

/** What a stage has worked through. */
export interface StageWork {
  /** Of the bank's waveforms. */
  readonly bytesRead?: number;
  /** Likelihoods at one (intrinsic, extrinsic or time, phase) each. */
  readonly likelihoods?: number;
}

export interface TimingsInput {
  readonly laps: readonly Lap[];
  readonly history: readonly ThreadSpans[];
  readonly work: Readonly<Record<string, StageWork>>;
  readonly n_procs: number;
  readonly kernel: string;
  /** How often what was done was saved, and the seconds from asking the threads to pause until it was. */
  readonly kept: { readonly saved: number; readonly seconds: number };
}

const NUMBERS_A_SPAN = 3;

/** The content of timings.json: seconds, 1e6 bytes of memory; busy: the share of the threads' time spent in tasks. */
export function timingsOf({ laps, history, work, n_procs, kernel, kept }: TimingsInput) {
  return {
    total_seconds: laps.reduce((sum, { seconds }) => sum + seconds, 0),
    peak_memory_mb: Math.max(...laps.map(({ peakMB }) => peakMB)),
    n_procs,
    kernel,
    checkpoints: kept,
    stages: laps.map((lap) => {
      const { bytesRead, likelihoods } = work[lap.name] ?? {};
      return {
        name: lap.name,
        seconds: lap.seconds,
        cpu_seconds: lap.cpuSeconds,
        parent_cpu_seconds: lap.parentCpuSeconds,
        busy: busySeconds(lap, history) / (lap.seconds * n_procs),
        peak_memory_mb: lap.peakMB,
        ...(bytesRead === undefined ? {} : { bytes_read: bytesRead }),
        ...(likelihoods === undefined
          ? {}
          : { likelihoods, likelihoods_per_second: likelihoods / lap.seconds }),
      };
    }),
  };
}

/** Of all threads, what of their tasks falls into the lap. */
function busySeconds({ start, seconds }: Lap, history: readonly ThreadSpans[]): number {
  const end = start + 1000 * seconds;
  let sum = 0;
  for (const { spans } of history) {
    for (let k = 0; k < spans.length; k += NUMBERS_A_SPAN) {
      sum += Math.max(0, Math.min(end, spans[k + 2]) - Math.max(start, spans[k + 1]));
    }
  }
  return sum / 1000;
}

interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  readonly ph: "X" | "M";
  /** Microseconds since the start of the process. */
  readonly ts?: number;
  readonly dur?: number;
  readonly pid: 1;
  readonly tid: number;
  readonly args?: Readonly<Record<string, number | string>>;
}

/** Chrome's trace format: stages on thread 0, every task on its thread, and the threads' idle time between tasks. */
export function traceJson({ laps, history, n_procs }: TimingsInput): string {
  const origin = laps[0].start;
  const span = (name: string, cat: string, tid: number, start: number, end: number): TraceEvent => ({
    ...{ name, cat, ph: "X", pid: 1, tid },
    ...{ ts: 1000 * (start - origin), dur: 1000 * (end - start) },
  });
  const events: TraceEvent[] = [
    { name: "thread_name", ph: "M", pid: 1, tid: 0, args: { name: "stages" } },
    ...laps.map(({ name, start, seconds }) => span(name, "stage", 0, start, start + 1000 * seconds)),
  ];
  const last = laps[laps.length - 1];
  const end = last.start + 1000 * last.seconds;
  for (const thread of n_procs === 1 ? [0] : Array.from({ length: n_procs }, (_, k) => k + 1)) {
    const tid = thread + (n_procs === 1 ? 1 : 0);
    events.push({ name: "thread_name", ph: "M", pid: 1, tid, args: { name: `worker ${tid}` } });
    let free = origin;
    for (const { kind, task, start, end } of tasksOf(thread, history)) {
      if (start > free) events.push(span("idle", "idle", tid, free, start));
      events.push({ ...span(kind, "task", tid, start, end), args: { task } });
      free = Math.max(free, end);
    }
    if (end > free) events.push(span("idle", "idle", tid, free, end));
  }
  return JSON.stringify({ traceEvents: events, displayTimeUnit: "ms" }) + "\n";
}

/** A thread's tasks in the order in which they began. */
function tasksOf(thread: number, history: readonly ThreadSpans[]) {
  return history
    .filter((of) => of.thread === thread)
    .flatMap(({ kind, spans }) =>
      Array.from({ length: spans.length / NUMBERS_A_SPAN }, (_, k) => ({
        ...{ kind, task: spans[NUMBERS_A_SPAN * k] },
        ...{ start: spans[NUMBERS_A_SPAN * k + 1], end: spans[NUMBERS_A_SPAN * k + 2] },
      })),
    )
    .sort((a, b) => a.start - b.start);
}
