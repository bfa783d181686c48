/** How many cores this process may use. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** CPUs of the affinity mask, but no more than the quota of any enclosing control group allows; at least 1. */
export function allowedCores(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(cgroupQuota())));
}

/** Cores' worth of time that cgroup v2 grants (cpu.max of this group and of every ancestor), or Infinity. */
function cgroupQuota(): number {
  const path = /^0::(\/.*)$/m.exec(read("/proc/self/cgroup"))?.[1] ?? "/";
  const parts = path.split("/").filter(Boolean);
  let quota = Infinity;
  for (let n = parts.length; n >= 0; n--) {
    const folder = ["/sys/fs/cgroup", ...parts.slice(0, n)].join("/");
    const [limit, period] = read(`${folder}/cpu.max`).split(/\s+/).map(Number);
    if (limit > 0 && period > 0) quota = Math.min(quota, limit / period);
  }
  return Math.max(1, quota);
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
