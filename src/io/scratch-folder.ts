/** Folders for a while. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";

/**
 * Makes a folder of this process alone, `<parent>/<prefix><six letters>`.
 * @param parent $TMPDIR, or where that is not set /tmp
 * @throws DotpeError cannotCreate.
 */
export function makeScratchFolder(prefix: string, parent = tmpdir()): string {
  try {
    return mkdtempSync(join(parent, prefix));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DotpeError(
      "cannotCreate",
      `${parent}: a folder for temporary files cannot be made in it (${code})`,
      "Set TMPDIR to a folder that can be written.",
    );
  }
}
