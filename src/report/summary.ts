/** The end of a run for people: one table; and for programs: the same as JSON. */
import { formatCount, formatDuration, formatMegabytes } from "./format.ts";

export interface ParameterSummary {
  /** Column of samples.feather. */
  readonly name: string;
  /** For people, e.g. 'chirp mass'. */
  readonly label: string;
  /** e.g. 'Msun'; empty if it has none. */
  readonly unit: string;
  /** Posterior quantiles 50%, 5%, 95%. */
  readonly median: number;
  readonly lo: number;
  readonly hi: number;
  /** What was injected, if --truth says. */
  readonly truth?: number;
}

export interface RunSummary {
  readonly event: string;
  readonly rundir: string;
  readonly parameters: readonly ParameterSummary[];
  readonly lnEvidence: number;
  /** Standard error of lnEvidence. */
  readonly lnEvidenceError: number;
  readonly nEffective: number;
  readonly nEffectiveI: number;
  readonly nEffectiveE: number;
  /** Bank samples looked at, and those that passed the incoherent threshold. */
  readonly n_i: number;
  readonly nAccepted: number;
  readonly n_e: number;
  /** Rows of prob_samples. */
  readonly n_rows: number;
  readonly bestfitLnlikeMax: number;
  readonly stages: readonly { readonly name: string; readonly seconds: number }[];
  /** Largest memory of the process, as `residentMB` counts it, 1e6 bytes. */
  readonly peakMemoryMB: number;
  readonly warnings: readonly string[];
  readonly kernel: string;
  readonly nProcs: number;
}

/** What `--dry-run` shows. */
export interface RunPlan {
  readonly event: string;
  /** Label and value of each line, e.g. ['bank a', '384 samples, 378 bins, modes 2 1 3 4']. */
  readonly lines: readonly (readonly [label: string, value: string])[];
  /** Forecast by what needs it, 1e6 bytes. */
  readonly memoryMB: readonly { readonly name: string; readonly megabytes: number }[];
  readonly warnings: readonly string[];
}

/** Below this the posterior stands on a handful of waveforms. */
export const FEW_EFFECTIVE_INTRINSIC = 10;
/** Below this quantiles of the sky and the other extrinsic parameters are rough. */
export const FEW_EFFECTIVE_EXTRINSIC = 30;

/** What is doubtful about a run: its own warnings, and what its numbers say. */
export function findDoubts({ warnings, nEffectiveI, nEffectiveE }: RunSummary): string[] {
  return [...warnings, ...doubtsOfCounts(nEffectiveI, nEffectiveE)];
}

/** What effective numbers of bank samples and of extrinsic samples leave in doubt. */
export function doubtsOfCounts(nEffectiveI: number, nEffectiveE: number): string[] {
  const doubts: string[] = [];
  if (nEffectiveI < FEW_EFFECTIVE_INTRINSIC) {
    doubts.push(
      `${nEffectiveI.toFixed(1)} effective intrinsic samples are few: the bank is too sparse around ` +
        "this event; use a larger bank, or one made for it",
    );
  }
  if (nEffectiveE < FEW_EFFECTIVE_EXTRINSIC) {
    doubts.push(`${nEffectiveE.toFixed(1)} effective extrinsic samples are few: raise --n-ext`);
  }
  return doubts;
}

/** The final table, ending in a newline. */
export function formatSummary(summary: RunSummary): string {
  const blocks = [parameterTable(summary.parameters), alignLabels(factsOf(summary))];
  const doubts = findDoubts(summary);
  if (doubts.length > 0) blocks.push(["doubtful:", ...doubts.map((doubt) => `  - ${doubt}`)]);
  return blocks.map((lines) => lines.join("\n") + "\n").join("\n");
}

function parameterTable(parameters: readonly ParameterSummary[]): string[] {
  const hasTruth = parameters.some((parameter) => parameter.truth !== undefined);
  const head = ["parameter", "unit", "median", "90% interval", ...(hasTruth ? ["injected"] : [])];
  return alignColumns([head, ...parameters.map((parameter) => parameterCells(parameter, hasTruth))]);
}

function parameterCells(parameter: ParameterSummary, hasTruth: boolean): string[] {
  const { label, unit, median, lo, hi, truth } = parameter;
  const digits = fractionDigits(lo, hi);
  const shown = (x: number) => x.toFixed(digits);
  const cells = [label, unit, shown(median), `${shown(lo)} to ${shown(hi)}`];
  return hasTruth ? [...cells, truth === undefined ? "" : shown(truth)] : cells;
}

/** Decimals that give an interval's width about three digits. */
function fractionDigits(lo: number, hi: number): number {
  const width = hi - lo;
  if (!(width > 0) || !Number.isFinite(width)) return 3;
  return Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(width))));
}

function factsOf(s: RunSummary): [label: string, value: string][] {
  const total = s.stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const time = s.stages.map((stage) => `${stage.name} ${formatDuration(stage.seconds)}`).join(", ");
  const effective = `${s.nEffective.toFixed(1)} (intrinsic ${s.nEffectiveI.toFixed(1)}, extrinsic ${s.nEffectiveE.toFixed(1)})`;
  const threads = s.nProcs === 1 ? "1 thread" : `${s.nProcs} threads`;
  return [
    ["event", s.event],
    ["ln evidence", `${s.lnEvidence.toFixed(3)} +- ${s.lnEvidenceError.toFixed(3)}`],
    ["effective samples", effective],
    ["accepted", `${formatCount(s.nAccepted)} of ${formatCount(s.n_i)} bank samples`],
    ["rows kept", `${formatCount(s.n_rows)}, with ${formatCount(s.n_e)} extrinsic samples`],
    ["best ln likelihood", s.bestfitLnlikeMax.toFixed(3)],
    ["time", `${formatDuration(total)}: ${time}`],
    ["machine", `${threads}, kernel ${s.kernel}, peak memory ${formatMegabytes(s.peakMemoryMB)}`],
    ["run directory", s.rundir],
  ];
}

/** The plan of a dry run, ending in a newline. */
export function formatPlan(plan: RunPlan): string {
  const total = plan.memoryMB.reduce((sum, part) => sum + part.megabytes, 0);
  const parts = plan.memoryMB.map((part) => `${part.name} ${formatMegabytes(part.megabytes)}`).join(", ");
  const memory: [string, string] = ["memory forecast", `${formatMegabytes(total)}: ${parts}`];
  const lines = alignLabels([["event", plan.event], ...plan.lines, memory]);
  const warnings = plan.warnings.map((warning) => `  - ${warning}`);
  if (warnings.length > 0) lines.push("", "doubtful:", ...warnings);
  return [...lines, "", "Nothing was computed or written (--dry-run)."].join("\n") + "\n";
}

/** For `--json`: the summary with all doubts under `warnings`; a number that is not finite becomes null. */
export function summaryJson(summary: RunSummary): string {
  return JSON.stringify({ ...summary, warnings: findDoubts(summary) }, null, 2) + "\n";
}

function alignLabels(rows: readonly (readonly [label: string, value: string])[]): string[] {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`);
}

/** First two columns to the left, numbers to the right. */
function alignColumns(rows: readonly string[][]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (text: string, column: number) =>
    column < 2 ? text.padEnd(widths[column]) : text.padStart(widths[column]);
  return rows.map((row) => row.map(cell).join("  ").trimEnd());
}
