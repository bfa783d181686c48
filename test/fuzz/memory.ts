/** How much memory a process takes: its resident set, and the largest since it was last asked. Linux only. */
import { readFileSync, writeFileSync } from "node:fs";

/** What an input may take beyond twice the bytes that it has proved to hold. */
export const ROOM_BYTES = 64 * 2 ** 20;

function statusBytes(name: "VmRSS" | "VmHWM"): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "latin1"));
  return 1024 * Number(line?.[1]);
}

/** The memory that `work` takes at most beyond what is taken before it, after a collection of garbage. */
export function growthOf(work: () => void): number {
  Bun.gc(true);
  writeFileSync("/proc/self/clear_refs", "5");
  const before = statusBytes("VmRSS");
  work();
  return statusBytes("VmHWM") - before;
}
