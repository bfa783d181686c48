/** A drawing of sockets, NUMA nodes, shared caches and cores, with the cores that may be used marked. */
import type { Allowed } from "../machine/allowed.ts";
import { formatBriefly } from "../machine/cpu-list.ts";
import type { Cache, Cpu, NumaNode, Topology } from "../machine/topology.ts";
import { formatBinaryBytes, formatBytes } from "./sizes.ts";

/** CPUs in groups by a property, in the order of their first ones. */
export function groupBy(cpus: readonly Cpu[], key: (cpu: Cpu) => unknown): Cpu[][] {
  const groups = new Map<unknown, Cpu[]>();
  for (const cpu of cpus) {
    const group = groups.get(key(cpu));
    if (group) group.push(cpu);
    else groups.set(key(cpu), [cpu]);
  }
  return [...groups.values()];
}

/** Lines without line ends. Neighbours that are alike are one line. */
export function drawTree(topology: Topology, allowed: Pick<Allowed, "cpus">): string[] {
  const { cpus, nodes } = topology;
  const sockets = groupBy(cpus, ({ socket }) => socket);
  const lines = sockets.flatMap((socket) => drawSocket(topology, allowed, socket));
  const apart = nodes.filter((node) => node.cpus.length === 0);
  lines.push(...apart.map((node) => `${nodeLabel(node)}, without CPUs`));
  return [`machine, ${formatBytes(topology.memoryBytes)}`, ...indent(lines), legend(cpus)];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function drawSocket(topology: Topology, allowed: Pick<Allowed, "cpus">, socket: readonly Cpu[]): string[] {
  const head = `socket ${socket[0].socket}`;
  const parts = groupBy(socket, ({ node }) => node).map((part) => {
    const node = topology.nodes.find(({ id }) => id === part[0].node)!;
    const isPart = node.cpus.length > part.length;
    const label =
      topology.nodes.length === 1 ? "" : nodeLabel(node) + (isPart ? " (in other sockets too)" : "");
    return { label, groups: indent(drawGroups(topology, allowed, part)) };
  });
  if (parts.length > 1) return [head, ...indent(parts.flatMap(({ label, groups }) => [label, ...groups]))];
  const [{ label, groups }] = parts;
  return [label === "" ? head : `${head}, ${label}`, ...groups];
}

function nodeLabel({ id, memoryBytes }: NumaNode): string {
  return `NUMA node ${id}, ${formatBytes(memoryBytes)}`;
}

interface Drawn {
  readonly text: string;
  readonly cpus: readonly Cpu[];
}

/** The groups that share a last-level cache, of a node's CPUs in one socket. */
function drawGroups(topology: Topology, allowed: Pick<Allowed, "cpus">, part: readonly Cpu[]): string[] {
  const may = new Set(allowed.cpus);
  const drawn = groupBy(part, ({ l3 }) => l3).map((group): Drawn => {
    const cores = groupBy(group, ({ core }) => core);
    const clusters = clustersOf(topology.caches, cores);
    const marks = clusters.map((cluster) => cluster.map((core) => mark(core, may)).join("")).join(" ");
    const threads = [...new Set(cores.map((core) => core.length))].sort().join(" or ");
    const label = cacheLabel(topology, group);
    const text = `${label}  ${marks}  ${count(cores.length, "core")} of ${count(threads, "thread")}`;
    return { text, cpus: group };
  });
  const folded: { text: string; cpus: Cpu[]; n: number }[] = [];
  for (const { text, cpus } of drawn) {
    const before = folded.at(-1);
    if (before?.text !== text) folded.push({ text, cpus: [...cpus], n: 1 });
    else {
      before.cpus.push(...cpus);
      before.n++;
    }
  }
  return folded.map(({ text, cpus, n }) => {
    const ids = cpus.map(({ id }) => id).sort((a, b) => a - b);
    return `${n > 1 ? `${n} x ` : ""}${text}${n > 1 ? " each" : ""}, CPUs ${formatBriefly(ids)}`;
  });
}

/** Cores that share a second-level cache, side by side. */
function clustersOf(caches: readonly Cache[], cores: readonly Cpu[][]): Cpu[][][] {
  const clusterOf = new Map<number, Cache>();
  for (const cache of caches) {
    if (cache.level === 2 && cache.type !== "instruction")
      for (const id of cache.cpus) clusterOf.set(id, cache);
  }
  const clusters: Cpu[][][] = [];
  let last: Cache | undefined;
  for (const core of cores) {
    const cluster = clusterOf.get(core[0].id);
    const own = cluster === undefined || cluster.cpus.length <= core.length;
    if (clusters.length > 0 && (own ? last === undefined : cluster === last)) clusters.at(-1)!.push(core);
    else clusters.push([core]);
    last = own ? undefined : cluster;
  }
  return clusters;
}

/** "L3 32 MiB" of the highest cache that these CPUs share. */
function cacheLabel({ caches }: Topology, group: readonly Cpu[]): string {
  const shared = caches.findLast(
    ({ level, type, cpus }) => level >= 2 && type !== "instruction" && cpus.includes(group[0].id),
  );
  if (shared === undefined || !group.every(({ id }) => shared.cpus.includes(id))) return "no shared cache";
  const isPart = shared.cpus.length > group.length;
  return `L${shared.level} ${formatBinaryBytes(shared.bytes)}${isPart ? " (a part)" : ""}`;
}

const LETTERS = { uniform: "#.", performance: "Pp", efficiency: "Ee" } as const;

function mark(core: readonly Cpu[], may: ReadonlySet<number>): string {
  const n = core.filter(({ id }) => may.has(id)).length;
  if (n > 0 && n < core.length) return "+";
  return LETTERS[core[0].kind][n > 0 ? 0 : 1];
}

function legend(cpus: readonly Cpu[]): string {
  const hybrid = cpus.some(({ kind }) => kind !== "uniform");
  const cores = hybrid
    ? "P, E: performance and efficiency cores that may be used (p, e: may not)"
    : "#: a core that may be used (.: may not)";
  const threads = groupBy(cpus, ({ core }) => core).some((core) => core.length > 1);
  return cores + (threads ? "; +: not all of its threads" : "");
}

function count(n: number | string, noun: string): string {
  return `${n} ${noun}${`${n}` === "1" ? "" : "s"}`;
}
