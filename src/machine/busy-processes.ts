/** Other processes that use the processors now. */
import { readdirSync, readFileSync } from "node:fs";

export interface BusyProcess {
  readonly pid: number;
  /** As /proc names it: at most 15 characters, any of them. */
  readonly command: string;
  /** Of its owner. */
  readonly user: number;
  /** Cores' worth of time. */
  readonly cores: number;
}

/** Ticks of /proc/PID/stat in a second, on every Linux. */
const TICKS = 100;
/** Processes that are looked at. */
const MOST = 2 ** 15;
/** Less than this is not busy (cores). */
const LEAST = 0.2;

interface Use {
  readonly ticks: number;
  readonly command: string;
}

/**
 * Looks at all processes twice. This one is left out; its threads are not shown by themselves.
 * @param seconds between the two
 */
export async function findBusyProcesses(seconds: number): Promise<BusyProcess[]> {
  const before = readAll();
  const started = performance.now();
  await Bun.sleep(1000 * seconds);
  const elapsed = (performance.now() - started) / 1000;
  const busy: BusyProcess[] = [];
  for (const [pid, { ticks, command }] of readAll()) {
    const first = before.get(pid);
    // A process that has come since then has used all its time in between.
    const cores = (ticks - (first?.ticks ?? 0)) / TICKS / elapsed;
    if (cores >= LEAST && pid !== process.pid) busy.push({ pid, command, user: ownerOf(pid), cores });
  }
  return busy.sort((a, b) => b.cores - a.cores);
}

function readAll(): Map<number, Use> {
  const found = new Map<number, Use>();
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  for (const pid of pids.slice(0, MOST)) {
    const use = parseStat(read(`/proc/${pid}/stat`));
    if (use !== undefined) found.set(Number(pid), use);
  }
  return found;
}

/** "PID (command) state ...": the command may hold spaces and brackets; user and system time are fields 14 and 15. */
export function parseStat(text: string): Use | undefined {
  const [open, close] = [text.indexOf("("), text.lastIndexOf(")")];
  const fields = text.slice(close + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return open > 0 && close > open && ticks >= 0 ? { ticks, command: text.slice(open + 1, close) } : undefined;
}

function ownerOf(pid: number): number {
  return Number(/^Uid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? Number.NaN);
}

/** Empty for a process that has ended or is hidden. */
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
