/** The simulation of larger machines, against schedules worked out by hand. */
import { describe, expect, test } from "bun:test";
import { simulate } from "../bench/simulate/engine.ts";
import type { JobStep, Machine, Step } from "../bench/simulate/machine.ts";
import { type Lap, lapsOf, leastOf, type MeasuredRun } from "../bench/simulate/measured.ts";
import { fitModel, lineThrough, programOf } from "../bench/simulate/model.ts";
import { uniform } from "../src/gw/random.ts";

const FREE = { startParent: 0, startWorker: 0, post: 0, latency: 0 };

function machine(workers: number, changes: Partial<Machine> = {}): Machine {
  return { workers, coresPerDomain: 64, bandwidth: Infinity, disk: Infinity, costs: FREE, ...changes };
}

function job(seconds: readonly number[], changes: Partial<JobStep> = {}): JobStep {
  const n = seconds.length;
  return {
    ...{ type: "job", name: "job", n, warmUp: 0, gather: 0, urgent: false },
    ...{ seconds: (k) => seconds[k], bytes: () => 0, ...changes },
  };
}

const serial = (seconds: number, name = "serial"): Step => ({ type: "serial", name, seconds });
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const drawn = Array.from({ length: 500 }, (_, k) => 0.5 + uniform(7, 1, k));

describe("schedules", () => {
  test("one worker takes the sum of everything", () => {
    const { seconds, work } = simulate([serial(2), job(drawn), serial(1)], machine(1));
    expect(seconds).toBeCloseTo(3 + sum(drawn), 9);
    expect(work).toBeCloseTo(sum(drawn), 9);
  });

  test("by hand: 1 s of the parent, then tasks of 3, 2, 2 s on two workers", () => {
    const { seconds, losses, exposed } = simulate([serial(1), job([3, 2, 2])], machine(2));
    expect(seconds).toBeCloseTo(5, 12); // 3 beside 2 + 2
    expect(losses.serial).toBeCloseTo(2, 12);
    expect(losses.tail).toBeCloseTo(1, 12);
    expect(exposed.get("serial")).toBeCloseTo(1, 12);
  });

  test("n workers are never faster than a share each, nor slower than the list bound", () => {
    for (const n of [2, 3, 7, 64, 192]) {
      const { seconds, work, losses } = simulate([job(drawn)], machine(n, { coresPerDomain: 16 }));
      expect(seconds).toBeGreaterThanOrEqual(sum(drawn) / n);
      expect(seconds).toBeLessThanOrEqual(sum(drawn) / n + Math.max(...drawn));
      expect(work + losses.tail).toBeCloseTo(n * seconds, 6);
    }
  });

  test("what is lost and what is done is all the time there is", () => {
    const costs = { startParent: 0.1, startWorker: 0.7, post: 0.02, latency: 0.003 };
    const tasks = job(drawn, { warmUp: 0.4, bytes: () => 3 });
    const program: Step[] = [serial(1), tasks, { type: "beside", main: [tasks], chain: [serial(20)] }];
    const { seconds, work, losses } = simulate(program, machine(5, { costs, bandwidth: 8 }));
    const { serial: waited, tail, latency, start, slowed } = losses;
    expect(work).toBeCloseTo(2 * sum(drawn), 6);
    expect(slowed).toBeGreaterThan(0);
    expect(work + waited + tail + latency + start + slowed).toBeCloseTo(5 * seconds, 6);
  });

  test("an urgent job goes between two tasks of the one that runs", () => {
    const urgent = job([0.25, 0.25], { urgent: true, name: "urgent" });
    const program: Step[] = [
      { type: "beside", main: [job([1, 1, 1, 1])], chain: [serial(0.5), urgent, serial(2)] },
    ];
    // Posted at 0.5, taken by both at 1, done at 1.25; then 2 s of the parent, while the last tasks end at 2.25.
    expect(simulate(program, machine(2)).seconds).toBeCloseTo(3.25, 12);
    const waiting = { ...urgent, urgent: false };
    const inLine: Step[] = [
      { type: "beside", main: [job([1, 1, 1, 1])], chain: [serial(0.5), waiting, serial(2)] },
    ];
    expect(simulate(inLine, machine(2)).seconds).toBeCloseTo(4.25, 12);
  });

  test("what the parent does with each worker's results", () => {
    const { seconds, exposed } = simulate([job([1, 1], { gather: 0.1 })], machine(2));
    expect(seconds).toBeCloseTo(1.2, 12);
    expect(exposed.get("gathering job")).toBeCloseTo(0.2, 12);
  });

  test("starting, sending, latency and compiling", () => {
    const costs = { startParent: 0.1, startWorker: 0.5, post: 0.01, latency: 0.001 };
    const { seconds } = simulate([job([1, 1, 1, 1], { warmUp: 0.3 })], machine(2, { costs }));
    // The second worker is ready at 0.2 + 0.5, does 0.3 + 1 + 1, and its answer takes 0.001.
    expect(seconds).toBeCloseTo(3.001, 12);
  });
});

