import { describe, expect, test } from "bun:test";
import { DotpeError } from "../src/errors.ts";
import { type PlacementOptions, placeWorkers } from "../src/machine/placement.ts";
import { allAllowed, madeTopology } from "./made-topology.ts";

const USUAL: PlacementOptions = { smt: false, placement: "auto" };
/** Two sockets of 12 caches with 8 cores of 2 threads. */
const EPYC = madeTopology({ sockets: 2, cachesPerNode: 12, coresPerCache: 8, threadsPerCore: 2 });
const count = <T>(values: readonly T[]) => [...Map.groupBy(values, (x) => x)].map(([, of]) => of.length);

describe("how many workers", () => {
  test("one a physical core, and on a large machine one core is left free", () => {
    const placed = placeWorkers(EPYC, allAllowed(EPYC), USUAL);
    expect(placed.seats).toHaveLength(191);
    expect(placed.reserved).toBe(1);
    const small = madeTopology({ coresPerCache: 8, threadsPerCore: 2 });
    expect(placeWorkers(small, allAllowed(small), USUAL).seats).toHaveLength(8);
  });

  test("hardware threads only when asked, and what is kept free can be said", () => {
    const all = allAllowed(EPYC);
    expect(placeWorkers(EPYC, all, { ...USUAL, smt: true, reserve: 0 }).seats).toHaveLength(384);
    expect(placeWorkers(EPYC, all, { ...USUAL, reserve: 8 }).seats).toHaveLength(184);
    expect(placeWorkers(EPYC, all, { ...USUAL, reserve: 1000 }).seats).toHaveLength(1);
  });

  test("never more than the quota, and at least one", () => {
    for (const [quota, n] of [
      [6, 6],
      [2.5, 2],
      [0.3, 1],
    ])
      expect(placeWorkers(EPYC, allAllowed(EPYC, { quota }), USUAL).seats).toHaveLength(n);
  });

  test("only allowed CPUs count: one hardware thread of a core is a core, both are one", () => {
    const cpus = [0, 1, 192, 5, 200];
    const { seats } = placeWorkers(EPYC, allAllowed(EPYC, { cpus }), USUAL);
    expect(seats.map((seat) => seat.cpus)).toEqual([[0, 192], [200], [1], [5]]);
  });

  test("as many as asked, bound only if there is a core for each", () => {
    const machine = madeTopology();
    const three = placeWorkers(machine, allAllowed(machine), { ...USUAL, placement: "spread", n_procs: 3 });
    expect(three.seats).toHaveLength(3);
    expect(three.isBound).toBeFalse();
  });
});

describe("where they are", () => {
  const place = (options: Partial<PlacementOptions>) =>
    placeWorkers(EPYC, allAllowed(EPYC), { ...USUAL, ...options });

  test("spread: over all caches, nodes in turn", () => {
    const { seats } = place({ placement: "spread", n_procs: 48 });
    expect(count(seats.map(({ group }) => group))).toEqual(new Array(24).fill(2));
    expect(seats.slice(0, 4).map(({ node }) => node)).toEqual([0, 1, 0, 1]);
  });

  test("pack: one cache after the other", () => {
    const { seats } = place({ placement: "pack", n_procs: 16 });
    expect(seats.map(({ group }) => group)).toEqual([...new Array(8).fill(0), ...new Array(8).fill(1)]);
    expect(new Set(seats.map(({ node }) => node)).size).toBe(1);
  });

  test("auto binds only those that fill the machine", () => {
    expect(place({}).isBound).toBeTrue();
    expect(place({ n_procs: 16 }).isBound).toBeFalse();
    expect(place({ placement: "none" }).seats.every(({ cpus }) => cpus.length === 0)).toBeTrue();
  });

  test("no CPU has two workers", () => {
    for (const smt of [false, true]) {
      const ids = place({ smt }).seats.flatMap(({ cpus }) => cpus);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  test("a NUMA node alone: its cores, the main thread too, one group a cache of it", () => {
    const { seats, parentCpus } = place({ numa: 1, reserve: 0 });
    expect(seats).toHaveLength(96);
    const node1 = new Set(EPYC.nodes[1].cpus);
    expect([...parentCpus, ...seats.flatMap(({ cpus }) => cpus)].every((id) => node1.has(id))).toBeTrue();
    expect(Math.max(...seats.map(({ group }) => group))).toBe(11);
    // Fewer workers than cores are not bound one by one, but stay in the node.
    expect(place({ numa: 1, n_procs: 4 }).seats[0].cpus).toHaveLength(192);
  });

  test("a NUMA node without allowed CPUs is an error that names those that have some", () => {
    const allowed = allAllowed(EPYC, { cpus: [3, 4] });
    const act = () => placeWorkers(EPYC, allowed, { ...USUAL, numa: 1 });
    expect(act).toThrow(DotpeError);
    expect(act).toThrow("--numa: found 1, expected a NUMA node with CPUs that this process may use: 0");
  });

  test("fast cores come first", () => {
    const laptop = madeTopology({ coresPerCache: 10, slowCores: 4, threadsPerCore: 2 });
    const { seats } = placeWorkers(laptop, allAllowed(laptop), { ...USUAL, placement: "pack", n_procs: 7 });
    expect(seats.slice(0, 6).every(({ cpus }) => cpus.length === 2)).toBeTrue();
    expect(seats[6].cpus).toEqual([6]);
  });
});
