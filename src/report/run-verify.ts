/** What `dotpe-hpc verify` prints. */
import type { Verified } from "../rundir/verify.ts";
import { formatChecklist } from "./checklist.ts";
import { printable } from "./format.ts";

/** Ends in a newline. */
export function formatVerified({ rundir, isComplete, checks }: Verified): string {
  return `${printable(rundir)}: ${isComplete ? "complete" : "not complete"}\n\n${formatChecklist(checks)}`;
}
