/** Runs the tasks of a job in this thread: the same code in a worker and, with one process, in the main thread. */
import { openAgain } from "../banks/again-job.ts";
import { openCheck } from "../banks/check-job.ts";
import { openFit } from "../banks/pack/fit-job.ts";
import { openPackJob } from "../banks/pack/pack-job.ts";
import { openUnpackJob } from "../banks/pack/unpack-job.ts";
import { openWaveformJob } from "../banks/waveform-job.ts";
import type { Kernels } from "../kernels/table.ts";
import { openLimits } from "../machine/limit-job.ts";
import { openHash } from "../rundir/hash-job.ts";
import { coherentTables } from "../stages/coherent-plan.ts";
import { openCount, openScan } from "../stages/coherent-scan.ts";
import {
  openCandidates,
  openMixture,
  openPreparation,
  openSkySort,
  openTempering,
} from "../stages/extrinsic-tasks.ts";
import { incoherentTables, openIncoherent } from "../stages/incoherent.ts";
import { openFinish } from "../stages/row-finish.ts";
import { openRows } from "../stages/row-pass.ts";
import { openModule } from "../tune/module-job.ts";
import type { Job, JobKind, Jobs, Spans, TaskRunner } from "./protocol.ts";
import { takeTask, taskIsDone } from "./task-queue.ts";

type Opener<K extends JobKind> = (
  plan: Jobs[K]["plan"],
  kernels: Kernels,
) => TaskRunner<Jobs[K]["result"]> | Promise<TaskRunner<Jobs[K]["result"]>>;
type Openers = { [K in JobKind]: Opener<K> };

const OPEN: Openers = {
  incoherent: openIncoherent,
  scan: openScan,
  count: openCount,
  rows: openRows,
  finish: openFinish,
  preparation: openPreparation,
  skySort: openSkySort,
  tempering: openTempering,
  candidates: openCandidates,
  mixture: openMixture,
  hash: openHash,
  limits: openLimits,
  module: openModule,
  waveforms: openWaveformJob,
  packFit: openFit,
  pack: openPackJob,
  unpack: openUnpackJob,
  again: openAgain,
  checkBank: openCheck,
};

/** Jobs whose tasks are taken in their order, by whichever thread. */
const IN_ORDER: ReadonlySet<JobKind> = new Set(["scan", "rows", "waveforms", "pack"]);

/**
 * Jobs of which a task can be done again after it failed in the middle, alone: its output is its own, and written anew. Tasks of
 * `rows` cannot: their stage begins again after the last row that was written.
 */
const REDOABLE: ReadonlySet<JobKind> = new Set([
  ...(["incoherent", "scan", "count", "finish"] as const),
  ...(["preparation", "skySort", "tempering", "candidates", "mixture", "hash"] as const),
]);

/** Jobs whose threads gather what their tasks return: what a thread gathered is lost with it. */
const GATHERED: ReadonlySet<JobKind> = new Set(["preparation", "candidates", "hash"]);

/** The tables of a plan that every thread reads again and again. */
const TABLES: { [K in JobKind]?: (plan: Jobs[K]["plan"]) => Float64Array[] } = {
  incoherent: incoherentTables,
  scan: ({ coherent }) => coherentTables(coherent),
  count: ({ coherent }) => coherentTables(coherent),
  rows: ({ coherent, table }) => [...coherentTables(coherent), table.coefficients],
};

/** Of a job: whether its tasks are taken in their order, can be done again, are gathered by threads; and its tables. */
export function traitsOf<K extends JobKind>(kind: K, plan: Jobs[K]["plan"]) {
  return {
    ...{ inOrder: IN_ORDER.has(kind), isRedoable: REDOABLE.has(kind), isGathered: GATHERED.has(kind) },
    tables: TABLES[kind]?.(plan) ?? [],
  };
}

/** One thread's part of a job. */
export interface OpenedJob<R> {
  /** Does one task; false when none is left. */
  step(): boolean;
  result(): R;
  spans(): Spans;
  /** Those that were done, of a job whose threads gather what they return. */
  tasks(): number[] | undefined;
  close(): void;
}

/** What a thread is doing, for the one that watches it. */
export const ACTIVITY = {
  /** When the task that it does was begun, ms since 1970; 0: none. */
  since: 0,
  /** ms that its longest task took so far. */
  longest: 1,
} as const;
export const N_ACTIVITY = 2;

/** @param group of the thread @param activity where it says what it does */
export async function openJob<K extends JobKind>(
  { kind, plan, queue, everySpan }: Pick<Job<K>, "kind" | "plan" | "queue" | "everySpan">,
  kernels: Kernels,
  group = 0,
  activity: Float64Array = new Float64Array(N_ACTIVITY),
): Promise<OpenedJob<Jobs[K]["result"]>> {
  const runner = await (OPEN[kind] as Opener<K>)(plan, kernels);
  const spans: number[] = [];
  const tasks: number[] | undefined = GATHERED.has(kind) ? [] : undefined;
  const step = (): boolean => {
    const task = takeTask(queue, group % queue.n_groups);
    if (task === undefined) return false;
    const start = clock();
    activity[ACTIVITY.since] = start;
    try {
      runner.run(task);
    } finally {
      activity[ACTIVITY.since] = 0;
    }
    const end = clock();
    if (everySpan || spans.length === 0) spans.push(task, start, end);
    else spans[2] += end - start;
    tasks?.push(task);
    activity[ACTIVITY.longest] = Math.max(activity[ACTIVITY.longest], end - start);
    taskIsDone(queue, task);
    return true;
  };
  return {
    step,
    result: () => runner.result(),
    spans: () => Float64Array.from(spans),
    tasks: () => tasks,
    close: () => runner.close?.(),
  };
}

/** ms since 1970, the same in every thread, finer than Date.now(). */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}
