/** SHA256SUMS of a run directory: lines as sha256sum writes and checks them. */
import { relative } from "node:path";
import { formatSums, type Sums } from "../io/sha256.ts";
import type { Pool } from "../workers/pool.ts";
import type { FileSum, HashPlan } from "./hash-job.ts";

/** Results that differ between two runs of the same inputs and options. */
export const WITHOUT_SUM: readonly string[] = ["run_kwargs.json", "timings.json"];

/** Of files that are open, by the threads of the pool. @throws DotpeError noInput, badData. */
export async function hashFiles(pool: Pool, files: HashPlan["files"]): Promise<FileSum[]> {
  return (await pool.run("hash", { files }, files.length)).flat();
}

/** @param sums by path, in any order */
export function formatRunSums(rundir: string, sums: Sums): string {
  const named = [...sums].map(([path, sum]) => [relative(rundir, path), sum] as const);
  return formatSums(new Map(named.sort(([a], [b]) => (a < b ? -1 : 1))));
}
