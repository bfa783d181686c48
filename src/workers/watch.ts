/** Notices a thread that does not come back from a task. */
import { readFileSync } from "node:fs";
import { DotpeError } from "../errors.ts";
import type { JobKind } from "./protocol.ts";
import { ACTIVITY } from "./runner.ts";

/** A task may take this long (ms); after others of the job were done, so many times the longest of them, if that is more. */
const FIRST_TASK = 60_000;
const LEAST = 15_000;
const TIMES_LONGEST = 20;

export interface Watched {
  readonly activity: Float64Array;
  /** As the system numbers it; 0: not known. */
  readonly threadId: number;
}

/** By thread: the task that it does, by its beginning, and for how long it was seen to. */
interface Seen {
  since: number;
  age: number;
}

/**
 * Of the threads of one job. Its clock is what passes between two looks, a few of the usual intervals at most: so a process that
 * was stopped and goes on finds no thread that hangs.
 */
export class Watch {
  /** By what a thread says of itself. */
  private readonly seen = new Map<Float64Array, Seen>();
  private last = performance.now();

  constructor(
    private readonly kind: JobKind,
    private readonly interval: number,
    private readonly limits = { first: FIRST_TASK, least: LEAST },
  ) {}

  /** @throws DotpeError runAgain if one hangs. */
  look(threads: readonly Watched[]): void {
    const passed = Math.min(performance.now() - this.last, 3 * this.interval);
    this.last = performance.now();
    const longest = Math.max(...threads.map(({ activity }) => activity[ACTIVITY.longest]));
    const limit = longest > 0 ? Math.max(this.limits.least, TIMES_LONGEST * longest) : this.limits.first;
    for (const { activity, threadId } of threads) {
      const since = activity[ACTIVITY.since];
      const before = this.seen.get(activity);
      const age = since !== 0 && before?.since === since ? before.age + passed : 0;
      this.seen.set(activity, { since, age });
      if (age > limit && !waitsForDisk(threadId)) throw hung(this.kind, age, longest);
    }
  }
}

function hung(kind: JobKind, age: number, longest: number): DotpeError {
  const usual = longest > 0 ? `the longest before took ${(longest / 1000).toFixed(1)} s` : "none is done yet";
  return new DotpeError(
    "runAgain",
    `a thread hangs: a task of the job ${kind} has run for ${Math.round(age / 1000)} s, ${usual}`,
    "The same command goes on from what is saved; if it happens again, try --n-procs 1, and check the machine.",
  );
}

/** State D of /proc/PID/stat: the disk, or a file system that is away, answers when it can. */
function waitsForDisk(threadId: number): boolean {
  if (threadId === 0) return false;
  try {
    const text = readFileSync(`/proc/self/task/${threadId}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2, text.lastIndexOf(")") + 3) === "D";
  } catch {
    return false;
  }
}
