/** What a tune found, for people. */
import { brief, formatTable } from "../bench/table.ts";
import { settingText } from "../tune/cache-list.ts";
import type { TuneOutcome } from "../tune/session.ts";
import type { Setting } from "../tune/setting.ts";
import { type Candidate, longest } from "../tune/tune.ts";

const BEST_SHOWN = 8;
const BAR = 40;

export function formatTuned(outcome: TuneOutcome, unit: string, path: string | undefined): string {
  return [
    candidateTable(outcome, unit),
    batchChart(longest(outcome.candidates), unit),
    verdict(outcome),
    ...(path === undefined ? [] : [`remembered in ${path}\n`]),
  ].join("\n");
}

function candidateTable({ candidates, start }: TuneOutcome, unit: string): string {
  const ranked = longest(candidates).toSorted((a, b) => rateOf(b) - rateOf(a));
  const shown = [...new Set([...ranked.slice(0, BEST_SHOWN), start])].filter(
    ({ timed }) => timed !== undefined,
  );
  const head = [
    ...["", "threads", "i_batch", "batches/task", "i_tile", "e_tile", "kernel"],
    ...[`${unit}/s`, "+-", "runs", "MB/worker", "to built-in"],
  ];
  const rows = shown.map((candidate) => {
    const { n_procs, iBatch, batchesPerTask, iTile, eTile, kernel, smt } = candidate.setting;
    const { rate, error, n } = candidate.timed ?? { rate: 0, error: 0, n: 0 };
    return [
      candidate === start ? "built-in" : "",
      ...[`${n_procs}${smt ? " SMT" : ""}`, `${iBatch}`, `${batchesPerTask}`, `${iTile}`, `${eTile}`, kernel],
      ...[brief(rate), `${(100 * error).toFixed(1)}%`, `${n}`, candidate.megabytes.toFixed(0)],
      `${(rate / rateOf(start)).toFixed(3)}x`,
    ];
  });
  const failed = candidates.filter((one) => one.failed !== undefined);
  const lines = failed.map((one) => `  left out: ${settingText(one.setting)}: ${one.failed}\n`);
  return formatTable([head, ...rows]) + lines.join("");
}

const rateOf = ({ timed }: Candidate): number => timed?.rate ?? 0;

/** The best rate at each batch size: a bar each. */
export function batchChart(candidates: readonly Candidate[], unit: string): string {
  const best = new Map<number, number>();
  for (const { setting, timed } of candidates) {
    if (timed !== undefined) best.set(setting.iBatch, Math.max(timed.rate, best.get(setting.iBatch) ?? 0));
  }
  const most = Math.max(...best.values());
  const lines = [...best]
    .sort(([a], [b]) => a - b)
    .map(([batch, rate]) => {
      const bar = "#".repeat(Math.max(1, Math.round((BAR * rate) / most)));
      return `  ${`${batch}`.padStart(5)}  ${bar.padEnd(BAR)}  ${brief(rate)}\n`;
    });
  return `i_batch, with the best of what was measured beside it, ${unit}/s\n${lines.join("")}`;
}

function verdict({ duel, setting, builtIn, best, start, ...rest }: TuneOutcome): string {
  const against =
    duel && `${duel.ratio.toFixed(3)}x +- ${(100 * duel.error).toFixed(1)}%, ${duel.n} pairs in turns`;
  const found =
    best === start
      ? "nothing is faster than the built-in setting: it stays"
      : setting === builtIn
        ? `the built-in setting stays: the best of the others is not faster beyond doubt (${against})`
        : `chosen: ${settingText(setting)}; against the built-in setting ${against}`;
  const { candidates, seconds, budgetSeconds, finished, resumed, warnings } = rest;
  const end = finished ? "the search ended" : "the budget was used up";
  const again = resumed > 0 ? `, ${resumed} of them by a tune that was interrupted` : "";
  const counted = `${candidates.length} measurements${again}; ${end} after ${seconds.toFixed(1)} s of ${budgetSeconds} s`;
  return [found, counted, ...warnings.map((text) => `warning: ${text}`)].map((line) => `${line}\n`).join("");
}

const snake = ({ n_procs, iBatch, batchesPerTask, iTile, eTile, kernel, smt }: Setting) => ({
  ...{
    n_procs,
    i_batch: iBatch,
    batches_per_task: batchesPerTask,
    i_tile: iTile,
    e_tile: eTile,
    kernel,
    smt,
  },
});

/** Everything that was measured. */
export function tunedJson(outcome: TuneOutcome, path: string | undefined): string {
  const { entry, setting, builtIn, duel, candidates, seconds, budgetSeconds, finished, resumed, warnings } =
    outcome;
  const json = {
    ...{ signature: entry.signature.id, parts: entry.signature.parts, path, search: entry.search },
    ...{ setting: snake(setting), built_in: snake(builtIn), unit: entry.unit, duel },
    ...{ seconds, budget_seconds: budgetSeconds, finished, resumed, warnings },
    candidates: candidates.map(({ setting: of, effort, timed, failed, megabytes, seconds: spent }) => ({
      ...{ ...snake(of), effort, rate: timed?.rate, error: timed?.error, runs: timed?.n },
      ...{ outliers: timed?.outliers, failed, mb_per_worker: megabytes, seconds: spent },
    })),
  };
  return JSON.stringify(json, null, 1) + "\n";
}
