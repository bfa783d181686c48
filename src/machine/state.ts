/** What of the machine changes while it runs: huge pages, clock, load, free memory. */
import { memoryField } from "./numa.ts";
import type { SystemFiles } from "./system-files.ts";

export interface HugePagePool {
  readonly pageBytes: number;
  readonly pages: number;
  readonly free: number;
}

export interface Clock {
  /** powersave, performance, schedutil ..., and how many of the CPUs that were asked have each. Empty: not said. */
  readonly governors: Readonly<Record<string, number>>;
  readonly driver: string | undefined;
  /** MHz; NaN where nothing is said. The highest of the first few CPUs. */
  readonly maxMHz: number;
  /** Median of the same. */
  readonly nowMHz: number;
  /** Whether the clock may rise above the nominal one; undefined where nothing is said. */
  readonly boost: boolean | undefined;
}

export interface MachineState {
  /** Transparent huge pages: always, madvise or never; undefined: not said. */
  readonly transparentHugePages: string | undefined;
  /** Of those reserved. */
  readonly hugePages: readonly HugePagePool[];
  readonly clock: Clock;
  /** Threads that run or wait to run: means over 1, 5, 15 minutes. Empty: not said. */
  readonly load: readonly number[];
  /** NaN where nothing is said. */
  readonly availableBytes: number;
}

/** @param cpus those whose clock is asked for: one of each core will do */
export function readState(files: SystemFiles, cpus: readonly number[]): MachineState {
  const load = (files.line("/proc/loadavg") ?? "").split(" ").slice(0, 3).map(Number);
  return {
    transparentHugePages: /\[(\w+)\]/.exec(
      files.text("/sys/kernel/mm/transparent_hugepage/enabled") ?? "",
    )?.[1],
    hugePages: readPools(files),
    clock: readClock(files, cpus),
    load: load.length === 3 && load.every((value) => value >= 0) ? load : [],
    availableBytes: memoryField(files.text("/proc/meminfo") ?? "", "MemAvailable"),
  };
}

const POOLS = "/sys/kernel/mm/hugepages";

function readPools(files: SystemFiles): HugePagePool[] {
  const sizes = files.names(POOLS).flatMap((name) => /^hugepages-(\d{1,9})kB$/.exec(name)?.[1] ?? []);
  return sizes.slice(0, 16).flatMap((kilobytes) => {
    const folder = `${POOLS}/hugepages-${kilobytes}kB`;
    const pages = files.count(`${folder}/nr_hugepages`) ?? 0;
    const free = files.count(`${folder}/free_hugepages`) ?? 0;
    return pages > 0 ? [{ pageBytes: 1024 * Number(kilobytes), pages, free }] : [];
  });
}

const CPU = "/sys/devices/system/cpu";
/** Some drivers interrupt a CPU to learn its clock. */
const MOST_CLOCKS = 8;

function readClock(files: SystemFiles, cpus: readonly number[]): Clock {
  const governors: Record<string, number> = {};
  for (const cpu of cpus) {
    const name = files.line(`${CPU}/cpu${cpu}/cpufreq/scaling_governor`);
    if (name === undefined && cpu === cpus[0]) break;
    if (name !== undefined && /^\w+$/.test(name)) governors[name] = (governors[name] ?? 0) + 1;
  }
  const some = cpus.slice(0, MOST_CLOCKS);
  const megahertz = (name: string) =>
    some.flatMap((cpu) => files.count(`${CPU}/cpu${cpu}/cpufreq/${name}`) ?? []).map((khz) => khz / 1000);
  const now = megahertz("scaling_cur_freq").sort((a, b) => a - b);
  const max = megahertz("cpuinfo_max_freq");
  const nominal = /^cpu MHz\s*:\s*([\d.]+)/m.exec(files.text("/proc/cpuinfo") ?? "")?.[1];
  return {
    governors,
    driver: files.line(`${CPU}/cpu${cpus[0]}/cpufreq/scaling_driver`),
    maxMHz: max.length > 0 ? Math.max(...max) : NaN,
    nowMHz: now[now.length >> 1] ?? Number(nominal ?? NaN),
    boost: readBoost(files),
  };
}

function readBoost(files: SystemFiles): boolean | undefined {
  const boost = files.count(`${CPU}/cpufreq/boost`);
  if (boost !== undefined) return boost !== 0;
  const off = files.count(`${CPU}/intel_pstate/no_turbo`);
  return off === undefined ? undefined : off === 0;
}
