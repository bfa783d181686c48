/** What `dotpe-hpc bank check` prints. */
import type { BankReport } from "../banks/check.ts";
import { formatChecklist } from "./checklist.ts";
import { formatCount, formatDuration, formatMegabytes } from "./format.ts";

/** Ends in a newline. */
export function formatBankReport({ bank, checks, read }: BankReport): string {
  if (read === undefined) return `${bank}\n\n${formatChecklist(checks)}`;
  const { samples, approximant, bytes, seconds, threads } = read;
  const rate = `${formatMegabytes(bytes / 1e6)} of waveforms in ${formatDuration(seconds)}: ${formatMegabytes(bytes / 1e6 / seconds)}/s with ${threads} thread${threads === 1 ? "" : "s"}`;
  const head = `${bank}: ${formatCount(samples)} samples of ${approximant}; ${rate}`;
  return `${head}\n\n${formatChecklist(checks)}`;
}
