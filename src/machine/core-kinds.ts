/** Performance and efficiency cores. */
import { parseCpuList } from "./cpu-list.ts";
import type { SystemFiles } from "./system-files.ts";
import type { Cpu } from "./topology.ts";

/**
 * A core below this share of the fastest is an efficiency core. The favoured cores of one kind differ by less than 10%;
 * in real machines efficiency cores have 0.56 to 0.81 of the clock, and 0.3 to 0.75 of the capacity, of the best.
 */
const EFFICIENCY_SHARE = 0.8;
/** Machines with more cores have one kind; asking each core would take longer than all else. */
const MOST_HYBRID_CORES = 64;

type Kind = Cpu["kind"];

/** Of each core. @param cores their CPUs */
export function readKinds(files: SystemFiles, cores: readonly (readonly number[])[]): Kind[] {
  return byPerformanceUnit(files, cores) ?? bySpeed(files, cores) ?? cores.map(() => "uniform");
}

/** Intel: the performance counters of each kind list its CPUs. */
function byPerformanceUnit(files: SystemFiles, cores: readonly (readonly number[])[]): Kind[] | undefined {
  const of = (name: string) => parseCpuList(files.text(`/sys/devices/${name}/cpus`) ?? "") ?? [];
  const performance = new Set(of("cpu_core"));
  if (performance.size === 0) return undefined;
  const efficiency = new Set([...of("cpu_atom"), ...of("cpu_lowpower")]);
  if (efficiency.size === 0) return undefined;
  return cores.map(([cpu]) => (efficiency.has(cpu) ? "efficiency" : "performance"));
}

/** By the scheduler's capacity, else by the highest clock. */
function bySpeed(files: SystemFiles, cores: readonly (readonly number[])[]): Kind[] | undefined {
  if (cores.length < 2 || cores.length > MOST_HYBRID_CORES) return undefined;
  for (const name of ["cpu_capacity", "cpufreq/cpuinfo_max_freq"]) {
    const read = ([cpu]: readonly number[]) =>
      files.count(`/sys/devices/system/cpu/cpu${cpu}/${name}`) ?? NaN;
    if (!(read(cores[0]) > 0)) continue;
    const speeds = cores.map(read);
    const best = Math.max(...speeds.filter((speed) => speed > 0));
    const isSlow = (speed: number) => speed < EFFICIENCY_SHARE * best;
    if (!speeds.some(isSlow)) return undefined;
    return speeds.map((speed) => (isSlow(speed) ? "efficiency" : "performance"));
  }
  return undefined;
}
