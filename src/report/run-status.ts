/** What `dotpe-hpc status` prints. */
import { formatTable, percent } from "../bench/table.ts";
import type { RunStatus, WorkedOnIt } from "../rundir/status.ts";
import { formatCount, formatDuration, formatRate, printable } from "./format.ts";
import { formatBytes } from "./sizes.ts";

/** One run on a screen. Ends in a newline. */
export function formatRunStatus(status: RunStatus): string {
  const { rundir, run, result, progress, saved, processes } = status;
  const rows: (readonly [label: string, text: string])[] = [];
  const add = (label: string, ...texts: readonly string[]) => {
    texts.forEach((text, k) => {
      rows.push([k === 0 ? label : "", text]);
    });
  };
  if (run !== undefined) {
    const { at, host, threads, kernel } = run.begun;
    add("run", `${run.event} with ${run.banks.join(", ")}`);
    add(
      "begun",
      `${time(at)} on ${host}, ${count(threads, "thread")}, kernel ${kernel}, version ${run.version}`,
    );
    add("options", run.options.join(" ") || "the defaults");
  }
  add("state", ...stateLines(status));
  if (result !== undefined) {
    add("ln evidence", evidence(status));
    add("samples", `${formatCount(result.nRows ?? 0)} rows, worth ${(result.nEffective ?? 0).toFixed(1)}`);
  }
  if (progress !== undefined && status.state !== "complete") add("progress", progressText(status));
  if (status.state !== "complete")
    add("saved", ...(saved.length === 0 ? ["nothing yet"] : lines(saved.map(savedCells))));
  if (processes.length > 0) add("processes", ...lines(processes.map(processCells)));
  const todo = goOn(status);
  if (todo !== undefined) add("to go on", todo);
  return `${printable(rundir)}\n${formatTable(
    rows.map(([label, text]) => [`  ${label}`, printable(text)]),
    2,
  )}`;
}

/** Of several runs, a line each. Ends in a newline. */
export function formatRunList(list: readonly RunStatus[]): string {
  return formatTable(
    list.map((status) => [status.rundir, status.state, brief(status)].map(printable)),
    3,
  );
}

function brief(status: RunStatus): string {
  const { result, state, progress, processes, damage } = status;
  if (damage !== undefined) return damage;
  if (result !== undefined) return `ln evidence ${evidence(status)}, ${time(result.completed)}`;
  const how = processes.at(-1)?.end?.how;
  const where = progress === undefined ? "" : progressText(status);
  if (state === "interrupted") return [where, how ?? ""].filter((text) => text !== "").join("; ");
  return [where, who(processes.at(-1))].filter((text) => text !== "").join("; ");
}

function evidence({ result }: RunStatus): string {
  const text = (value: number | null | undefined) => value?.toFixed(3) ?? "?";
  return `${text(result?.lnEvidence)} +- ${text(result?.lnEvidenceError)}`;
}

function stateLines(status: RunStatus): string[] {
  const { state, damage, result, processes, progress, outOfMemory } = status;
  const last = processes.at(-1);
  switch (state) {
    case "complete":
      return [`complete since ${time(result?.completed)}`];
    case "damaged":
      return [`cannot be believed: ${damage}`];
    case "running":
      return [`running: ${who(last)}, which lives`];
    case "held":
      return [
        `held by ${who(last)}`,
        `whether it lives cannot be seen from here; its last sign of life: ${time(progress?.at)}, by its own clock`,
      ];
    case "interrupted":
      return [last?.end === undefined ? "interrupted; nothing says by what" : `interrupted: ${last.end.how}`];
    default:
      if (outOfMemory === undefined) return [`killed: ${who(last)}, has ended without a word`];
      return [
        `killed: ${who(last)}, probably for lack of memory (oom_kill of ${outOfMemory.folder} is ${outOfMemory.kills} now)`,
        `ask for more (sbatch --mem), or give fewer --n-procs (it had ${last?.threads}), a smaller --i-batch or --memory-fraction`,
      ];
  }
}

function progressText({ progress, state }: RunStatus): string {
  if (progress === undefined) return "";
  const { stage, unit, done, total, rate, secondsLeft, stageSeconds } = progress;
  const isGoing = state === "running" || state === "held";
  const amount =
    total > 0 ? `${formatCount(done)} of ${formatCount(total)} ${unit} (${percent(done / total)})` : "";
  const parts = [
    [stage, amount].filter((text) => text !== "").join(": "),
    isGoing && rate > 0 ? `${formatRate(rate)}/s` : "",
    isGoing && secondsLeft > 0 ? `${formatDuration(secondsLeft)} to go in this stage` : "",
    isGoing && secondsLeft === 0 ? `for ${formatDuration(stageSeconds)}` : "",
  ];
  return parts.filter((text) => text !== "").join(", ");
}

const WHAT = {
  samples: "of the samples",
  best: "of the samples, for the best row",
  count: "of the samples, counting rows",
  rows: "of the rows",
} as const;

function savedCells({
  name,
  of,
  done = 0,
  total = 0,
  bytes,
  saved,
  damage,
}: RunStatus["saved"][number]): string[] {
  const share = total > 0 ? percent(done / total) : "-";
  const what = damage === undefined ? `${share} ${WHAT[of ?? "samples"]}` : "damaged: computed again";
  return [name, what, formatBytes(bytes), time(saved)];
}

function processCells({ number, host, pid, slurmJob, began, threads, end }: WorkedOnIt): string[] {
  if (host === undefined) return [`${number}`, "its file cannot be read", "", "", end?.how ?? ""];
  const job = slurmJob === null || slurmJob === undefined ? "" : `, job ${slurmJob}`;
  const until = end === undefined ? "" : ` to ${time(end.ended)}`;
  const where = `${host}, process ${pid}${job}`;
  return [`${number}`, where, count(threads ?? 0, "thread"), `${time(began)}${until}`, end?.how ?? "no word"];
}

function who(process: WorkedOnIt | undefined): string {
  if (process?.host === undefined) return "a process whose file cannot be read";
  const { pid, host, slurmJob, began } = process;
  const job = slurmJob === null || slurmJob === undefined ? "" : ` (Slurm job ${slurmJob})`;
  return `process ${pid} on ${host}${job}, begun ${time(began)}`;
}

function goOn({ state, rundir, run }: RunStatus): string | undefined {
  const command = `dotpe-hpc run --resume ${shellWord(rundir)}`;
  if (state === "held") return `${command} --unlock, if that process has ended`;
  if (state === "damaged") return "begin the run again in another folder";
  if (state !== "interrupted" && state !== "killed") return undefined;
  return run === undefined ? "the same command again" : command;
}

function shellWord(text: string): string {
  return /^[\w./+:@%-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function lines(rows: readonly (readonly string[])[]): string[] {
  return formatTable(rows, 9).trimEnd().split("\n");
}

/** To the second. */
function time(text: string | undefined): string {
  return text?.replace(/\.\d+Z$/, "Z") ?? "not known";
}

const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
