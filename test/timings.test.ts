/** What timings.json and the trace say of a run whose times are known. */
import { expect, test } from "bun:test";
import { timingsOf, traceJson } from "../src/report/timings.ts";

const lap = (name: string, start: number, seconds: number) => ({
  ...{ name, start, seconds, cpuSeconds: 1.5, parentCpuSeconds: 0.25, peakMB: 10 * seconds },
});
/** Two stages of 1 s and 2 s from t = 5000 ms; thread 1 works from 5500 to 6500, thread 2 from 6000 to 8000. */
const MEASURED = {
  laps: [lap("first", 5000, 1), lap("second", 6000, 2)],
  history: [
    { thread: 2, kind: "incoherent" as const, spans: Float64Array.of(1, 6000, 8000) },
    { thread: 1, kind: "rows" as const, spans: Float64Array.of(0, 5500, 6000, 2, 6000, 6500) },
  ],
  work: { second: { bytesRead: 100, likelihoods: 50 } },
  n_procs: 2,
  kernel: "ref",
  kept: { saved: 3, seconds: 0.25 },
};

test("a stage is as busy as the tasks that fall into it", () => {
  const { total_seconds, peak_memory_mb, stages } = timingsOf(MEASURED);
  expect([total_seconds, peak_memory_mb]).toEqual([3, 20]);
  expect(stages.map(({ busy }) => busy)).toEqual([0.5 / 2, 2.5 / 4]);
  expect(stages[0].likelihoods).toBeUndefined();
  expect(stages[1]).toMatchObject({ bytes_read: 100, likelihoods: 50, likelihoods_per_second: 25 });
});

test("the trace holds every task and the time between them", () => {
  const { traceEvents } = JSON.parse(traceJson(MEASURED));
  const shown = (tid: number) =>
    traceEvents
      .filter((event: { ph: string; tid: number }) => event.ph === "X" && event.tid === tid)
      .map(({ name, ts, dur }: { name: string; ts: number; dur: number }) => [name, ts / 1000, dur / 1000]);
  expect(shown(0)).toEqual([
    ["first", 0, 1000],
    ["second", 1000, 2000],
  ]);
  expect(shown(1)).toEqual([
    ["idle", 0, 500],
    ["rows", 500, 500],
    ["rows", 1000, 500],
    ["idle", 1500, 1500],
  ]);
  expect(shown(2)).toEqual([
    ["idle", 0, 1000],
    ["incoherent", 1000, 2000],
  ]);
});

test("with one thread the tasks stand beside the stages", () => {
  const alone = { ...MEASURED, n_procs: 1, history: [{ ...MEASURED.history[0], thread: 0 }] };
  const { traceEvents } = JSON.parse(traceJson(alone));
  const tasks = traceEvents.filter(({ cat }: { cat?: string }) => cat === "task");
  expect(tasks).toMatchObject([{ name: "incoherent", tid: 1, args: { task: 1 } }]);
});
