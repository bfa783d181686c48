/** Memory that runs short: what is made smaller, in which order, and when it ends. */
import { expect, test } from "bun:test";
import { thisMachine } from "../src/machine/machine.ts";
import { type MemoryUse, Relief } from "../src/relief.ts";
import type { WorkSettings } from "../src/stages/settings.ts";

const WORK = { n_procs: 3, batchItems: 16, taskItems: 64 } as WorkSettings;
const allowed = { ...thisMachine().allowed, memoryBytes: 1e9 };

/** Looked at again and again, however often: the clock is not waited for. */
function relieved(use: MemoryUse, times: number) {
  const [said, kept]: [string[], number[]] = [[], []];
  const pool = { shrink: (n: number) => void kept.push(n) };
  const relief = new Relief(
    WORK,
    pool,
    0.8,
    allowed,
    (text) => said.push(text),
    () => use,
  );
  const isShort: boolean[] = [];
  for (let k = 0; k < times; k++) {
    (relief as unknown as { looked: number }).looked = -Infinity;
    isShort.push(relief.isShort());
    relief.relieve();
  }
  return { said, kept, isShort, work: relief.work };
}

test("batches first, then threads, then nothing more", () => {
  const { said, kept, isShort, work } = relieved({ usedMB: 900, leftMB: 500 }, 7);
  expect([work.batchItems, work.taskItems, work.n_procs]).toEqual([4, 16, 1]);
  expect(kept).toEqual([2, 1]);
  expect(isShort).toEqual([true, true, true, true, true, false, false]);
  expect(said[0]).toBe("memory runs short, 900 MB are used, 800 MB may be: batches of 8, not 16");
  expect(said.at(-1)).toEndWith("nothing is left to be made smaller");
  expect(said.length).toBe(5);
});

test("what others leave counts as well; enough, and what is not known, change nothing", () => {
  expect(relieved({ usedMB: 100, leftMB: 30 }, 1).said[0]).toContain("30 MB are left of 1.00 GB");
  for (const leftMB of [60, Number.NaN]) {
    const { said, work } = relieved({ usedMB: 790, leftMB }, 3);
    expect([said, work]).toEqual([[], WORK]);
  }
});

test("what was just made smaller is waited for", () => {
  const relief = new Relief(
    WORK,
    { shrink: () => {} },
    0.8,
    allowed,
    () => {},
    () => ({ usedMB: 900, leftMB: 500 }),
  );
  (relief as unknown as { looked: number }).looked = -Infinity;
  for (let k = 0; k < 5; k++) {
    relief.isShort();
    relief.relieve();
  }
  expect(relief.work.batchItems).toBe(8);
});
