/** The tuner on work whose fastest setting is known. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { thisMachine } from "../src/machine/machine.ts";
import {
  type Answers,
  differenceByBlock,
  differenceFromDefinition,
  firstBlock,
} from "../src/tune/answers.ts";
import { openLog } from "../src/tune/log.ts";
import { duel, wins } from "../src/tune/measure.ts";
import { openSearch, SEARCHES } from "../src/tune/search.ts";
import type { Setting } from "../src/tune/setting.ts";
import { tuneSpace } from "../src/tune/space.ts";
import { tune } from "../src/tune/tune.ts";
import type { Workload } from "../src/tune/workload.ts";
import { allAllowed, madeTopology } from "./made-topology.ts";

const folder = mkdtempSync(join(tmpdir(), "tune-engine-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Waits as long as the setting says. */
class Waiting implements Workload {
  readonly unit = "waits";
  readonly knobs = {
    ...{ iBatch: [8, 16, 64], batchesPerTask: [1, 2], iTile: [1], eTile: [1], kernel: ["ref"] },
  };
  readonly builtIn = { iBatch: 16, batchesPerTask: 1, iTile: 1, eTile: 1, kernel: "ref" };
  runs = 0;
  constructor(
    readonly milliseconds: (setting: Setting) => number,
    readonly wrong: (setting: Setting) => boolean = () => false,
  ) {}
  private last: Setting | undefined;
  units = () => 100;
  async run(_: unknown, setting: Setting) {
    this.runs++;
    this.last = setting;
    await Bun.sleep(this.milliseconds(setting));
  }
  check = () => (this.last && this.wrong(this.last) ? "the answer is 41" : undefined);
  checkDefinition = async () => undefined;
  key = ({ iBatch, batchesPerTask }: Setting) => `${iBatch} ${batchesPerTask}`;
  leastBytes = ({ iBatch }: Setting) => iBatch * 1e6;
  broken = (reason: string) => new Error(`the built-in setting: ${reason}`);
  close() {}
}

const WHERE = { placement: "none", numa: undefined, reserve: undefined } as const;
let n_logs = 0;

function tuned(workload: Workload, seconds = 60, search: (typeof SEARCHES)[number] = "grid") {
  const machine = thisMachine();
  const space = tuneSpace(machine, WHERE, workload, 1e9);
  const signature = (++n_logs).toString(16).padStart(16, "0");
  const header = { signature, version: "0", search, seed: 1, space: space.dimensions };
  return tune({
    ...{ workload, machine, where: WHERE, space, search: openSearch(search, space, 1), mostBytes: 1e9 },
    ...{ deadline: performance.now() + 1000 * seconds, log: openLog(header, folder).log },
  });
}

describe("tune", () => {
  test.each([...SEARCHES])(
    "%s finds what is much faster",
    async (search) => {
      const { setting, duel: against } = await tuned(
        new Waiting(({ iBatch }) => (iBatch === 64 ? 4 : 12)),
        60,
        search,
      );
      expect(setting.iBatch).toBe(64);
      expect(against?.ratio).toBeGreaterThan(1.5);
    },
    30_000,
  );

  test("the built-in setting stays if nothing is faster", async () => {
    const { setting, builtIn } = await tuned(new Waiting(({ iBatch }) => (iBatch === 16 ? 4 : 8)));
    expect(setting).toEqual(builtIn);
    expect(setting.iBatch).toBe(16);
  }, 30_000);

  test("a wrong answer is never chosen, however fast", async () => {
    const workload = new Waiting(
      ({ iBatch }) => (iBatch === 64 ? 1 : 8),
      ({ iBatch }) => iBatch === 64,
    );
    const { setting, candidates } = await tuned(workload);
    expect(setting.iBatch).not.toBe(64);
    const failed = candidates.filter(({ setting: { iBatch } }) => iBatch === 64);
    expect(failed.map((one) => one.failed)).toContain("wrong answer: the answer is 41");
  }, 30_000);

  test("a built-in setting that is wrong ends the tune", async () => {
    const broken = new Waiting(
      () => 1,
      () => true,
    );
    await expect(tuned(broken)).rejects.toThrow("the built-in setting: wrong answer: the answer is 41");
  });

  test("without time only the built-in setting is measured", async () => {
    const { candidates, finished, setting, builtIn } = await tuned(new Waiting(() => 5), 0);
    expect(candidates).toHaveLength(1);
    expect(finished).toBeFalse();
    expect(setting).toEqual(builtIn);
  });
});

