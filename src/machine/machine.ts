/** This machine, as far as this process may use it. */
import { type Allowed, readAllowed } from "./allowed.ts";
import { SystemFiles } from "./system-files.ts";
import { readTopology, type Topology } from "./topology.ts";

export interface Machine {
  readonly topology: Topology;
  readonly allowed: Allowed;
}

let read: Machine | undefined;

/** Read once: what changes while the program runs is not followed. */
export function thisMachine(): Machine {
  read ??= readMachine(new SystemFiles());
  return read;
}

export function readMachine(
  files: SystemFiles,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Machine {
  const topology = readTopology(files);
  return { topology, allowed: readAllowed(files, topology, environment) };
}
