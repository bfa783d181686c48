/** Runs the tasks of a job in this thread: the same code in a worker and, with one process, in the main thread. */
import type { Kernels } from "../kernels/table.ts";
import { openCount, openScan } from "../stages/coherent-scan.ts";
import {
  openCandidates,
  openMixture,
  openPreparation,
  openSkySort,
  openTempering,
} from "../stages/extrinsic-tasks.ts";
import { openIncoherent } from "../stages/incoherent.ts";
import { openFinish } from "../stages/row-finish.ts";
import { openRows } from "../stages/row-pass.ts";
import {
  DONE,
  type Job,
  type JobKind,
  type Jobs,
  NEXT,
  type Spans,
  STOP,
  type TaskRunner,
} from "./protocol.ts";

type Openers = { [K in JobKind]: (plan: Jobs[K]["plan"], kernels: Kernels) => TaskRunner<Jobs[K]["result"]> };

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
};

/** One thread's part of a job. */
export interface OpenedJob<R> {
  /** Does one task; false when none is left. */
  step(): boolean;
  result(): R;
  spans(): Spans;
  close(): void;
}

export function openJob<K extends JobKind>(job: Job<K>, kernels: Kernels): OpenedJob<Jobs[K]["result"]> {
  const open = OPEN[job.kind] as (plan: Jobs[K]["plan"], kernels: Kernels) => TaskRunner<Jobs[K]["result"]>;
  const runner = open(job.plan, kernels);
  const { counter, nTasks } = job;
  const spans: number[] = [];
  const step = (): boolean => {
    if (Atomics.load(counter, STOP)) return false;
    const task = Atomics.add(counter, NEXT, 1);
    if (task >= nTasks) return false;
    const start = clock();
    runner.run(task);
    spans.push(task, start, clock());
    Atomics.add(counter, DONE, 1);
    return true;
  };
  return {
    step,
    result: () => runner.result(),
    spans: () => Float64Array.from(spans),
    close: () => runner.close?.(),
  };
}

/** ms since 1970, the same in every thread, finer than Date.now(). */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}
