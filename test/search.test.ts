import { describe, expect, test } from "bun:test";
import { listCandidates, neighbours } from "../src/tune/candidates.ts";
import { type Ask, openSearch, SEARCHES, type Search } from "../src/tune/search.ts";
import type { Dimension, Measured, Point, Space } from "../src/tune/setting.ts";

const DIMENSIONS: readonly Dimension[] = [
  { knob: "n_procs", values: [4, 8, 16, 32] },
  { knob: "iBatch", values: [4, 8, 16, 32, 64, 128] },
  { knob: "batchesPerTask", values: [1, 2, 4] },
  { knob: "kernel", values: ["a", "b", "c"] },
  { knob: "smt", values: [false, true] },
];
const START: Point = [2, 1, 0, 0, 0];

/** 32 workers need both hardware threads, fewer do not use them; tasks above 256 are cut to 256. */
const SPACE: Space = {
  dimensions: DIMENSIONS,
  start: START,
  key: (point) => {
    const [n, batch, perTask, kernel, smt] = point.map((value, d) => DIMENSIONS[d].values[value]);
    if ((n === 32) !== smt) return undefined;
    return [n, batch, Math.min(256, Number(batch) * Number(perTask)), kernel].join();
  },
};

/** Best: 32 workers, batches of 32, kernel b, 2 batches a task. */
function rateOf(point: Point): number {
  const [n, batch, perTask, kernel] = point.map((value, d) => DIMENSIONS[d].values[value]);
  const task = Math.log2(Math.min(256, Number(batch) * Number(perTask)));
  const cut = 1 + 0.02 * (Math.log2(Number(batch)) - 5) ** 2 + 0.01 * (task - 6) ** 2;
  return (Number(n) ** 0.8 * (kernel === "b" ? 1.1 : 1)) / cut;
}
const ALL = listCandidates(SPACE);
const BEST = Math.max(...ALL.map(({ point }) => rateOf(point)));

type Answer = (ask: Ask) => Measured | undefined;
const exact: Answer = ({ point }) => ({ rate: rateOf(point), error: 0.005, n: 5 });

/** What is asked, until the search ends or `most` answers are given. */
function drive(search: Search, answer: Answer, most = 1000): Ask[] {
  const asks: Ask[] = [];
  for (let ask = search.ask(); ask !== undefined && asks.length < most; ask = search.ask()) {
    asks.push(ask);
    search.tell(ask, answer(ask));
  }
  return asks;
}
const id = ({ point, effort }: Ask) => `${effort} ${SPACE.key(point)}`;
const bestOf = (asks: readonly Ask[]) => Math.max(...asks.map(({ point }) => rateOf(point)));

describe("candidates", () => {
  test("every key once, the start first, then what differs in one knob, in two, ...", () => {
    const keys = new Set<string>();
    DIMENSIONS[0].values.forEach((_, n) => {
      for (let rest = 0; rest < 6 * 3 * 3; rest++) {
        const point = [n, rest % 6, Math.floor(rest / 6) % 3, Math.floor(rest / 18), Number(n === 3)];
        keys.add(SPACE.key(point)!);
      }
    });
    expect(new Set(ALL.map(({ key }) => key))).toEqual(keys);
    expect(ALL).toHaveLength(keys.size);
    expect(ALL[0].point).toEqual(START);
    const differing = ALL.map(({ point }) => point.filter((value, d) => value !== START[d]).length);
    expect(differing).toEqual(differing.toSorted((a, b) => a - b));
  });

  test("neighbours: one step of a number, any other name, past what does the same work", () => {
    const found = neighbours(SPACE, [1, 5, 1, 1, 0]).map(({ point }) => point.join(" "));
    // Batches of 128: two or four a task is the same, one is not.
    expect(found.sort()).toEqual([
      "0 5 1 1 0",
      "1 4 1 1 0",
      "1 5 0 1 0",
      "1 5 1 0 0",
      "1 5 1 2 0",
      "2 5 1 1 0",
    ]);
  });

  test("a step of workers takes the hardware threads along", () => {
    const found = neighbours(SPACE, [2, 2, 0, 0, 0]).map(({ point }) => point.join(" "));
    expect(found).toContain("3 2 0 0 1");
    expect(neighbours(SPACE, [3, 2, 0, 0, 1]).map(({ point }) => point.join(" "))).toContain("2 2 0 0 0");
  });
});

