/** Telling whether the process that left a file behind still runs. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

export interface ProcessIdentity {
  /** As it can stand in a file's name. */
  readonly host: string;
  readonly pid: number;
  /** When it began, in clock ticks since the system did: a number is given to a new process again. "0": not known. */
  readonly start: string;
}

export function thisProcess(): ProcessIdentity {
  const host = hostname()
    .replace(/[^A-Za-z0-9.-]/g, "-")
    .slice(0, 64);
  return { host, pid: process.pid, start: statusOf(process.pid)?.start ?? "0" };
}

/** Of a process on this host. */
export function isRunning({ pid, start }: Pick<ProcessIdentity, "pid" | "start">): boolean {
  if (start === "0") return answers(pid);
  const status = statusOf(pid);
  // A zombie (Z) has ended, and only waits for its parent to ask how.
  return status !== undefined && status.start === start && !/[ZX]/.test(status.state);
}

/** Fields 3 and 22 of /proc/PID/stat (proc(5)); the second field, in brackets, can hold anything. */
function statusOf(pid: number): { state: string; start: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0], start: fields[19] };
  } catch {
    return undefined;
  }
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
