/** What of the machine this process may use, and who says so. */

/** One thing that was looked at. */
export interface Limit {
  /** "affinity mask", "cpuset /a/b", "cpu.max of /a", "SLURM_CPUS_ON_NODE", ... */
  readonly source: string;
  /** What it says, as found. */
  readonly found: string;
  /** The CPUs that it allows; absent if it says nothing of them. */
  readonly cpus?: readonly number[];
  /** The cores' worth of time that it grants. */
  readonly cores?: number;
  readonly memoryBytes?: number;
}

export interface Allowed {
  /** Online CPUs that every mask allows, by id. */
  readonly cpus: readonly number[];
  /** Cores' worth of time: the least of all quotas; Infinity without one. */
  readonly quota: number;
  /** The least of the physical memory and every limit on it. */
  readonly memoryBytes: number;
  /** Everything that was looked at and that says something, outermost control group first. */
  readonly limits: readonly Limit[];
}