describe("limits", () => {
  const reading = job([1, 1, 1, 1], { bytes: () => 10 });

  test("no more bytes a second than a domain's memory gives", () => {
    expect(simulate([reading], machine(4, { bandwidth: 40 })).seconds).toBeCloseTo(1, 12);
    expect(simulate([reading], machine(4, { bandwidth: 10 })).seconds).toBeCloseTo(4, 12);
    expect(simulate([reading], machine(4, { bandwidth: 10 })).losses.slowed).toBeCloseTo(12, 9);
    // Two domains of two workers each have twice the memory.
    expect(simulate([reading], machine(4, { bandwidth: 10, coresPerDomain: 2 })).seconds).toBeCloseTo(2, 12);
  });

  test("one disk for all domains", () => {
    const slow = machine(4, { disk: 10, coresPerDomain: 2 });
    expect(simulate([reading], slow).seconds).toBeCloseTo(4, 12);
    const many = job(drawn, { bytes: (k) => 100 * drawn[k] });
    const { seconds } = simulate([many], machine(50, { disk: 700 }));
    expect(seconds).toBeGreaterThanOrEqual((100 * sum(drawn)) / 700 - 1e-9);
  });

  test("threads share the cores of their domain", () => {
    const program: Step[] = [{ type: "beside", main: [job([1, 1])], chain: [serial(1)] }];
    expect(simulate(program, machine(2, { coresPerDomain: 2 })).seconds).toBeCloseTo(1.5, 12);
  });
});

describe("what is read from runs", () => {
  const task = (name: string, ts: number, dur: number, k: number) => ({
    ...{ name, cat: "task", ts: 1e6 * ts, dur: 1e6 * dur, args: { task: k } },
  });
  const stage = (name: string, ts: number, dur: number) => ({ ...task(name, ts, dur, 0), cat: "stage" });
  const times = (name: string, seconds: number) => ({
    name,
    seconds,
    cpu_seconds: 1,
    parent_cpu_seconds: 0.5,
  });

  test("tasks by stage and kind, and the time without any", () => {
    const events = [
      ...[stage("one", 0, 4), stage("two", 4, 2)],
      ...[task("a", 1, 1, 0), task("a", 1.5, 1, 1), task("a", 3, 0.5, 0), task("b", 4, 1, 0)],
    ];
    const [one, two] = lapsOf([times("one", 4), times("two", 2)], events);
    expect(one.noTask).toBeCloseTo(2, 12);
    expect(one.kinds.map(({ name, jobs, seconds }) => ({ name, jobs, seconds }))).toEqual([
      { name: "a", jobs: 2, seconds: [1, 1, 0.5] },
    ]);
    expect(two.noTask).toBeCloseTo(1, 12);
    expect(two.kinds.map(({ name }) => name)).toEqual(["b"]);
  });

  const lap = (seconds: readonly number[], changes: Partial<Lap>): Lap => ({
    ...{ name: "work", seconds: 1, cpu: 1, parentCpu: 1, noTask: 1, bytes: 0 },
    kinds: [{ name: "a", jobs: 1, seconds, from: 0, to: 1 }],
    ...changes,
  });
  const run = (n_i: number, n_procs: number, one: Lap): MeasuredRun => ({
    ...{ n_i, n_procs, wall: 1, accepted: 1, n_rows: 1, laps: [one] },
  });

  test("of equal runs the least of every number and task", () => {
    const [first, second] = [lap([1, 4], { noTask: 3 }), lap([2, 2], { noTask: 2 })];
    const least = leastOf([run(1, 1, first), run(1, 1, second)]).laps[0];
    expect([least.noTask, ...least.kinds[0].seconds]).toEqual([2, 1, 2]);
  });

  test("lines neither fall nor start below 0", () => {
    expect(lineThrough(1, 2, 2, 3)(10)).toBe(11);
    expect(lineThrough(1, 3, 2, 2)(10)).toBe(2.5);
    expect(lineThrough(1, 1, 2, 4)(10)).toBe(20);
  });

  // 100 tasks of 0.01 s and 0.2 s of the parent at 100 samples; of 200 samples twice the tasks, 0.3 s of the parent.
  // `slow`: how much longer everything took with one thread, while another program had the core.
  const fitted = (slow: number) => {
    const even = (n: number) => Array.from({ length: n }, () => 0.01);
    const [two, twoLarge] = [
      { noTask: 0.2, parentCpu: 0.2, cpu: 1.2 },
      { noTask: 0.3, parentCpu: 0.3, cpu: 2.3 },
    ];
    const one = (n: number, cpu: number) => {
      const times = { noTask: 0, cpu, parentCpu: cpu, seconds: slow * cpu };
      return run(
        n,
        1,
        lap(
          even(n).map((seconds) => slow * seconds),
          times,
        ),
      );
    };
    return fitModel(
      {
        ...{ small1: one(100, 1.2), large1: one(200, 2.3), sizeLimit: 1e7 },
        ...{ small2: run(100, 2, lap(even(100), two)), smallMany: run(100, 8, lap(even(100), two)) },
        large2: run(200, 2, lap(even(200), twoLarge)),
      },
      0,
    );
  };

  test.each([1, 3])("the model repeats what it was fitted to, measured %p times slower", (slow) => {
    const model = fitted(slow);
    const seconds = (n: number, workers: number) =>
      simulate(programOf(model, n, workers), machine(workers)).seconds;
    expect(seconds(100, 1)).toBeCloseTo(1.2, 9);
    expect(seconds(100, 2)).toBeCloseTo(0.7, 9);
    expect(seconds(200, 2)).toBeCloseTo(1.3, 9);
    expect(seconds(400, 4)).toBeCloseTo(0.5 + 1, 9);
  });
});
