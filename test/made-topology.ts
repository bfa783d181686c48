/** Machines made up for tests, as objects. */
import type { Allowed } from "../src/machine/allowed.ts";
import type { Cpu, Topology } from "../src/machine/topology.ts";

export interface MadeMachine {
  readonly sockets?: number;
  readonly nodesPerSocket?: number;
  readonly cachesPerNode?: number;
  readonly coresPerCache?: number;
  readonly threadsPerCore?: number;
  /** So many cores, the last ones, are efficiency cores of one thread. */
  readonly slowCores?: number;
}

/** Hardware threads are numbered as Linux does on most servers: first threads of all cores, then second ones. */
export function madeTopology(machine: MadeMachine = {}): Topology {
  const { sockets = 1, nodesPerSocket = 1, cachesPerNode = 1, coresPerCache = 2, slowCores = 0 } = machine;
  const threads = machine.threadsPerCore ?? 1;
  const coresPerNode = cachesPerNode * coresPerCache;
  const n_cores = sockets * nodesPerSocket * coresPerNode;
  const cpus: Cpu[] = [];
  for (let thread = 0; thread < threads; thread++) {
    for (let core = 0; core < n_cores; core++) {
      const isSlow = core >= n_cores - slowCores;
      if (isSlow && thread > 0) continue;
      const node = Math.floor(core / coresPerNode);
      cpus.push({
        ...{ id: thread * n_cores + core, core, node, l3: Math.floor(core / coresPerCache) },
        socket: Math.floor(node / nodesPerSocket),
        kind: slowCores === 0 ? "uniform" : isSlow ? "efficiency" : "performance",
      });
    }
  }
  const nodes = [...Map.groupBy(cpus, ({ node }) => node)].map(([id, of], _, all) => ({
    ...{ id, cpus: of.map((cpu) => cpu.id), memoryBytes: 2 ** 36, freeBytes: 2 ** 35 },
    distances: all.map(([other]) => (other === id ? 10 : 20)),
  }));
  const caches = [...Map.groupBy(cpus, ({ l3 }) => l3).values()].map((of) => ({
    ...{ level: 3, type: "unified" as const, bytes: 2 ** 25, lineBytes: 64, cpus: of.map(({ id }) => id) },
  }));
  return {
    ...{ architecture: "x86_64", model: "made up", flags: ["avx2", "fma"], cpus, offline: [], caches, nodes },
    ...{ memoryBytes: nodes.length * 2 ** 36, notes: [] },
  };
}

export function allAllowed({ cpus, memoryBytes }: Topology, limits: Partial<Allowed> = {}): Allowed {
  return { cpus: cpus.map(({ id }) => id), quota: Infinity, memoryBytes, limits: [], ...limits };
}
