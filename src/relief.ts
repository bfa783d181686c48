/** Memory that runs short while a run goes on: batches are made smaller, then threads are sent away, before the system kills. */

import type { Machine } from "./machine/machine.ts";
import { residentMB } from "./machine/memory.ts";
import { readMemoryLeft } from "./machine/memory-left.ts";
import { SystemFiles } from "./machine/system-files.ts";
import { formatMegabytes } from "./report/format.ts";
import type { WorkSettings } from "./stages/settings.ts";
import type { Pool } from "./workers/pool.ts";

/** How often memory is looked at, and how long what was given back takes to be seen (ms). */
const EVERY = 1000;
const SETTLES = 5000;
/** Less than this share of the limit is short. */
const LEAST_LEFT = 0.05;
/** Bank samples whose <h|h> are computed together. */
const SMALLEST_BATCH = 4;

export interface MemoryUse {
  /** 1e6 bytes: of this process, and what it can still get. NaN: not known. */
  readonly usedMB: number;
  readonly leftMB: number;
}

export class Relief {
  private looked = 0;
  private found: string | undefined;
  private hasGivenAll = false;
  /** Whether the stage that runs reads batches. */
  hasBatches = true;

  /**
   * @param work how the work is cut at first
   * @param fraction of the allowed memory that the process may use
   */
  constructor(
    private current: WorkSettings,
    private readonly pool: Pick<Pool, "shrink">,
    private readonly fraction: number,
    private readonly allowed: Machine["allowed"],
    private readonly warn: (text: string) => void,
    private readonly look: () => MemoryUse = () => lookAtMemory(allowed),
  ) {}

  /** How the work is to be cut from now on. */
  get work(): WorkSettings {
    return this.current;
  }

  /** Whether the job that runs should pause for it. */
  isShort(): boolean {
    if (this.hasGivenAll) return false;
    const now = performance.now();
    if (now - this.looked < EVERY) return this.found !== undefined;
    this.looked = now;
    this.found = this.shortage();
    return this.found !== undefined;
  }

  private shortage(): string | undefined {
    const limit = this.allowed.memoryBytes / 1e6;
    const { usedMB, leftMB } = this.look();
    if (usedMB > this.fraction * limit)
      return `${formatMegabytes(usedMB)} are used, ${formatMegabytes(this.fraction * limit)} may be`;
    if (leftMB < LEAST_LEFT * limit)
      return `${formatMegabytes(leftMB)} are left of ${formatMegabytes(limit)}`;
    return undefined;
  }

  /** Between two pieces of a job: makes the work smaller, if memory is short. */
  relieve(): void {
    if (this.found === undefined) return;
    const { batchItems, taskItems, n_procs } = this.current;
    if (this.hasBatches && batchItems > SMALLEST_BATCH) {
      const half = Math.max(SMALLEST_BATCH, Math.floor(batchItems / 2));
      this.current = {
        ...this.current,
        batchItems: half,
        taskItems: Math.max(half, Math.floor(taskItems / 2)),
      };
      this.warn(`memory runs short, ${this.found}: batches of ${half}, not ${batchItems}`);
    } else if (n_procs > 1) {
      const half = Math.ceil(n_procs / 2);
      this.current = { ...this.current, n_procs: half };
      this.pool.shrink(half);
      this.warn(`memory runs short, ${this.found}: ${half} threads, not ${n_procs}`);
    } else {
      this.hasGivenAll = true;
      this.warn(`memory runs short, ${this.found}: nothing is left to be made smaller`);
    }
    this.found = undefined;
    this.looked = performance.now() + SETTLES;
  }
}

function lookAtMemory(allowed: Machine["allowed"]): MemoryUse {
  return { usedMB: residentMB(), leftMB: readMemoryLeft(new SystemFiles(), allowed).bytes / 1e6 };
}
