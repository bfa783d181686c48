/** What is done to a run, and when: points, their spelling, and the faults a system call can have. */
import type { Call } from "./inject.ts";

/**
 * Spelled `[resume:]NAME@AT[+]`:
 * - `before@12`, `after@12`: SIGKILL before or after the 12th call on a file of the folder;
 * - `power@12`: before it, and what was written but not yet fsynced is lost;
 * - `moment@0.3`: SIGKILL after 0.3 of the time that an undisturbed run takes;
 * - `SIGTERM@0.3`: this signal then; `2xSIGTERM@0.3`: twice; `SIGSTOP@0.3`: stopped for a while then;
 * - `EIO@12`: the 12th call fails so, or the next one that can; `EIO@12+`: and all later ones. `ENOMEM@m3`: the 3rd large mapping;
 * - `short@12`, `short1@12`: the write moves half of its bytes, or one; `slow@12`: it takes a second longer.
 * With `resume:` it happens to the run that goes on after a SIGKILL somewhere.
 */
export interface Point {
  readonly text: string;
  readonly resume: boolean;
  readonly name: string;
  /** Number of the call, or share of the time. */
  readonly at: number;
  readonly ofMaps: boolean;
  readonly onward: boolean;
}

/** @throws Error for anything else. */
export function parsePoint(text: string): Point {
  const found = /^(resume:)?([A-Za-z0-9]+)@(m?)([\d.]+)(\+?)$/.exec(text);
  if (found === null) throw new Error(`${text}: not a point; such as before@12, EIO@12+, SIGTERM@0.3`);
  const [, resume, name, m, at, onward] = found;
  const point = { text, resume: resume !== undefined, name, at: Number(at), ofMaps: m === "m" };
  if (kindOf(name) === undefined) throw new Error(`${text}: nothing is called ${name}`);
  return { ...point, onward: onward === "+" };
}

interface Fault {
  /** As inject.c spells it. */
  readonly action: string;
  /** Calls that can fail so. */
  readonly calls: readonly string[];
}

const WRITES = ["write", "pwrite64", "writev", "pwritev", "pwritev2"];
const READS = ["open-read", "read", "pread64"];
const SYNCS = ["fsync", "fdatasync"];
const NAMES = ["rename", "renameat", "renameat2", "link", "linkat"];
const FOLDERS = ["mkdir", "mkdirat"];
const REMOVALS = ["unlink", "unlinkat", "rmdir"];
const SIZES = ["ftruncate", "fallocate"];
/** NFS tells of a full disk only then. */
const CLOSES = ["close"];
const SPACE = ["open", ...WRITES, ...SYNCS, ...NAMES, ...FOLDERS, ...SIZES, ...CLOSES];

/** Error numbers are those of Linux on x86-64 and aarch64. */
export const FAULTS: Record<string, Fault> = {
  ENOSPC: { action: "error=28", calls: SPACE },
  EDQUOT: { action: "error=122", calls: SPACE },
  EIO: { action: "error=5", calls: [...SPACE, ...REMOVALS, ...READS] },
  EMFILE: { action: "error=24", calls: ["open", "open-read"] },
  EROFS: { action: "error=30", calls: ["open", ...NAMES, ...FOLDERS, ...REMOVALS] },
  ESTALE: { action: "error=116", calls: [...WRITES, ...SYNCS, ...NAMES, ...READS] },
  EINTR: { action: "error=4", calls: [...WRITES, "open", "open-read", "read", "pread64"] },
  ENOMEM: { action: "error=12", calls: ["mmap"] },
  short: { action: "short=0", calls: ["write", "pwrite64"] },
  short1: { action: "short=1", calls: ["write", "pwrite64"] },
  slow: { action: "delay=1000", calls: [...WRITES, ...SYNCS, ...NAMES, "open"] },
};

