/** What `dotpe-hpc machine` prints. */
import { brief, formatTable } from "../bench/table.ts";
import type { Allowed, Limit } from "../machine/allowed.ts";
import { formatBriefly } from "../machine/cpu-list.ts";
import type { MachineState } from "../machine/state.ts";
import type { Cache, Cpu, Topology } from "../machine/topology.ts";
import { drawTree, groupBy } from "./machine-tree.ts";
import { formatBinaryBytes, formatBytes } from "./sizes.ts";

/** The most that a thread, or all together, can do. */
export interface MeasuredRate {
  readonly threads: number;
  readonly gflops: number;
  readonly memoryGbps: number;
}

export interface MachineReport {
  /** The folder of a captured tree; undefined: this machine. */
  readonly captured: string | undefined;
  readonly topology: Topology;
  readonly allowed: Allowed;
  /** How many threads a run starts there unless told otherwise, and why. */
  readonly workers: readonly string[];
  readonly state: MachineState;
  /** Variants of the kernels that it runs, best first. */
  readonly kernels: readonly string[];
  readonly measured: readonly MeasuredRate[];
}

/** Text of a captured tree may hold anything: what is no printable character is a question mark. */
export function formatMachine(report: MachineReport): string {
  const { topology, allowed, state } = report;
  const parts = [
    formatHead(report),
    formatAllowed(report),
    [...drawTree(topology, allowed), ""].join("\n"),
    formatCaches(topology),
    formatNodes(topology),
    formatState(state),
    formatMeasured(report),
    topology.notes.map((note) => `note: ${note}\n`).join(""),
  ];
  const text = parts.filter((part) => part !== "").join("\n");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
  return text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, "?");
}

/** Of the flags, those that decide how fast numbers are multiplied. */
const NOTEWORTHY =
  /^(sse4_2|avx|avx2|fma|f16c|avx512\w*|avx_\w+|amx_\w+|neon|asimd|asimdfhm|sve|sve2|sme|sme2|vsx|altivec)$/;

function formatHead({ captured, topology, kernels }: MachineReport): string {
  const { cpus, nodes, offline, model, architecture, flags } = topology;
  const n = (key: (cpu: Cpu) => unknown) => groupBy(cpus, key).length;
  const sizes = [
    count(
      n(({ socket }) => socket),
      "socket",
    ),
    count(
      n(({ core }) => core),
      "core",
    ),
    `${cpus.length} CPUs`,
    count(
      n(({ l3 }) => l3),
      "L3 group",
    ),
    count(nodes.length, "NUMA node"),
  ];
  const rows = [
    ...(captured === undefined ? [] : [["captured in", captured]]),
    ["processor", `${model} (${architecture})`],
    ["parts", sizes.join(", ")],
    ...(offline.length > 0 ? [["offline", `CPUs ${formatBriefly(offline)}`]] : []),
    ["instructions", flags.filter((flag) => NOTEWORTHY.test(flag)).join(" ") || "none of note"],
    ["kernels", kernels.join(", ")],
  ];
  return formatTable(rows, 2);
}

function formatAllowed({ topology, allowed, workers }: MachineReport): string {
  const { cpus, quota, memoryBytes, limits } = allowed;
  const set = new Set(cpus);
  const cores = groupBy(
    topology.cpus.filter(({ id }) => set.has(id)),
    ({ core }) => core,
  ).length;
  const rows = [
    [
      "  CPUs",
      `${formatBriefly(cpus)}: ${cpus.length} of ${topology.cpus.length}, on ${count(cores, "core")}`,
    ],
    ["  time", quota === Infinity ? "no quota" : coresWorth(quota)],
    ["  memory", `${formatBytes(memoryBytes)} of ${formatBytes(topology.memoryBytes)}`],
    ["  workers", workers.join("; ")],
  ];
  const told = limits.map((limit) => [`  ${limit.source}`, meaning(limit), limit.found]);
  return `This program may use\n${formatTable(rows, 2)}because of\n${formatTable(told, 3)}`;
}

