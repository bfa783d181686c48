/** Memory of a process and all its descendants, while it runs. */
import { readFileSync } from "node:fs";

/** How often memory is read (ms). */
const POLL = 100;

export interface PeakMemory {
  /** Anonymous and shared memory, each page counted once however many processes share it; 1e6 bytes. */
  readonly ownMB: number;
  /** Sum of the resident sizes, mapped files included; pages that processes share count for each. */
  readonly rssMB: number;
}

/** Starts to watch; the function that is returned stops and tells the largest values seen. */
export function watchMemory(pid: number): () => PeakMemory {
  let [ownMB, rssMB] = [0, 0];
  const look = () => {
    let [own, rss] = [0, 0];
    for (const one of familyOf(pid)) {
      own += kilobytes(read(`/proc/${one}/smaps_rollup`), ["Pss_Anon", "Pss_Shmem"]);
      rss += kilobytes(read(`/proc/${one}/status`), ["VmRSS"]);
    }
    ownMB = Math.max(ownMB, (own * 1024) / 1e6);
    rssMB = Math.max(rssMB, (rss * 1024) / 1e6);
  };
  const timer = setInterval(look, POLL);
  return () => {
    clearInterval(timer);
    return { ownMB, rssMB };
  };
}

function familyOf(pid: number): number[] {
  const tasks = read(`/proc/${pid}/task/${pid}/children`);
  const children = tasks.split(/\s+/).filter(Boolean).map(Number);
  return [pid, ...children.flatMap(familyOf)];
}

function kilobytes(text: string, names: readonly string[]): number {
  return names.reduce(
    (sum, name) => sum + Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0),
    0,
  );
}

/** Empty if the process has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
