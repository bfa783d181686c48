/** SHA256SUMS of a run directory: lines as sha256sum writes and checks them. */
import { relative } from "node:path";
import type { Pool } from "../workers/pool.ts";
import type { FileSum, HashPlan } from "./hash-job.ts";

export const SUMS_FILE = "SHA256SUMS";

/** Of files that are open, by the threads of the pool. @throws DotpeError noInput, badData. */
export async function hashFiles(pool: Pool, files: HashPlan["files"]): Promise<FileSum[]> {
  return (await pool.run("hash", { files }, files.length)).flat();
}

/** @param sums by path, in any order */
export function formatSums(rundir: string, sums: ReadonlyMap<string, string>): string {
  const lines = [...sums].map(([path, sum]) => ({ name: relative(rundir, path), sum }));
  lines.sort((a, b) => (a.name < b.name ? -1 : 1));
  return lines.map(({ name, sum }) => `${sum}  ${name}\n`).join("");
}
