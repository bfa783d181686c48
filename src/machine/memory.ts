/** Memory of this process. */
import { readFileSync } from "node:fs";

/**
 * Memory that this process holds now, 1e6 bytes: anonymous and shared. The program's own code and the system's cache of
 * the bank are not in it: they can be dropped at any time.
 */
export function residentMB(): number {
  try {
    const status = readFileSync("/proc/self/status", "latin1");
    const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
    return ((kilobytes("RssAnon") + kilobytes("RssShmem")) * 1024) / 1e6;
  } catch {
    return process.memoryUsage.rss() / 1e6;
  }
}