describe.each(SEARCHES)("%s", (name) => {
  const open = (seed = 1) => openSearch(name, SPACE, seed);

  test("starts with the built-in setting; the same question until it is answered", () => {
    const search = open();
    expect(search.ask()?.point).toEqual(START);
    const asks = drive(search, exact, 12);
    expect(search.ask()).toEqual(search.ask()!);
    expect(asks.map(id)).not.toContain(id(search.ask()!));
  });

  test("asks nothing twice, only usable points, and ends", () => {
    const asks = drive(open(), exact);
    expect(new Set(asks.map(id)).size).toBe(asks.length);
    for (const { point } of asks) expect(SPACE.key(point)).toBeDefined();
    expect(asks.length).toBeLessThan(2 * ALL.length);
  });

  test("finds the best where there is no noise", () => {
    for (let seed = 0; seed < 5; seed++) {
      expect(bestOf(drive(open(seed), exact))).toBeGreaterThan(0.985 * BEST);
    }
  });

  test("told a log again, without being asked, it goes on as before", () => {
    const whole = drive(open(), exact);
    for (const n of [1, 7, whole.length - 5]) {
      const search = open();
      for (const ask of whole.slice(0, n)) search.tell(ask, exact(ask));
      expect(drive(search, exact).map(id)).toEqual(whole.slice(n).map(id));
    }
  });

  test("what cannot be measured is not asked for again", () => {
    const fails = ({ point }: Ask) => point[1] >= 4 || point[3] === 1;
    const asks = drive(open(), (ask) => (fails(ask) ? undefined : exact(ask)));
    const failed = asks.filter(fails).map(({ point }) => SPACE.key(point));
    expect(new Set(failed).size).toBe(failed.length);
    const usable = ALL.filter((one) => !fails({ ...one, effort: "full" }));
    const best = Math.max(...usable.map(({ point }) => rateOf(point)));
    expect(bestOf(asks.filter((ask) => !fails(ask)))).toBeGreaterThan(0.95 * best);
  });

  test("ends if nothing can be measured", () => {
    expect(drive(open(), () => undefined).length).toBeLessThanOrEqual(ALL.length);
  });

  test("one candidate alone", () => {
    const space = { ...SPACE, key: (point: Point) => (point.join() === START.join() ? "only" : undefined) };
    const asks = drive(openSearch(name, space, 1), exact);
    expect(asks.length).toBeGreaterThan(0);
    for (const { point } of asks) expect(point).toEqual(START);
    expect(asks.at(-1)!.effort).toBe("full");
  });
});

test("grid: everything, well", () => {
  const asks = drive(openSearch("grid", SPACE, 1), exact);
  expect(asks).toEqual(ALL.map(({ point }) => ({ point, effort: "full" })));
});

test("halving: many quickly, a third of them and the start well, then the neighbours of the best", () => {
  const asks = drive(openSearch("halving", SPACE, 1), exact);
  const quick = asks.filter(({ effort }) => effort === "quick");
  const full = asks.filter(({ effort }) => effort === "full");
  expect(asks.slice(0, quick.length)).toEqual(quick);
  expect(quick.length).toBe(26);
  expect(full.map(id)).toContain(`full ${SPACE.key(START)}`);
  const third = quick.map(({ point }) => rateOf(point)).sort((a, b) => b - a)[8];
  const chosen = quick.filter(({ point }) => rateOf(point) > third);
  expect(full.slice(0, 10).map(id)).toEqual(
    expect.arrayContaining(chosen.map(({ point }) => id({ point, effort: "full" }))),
  );
  const best = full.reduce((a, b) => (rateOf(b.point) > rateOf(a.point) ? b : a));
  const asked = new Set(full.map(({ point }) => SPACE.key(point)));
  for (const { key } of neighbours(SPACE, best.point)) expect(asked).toContain(key);
});

describe("surrogate", () => {
  test("needs a part of the candidates", () => {
    for (let seed = 0; seed < 5; seed++) {
      const asks = drive(openSearch("surrogate", SPACE, seed), exact, 30);
      expect(bestOf(asks)).toBeGreaterThan(0.985 * BEST);
    }
    expect(ALL.length).toBeGreaterThan(150);
  });

  test("names the best by all it was told, not by a lucky measurement", () => {
    const lucky = ALL.find(({ point }) => Math.abs(rateOf(point) / BEST - 0.9) < 0.02)!;
    const search = openSearch("surrogate", SPACE, 1);
    expect(search.best?.()).toBeUndefined();
    for (const { point, key } of ALL) {
      const luck = key === lucky.key ? 1.13 : 1;
      search.tell({ point, effort: "full" }, { rate: rateOf(point) * luck, error: 0.05, n: 5 });
    }
    const named = search.best?.();
    expect(SPACE.key(named!)).not.toBe(lucky.key);
    expect(rateOf(named!)).toBeGreaterThan(0.97 * BEST);
  });

  test("a rate that is no number counts as no measurement", () => {
    const search = openSearch("surrogate", SPACE, 1);
    for (const rate of [Number.NaN, 0, Infinity]) {
      const ask = search.ask()!;
      search.tell(ask, { rate, error: 0.01, n: 5 });
      expect(id(search.ask()!)).not.toBe(id(ask));
    }
    expect(bestOf(drive(search, exact))).toBeGreaterThan(0.97 * BEST);
  });

  test("another seed, other questions", () => {
    const asks = (seed: number) => drive(openSearch("surrogate", SPACE, seed), exact, 8).map(id);
    expect(asks(1)).not.toEqual(asks(2));
  });
});

test("the linear algebra is loaded when a search needs it", () => {
  const script = `
    const { openSearch } = await import("./src/tune/search.ts");
    const loaded = () => Object.keys(require.cache).some((path) => path.includes("ml-matrix"));
    const space = { dimensions: [{ knob: "iBatch", values: [1, 2] }], start: [0], key: String };
    const search = openSearch("surrogate", space, 0);
    const before = loaded();
    search.tell(search.ask(), { rate: 1, error: 0.01, n: 5 });
    console.log(before, loaded());`;
  const { stdout } = Bun.spawnSync([process.execPath, "-e", script], { cwd: `${import.meta.dir}/..` });
  expect(stdout.toString()).toBe("false true\n");
});
