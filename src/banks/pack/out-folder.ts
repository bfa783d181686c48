/** A folder that appears under its name when it is complete. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DotpeError } from "../../errors.ts";
import { CONFIG_FILE, SAMPLES_FILE } from "../../gw/bank.ts";
import { writeFileAtomic } from "../../io/atomic-write.ts";
import { removedOnSignal } from "../../io/removed-on-signal.ts";
import { formatSums, SUMS_FILE, sha256OfFile } from "../../io/sha256.ts";

/**
 * Makes `.<name>.<process>-<unique>.part` beside `out`, lets `fill` write into it, and gives it its name; after a failure or a
 * signal it is removed.
 * @throws DotpeError cannotCreate if `out` exists or cannot be made.
 */
export async function withOutFolder<T>(out: string, fill: (folder: string) => Promise<T>): Promise<T> {
  const path = resolve(out);
  refuseExisting(out, path);
  const folder = join(dirname(path), `.${basename(path)}.${process.pid}-${Bun.randomUUIDv7()}.part`);
  return orCannotCreate(out, async () => {
    mkdirSync(folder);
    try {
      const result = await removedOnSignal(folder, () => fill(folder));
      syncPath(folder);
      refuseExisting(out, path);
      renameSync(folder, path);
      syncPath(dirname(path));
      return result;
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      if (!(error instanceof DotpeError)) throw error;
      // The user knows the folder by the name that it was to get.
      throw new DotpeError(error.exit, error.message.replaceAll(folder, out), error.hint);
    }
  });
}

function refuseExisting(out: string, path: string): void {
  if (!existsSync(path)) return;
  throw new DotpeError(
    "cannotCreate",
    `${out}: exists already`,
    "Give a name that does not exist yet, or remove it.",
  );
}

/** Copies configuration and samples of a bank bit for bit, and writes SHA256SUMS. @param sums of the waveforms; it is added to */
export function copyRest(from: string, to: string, sums: Map<string, string>): void {
  for (const name of [CONFIG_FILE, SAMPLES_FILE]) {
    copyFileSync(join(from, name), join(to, name));
    syncPath(join(to, name));
    sums.set(name, sha256OfFile(join(to, name)));
  }
  writeFileAtomic(join(to, SUMS_FILE), formatSums(sums));
}

/** Waits until a file or folder is on the disk; some network file systems refuse, and it is there too. */
export function syncPath(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } catch (error) {
    if (!["EINVAL", "EBADF", "ENOTSUP"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    closeSync(fd);
  }
}

async function orCannotCreate<T>(out: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (error instanceof DotpeError || code === undefined || syscall === undefined) throw error;
    throw new DotpeError(
      "cannotCreate",
      `${out}: cannot write: ${syscall} failed (${code})`,
      "Check the free space, the quota and the permissions of the folder that it goes into.",
    );
  }
}
