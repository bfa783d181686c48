/** Standard output and standard error, when they are full or closed. */
import { writeSync } from "node:fs";
import { DotpeError } from "../errors.ts";

/**
 * Writes all of `text` to standard output. A reader that has gone (`| head`) is no error.
 * @throws DotpeError cannotCreate: the output cannot be written, e.g. a full disk.
 */
export async function printOut(text: string): Promise<void> {
  try {
    await writeAll(STANDARD_OUTPUT, text);
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

/** Writes an error to standard error; that this fails too is nothing that could be told. */
export async function printError(text: string): Promise<void> {
  await writeAll(STANDARD_ERROR, text).catch(() => {});
}

const [STANDARD_OUTPUT, STANDARD_ERROR] = [1, 2];
/** Between two looks at a pipe that does not wait (ms). */
const FULL_PIPE = 2;

/** Not by Bun.write: it reserves room in a file first, which stays as zeros where the file is open for appending, as under make. */
async function writeAll(fd: number, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length; ) done += await writeSome(fd, bytes.subarray(done));
}

async function writeSome(fd: number, bytes: Uint8Array): Promise<number> {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    await Bun.sleep(FULL_PIPE);
    return 0;
  }
}

/** Writes progress to standard error; a log that cannot be written must not end a run. */
export function printProgress(text: string): void {
  if (process.stderr.listenerCount("error") === 0) process.stderr.on("error", () => {});
  process.stderr.write(text);
}
