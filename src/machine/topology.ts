/** What a machine is made of: its CPUs, cores, caches and NUMA nodes. */

/** A logical CPU that is online. */
export interface Cpu {
  /** As Linux numbers it. */
  readonly id: number;
  readonly socket: number;
  /** Physical core, numbered from 0 through the machine; hardware threads of one core have the same. */
  readonly core: number;
  /** CPUs that share a last-level cache, numbered from 0 through the machine. */
  readonly l3: number;
  /** NUMA node, as Linux numbers it; 0 where nothing is said. */
  readonly node: number;
  readonly kind: "uniform" | "performance" | "efficiency";
}

export interface Cache {
  readonly level: number;
  readonly type: "data" | "instruction" | "unified";
  readonly bytes: number;
  readonly lineBytes: number;
  /** The CPUs that share it. */
  readonly cpus: readonly number[];
}

export interface NumaNode {
  readonly id: number;
  readonly cpus: readonly number[];
  /** NaN where nothing is said. */
  readonly memoryBytes: number;
  readonly freeBytes: number;
  /** To every node, in the order of the list of nodes; 10 is local. */
  readonly distances: readonly number[];
}

export interface Topology {
  /** As `uname -m` says: x86_64, aarch64. */
  readonly architecture: string;
  readonly model: string;
  /** Instruction sets, as /proc/cpuinfo names them: those that the system has enabled. */
  readonly flags: readonly string[];
  /** By id. */
  readonly cpus: readonly Cpu[];
  readonly offline: readonly number[];
  /** By level, then first CPU. */
  readonly caches: readonly Cache[];
  readonly nodes: readonly NumaNode[];
  /** Physical memory. */
  readonly memoryBytes: number;
  /** What could not be read, and what is assumed instead. */
  readonly notes: readonly string[];
}
