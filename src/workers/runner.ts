/** Runs the tasks of a job in this thread: the same code in a worker and, with one process, in the main thread. */
import type { Kernels } from "../kernels/table.ts";
import { openCoherent } from "../stages/coherent.ts";
import { openDistance } from "../stages/distance-rows.ts";
import { openCandidates, openCross } from "../stages/extrinsic-tasks.ts";
import { openIncoherent } from "../stages/incoherent.ts";
import { DONE, type Job, type JobKind, type Jobs, NEXT, STOP, type TaskRunner } from "./protocol.ts";

type Openers = { [K in JobKind]: (plan: Jobs[K]["plan"], kernels: Kernels) => TaskRunner<Jobs[K]["result"]> };

const OPEN: Openers = {
  incoherent: openIncoherent,
  coherent: openCoherent,
  distance: openDistance,
  candidates: openCandidates,
  cross: openCross,
};

/** Opens a job and gives a function that does one task; it returns false when none is left. */
export function openJob<K extends JobKind>(job: Job<K>, kernels: Kernels) {
  const open = OPEN[job.kind] as (plan: Jobs[K]["plan"], kernels: Kernels) => TaskRunner<Jobs[K]["result"]>;
  const runner = open(job.plan, kernels);
  const { counter, nTasks } = job;
  const step = (): boolean => {
    if (Atomics.load(counter, STOP)) return false;
    const task = Atomics.add(counter, NEXT, 1);
    if (task >= nTasks) return false;
    runner.run(task);
    Atomics.add(counter, DONE, 1);
    return true;
  };
  return { step, result: () => runner.result() };
}
