/** Which worker thread has its place where: on which CPUs, in which group of a shared cache, in which NUMA node. */
import { DotpeError } from "../errors.ts";
import type { Seat } from "../workers/protocol.ts";
import type { Allowed } from "./allowed.ts";
import type { Cpu, Topology } from "./topology.ts";

export const PLACEMENTS = ["auto", "spread", "pack", "none"] as const;

export interface PlacementOptions {
  /** Workers on every hardware thread, not one a core. */
  readonly smt: boolean;
  /**
   * spread: over caches and nodes in turn; pack: one cache and node after the other; none: threads are not bound;
   * auto: spread if the workers fill the allowed cores, else none, because other programs may bind theirs to the same cores.
   */
  readonly placement: (typeof PLACEMENTS)[number];
  /** Only this NUMA node. */
  readonly numa?: number;
  /** Cores left free; by default `RESERVED` on machines of at least `LARGE` cores. */
  readonly reserve?: number;
  /** As many workers, instead of as many as may be used. */
  readonly n_procs?: number;
}

export interface Placement {
  /** One a worker. */
  readonly seats: readonly Seat[];
  readonly isBound: boolean;
  /** What the main thread is bound to; empty: nothing. */
  readonly parentCpus: readonly number[];
  /** Physical cores that may be used, and how many of them are left free. */
  readonly n_cores: number;
  readonly reserved: number;
  /** How it was decided, a line each. */
  readonly reasons: readonly string[];
}

/** The main thread hands out work and writes files; where cores are many, one is left to it and to the system. */
export const LARGE = 32;
export const RESERVED = 1;

interface Core {
  readonly cpus: readonly Cpu[];
  readonly l3: number;
  readonly node: number;
  readonly isSlow: boolean;
}

/**
 * At most max(1, physical cores - reserve) workers, and never more than the quota, unless `n_procs` asks for more.
 * @throws DotpeError usage: no allowed CPU in the NUMA node.
 */
export function placeWorkers(topology: Topology, allowed: Allowed, options: PlacementOptions): Placement {
  const { smt, placement, numa, n_procs } = options;
  const cores = coresOf(topology, allowed, numa);
  const n_cores = cores.length;
  const reserved = Math.min(n_cores - 1, options.reserve ?? defaultReserve(n_cores, allowed.quota));
  const ordered = placement === "pack" ? packed(cores) : spread(cores);
  const places = placesOf(ordered.slice(0, n_cores - reserved), smt);
  const most = Math.max(1, Math.min(places.length, Math.floor(allowed.quota)));
  const n = n_procs ?? most;
  const fits = n <= places.length && n > 1;
  const fills = n === places.length;
  const isBound = fits && (placement === "auto" ? fills : placement !== "none");
  const nodeCpus = numa === undefined ? [] : cores.flatMap(({ cpus }) => cpus.map(({ id }) => id));
  const anywhere: Seat = { cpus: nodeCpus, group: 0, node: 0 };
  return {
    seats: isBound ? seatsOf(places.slice(0, n)) : new Array<Seat>(n).fill(anywhere),
    ...{ isBound, parentCpus: nodeCpus, n_cores, reserved },
    reasons: [
      `${n_cores} physical ${n_cores === 1 ? "core" : "cores"} may be used${numa === undefined ? "" : ` in NUMA node ${numa}`}`,
      ...(reserved > 0 ? [`${reserved} left free for the main thread and the system`] : []),
      ...(smt && places.length > n_cores - reserved ? ["workers on every hardware thread"] : []),
      ...(allowed.quota < places.length
        ? [`a quota of ${allowed.quota} ${allowed.quota === 1 ? "core" : "cores"}`]
        : []),
      `${n} ${n === 1 ? "worker" : "workers"}${n > most ? ", more than that: they will wait for each other" : ""}`,
      isBound ? `bound to cores, ${placement === "pack" ? "packed" : "spread"}` : "not bound to cores",
    ],
  };
}

function defaultReserve(n_cores: number, quota: number): number {
  return n_cores >= LARGE && quota > n_cores - RESERVED ? RESERVED : 0;
}

function coresOf({ cpus }: Topology, allowed: Allowed, numa: number | undefined): Core[] {
  const isAllowed = new Set(allowed.cpus);
  const usable = cpus.filter(({ id, node }) => isAllowed.has(id) && (numa === undefined || node === numa));
  if (usable.length === 0) {
    const nodes = [...new Set(cpus.filter(({ id }) => isAllowed.has(id)).map(({ node }) => node))];
    throw new DotpeError(
      "usage",
      `--numa: found ${numa}, expected a NUMA node with CPUs that this process may use: ${nodes.join(", ")}`,
      "`dotpe-hpc machine` shows the nodes.",
    );
  }
  const byCore = Map.groupBy(usable, ({ core }) => core);
  return [...byCore.values()].map((of) => ({
    ...{ cpus: of, l3: of[0].l3, node: of[0].node, isSlow: of[0].kind === "efficiency" },
  }));
}

/** Fast cores first; then node by node and cache by cache. */
function packed(cores: readonly Core[]): Core[] {
  return [...cores].sort(
    (a, b) =>
      Number(a.isSlow) - Number(b.isSlow) || a.node - b.node || a.l3 - b.l3 || a.cpus[0].id - b.cpus[0].id,
  );
}

/** Fast cores first; then one core of each cache in turn, caches of different nodes in turn. */
function spread(cores: readonly Core[]): Core[] {
  const inTurn = <T>(lists: readonly (readonly T[])[]): T[] => {
    const longest = Math.max(0, ...lists.map(({ length }) => length));
    return Array.from({ length: longest }, (_, k) => lists.flatMap((list) => list.slice(k, k + 1))).flat();
  };
  const bySpeed = [false, true].map((slow) => packed(cores).filter(({ isSlow }) => isSlow === slow));
  return bySpeed.flatMap((some) => {
    const nodes = [...Map.groupBy(some, ({ node }) => node).values()];
    const caches = nodes.map((of) => [...Map.groupBy(of, ({ l3 }) => l3).values()]);
    return inTurn(inTurn(caches));
  });
}

interface Place {
  readonly cpus: readonly number[];
  readonly l3: number;
  readonly node: number;
}

/** One a core, on whichever of its hardware threads; or, with `smt`, all first threads, all second ones, and so on. */
function placesOf(cores: readonly Core[], smt: boolean): Place[] {
  const place = ({ l3, node }: Core, cpus: readonly Cpu[]) => ({ cpus: cpus.map(({ id }) => id), l3, node });
  if (!smt) return cores.map((core) => place(core, core.cpus));
  const most = Math.max(...cores.map(({ cpus }) => cpus.length));
  return Array.from({ length: most }, (_, k) =>
    cores.filter(({ cpus }) => cpus.length > k).map((core) => place(core, [core.cpus[k]])),
  ).flat();
}

function seatsOf(places: readonly Place[]): Seat[] {
  const caches = [...new Set(places.map(({ l3 }) => l3))].sort((a, b) => a - b);
  const nodes = [...new Set(places.map(({ node }) => node))].sort((a, b) => a - b);
  return places.map(({ cpus, l3, node }) => ({ cpus, group: caches.indexOf(l3), node: nodes.indexOf(node) }));
}