/** A mended fault does not come back, a slow disk is not an error, and short writes stay short for as long as one likes. */
const ONWARD = ["ENOSPC", "EDQUOT", "EIO", "EMFILE", "EROFS", "ENOMEM", "short"];
const KILLS = ["before", "after", "power"];
const SIGNALS = ["SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2"];

export type Kind = "kill" | "moment" | "fault" | "signal" | "twice" | "stop";

export function kindOf(name: string): Kind | undefined {
  if (KILLS.includes(name)) return "kill";
  if (name === "moment") return "moment";
  if (name === "SIGSTOP") return "stop";
  if (name in FAULTS) return "fault";
  if (SIGNALS.includes(name)) return "signal";
  return name.startsWith("2x") && SIGNALS.includes(name.slice(2)) ? "twice" : undefined;
}

/** The specification for inject.c of a point that is a call. */
export function specOf({ name, at, ofMaps, onward }: Point): string {
  const fault = FAULTS[name];
  const action = fault?.action ?? (name === "after" ? "after" : "before");
  const only = fault === undefined ? "" : `:${fault.calls.join(",")}`;
  return `${action}@${ofMaps ? "m" : ""}${at}${onward ? "+" : ""}${only}`;
}

/** Numbers in [0, 1) that depend on the text alone. */
export function randomOf(text: string): () => number {
  let state = Number(Bun.hash.wyhash(text) & 0xffffffffn);
  // Mulberry32.
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `n` of the items at most, spread evenly, from a random start. */
function spread<T>(items: readonly T[], n: number, random: () => number): T[] {
  if (items.length <= n) return [...items];
  const step = items.length / n;
  const start = random() * step;
  return Array.from({ length: n }, (_, k) => items[Math.min(items.length - 1, Math.floor(start + k * step))]);
}

/** About `n` points of death, over the calls of an undisturbed run; Infinity: every call, before, after and without power. */
export function killPoints(calls: readonly Call[], n: number, random: () => number): string[] {
  const writes = calls.filter(({ ofMaps, name }) => !ofMaps && ![...READS, ...CLOSES].includes(name));
  if (n >= KILLS.length * writes.length)
    return writes.flatMap(({ number }) => KILLS.map((kill) => `${kill}@${number}`));
  const chosen = Array.from({ length: Math.ceil(n / writes.length) }, () => spread(writes, n, random)).flat();
  const first = Math.floor(random() * KILLS.length);
  return chosen.slice(0, n).map(({ number }, k) => `${KILLS[(first + k) % KILLS.length]}@${number}`);
}

export const momentPoints = (n: number, random: () => number) =>
  Array.from({ length: n }, () => `moment@${random().toFixed(4)}`);

/**
 * About `n` failing calls: every fault at calls that can have it, once and (for those that last) from there on, most in an undisturbed
 * run and some in one that goes on. Infinity: every fault at every call.
 */
export function faultPoints(calls: readonly Call[], n: number, random: () => number): string[] {
  const all = Object.keys(FAULTS);
  const first = Math.floor(random() * all.length);
  const names = [...all.slice(first), ...all.slice(0, first)];
  return names.flatMap((name, k) => {
    const can = calls.filter((call) => FAULTS[name].calls.includes(call.name));
    const share = Math.floor(n / names.length) + (k < n % names.length ? 1 : 0);
    return spread(can, n === Infinity ? n : share, random).map(({ number, ofMaps }) => {
      const onward = ONWARD.includes(name) && random() < 0.4;
      const resume = random() < 0.25;
      // A run that goes on has fewer calls left.
      const at = resume ? Math.max(1, Math.ceil(number * 0.6)) : number;
      return `${resume ? "resume:" : ""}${name}@${ofMaps ? "m" : ""}${at}${onward ? "+" : ""}`;
    });
  });
}

export function signalPoints(n: number, random: () => number): string[] {
  const kinds = [...SIGNALS, "SIGSTOP", ...SIGNALS.map((signal) => `2x${signal}`)];
  return Array.from({ length: n }, (_, k) => `${kinds[k % kinds.length]}@${random().toFixed(4)}`);
}
