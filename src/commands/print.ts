/** Standard output and standard error, when they are full or closed. */
import { DotpeError } from "../errors.ts";

/**
 * Writes all of `text` to standard output. A reader that has gone (`| head`) is no error.
 * @throws DotpeError cannotCreate: the output cannot be written, e.g. a full disk.
 */
export async function printOut(text: string): Promise<void> {
  try {
    await Bun.write(Bun.stdout, text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPIPE") return;
    const reason = code ?? (error as Error).message;
    throw new DotpeError(
      "cannotCreate",
      `standard output: writing failed (${reason})`,
      "Check the disk space.",
    );
  }
}

/** Writes progress to standard error; a log that cannot be written must not end a run. */
export function printProgress(text: string): void {
  if (process.stderr.listenerCount("error") === 0) process.stderr.on("error", () => {});
  process.stderr.write(text);
}
