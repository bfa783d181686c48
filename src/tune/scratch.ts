/** A folder in memory for what is measured, so that no disk is in the times. */
import { readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removedOnSignal } from "../io/removed-on-signal.ts";
import { makeScratchFolder } from "../io/scratch-folder.ts";
import { isRunning } from "../machine/process-identity.ts";

const IN_MEMORY = "/dev/shm";
/** The folder in memory is used if it has so much left (bytes): the slice of a bank is a tenth of it. */
const WANTED = 2 ** 29;
const PREFIX = "dotpe-tune-";

/**
 * Makes a folder, gives it to `use`, and removes it again: after an error and on a signal too. What processes left that were
 * killed is removed as well.
 * @throws DotpeError cannotCreate, and whatever `use` throws.
 */
export async function inScratch<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const parent = hasRoom(IN_MEMORY) ? IN_MEMORY : tmpdir();
  removeLeftovers(parent);
  const folder = makeScratchFolder(`${PREFIX}${process.pid}-`, parent);
  try {
    return await removedOnSignal(folder, () => use(folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= WANTED;
  } catch {
    return false;
  }
}

function removeLeftovers(parent: string): void {
  for (const name of namesIn(parent)) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1] ?? Number.NaN);
    if (!(pid > 0) || isRunning({ pid, start: "0" })) continue;
    try {
      rmSync(join(parent, name), { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
}

function namesIn(parent: string): string[] {
  try {
    return readdirSync(parent);
  } catch {
    return [];
  }
}
