/** Who takes which task, on machines that are not at hand: one thread after the other, in many orders. */
import { describe, expect, test } from "bun:test";
import { uniform } from "../src/gw/random.ts";
import { placeWorkers } from "../src/machine/placement.ts";
import { stopTasks, takeTask, taskQueue } from "../src/workers/task-queue.ts";
import { allAllowed, madeTopology } from "./made-topology.ts";

/** Two sockets, 12 caches of 8 cores in each. */
const EPYC = madeTopology({ sockets: 2, cachesPerNode: 12, coresPerCache: 8 });
const { seats } = placeWorkers(EPYC, allAllowed(EPYC), { smt: false, placement: "pack", reserve: 0 });

/** All threads take tasks until there are none; a thread's speed decides how often it comes. */
function takeAll(n_tasks: number, n_groups: number, speed: (thread: number) => number, seed: number) {
  const queue = taskQueue(n_tasks, n_groups);
  const taken: { thread: number; group: number; task: number }[] = [];
  const busy = new Set(seats.keys());
  for (let turn = 0; busy.size > 0; turn++) {
    const thread = Math.floor(uniform(seed, 1, 2 * turn) * seats.length);
    if (!busy.has(thread) || uniform(seed, 1, 2 * turn + 1) > speed(thread)) continue;
    const group = seats[thread].group % n_groups;
    const task = takeTask(queue, group);
    if (task === undefined) busy.delete(thread);
    else taken.push({ thread, group, task });
  }
  return taken;
}

describe("24 caches with 8 threads each", () => {
  test.each([1, 191, 192, 5000, 5003])("each of %d tasks is taken once", (n) => {
    const tasks = takeAll(n, 24, () => 1, n).map(({ task }) => task);
    expect(tasks.sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, k) => k));
  });

  test("a group takes another's tasks only when its own are taken, and then it does", () => {
    // The first cache's threads are slow.
    const taken = takeAll(4800, 24, (thread) => (seats[thread].group === 0 ? 0.05 : 1), 7);
    const left = new Array(24).fill(200);
    let stolen = 0;
    for (const { group, task } of taken) {
      const owner = task % 24;
      if (owner !== group) {
        expect(left[group]).toBe(0);
        stolen++;
      }
      left[owner]--;
    }
    expect(stolen).toBeGreaterThan(100);
  });

  test("with equal threads nearly everything stays in its group", () => {
    const taken = takeAll(48_000, 24, () => 1, 9);
    const own = taken.filter(({ group, task }) => task % 24 === group).length;
    expect(own / taken.length).toBeGreaterThan(0.95);
  });

  test("the groups go through the job together: no task is far behind the ones already taken", () => {
    let most = 0;
    for (const { task } of takeAll(48_000, 24, () => 1, 11)) {
      expect(task).toBeGreaterThan(most - 48_000 / 5);
      most = Math.max(most, task);
    }
  });
});

test("one group takes tasks in their order", () => {
  const tasks = takeAll(1000, 1, () => 1, 3).map(({ task }) => task);
  expect(tasks).toEqual(Array.from({ length: 1000 }, (_, k) => k));
});

test("after a stop nothing is taken", () => {
  const queue = taskQueue(10, 2);
  expect(takeTask(queue, 1)).toBe(1);
  stopTasks(queue);
  expect(takeTask(queue, 0)).toBeUndefined();
});
