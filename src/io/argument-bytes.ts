/** Words of the command line whose bytes are not UTF-8. */
import { readFileSync } from "node:fs";
import { DotpeError } from "../errors.ts";

/** What the runtime puts in the place of bytes that are not UTF-8. */
const REPLACED = "\ufffd";
const COMMAND_LINE = "/proc/self/cmdline";

/**
 * A path in such a word names another file than the user meant, which may exist.
 * @throws DotpeError usage, naming the first word whose bytes are not UTF-8.
 */
export function checkArgumentBytes(words: readonly string[], commandLine = COMMAND_LINE): void {
  const doubtful = words.filter((word) => word.includes(REPLACED));
  if (doubtful.length === 0) return;
  const given = readGiven(commandLine);
  const wrong = doubtful.find((word) => !given.includes(Buffer.from(`\0${word}\0`)));
  if (wrong === undefined) return;
  throw new DotpeError(
    "usage",
    `argument ${wrong}: found bytes that are not UTF-8 (shown as ${REPLACED}), expected UTF-8`,
    "Rename the file or folder, or make a link to it that has a plain name.",
  );
}

/** The words as they were given, a NUL after each; none where the system does not say. */
function readGiven(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