describe("candidates", () => {
  const machine = (made: Parameters<typeof madeTopology>[0]) => {
    const topology = madeTopology(made);
    return { topology, allowed: allAllowed(topology) };
  };
  const valuesOf = (space: ReturnType<typeof tuneSpace>, knob: string) =>
    space.dimensions.find((dimension) => dimension.knob === knob)?.values;
  const AUTO = { placement: "auto", numa: undefined, reserve: undefined } as const;

  test("workers: few, and all that may be used, with hardware threads where there are any", () => {
    const small = tuneSpace(machine({}), AUTO, new Waiting(() => 1), 1e9);
    expect(valuesOf(small, "n_procs")).toEqual([2]);
    expect(valuesOf(small, "smt")).toEqual([false]);
    const large = machine({ sockets: 2, cachesPerNode: 12, coresPerCache: 8, threadsPerCore: 2 });
    const space = tuneSpace(large, AUTO, new Waiting(() => 1), 1e9);
    expect(valuesOf(space, "n_procs")).toEqual([4, 8, 16, 32, 191, 382]);
    expect(valuesOf(space, "smt")).toEqual([false, true]);
    expect(space.most).toBe(382);
  });

  test("hardware threads are for when there is no core left", () => {
    const one = machine({ coresPerCache: 8, threadsPerCore: 2 });
    const space = tuneSpace(one, AUTO, new Waiting(() => 1), 1e9);
    const point = (n_procs: number, smt: boolean) =>
      space.dimensions.map(({ knob, values }) =>
        knob === "n_procs" ? values.indexOf(n_procs) : knob === "smt" ? values.indexOf(smt) : 0,
      );
    expect(space.key(point(8, false))).toBeDefined();
    expect(space.key(point(8, true))).toBeUndefined();
    expect(space.key(point(16, true))).toBeDefined();
    expect(space.key(point(16, false))).toBeUndefined();
  });

  test("it starts with the built-in setting, and leaves out what needs too much memory", () => {
    const space = tuneSpace(machine({}), AUTO, new Waiting(() => 1), 50e6);
    expect(space.setting(space.start)).toMatchObject({ iBatch: 16, batchesPerTask: 1, n_procs: 2 });
    const keys = [0, 1, 2].map((k) => space.key(space.start.with(1, k)));
    expect(keys.map((key) => key === undefined)).toEqual([false, false, true]);
  });
});

describe("duel", () => {
  const rounds = (n: number) => (done: number) => done >= n;

  test("two of the same are not told apart, two that differ are", async () => {
    const noise = [1, 1.02, 0.97, 1.01, 0.99, 1.03, 0.98];
    const rate = (base: number, shift: number) => {
      let k = shift;
      return async () => base * noise[k++ % noise.length];
    };
    expect(wins(await duel([rate(1, 0), rate(1, 3)], rounds(10)))).toBeFalse();
    const found = await duel([rate(1.2, 0), rate(1, 3)], rounds(10));
    expect(wins(found)).toBeTrue();
    expect(found.ratio).toBeCloseTo(1.2, 1);
    expect(wins(await duel([rate(1, 0), rate(1.2, 3)], rounds(10)))).toBeFalse();
  });
});

describe("answers", () => {
  const block: Answers = {
    ...{
      first: Float64Array.of(1, 2),
      second: Float64Array.of(3, 4, 5, 6),
      kept: Float64Array.of(7, -Infinity),
    },
  };
  const twice = (change: (answers: Answers) => void = () => {}): Answers => {
    const answers = {
      first: Float64Array.of(1, 2, 1, 2),
      second: Float64Array.of(3, 4, 3, 4, 5, 6, 5, 6),
      kept: Float64Array.of(7, -Infinity, 7, -Infinity),
    };
    change(answers);
    return answers;
  };

  test("every copy of the slice is compared, to the bit", () => {
    expect(differenceByBlock(twice(), block, 2)).toBeUndefined();
    expect(firstBlock(twice(), 2, 2)).toEqual(block);
    const last = twice(({ second }) => {
      second[7] += 1e-15;
    });
    expect(differenceByBlock(last, block, 2)).toStartWith(
      "second look: found 6.000000000000001 at position 3",
    );
    const sums = twice(({ kept }) => {
      kept[3] = 0;
    });
    expect(differenceByBlock(sums, block, 2)).toContain("sums of rows: found 0");
  });

  test("rounding is forgiven against the definition, no more", () => {
    const off = (by: number) => ({
      second: Float64Array.of(100 * (1 + by)),
      kept: Float64Array.of(-Infinity),
    });
    expect(differenceFromDefinition(off(1e-10), off(0))).toBeUndefined();
    expect(differenceFromDefinition(off(1e-7), off(0))).toContain("by definition");
    expect(differenceFromDefinition(off(Number.NaN), off(0))).toContain("NaN");
  });
});
