/**
 * Which search is the default of `dotpe-hpc tune`: the one that is soonest within 3% of the best of all candidates (or within
 * the error of a measurement, where that is larger). Every search is replayed, with noise, on tables of rates that are
 * known for every candidate.
 *
 *   bun bench/search-experiment.ts [--seeds 50] [--budget 20] [TABLE.json ...]
 *
 * A table is what `dotpe-hpc tune --search grid --budget 1h --json` prints on a quiet machine. Without one: those in
 * bench/search-experiment/, and made-up machines, another one for each seed. A recorded table is tried as it is, and
 * smoothed: the best of hundreds of noisy rates is partly luck.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { formatTable, percent } from "../src/bench/table.ts";
import { listCandidates } from "../src/tune/candidates.ts";
import { SEARCHES } from "../src/tune/search.ts";
import type { Landscape } from "./search-experiment/landscape.ts";
import { recordedLandscape } from "./search-experiment/recorded.ts";
import { goalOf, type Replay, replay } from "./search-experiment/replay.ts";
import { smoothed } from "./search-experiment/smooth.ts";
import { syntheticLandscape } from "./search-experiment/synthetic.ts";

const RECORDED = join(import.meta.dir, "search-experiment");
const MADE_UP = [2, 96];
const CLOSE = 0.03;

const OPTIONS = {
  seeds: { type: "string", default: "50" },
  budget: { type: "string", default: "20" },
} as const;

const HEAD = ["search", "evaluations", "seconds", "lacks at budget", "ends after s", "slowest question"];

/** Median and the value that 90% do not exceed. */
function typical(values: readonly number[], format: (value: number) => string): string {
  const sorted = [...values].sort((a, b) => a - b);
  return [0.5, 0.9].map((share) => format(sorted[Math.ceil(share * sorted.length) - 1])).join(" / ");
}

function experiment(landscapes: readonly Landscape[], budget: number): string {
  const goals = landscapes.map((landscape) => goalOf(landscape, CLOSE, budget));
  const rows = SEARCHES.map((name) => {
    const replays = landscapes.map((landscape, seed) => replay(landscape, name, seed, goals[seed]));
    const row = (of: (one: Replay) => number, format: (value: number) => string) =>
      typical(replays.map(of), (value) => (Number.isFinite(value) ? format(value) : "never"));
    const tenths = (value: number) => value.toFixed(1);
    return [
      ...[name, row(({ evaluations }) => evaluations, String), row(({ seconds }) => seconds, tenths)],
      ...[row(({ regret }) => regret, percent), row(({ end }) => end, tenths)],
      row(
        ({ slowest }) => slowest,
        (value) => `${value.toFixed(0)} ms`,
      ),
    ];
  });
  const lacking = landscapes.map(({ space, rate }, k) => 1 - rate(space.start) / goals[k].best);
  const { name, space } = landscapes[0];
  return (
    `${name}: ${listCandidates(space).length} candidates, ${landscapes.length} seeds; ` +
    `the built-in setting lacks ${typical(lacking, percent)}\n${formatTable([HEAD, ...rows])}`
  );
}

function main(args: string[]): void {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const seeds = Array.from({ length: Number(values.seeds) }, (_, seed) => seed);
  const budget = Number(values.budget);
  const own = readdirSync(RECORDED).filter((name) => name.endsWith(".json"));
  const tables = positionals.length > 0 ? positionals : own.map((name) => join(RECORDED, name));
  console.log(`median / 90% until within ${percent(CLOSE)} of the best; budget ${budget} s\n`);
  for (const path of tables) {
    const recorded = recordedLandscape(path);
    for (const one of [recorded, smoothed(recorded)])
      console.log(
        experiment(
          seeds.map(() => one),
          budget,
        ),
      );
  }
  if (positionals.length > 0) return;
  for (const cores of MADE_UP)
    console.log(
      experiment(
        seeds.map((seed) => syntheticLandscape(cores, seed)),
        budget,
      ),
    );
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