function meaning({ cpus, cores, memoryBytes }: Limit): string {
  if (cpus !== undefined) return count(cpus.length, "CPU");
  if (cores !== undefined) return coresWorth(cores);
  return memoryBytes === undefined ? "-" : formatBytes(memoryBytes);
}

function coresWorth(cores: number): string {
  return count(Number(cores.toFixed(3)), "core");
}

function formatCaches({ caches, cpus }: Topology): string {
  if (caches.length === 0) return "";
  const coreOf = new Map(cpus.map(({ id, core }) => [id, core]));
  const kinds = new Map<string, { cache: Cache; cores: number; n: number }>();
  for (const cache of caches) {
    const cores = new Set(cache.cpus.map((id) => coreOf.get(id))).size;
    const key = [cache.level, cache.type, cache.bytes, cache.lineBytes, cores].join(" ");
    const kind = kinds.get(key) ?? { cache, cores, n: 0 };
    kind.n++;
    kinds.set(key, kind);
  }
  const rows = [...kinds.values()].map(({ cache, cores, n }) => [
    `L${cache.level}${{ data: "d", instruction: "i", unified: "" }[cache.type]}`,
    ...[formatBinaryBytes(cache.bytes), formatBinaryBytes(cache.lineBytes), count(cores, "core"), `${n}`],
  ]);
  return formatTable([["cache", "size", "line", "shared by", "number"], ...rows]);
}

function formatNodes({ nodes }: Topology): string {
  if (nodes.length < 2) return "";
  const rows = nodes.map(({ id, cpus, memoryBytes, freeBytes, distances }) => [
    ...[`${id}`, formatBriefly(cpus), formatBytes(memoryBytes), formatBytes(freeBytes)],
    distances.map((distance) => `${distance}`.padStart(3)).join(" ") || "?",
  ]);
  return formatTable([["NUMA node", "CPUs", "memory", "free", "distance to each"], ...rows], 2);
}

function formatState({ transparentHugePages, hugePages, clock, load, availableBytes }: MachineState): string {
  const governors = Object.entries(clock.governors).map(([name, n]) => `${name} (${count(n, "core")})`);
  const reserved = hugePages.map(
    ({ pageBytes, pages, free }) => `${pages} of ${formatBinaryBytes(pageBytes)} reserved (${free} free)`,
  );
  const boost = clock.boost === undefined ? [] : [clock.boost ? "boost on" : "boost off"];
  const max = Number.isNaN(clock.maxMHz) ? "" : ` of at most ${clock.maxMHz.toFixed(0)}`;
  const now = Number.isNaN(clock.nowMHz) ? "not told" : `${clock.nowMHz.toFixed(0)}${max} MHz`;
  const rows = [
    ["memory available", formatBytes(availableBytes)],
    ["huge pages", [`transparent: ${transparentHugePages ?? "not told"}`, ...reserved].join(", ")],
    ["clock", [now, ...(clock.driver ? [clock.driver] : []), ...boost].join(", ")],
    ["governor", governors.join(", ") || "not told"],
    ["load", load.length > 0 ? `${load.join(", ")} (1, 5, 15 minutes)` : "not told"],
  ];
  return formatTable(rows, 2);
}

function formatMeasured({ captured, measured }: MachineReport): string {
  if (captured !== undefined) return "nothing is measured: the machine was captured\n";
  if (measured.length === 0) return "nothing was measured: too little memory, or no compiled kernels\n";
  const rows = measured.map(({ threads, gflops, memoryGbps }) => [
    ...[count(threads, "thread"), `${brief(gflops)} GFLOP/s`, `${brief(memoryGbps)} GB/s`],
  ]);
  return formatTable([["measured", "multiply-adds", "memory"], ...rows]);
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
