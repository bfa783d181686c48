/** What a machine is made of: its CPUs, cores, caches and NUMA nodes. */
import { availableParallelism } from "node:os";
import { readCaches } from "./caches.ts";
import { readKinds } from "./core-kinds.ts";
import { formatCpuList, intersect, parseCpuList, parseCpuMask, rising } from "./cpu-list.ts";
import { memoryField, readNodes } from "./numa.ts";
import { readProcessor } from "./processor.ts";
import type { SystemFiles } from "./system-files.ts";

/** A logical CPU that is online. */
export interface Cpu {
  /** As Linux numbers it. */
  readonly id: number;
  /** Numbered from 0 through the machine, by the first CPU. */
  readonly socket: number;
  /** Physical core, numbered from 0 through the machine; hardware threads of one core have the same. */
  readonly core: number;
  /** CPUs that share a last-level cache, numbered from 0 through the machine. */
  readonly l3: number;
  /** NUMA node, as Linux numbers it: one of the topology's nodes. */
  readonly node: number;
  readonly kind: "uniform" | "performance" | "efficiency";
}

export interface Cache {
  readonly level: number;
  readonly type: "data" | "instruction" | "unified";
  /** NaN where nothing is said. */
  readonly bytes: number;
  /** NaN where nothing is said. */
  readonly lineBytes: number;
  /** The online CPUs that share it. */
  readonly cpus: readonly number[];
}

export interface NumaNode {
  readonly id: number;
  /** Online ones; a node may have memory alone. */
  readonly cpus: readonly number[];
  /** NaN where nothing is said. */
  readonly memoryBytes: number;
  readonly freeBytes: number;
  /** To every node, in the order of the list of nodes; 10 is local. Empty where nothing is said. */
  readonly distances: readonly number[];
}

export interface Topology {
  /** As `uname -m` says: x86_64, aarch64. */
  readonly architecture: string;
  readonly model: string;
  /** Instruction sets, as /proc/cpuinfo names them: those that the system has enabled. */
  readonly flags: readonly string[];
  /** By id; at least one. */
  readonly cpus: readonly Cpu[];
  /** CPUs that are there and not online. */
  readonly offline: readonly number[];
  /** By level, then first CPU. */
  readonly caches: readonly Cache[];
  /** By id; one of all CPUs where the system has no NUMA. */
  readonly nodes: readonly NumaNode[];
  /** Physical memory; NaN where nothing is said. */
  readonly memoryBytes: number;
  /** What could not be read, and what is assumed instead. */
  readonly notes: readonly string[];
}

const CPU = "/sys/devices/system/cpu";
const MISSING = "is missing or not a list of CPUs";

/**
 * Reads each core, each shared cache and each node once: about 1.5 files a core, since it is called at the start of every
 * run.
 * @param everyCore read all caches of every core, instead of those of one core for all: 15 to 20 files a core more. Done
 * where there are efficiency cores.
 */
export function readTopology(files: SystemFiles, { everyCore = false } = {}): Topology {
  const notes: string[] = [];
  const { architecture, model, flags } = readProcessor(files, notes);
  const online = readOnline(files, notes);
  const offline = readPresent(files).filter((id) => !online.includes(id));
  const cores = partition(online, siblingReader(files, online, SAME_CORE) ?? (() => []));
  const kinds = readKinds(files, cores);
  const caches = readCaches(
    files,
    cores.map((cpus, core) => ({ cpus, class: everyCore || kinds[core] !== "uniform" ? `${core}` : "" })),
    online,
  );
  if (caches.length === 0) notes.push("no caches are described");
  const packages = partition(online, siblingReader(files, online, SAME_PACKAGE) ?? (() => online));
  const sockets = joinBy(
    packages,
    caches.filter(({ level }) => level >= 3),
    notes,
  );
  const { memoryBytes, nodes } = readMemory(files, online, notes);
  const socketOf = indexOf(sockets);
  const nodeOf = indexOf(nodes.map(({ cpus }) => cpus));
  const coreOf = indexOf(cores);
  const place = (id: number) => ({ socket: socketOf.get(id)!, node: nodes[nodeOf.get(id)!].id });
  const l3Of = indexOf(l3Groups(online, caches, coreOf, place, notes));
  const cpus = online.map((id): Cpu => {
    const core = coreOf.get(id)!;
    return { id, ...place(id), core, l3: l3Of.get(id)!, kind: kinds[core] };
  });
  return { architecture, model, flags, cpus, offline, caches, nodes, memoryBytes, notes };
}

function readOnline(files: SystemFiles, notes: string[]): number[] {
  const listed = parseCpuList(files.text(`${CPU}/online`) ?? "");
  if (listed?.length) return listed;
  // Kernels of 2.6: a file for each CPU, none for a CPU that cannot be taken offline.
  const there = files.numbered(CPU, "cpu").filter((id) => files.line(`${CPU}/cpu${id}/online`) !== "0");
  if (there.length > 0) return there;
  const n = files.isLive ? availableParallelism() : 1;
  notes.push(`${CPU}/online ${MISSING}: ${n} CPUs are assumed`);
  return [...Array(n).keys()];
}

