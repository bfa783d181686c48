/** How much memory this process can still get: of the machine, and of every control group that it is in. */
import type { Allowed } from "./allowed.ts";
import { readGroups } from "./control-groups.ts";
import { memoryField } from "./numa.ts";
import type { SystemFiles } from "./system-files.ts";

export interface MemoryLeft {
  /** NaN where nothing is said. */
  readonly bytes: number;
  /** Who says so. */
  readonly source: string;
}

/** The least of what is available on the machine, left in each group, and granted by Slurm (of which the use is not known). */
export function readMemoryLeft(files: SystemFiles, allowed: Allowed): MemoryLeft {
  const available = memoryField(files.text("/proc/meminfo") ?? "", "MemAvailable");
  const slurm = allowed.limits.flatMap(({ source, memoryBytes = Number.NaN }) =>
    source.startsWith("SLURM_") ? [{ bytes: memoryBytes, source }] : [],
  );
  const all = [{ bytes: available, source: "available on the machine" }, ...groupsLeft(files), ...slurm];
  const known = all.filter(({ bytes }) => bytes >= 0);
  const none = { bytes: Number.NaN, source: "not said" };
  return known.reduce((least, one) => (one.bytes < least.bytes ? one : least), known[0] ?? none);
}

function groupsLeft(files: SystemFiles): MemoryLeft[] {
  return readGroups(files)("memory").flatMap(({ version, name, folder }) => {
    const [limits, use] =
      version === 2
        ? [["memory.max", "memory.high"], "memory.current"]
        : [["memory.limit_in_bytes"], "memory.usage_in_bytes"];
    const used = files.count(`${folder}/${use}`) ?? 0;
    // Files that can be read again are given up first.
    const pattern = version === 2 ? /^inactive_file (\d{1,15})$/m : /^total_inactive_file (\d{1,15})$/m;
    const cache = Number(pattern.exec(files.text(`${folder}/memory.stat`) ?? "")?.[1] ?? 0);
    return limits.flatMap((file) => {
      const limit = files.count(`${folder}/${file}`);
      if (limit === undefined) return [];
      return [
        { bytes: Math.max(0, limit - Math.max(0, used - cache)), source: `left by ${file} of ${name}` },
      ];
    });
  });
}
