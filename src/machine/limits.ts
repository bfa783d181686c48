/** What all allowed cores do at most together, measured by the program's own threads. */
import { nativeVariants } from "../kernels/native.ts";
import { Pool } from "../workers/pool.ts";
import { limitPlan } from "./limit-job.ts";
import type { Machine } from "./machine.ts";
import { placeWorkers } from "./placement.ts";

export interface ThreadLimits {
  readonly threads: number;
  readonly gflops: number;
  readonly memoryGbps: number;
}

/** Of one measurement; the best of a few counts, because other programs only make it less. */
const SECONDS = 0.05;
const REPEATS = 3;
/** Each thread's three arrays, together: this many times its share of the last-level caches, and at least so much (bytes). */
const BEYOND_CACHE = 12;
const LEAST = 2 ** 24;
/** ... but of the allowed memory, all together, not more than this share. */
const MOST_SHARE = 0.25;

/** @returns undefined without native kernels */
export async function measureAllThreads({ topology, allowed }: Machine): Promise<ThreadLimits | undefined> {
  const [best] = nativeVariants();
  if (best === undefined) return undefined;
  const { seats } = placeWorkers(topology, allowed, { smt: false, placement: "auto", reserve: 0 });
  const caches = topology.caches
    .filter(({ level }) => level === 3)
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const wanted = Math.max(LEAST, (BEYOND_CACHE * caches) / seats.length);
  const bytes = Math.min(wanted, (MOST_SHARE * allowed.memoryBytes) / seats.length);
  const n_numbers = Math.ceil(bytes / 24 / 8) * 8;
  const pool = new Pool(seats, best.name);
  try {
    pool.start();
    const measure = async (what: "flops" | "bytes") => {
      const n_threads = seats.length;
      const plan = limitPlan({ what, variant: best.name, seconds: SECONDS, n_threads, n_numbers });
      const rates = await pool.run("limits", plan, n_threads);
      return rates.reduce((sum, { rate }) => sum + rate, 0) / 1e9;
    };
    const most = async (what: "flops" | "bytes") => {
      let best = 0;
      for (let k = 0; k < REPEATS; k++) best = Math.max(best, await measure(what));
      return best;
    };
    return { threads: seats.length, gflops: await most("flops"), memoryGbps: await most("bytes") };
  } finally {
    pool.close();
  }
}