function readPresent(files: SystemFiles): number[] {
  const listed = parseCpuList(files.text(`${CPU}/present`) ?? "");
  return listed?.length ? listed : files.numbered(CPU, "cpu");
}

const SAME_CORE = ["core_cpus_list", "thread_siblings_list", "core_cpus", "thread_siblings"];
const SAME_PACKAGE = ["package_cpus_list", "core_siblings_list", "package_cpus", "core_siblings"];

/** The CPUs beside a CPU by the first of these files that the machine has; undefined where it has none. */
function siblingReader(
  files: SystemFiles,
  [first]: readonly number[],
  names: readonly string[],
): ((id: number) => number[]) | undefined {
  const path = (id: number, name: string) => `${CPU}/cpu${id}/topology/${name}`;
  const name = names.find((one) => files.text(path(first, one)) !== undefined);
  if (name === undefined) return undefined;
  const parse = name.endsWith("_list") ? parseCpuList : parseCpuMask;
  return (id) => parse(files.text(path(id, name)) ?? "") ?? [];
}

/**
 * CPUs in groups, by their first one. What lists of CPUs that contradict each other say first is taken.
 * @param beside all CPUs of the group of a CPU, offline ones too
 */
function partition(online: readonly number[], beside: (id: number) => readonly number[]): number[][] {
  const left = new Set(online);
  const groups: number[][] = [];
  for (const id of online) {
    if (!left.has(id)) continue;
    const group = beside(id).filter((other) => left.has(other) && other !== id);
    const cpus = rising([id, ...group]);
    for (const other of cpus) left.delete(other);
    groups.push(cpus);
  }
  return groups;
}

/** Packages that share a cache are one socket: some ARM systems name each cluster of cores a package. */
function joinBy(packages: number[][], caches: readonly Cache[], notes: string[]): number[][] {
  const groups = new Set(packages);
  const groupOf = new Map(packages.flatMap((group) => group.map((id) => [id, group] as const)));
  for (const { cpus } of caches) {
    const [first, ...others] = new Set(cpus.map((id) => groupOf.get(id)!));
    for (const other of others) {
      groups.delete(other);
      for (const id of other) groupOf.set(id, first);
      first.push(...other);
    }
  }
  if (groups.size < packages.length) notes.push("packages that share a cache are taken for one socket");
  return [...groups].map(rising).sort((a, b) => a[0] - b[0]);
}

interface Place {
  readonly socket: number;
  readonly node: number;
}

/**
 * By the cache of the highest level that each CPU has. Where no such cache joins two cores, all CPUs of a socket and node are
 * one group.
 */
function l3Groups(
  online: readonly number[],
  caches: readonly Cache[],
  coreOf: ReadonlyMap<number, number>,
  place: (id: number) => Place,
  notes: string[],
): number[][] {
  const last = new Map<number, Cache>();
  for (const cache of caches) {
    if (cache.level >= 2 && cache.type !== "instruction") for (const id of cache.cpus) last.set(id, cache);
  }
  const joins = [...new Set(last.values())].some(
    ({ cpus }) => new Set(cpus.map((id) => coreOf.get(id))).size > 1,
  );
  if (!joins && coreOf.size > 1)
    notes.push("no cache is shared by cores: those of a socket and node are one group");
  const groups = new Map<unknown, number[]>();
  for (const id of online) {
    const { socket, node } = place(id);
    const key = (joins ? last.get(id) : undefined) ?? `${socket} ${node}`;
    const group = groups.get(key);
    if (group) group.push(id);
    else groups.set(key, [id]);
  }
  return [...groups.values()];
}

/** Every online CPU is in one of the nodes. */
function readMemory(files: SystemFiles, online: readonly number[], notes: string[]) {
  const nodes = readNodes(files).map((node) => ({ ...node, cpus: intersect(node.cpus, online) }));
  const meminfo = files.text("/proc/meminfo") ?? "";
  let memoryBytes = memoryField(meminfo, "MemTotal");
  if (Number.isNaN(memoryBytes)) {
    memoryBytes = nodes.reduce((sum, node) => sum + node.memoryBytes, nodes.length > 0 ? 0 : NaN);
    const instead = Number.isNaN(memoryBytes) ? "unknown" : "that of the NUMA nodes";
    notes.push(`/proc/meminfo has no MemTotal: memory is ${instead}`);
  }
  if (nodes.length === 0) {
    const freeBytes = memoryField(meminfo, "MemFree");
    return { memoryBytes, nodes: [{ id: 0, cpus: [...online], memoryBytes, freeBytes, distances: [10] }] };
  }
  const placed = new Set(nodes.flatMap(({ cpus }) => cpus));
  const lost = online.filter((id) => !placed.has(id));
  if (lost.length > 0) {
    notes.push(`no NUMA node has CPUs ${formatCpuList(lost)}: node ${nodes[0].id} is assumed`);
    nodes[0].cpus = rising([...nodes[0].cpus, ...lost]);
  }
  return { memoryBytes, nodes };
}

function indexOf(groups: readonly (readonly number[])[]): Map<number, number> {
  return new Map(groups.flatMap((group, k) => group.map((id) => [id, k] as const)));
}
