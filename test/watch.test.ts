/** Threads that hang: what the watch sees, by what they say of themselves. */
import { describe, expect, test } from "bun:test";
import { ACTIVITY, N_ACTIVITY } from "../src/workers/runner.ts";
import { Watch } from "../src/workers/watch.ts";
import { expectRefusal } from "./io-helpers.ts";

const thread = (since = 0, longest = 0) => {
  const activity = new Float64Array(N_ACTIVITY);
  activity[ACTIVITY.since] = since;
  activity[ACTIVITY.longest] = longest;
  return { activity, threadId: 0 };
};
const LIMITS = { first: 40, least: 20 };
/** Looks every few ms, for `ms`. */
async function lookFor(watch: Watch, ms: number, of: ReturnType<typeof thread>[]): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; ) {
    // As the pool does it: from other objects every time.
    watch.look(of.map((one) => ({ ...one })));
    await Bun.sleep(5);
  }
}

describe("a task that does not end", () => {
  test("is told, with what others took", async () => {
    const watch = new Watch("incoherent", 50, LIMITS);
    const threads = [thread(1000), thread(0, 0.5)];
    await expect(lookFor(watch, 2000, threads)).rejects.toThrow(
      "a thread hangs: a task of the job incoherent",
    );
  });

  test("may take long where others did, or where it is the first", async () => {
    await lookFor(new Watch("rows", 50, LIMITS), 100, [thread(1000), thread(0, 1000)]);
    await lookFor(new Watch("rows", 50, { first: 5000, least: 20 }), 100, [thread(1000), thread()]);
  });

  test("tasks that follow each other are not one long one", async () => {
    const watch = new Watch("rows", 50, LIMITS);
    const one = thread(1, 1);
    for (let k = 0; k < 30; k++) {
      one.activity[ACTIVITY.since] = 1000 + k;
      await lookFor(watch, 5, [one]);
    }
  });

  test("a process that was stopped for long finds nothing", async () => {
    // Looks that are far apart count for a few intervals only.
    const watch = new Watch("rows", 1, { first: 40, least: 20 });
    const one = thread(1000);
    for (let k = 0; k < 4; k++) {
      watch.look([one]);
      await Bun.sleep(60);
    }
    expectRefusal(
      () => {
        for (let k = 0; k < 20; k++) {
          watch.look([one]);
          Bun.sleepSync(4);
        }
      },
      "runAgain",
      "hangs",
    );
  });
});
