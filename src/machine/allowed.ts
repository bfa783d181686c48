/** What of the machine this process may use, and who says so. */
import { type GroupFolder, readGroups } from "./control-groups.ts";
import { formatCpuList, intersect, parseCpuList } from "./cpu-list.ts";
import { type Environment, slurmLimits } from "./slurm.ts";
import type { SystemFiles } from "./system-files.ts";
import type { Topology } from "./topology.ts";

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
  /** The least of the physical memory and every limit on it; NaN where nothing is known. */
  readonly memoryBytes: number;
  /** Everything that was looked at and that says something, outermost control group first. */
  readonly limits: readonly Limit[];
}

/**
 * CPUs: online, and in every mask. Time: the least quota. Memory: the least limit. A mask that would leave no CPU is a mistake
 * of whoever wrote it, and is passed over.
 */
export function readAllowed(
  files: SystemFiles,
  topology: Pick<Topology, "cpus" | "memoryBytes">,
  environment: Environment,
): Allowed {
  const online = topology.cpus.map(({ id }) => id);
  const groups = readGroups(files);
  const found = [
    { source: "online CPUs", found: formatCpuList(online), cpus: online },
    ...physicalMemory(topology.memoryBytes),
    ...cpusetLimits(files, groups("cpuset")),
    ...affinity(files),
    ...groupLimits(groups("cpu"), quotaOf(files)),
    ...groupLimits(groups("memory"), memoryOf(files, topology.memoryBytes)),
    ...slurmLimits(environment),
  ];
  let cpus = online;
  const limits = found.map((limit): Limit => {
    if (limit.cpus === undefined) return limit;
    const left = intersect(cpus, limit.cpus);
    if (left.length === 0)
      return { source: limit.source, found: `${limit.found}: leaves no CPU, passed over` };
    cpus = left;
    return limit;
  });
  const memory = limits.flatMap(({ memoryBytes }) => memoryBytes ?? []);
  return {
    cpus,
    quota: Math.min(Infinity, ...limits.map(({ cores }) => cores ?? Infinity)),
    memoryBytes: memory.length > 0 ? Math.min(...memory) : NaN,
    limits,
  };
}

function physicalMemory(memoryBytes: number): Limit[] {
  if (Number.isNaN(memoryBytes)) return [];
  return [{ source: "physical memory", found: `${memoryBytes / 1024} kB`, memoryBytes }];
}

function affinity(files: SystemFiles): Limit[] {
  const found = /^Cpus_allowed_list:[ \t]*(\S+)/m.exec(files.text("/proc/self/status") ?? "")?.[1];
  const cpus = found === undefined ? undefined : parseCpuList(found);
  return found !== undefined && cpus ? [{ source: "affinity mask", found, cpus }] : [];
}

/**
 * A group's effective set lies within those of the groups above it, unless one of these has given CPUs away to a partition
 * for it alone: then the group above has less than this one, and limits nothing.
 */
function cpusetLimits(files: SystemFiles, groups: readonly GroupFolder[]): Limit[] {
  const limits: Limit[] = [];
  let inner: readonly number[] = [];
  for (const { version, name, folder } of groups.toReversed()) {
    const names = version === 2 ? ["cpuset.cpus.effective"] : ["cpuset.effective_cpus", "cpuset.cpus"];
    const found = names.map((file) => files.line(`${folder}/${file}`)).find((text) => text !== undefined);
    const cpus = found === undefined ? undefined : parseCpuList(found);
    if (found === undefined || !cpus?.length) continue;
    const source = `cpuset of ${name}`;
    const outside = inner.length - intersect(inner, cpus).length;
    limits.push(
      outside > 0 ? { source, found: `${found}: others are in partitions` } : { source, found, cpus },
    );
    if (outside === 0) inner = cpus;
  }
  return limits.reverse();
}

type Reading = Omit<Limit, "source"> & { readonly file: string };

/** What every group above this process says, of those that say something. */
function groupLimits(
  groups: readonly GroupFolder[],
  read: (group: GroupFolder) => readonly Reading[],
): Limit[] {
  return groups.flatMap((group) =>
    read(group).map(({ file, ...limit }) => ({ source: `${file} of ${group.name}`, ...limit })),
  );
}

function quotaOf(files: SystemFiles) {
  return ({ version, folder }: GroupFolder): Reading[] => {
    const names = version === 2 ? ["cpu.max"] : ["cpu.cfs_quota_us", "cpu.cfs_period_us"];
    const numbers = names.map((name) => files.line(`${folder}/${name}`) ?? "").join(" ");
    const [, quota, period] = /^(\d{1,15}) (\d{1,15})$/.exec(numbers) ?? [];
    const cores = Number(quota) / Number(period);
    const found = `${quota} us in ${period} us`;
    return cores > 0 && cores < Infinity ? [{ file: names[0], found, cores }] : [];
  };
}

/** Version 1 writes a number near 2^63 for "no limit"; what is not less than the physical memory says nothing. */
function memoryOf(files: SystemFiles, physical: number) {
  return ({ version, folder }: GroupFolder): Reading[] =>
    (version === 2 ? ["memory.high", "memory.max"] : ["memory.limit_in_bytes"]).flatMap((file) => {
      const found = files.line(`${folder}/${file}`) ?? "";
      const memoryBytes = /^\d{1,19}$/.test(found) ? Number(found) : NaN;
      const limits = memoryBytes > 0 && memoryBytes < (physical > 0 ? physical : 2 ** 60);
      return limits ? [{ file, found, memoryBytes }] : [];
    });
}
