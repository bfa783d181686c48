/** How many cores this process may use. */
import { readAllowed } from "./allowed.ts";
import { SystemFiles } from "./system-files.ts";
import { readTopology } from "./topology.ts";

/** CPUs that it may run on, but no more than the least quota on its time; at least 1. */
export function allowedCores(): number {
  const files = new SystemFiles();
  const { cpus, quota } = readAllowed(files, readTopology(files), process.env);
  return Math.max(1, Math.min(cpus.length, Math.floor(quota)));
}
