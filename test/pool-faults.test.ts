/** Threads that fail for no fault of the data: what they were doing is done again, all of it once. */
import { afterEach, expect, test } from "bun:test";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../src/errors.ts";
import { sha256Of } from "../src/io/sha256.ts";
import { sharedU8 } from "../src/workers/arena.ts";
import { Pool, type PoolSettings } from "../src/workers/pool.ts";
import { temporaryFolder } from "./io-helpers.ts";

const folder = temporaryFolder();
const N = 40;
const path = join(folder, "file");
writeFileSync(path, "content");
const fd = openSync(path, "r");
/** A job whose threads gather what each task returns. */
const files = Array.from({ length: N }, (_, k) => ({ path: `${k}`, fd, bytes: 1 + (k % 7) }));
const SUMS = files.map(({ path, bytes }) => `${path} ${sha256Of("content".slice(0, bytes))}`).sort();

const pools: Pool[] = [];
function pool(n: number, settings: PoolSettings = {}): { pool: Pool; redone: string[] } {
  const redone: string[] = [];
  const made = new Pool(n, "auto", { onRedo: (why) => redone.push(why), ...settings });
  pools.push(made);
  made.start();
  return { pool: made, redone };
}
afterEach(() => {
  for (const one of pools.splice(0)) one.close();
});

type Found = readonly (readonly { path: string; sha256: string }[])[];
const shown = (found: Found) =>
  found
    .flat()
    .map(({ path, sha256 }) => `${path} ${sha256}`)
    .sort();

/** The files, of which reading the one at `k` fails so many times. */
function failing(k: number, times: number, error: () => Error) {
  let left = times;
  return files.map((file, at) =>
    at !== k
      ? file
      : {
          ...file,
          get bytes() {
            if (left-- > 0) throw error();
            return file.bytes;
          },
        },
  );
}

test("a task that fails is done again, the others' results are kept", async () => {
  const { pool: one, redone } = pool(1);
  const defect = () => new TypeError("no reason");
  expect(shown(await one.run("hash", { files: failing(7, 2, defect) }, N))).toEqual(SUMS);
  expect(redone).toEqual(["no reason", "no reason"]);
});

test("not for ever; and not at all if the data are to blame", async () => {
  const { pool: one, redone } = pool(1);
  const always = { files: failing(7, 1e9, () => new TypeError("always")) };
  await expect(one.run("hash", always, N)).rejects.toThrow("always");
  expect(redone.length).toBe(3);
  const bad = { files: failing(7, 1, () => new DotpeError("badData", "damaged", "copy it")) };
  await expect(one.run("hash", bad, N)).rejects.toThrow("damaged");
  expect(redone.length).toBe(3);
});

test("a worker that stops is replaced, and what it gathered is gathered again", async () => {
  const { pool: two, redone } = pool(2);
  await two.run("hash", { files }, N);
  const asked = two.run("hash", { files }, N);
  // A message that no worker can read ends it.
  const [thread] = (two as unknown as { threads: { worker: Worker }[] }).threads;
  const before = thread.worker;
  before.postMessage({ type: "job", job: null });
  expect(shown(await asked)).toEqual(SUMS);
  while (thread.worker === before) await Bun.sleep(1);
  expect(shown(await two.run("hash", { files }, N))).toEqual(SUMS);
  expect(redone.every((why) => why.startsWith("a worker stopped"))).toBe(true);
});

test("threads that are renewed after a few tasks leave nothing out", async () => {
  const { pool: three, redone } = pool(3, { recycle: 5 });
  for (let k = 0; k < 2; k++) expect(shown(await three.run("hash", { files }, N))).toEqual(SUMS);
  expect(redone).toEqual([]);
});

test("a job pauses and goes on: what is done is not done again", async () => {
  const { pool: two } = pool(2, { poll: 1 });
  const done_t = sharedU8(N).fill(1, 0, 10);
  const found: string[] = [];
  let pauses = 0;
  while (done_t.includes(0)) {
    found.push(
      ...shown(await two.run("hash", { files }, N, undefined, { done_t, shouldStop: () => pauses < 5 })),
    );
    pauses++;
  }
  expect(found.sort()).toEqual(SUMS.filter((line) => Number(line.split(" ")[0]) >= 10));
});

test("a file that is closed is an error of the data: it is not tried again", async () => {
  const { pool: two, redone } = pool(2);
  const gone = openSync(path, "r");
  closeSync(gone);
  const bad = files.map((file, k) => (k === 3 ? { ...file, fd: gone + 1000 } : file));
  await expect(two.run("hash", { files: bad }, N)).rejects.toThrow("EBADF");
  expect(redone).toEqual([]);
});
