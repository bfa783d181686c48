/** What `dotpe-hpc status` prints. */
import { basename } from "node:path";
import { formatTable, percent } from "../bench/table.ts";
import { lackOfMemory, type OomCount } from "../rundir/oom.ts";
import { type Attempt, describe } from "../rundir/owner.ts";
import type { RunStatus } from "../rundir/status.ts";
import { formatCount, formatDuration, formatRate, printable } from "./format.ts";
import { formatBytes } from "./sizes.ts";

/** One run on a screen. Ends in a newline. */
export function formatRunStatus(status: RunStatus): string {
  const { rundir, state, run, options, result, saved, processes } = status;
  const facts: [label: string, ...lines: string[]][] = [];
  if (run !== undefined) {
    const { at, host, threads, kernel } = run.begun;
    facts.push([
      "run",
      `${basename(String(run.options.event))} with ${[run.options.bank_folder].flat().join(", ")}`,
    ]);
    const what = `${inWords(threads)}, kernel ${kernel}, version ${run.program.version}`;
    facts.push(["begun", `${at} on ${host}, ${what}`]);
    facts.push(["options", options.join(" ") || "the defaults"]);
  }
  facts.push(["state", ...stateLines(status)]);
  if (result !== undefined) {
    facts.push(["ln evidence", evidence(status)]);
    facts.push(["rows", `${formatCount(result.n_rows)}, worth ${(result.n_effective ?? 0).toFixed(1)}`]);
  } else {
    if (status.progress !== undefined) facts.push(["progress", progressText(status)]);
    facts.push(["saved", ...(saved.length > 0 ? lines(saved.map(savedCells)) : ["nothing yet"])]);
    facts.push(["processes", ...lines(processes.map(processCells))]);
  }
  const todo = nextStep(status);
  if (todo !== undefined) facts.push([state === "held" ? "if it ended" : "to go on", todo]);
  const rows = facts.flatMap(([label, ...texts]) =>
    texts.map((text, k) => [`  ${k === 0 ? label : ""}`, shown(text)]),
  );
  return `${printable(rundir)}\n${formatTable(rows, 2)}`;
}

/** Of several runs, a line each. Ends in a newline. */
export function formatRunList(list: readonly RunStatus[]): string {
  const what = (status: RunStatus) => {
    const { damage, result, processes } = status;
    if (result !== undefined) return `ln evidence ${evidence(status)}, ${result.completed}`;
    const texts = [damage ?? progressText(status), processes.at(-1)?.end?.how ?? who(processes.at(-1))];
    return texts.filter((text) => text !== "").join("; ");
  };
  return formatTable(
    list.map((status) => [status.rundir, status.state, shown(what(status))].map(printable)),
    3,
  );
}

/** Times to the second. */
function shown(text: string): string {
  return printable(text.replace(/(\dT\d\d:\d\d:\d\d)\.\d+Z/g, "$1Z"));
}

function evidence({ result }: RunStatus): string {
  const text = (value: number | null | undefined) => value?.toFixed(3) ?? "?";
  return `${text(result?.ln_evidence)} +- ${text(result?.ln_evidence_error)}`;
}

function stateLines({ state, damage, result, processes, progress, outOfMemory }: RunStatus): string[] {
  const last = processes.at(-1);
  switch (state) {
    case "complete":
      return [`complete since ${result?.completed}`];
    case "damaged":
      return [`cannot be believed: ${damage}`];
    case "running":
      return [`running: ${who(last)}, lives`];
    case "held":
      return [
        `held by ${who(last)}`,
        `whether it lives cannot be seen from here; last sign of life by its own clock: ${progress?.at ?? "none"}`,
      ];
    case "interrupted":
      return [`interrupted: ${last?.end?.how ?? "nothing says by what"}`];
    default:
      if (outOfMemory === undefined) return [`killed: ${who(last)}, has ended without a word`];
      return withLack(outOfMemory, last);
  }
}

function withLack(group: OomCount, last: Attempt | undefined): string[] {
  const [why, todo] = lackOfMemory(group, last?.owner?.threads);
  return [`killed, ${why}: ${who(last)}`, todo];
}

function progressText({ progress, state }: RunStatus): string {
  if (progress === undefined) return "";
  const { stage, unit, done, before, total, stageSeconds } = progress;
  const amount = `${formatCount(done)} of ${formatCount(total)} ${unit} (${percent(done / total)})`;
  const parts = [total > 0 ? `${stage}: ${amount}` : stage];
  const rate = stageSeconds > 0 ? (done - before) / stageSeconds : 0;
  if (state === "running" || state === "held") {
    if (rate > 0 && total > done)
      parts.push(`${formatRate(rate)}/s`, `${formatDuration((total - done) / rate)} to go in this stage`);
    else parts.push(`for ${formatDuration(stageSeconds)}`);
  }
  return parts.join(", ");
}

function savedCells({ name, unit, done = 0, total = 0, bytes, saved }: RunStatus["saved"][number]): string[] {
  const share = total > 0 ? ` (${percent(done / total)})` : "";
  const what = `${formatCount(done)} of ${formatCount(total)} ${unit}${share}`;
  return [name, unit === undefined ? "damaged: computed again" : what, formatBytes(bytes), saved];
}

function processCells({ number, owner, end }: Attempt): string[] {
  const whole =
    owner === undefined ? "its file cannot be read" : `${describe(owner)}, ${inWords(owner.threads)}`;
  return [`${number}`, shown(whole), shown(end === undefined ? "no word" : `${end.how}, ${end.ended}`)];
}

function who(attempt: Attempt | undefined): string {
  if (attempt === undefined) return "";
  return attempt.owner === undefined ? "a process whose file cannot be read" : describe(attempt.owner);
}

function nextStep({ state, rundir, run }: RunStatus): string | undefined {
  if (state === "damaged") return "run again in another folder";
  if (state === "complete" || state === "running") return undefined;
  if (run === undefined) return "give the same command again";
  const word = /^[\w./+:@%-]+$/.test(rundir) ? rundir : `'${rundir.replaceAll("'", "'\\''")}'`;
  return `dotpe-hpc run --resume ${word}${state === "held" ? " --unlock" : ""}`;
}

const inWords = (threads: number) => (threads === 1 ? "1 thread" : `${threads} threads`);

function lines(rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? ["none"] : formatTable(rows, 9).trimEnd().split("\n");
}
