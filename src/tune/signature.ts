/** What a tuned setting holds for: the machine as far as it may be used, the kernels, and the class of the work. */
import { version } from "../../package.json";
import { kernelFingerprints } from "../kernels/native.ts";
import type { Allowed } from "../machine/allowed.ts";
import type { Cache, Cpu, Topology } from "../machine/topology.ts";
import { shortHash } from "./shape.ts";

export interface Signature {
  /** The first 16 hex digits of SHA-256 over `parts`. */
  readonly id: string;
  /** For people. Two signatures are equal where all their parts are. */
  readonly parts: Readonly<Record<string, string>>;
}

/** Parts are cut to this many characters; machines that need more are told apart by a hash of the whole text. */
export const MAX_PART = 400;

/**
 * Sets of CPUs of one shape have one signature: what counts is how many threads of how many cores share a cache, a NUMA
 * node, a socket, not which ones. Two jobs on equal nodes share a setting then, whichever cores they are given.
 * @param kernel names of the kernel variants that may be used, and
 * @param kernelHash what tells their code apart: `kernelIdentity` gives both
 * @param shape of `shapeClass` or `moduleShape`
 */
export function signatureOf(
  topology: Topology,
  allowed: Allowed,
  kernel: string,
  kernelHash: string,
  shape: string,
): Signature {
  const cores = allowedCores(topology, allowed);
  const texts: Record<string, string> = {
    cpu: topology.model,
    architecture: topology.architecture,
    cores: `${cores.length}`,
    mask: describeSockets(cores),
    l3_groups: describeGroups(cores, "l3", "L3 group", describeCores),
    nodes: describeGroups(cores, "node", "node", describeCores),
    quota: describeQuota(allowed),
    caches: describeCaches(topology.caches, new Set(allowed.cpus)),
    memory: memoryClass(allowed.memoryBytes),
    kernel,
    kernel_hash: kernelHash,
    workload: shape,
  };
  const parts = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, printable(text)]));
  return { id: signatureId(parts), parts };
}

/** The order of the parts does not matter. */
export function signatureId(parts: Readonly<Record<string, string>>): string {
  return shortHash(JSON.stringify(Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/**
 * `kernel` and `kernelHash` of `signatureOf`. The plain kernels are part of the program: its version stands for their code.
 * @param name as `loadKernels` takes it: 'auto' is every variant that this processor runs
 */
export function kernelIdentity(name: string): { kernel: string; kernelHash: string } {
  const used = kernelFingerprints().filter((variant) => name === "auto" || variant.name === name);
  if (used.length === 0) return { kernel: "ref", kernelHash: `version ${version}` };
  const kernel = used.map((variant) => variant.name).join(", ");
  return { kernel, kernelHash: shortHash(used.map(({ sha256 }) => sha256).join()) };
}

/** A physical core of which this process may use at least one thread. */
interface Core {
  readonly socket: number;
  readonly node: number;
  readonly l3: number;
  readonly shape: string;
}

function allowedCores({ cpus }: Topology, allowed: Allowed): Core[] {
  const usable = new Set(allowed.cpus);
  const byCore = Map.groupBy(cpus, (cpu) => cpu.core);
  return [...byCore.values()].flatMap((threads) => {
    const mine = threads.filter(({ id }) => usable.has(id));
    if (mine.length === 0) return [];
    const { socket, node, l3, kind } = mine[0];
    return [{ socket, node, l3, shape: coreShape(kind, mine.length, threads.length) }];
  });
}

function coreShape(kind: Cpu["kind"], n: number, of: number): string {
  const name = kind === "uniform" ? "core" : `${kind} core`;
  return `${name} with ${n} of ${of} thread${of === 1 ? "" : "s"}`;
}

function describeSockets(cores: readonly Core[]): string {
  return describeGroups(cores, "socket", "socket", (inSocket) =>
    describeGroups(inSocket, "node", "node", (inNode) =>
      describeGroups(inNode, "l3", "L3 group", describeCores),
    ),
  );
}

function describeGroups(
  cores: readonly Core[],
  by: "socket" | "node" | "l3",
  noun: string,
  inside: (cores: readonly Core[]) => string,
): string {
  const groups = Map.groupBy(cores, (core) => core[by]);
  return tally([...groups.values()].map((group) => `${noun} of ${inside(group)}`));
}

function describeCores(cores: readonly Core[]): string {
  return tally(cores.map(({ shape }) => shape));
}

/** "2 x this", or "(1 x this; 2 x that)"; the order of the items does not matter. */
function tally(items: readonly string[]): string {
  const counts = [...Map.groupBy(items, (item) => item)].map(([item, { length }]) => `${length} x ${item}`);
  return counts.length === 1 ? counts[0] : `(${counts.sort().join("; ")})`;
}

/** A quota that all allowed CPUs together cannot exceed is none. */
function describeQuota({ quota, cpus }: Allowed): string {
  return quota < cpus.length ? `${Math.floor(quota * 100) / 100} CPUs` : "none";
}

function describeCaches(caches: readonly Cache[], usable: ReadonlySet<number>): string {
  const items = caches.flatMap(({ level, type, bytes, lineBytes, cpus }) => {
    const n = cpus.filter((cpu) => usable.has(cpu)).length;
    if (n === 0 || type === "instruction") return [];
    return [`L${level} ${type} ${sizeText(bytes)} (${lineBytes} B lines) for ${n} of ${cpus.length} CPUs`];
  });
  return items.length === 0 ? "unknown" : tally(items);
}

/** The nearest power of two, since what the system keeps for itself differs a little between equal machines. */
function memoryClass(bytes: number): string {
  if (!(bytes > 0) || !Number.isFinite(bytes)) return "unknown";
  return sizeText(2 ** Math.round(Math.log2(bytes)));
}

function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let [size, k] = [bytes, 0];
  for (; size >= 1024 && size % 1024 === 0 && k < units.length - 1; k++) size /= 1024;
  return `${size} ${units[k]}`;
}

/** Names come from the system's files: anything that a terminal would act on is replaced. */
function printable(text: string): string {
  const clean = text.replace(/\s+/g, " ").replace(/\p{C}/gu, "?").trim();
  return clean.length <= MAX_PART
    ? clean
    : `${clean.slice(0, MAX_PART - 24).toWellFormed()} ... ${shortHash(clean)}`;
}
