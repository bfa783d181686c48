/**
 * The one error class of the program and the table of its exit codes.
 * Everything that a user can cause is thrown as a DotpeError; `src/main.ts` prints it and exits.
 */

/** Exit codes (sysexits.h where it has a meaning that fits); `docs/exit-codes.md` explains each. */
export const EXIT_CODES = {
  ok: 0,
  /** A defect in the program. */
  internal: 1,
  /** Unknown option, bad value, options that contradict each other. */
  usage: 64,
  /** A file is malformed: truncated, pickled, wrong dtype or shape, missing field. */
  badData: 65,
  /** An input file or folder is missing or cannot be read. */
  noInput: 66,
  /** NaN or infinity where a finite number is needed. */
  notFinite: 67,
  /** Each file is good, but they do not fit each other (event and bank, bank and bank). */
  mismatch: 68,
  /** Nothing is left to compute with: no sample accepted. */
  noSamples: 69,
  /** The run directory exists, or cannot be created or written. */
  cannotCreate: 73,
  /** A passing fault of the machine (a worker died, no memory): try again. */
  tryAgain: 75,
  /** Stopped before its end, by a signal or a thread that hangs; what is done is saved: the same command goes on. */
  runAgain: 85,
} as const;

export type ExitName = keyof typeof EXIT_CODES;

export class DotpeError extends Error {
  readonly exit: ExitName;
  /** What the user can do about it: one sentence. */
  readonly hint: string;

  /** @param message names the file and field, what was found, and what was expected. */
  constructor(exit: ExitName, message: string, hint: string) {
    super(message);
    this.name = "DotpeError";
    this.exit = exit;
    this.hint = hint;
  }
}
