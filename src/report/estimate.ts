/** What `dotpe-hpc machine estimate` prints. */
import { formatTable } from "../bench/table.ts";
import { type MemoryPart, totalMB } from "../forecast/memory.ts";
import type { TimeForecast } from "../forecast/time.ts";
import { formatCount, formatDuration, formatMegabytes } from "./format.ts";

export interface EstimateReport {
  readonly event: string;
  readonly banks: readonly string[];
  readonly n_candidates: number;
  readonly threads: number;
  readonly kernel: string;
  readonly n_ext: number;
  readonly time: TimeForecast;
  readonly memory: readonly MemoryPart[];
  /** What this process may use, 1e6 bytes; NaN: not known. */
  readonly allowedMB: number;
  /** Of waveforms, that stage 2 reads. */
  readonly readBytes: number;
  /** What the run would do otherwise than it was asked. */
  readonly warnings: readonly string[];
  /** What the forecast stands on. */
  readonly sampled: { readonly n: number; readonly seconds: number };
}

/** Ends in a newline. */
export function formatEstimate(report: EstimateReport): string {
  const { time, memory } = report;
  const longest = [...time.stages].sort((a, b) => b.seconds - a.seconds)[0];
  const share = (seconds: number) => `${Math.round((100 * seconds) / time.seconds)}%`;
  const stages = time.stages.map(({ name, seconds }) => [name, formatDuration(seconds), share(seconds)]);
  const parts = memory.map(({ name, megabytes }) => [name, formatMegabytes(megabytes), ""]);
  const largest = [...memory].sort((a, b) => b.megabytes - a.megabytes)[0];
  return [
    `${report.event}, ${report.banks.join(", ")}: ${formatCount(report.n_candidates)} bank samples, ` +
      `${formatCount(report.n_ext)} extrinsic samples, ${report.threads} thread${report.threads === 1 ? "" : "s"}, kernel ${report.kernel}`,
    "",
    ...lines([["stage", "time", ""], ...stages, ["total", formatDuration(time.seconds), ""]]),
    "",
    ...lines([["memory", "at the peak", ""], ...parts, ["total", formatMegabytes(totalMB(memory)), ""]]),
    "",
    `between ${formatDuration(time.low)} and ${formatDuration(time.high)}: ${formatCount(time.n_acceptedLow)} to ` +
      `${formatCount(time.n_acceptedHigh)} samples accepted, ${formatCount(time.n_accepted)} expected; ` +
      `${formatCount(time.n_rows)} rows kept`,
    `most time: ${longest.name} (${share(longest.seconds)}); most memory: ${largest.name}`,
    ...doubts(report),
    "",
    `Measured on ${formatCount(report.sampled.n)} samples in ${formatDuration(report.sampled.seconds)}. The waveforms are ` +
      "assumed in memory, or on a disk that keeps up; nothing else should run meanwhile.",
  ]
    .join("\n")
    .concat("\n");
}

/** What would make the forecast or the run fail. */
function doubts({ time, memory, allowedMB, readBytes, warnings }: EstimateReport): string[] {
  const found = [...warnings];
  const need = totalMB(memory);
  if (need > allowedMB)
    found.push(
      `memory: ${formatMegabytes(need)} are more than the ${formatMegabytes(allowedMB)} allowed: use fewer --n-procs`,
    );
  const incoherent = time.stages.find(({ name }) => name === "incoherent");
  if (incoherent !== undefined && readBytes > 0) {
    const rate = readBytes / 1e9 / incoherent.seconds;
    found.push(
      `the incoherent stage reads ${formatMegabytes(readBytes / 1e6)}: from a disk slower than ${rate.toPrecision(2)} GB/s it takes longer`,
    );
  }
  return found;
}

function lines(rows: readonly (readonly string[])[]): string[] {
  return formatTable(rows.map((row) => [...row]))
    .trimEnd()
    .split("\n");
}

export function estimateJson(report: EstimateReport): string {
  const { time, memory, ...others } = report;
  const rounded = { ...others, time, memory_mb: memory, total_mb: totalMB(memory) };
  return `${JSON.stringify(rounded, null, 1)}\n`;
}
