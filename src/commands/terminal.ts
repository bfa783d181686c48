/** Progress where the user looks. */
import { createReporter } from "../report/progress.ts";
import type { Reporter } from "../report/reporter.ts";
import { printProgress } from "./print.ts";

/** On standard error. @param quiet warnings only */
export function reporterFor(quiet: boolean): Reporter {
  return createReporter({
    ...{ write: printProgress, isTerminal: process.stderr.isTTY === true },
    ...{ columns: process.stderr.columns || undefined, quiet },
  });
}
