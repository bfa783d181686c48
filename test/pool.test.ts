/** Several jobs at once on real worker threads. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { bandOfEvent, openBank } from "../src/gw/bank.ts";
import { readEvent } from "../src/gw/event.ts";
import { referenceFromSample } from "../src/gw/reference-waveform.ts";
import { loadKernels } from "../src/kernels/table.ts";
import { thisMachine } from "../src/machine/machine.ts";
import { type IncoherentPlan, incoherentTables, planIncoherent } from "../src/stages/incoherent.ts";
import { nodeTables, withNodeTables } from "../src/workers/node-tables.ts";
import { Pool } from "../src/workers/pool.ts";
import { BANK, EVENT } from "./make-inputs.ts";

const event = readEvent(EVENT);
const bank = openBank(BANK, "bank_0");
const band = bandOfEvent(event, bank.config.fbin);
const bins = { banks: [bank], mArr: bank.config.m_arr, b0: band.b0, fbin: band.fbin };
const arrival_d = new Float64Array(event.n_d).fill(event.tcoarse);
const reference = referenceFromSample(event, band, bank, 0, arrival_d, loadKernels("auto"));
const TASK = 4;

/** Stage 2 on n items: the bank's samples again and again. */
function planOf(n: number): IncoherentPlan {
  const i_j = new Int32Array(n).map((_, j) => j % bank.n_i);
  const settings = { n_t: 128, n_phi: 32, dt: 1 / 1024, symmetric: true, taskSize: TASK, batchSize: TASK };
  return planIncoherent(bins, reference, { bank_j: new Int32Array(n), i_j }, settings, loadKernels("auto"));
}

const pool = new Pool(2, "auto");
beforeAll(() => pool.start());
afterAll(() => pool.close());

test("an urgent job is done before the one that runs, and neither changes", async () => {
  const [long, short, alone] = [planOf(20_000), planOf(2 * TASK), planOf(2 * TASK)];
  const order: string[] = [];
  const first = pool.run("incoherent", long, 20_000 / TASK).then(() => order.push("long"));
  const second = pool.run("incoherent", planOf(TASK), 1).then(() => order.push("in line"));
  await Bun.sleep(20);
  const third = pool
    .run("incoherent", short, 2, undefined, { urgent: true })
    .then(() => order.push("urgent"));
  await Promise.all([first, second, third]);
  // The other two may end in any order: the one in line needs one thread alone.
  expect(order[0]).toBe("urgent");
  await new Pool(1, "auto").run("incoherent", alone, 2);
  expect(short.lnlike_dj).toEqual(alone.lnlike_dj);
  const n_d = event.n_d;
  for (let d = 0; d < n_d; d++)
    expect(long.lnlike_dj.subarray(d * 20_000, d * 20_000 + 8)).toEqual(
      alone.lnlike_dj.subarray(8 * d, 8 * d + 8),
    );
}, 60_000);

test("every task is in the history once, with its thread and times that follow each other", async () => {
  const before = pool.history.length;
  await pool.run("incoherent", planOf(200), 200 / TASK);
  const spans = pool.history.slice(before);
  const tasks = spans.flatMap((of) => Array.from(of.spans.filter((_, k) => k % 3 === 0)));
  expect(tasks.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 / TASK }, (_, task) => task));
  for (const { thread, kind, spans: of } of spans) {
    expect([1, 2]).toContain(thread);
    expect(kind).toBe("incoherent");
    for (let k = 0; k < of.length; k += 3) {
      expect(of[k + 2]).toBeGreaterThanOrEqual(of[k + 1]);
      if (k > 0) expect(of[k + 1]).toBeGreaterThanOrEqual(of[k - 1]);
    }
  }
});

test("a job that fails leaves the next one alone", async () => {
  const broken = planOf(40);
  const nothing = { ...broken, items: { ...broken.items, i_j: new Int32Array(40).fill(bank.n_i - 1) } };
  const outside = {
    ...nothing,
    samples: { ...nothing.samples, banks: [{ ...nothing.samples.banks[0], folder: "/nowhere" }] },
  };
  const failed = pool.run("incoherent", outside, 10);
  const fine = planOf(8);
  const next = pool.run("incoherent", fine, 2);
  await expect(failed).rejects.toThrow("/nowhere/waveforms/amplitudes_block_");
  await next;
  expect(fine.lnlike_dj.every(Number.isFinite)).toBeTrue();
});

describe("seats", () => {
  const places = [0, 0, 1, 1].map((node, k) => ({ cpus: [], group: k % 2, node }));

  test("groups and NUMA nodes change nothing but who does what", async () => {
    const several = new Pool(places, "auto");
    several.start();
    try {
      const [there, alone] = [planOf(800), planOf(800)];
      await several.run("incoherent", there, 800 / TASK);
      await new Pool(1, "auto").run("incoherent", alone, 800 / TASK);
      expect(there.lnlike_dj).toEqual(alone.lnlike_dj);
    } finally {
      several.close();
    }
  });

  test("a node's threads compute with its own copy of the tables, made once", async () => {
    const plan = planOf(8);
    const tables = nodeTables(incoherentTables(plan), 2);
    const here = withNodeTables(plan, tables, 1);
    expect(here.samples.w_smpcb).toBe(tables.copies_n[1][0]);
    expect(here.samples.w_smpcb).toEqual(plan.samples.w_smpcb);
    expect(here.grid.bands[0].q).not.toBe(plan.grid.bands[0].q);
    expect(here.lnlike_dj).toBe(plan.lnlike_dj);
    expect(tables.copies_n[0].every((copy) => copy.every((x) => x === 0))).toBeTrue();
    plan.samples.w_smpcb.fill(7);
    expect(withNodeTables(plan, tables, 1).samples.w_smpcb[0]).not.toBe(7);
  });

  /** The CPUs that each thread of this process may be on. */
  const masks = () =>
    readdirSync("/proc/self/task").map((task) => {
      try {
        const status = readFileSync(`/proc/self/task/${task}/status`, "latin1");
        return /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1];
      } catch {
        return "it has ended";
      }
    });

  test.skipIf(thisMachine().allowed.cpus.length < 2)(
    "a thread is where its seat is, the runtime's own are not; until it has another seat",
    async () => {
      const mask = `${thisMachine().allowed.cpus.at(-1)}`;
      const seat = { cpus: [Number(mask)], group: 0, node: 0 };
      const bound = new Pool([seat, ...places.slice(0, 1)], "auto");
      bound.start();
      const count = () => masks().filter((one) => one === mask).length;
      try {
        // Threads that the worker starts are found while a job runs; workers of pools before this one end.
        const settled = async (n: number) => {
          for (let k = 0; k < 20 && count() !== n; k++)
            await bound.run("incoherent", planOf(8000), 8000 / TASK);
          return count();
        };
        expect(await settled(1)).toBe(1);
        expect(bound.pinError).toBe(0);
        bound.arrange(places.slice(0, 2), "auto");
        expect(await settled(0)).toBe(0);
      } finally {
        bound.close();
      }
    },
  );

  test("a CPU that does not exist is told, and the work is done", async () => {
    const bound = new Pool([{ cpus: [100_000], group: 0, node: 0 }, ...places.slice(0, 1)], "auto");
    bound.start();
    try {
      await bound.run("incoherent", planOf(8), 8);
      expect(bound.pinError).toBeGreaterThan(0);
    } finally {
      bound.close();
    }
  });
});
