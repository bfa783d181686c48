/**
 * Who does which task of a job. On machines with several last-level caches the threads of each (a group) take the group's own
 * tasks first, from a counter that no other group touches, and those of the other groups when there are none left. Task t
 * belongs to group t mod n_groups, so that all groups go through a job together.
 */
import { sharedI32, sharedU8 } from "./arena.ts";

/** Numbers of a cache line: no counter shares one. */
const LINE = 16;
const DONE = 0;
const STOP = 1;

/** The shared state of one job's tasks. Written with Atomics. */
export interface TaskQueue {
  readonly n_tasks: number;
  readonly n_groups: number;
  /** [tasks done, stop], then the tasks taken of each group; a cache line each. */
  readonly counters: Int32Array;
  /** By task: 1 if it is done. Those that are from the beginning are left out. */
  readonly done_t: Uint8Array;
}

/** @param n_groups 1 where tasks must be taken in their order. */
export function taskQueue(n_tasks: number, n_groups: number, done_t = sharedU8(n_tasks)): TaskQueue {
  const counters = sharedI32(LINE * (1 + n_groups));
  for (let t = 0; t < n_tasks; t++) counters[DONE] += done_t[t];
  return { n_tasks, n_groups, counters, done_t };
}

/** The next task for a thread of this group; undefined when none is left or the job was stopped. */
export function takeTask(queue: TaskQueue, group: number): number | undefined {
  const { n_groups, counters } = queue;
  if (Atomics.load(counters, STOP) !== 0) return undefined;
  for (let k = 0; k < n_groups; k++) {
    const task = takeOf(queue, (group + k) % n_groups);
    if (task !== undefined) return task;
  }
  return undefined;
}

function takeOf({ n_tasks, n_groups, counters, done_t }: TaskQueue, group: number): number | undefined {
  const at = LINE * (1 + group);
  // Looked at first: threads that find nothing must not count on for ever.
  while (Atomics.load(counters, at) * n_groups + group < n_tasks) {
    const task = Atomics.add(counters, at, 1) * n_groups + group;
    if (task < n_tasks && Atomics.load(done_t, task) === 0) return task;
  }
  return undefined;
}

export function taskIsDone({ counters, done_t }: TaskQueue, task: number): void {
  Atomics.store(done_t, task, 1);
  Atomics.add(counters, DONE, 1);
}

export function tasksDone({ counters }: TaskQueue): number {
  return Atomics.load(counters, DONE);
}

/** No further task is taken. */
export function stopTasks({ counters }: TaskQueue): void {
  Atomics.store(counters, STOP, 1);
}

export function isStopped({ counters }: TaskQueue): boolean {
  return Atomics.load(counters, STOP) !== 0;
}
