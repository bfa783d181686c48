/**
 * What a tune within its budget finds, against the built-in setting and against the best of all candidates: the search, then
 * every candidate, the best of which are measured once more (the best of hundreds of noisy rates is partly luck), then the
 * three in turns, two at a time. All in one run, so that the ratios belong together.
 *
 *   bun bench/tuned.ts EVENT BANK [--budget 20] [--times 3] [--search NAME]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { thisMachine } from "../src/machine/machine.ts";
import { parseRunOptions } from "../src/options.ts";
import { countCandidates, readInputs } from "../src/stages/setup.ts";
import { settingText } from "../src/tune/cache-list.ts";
import { listCandidates } from "../src/tune/candidates.ts";
import { signatureOfRun, whereOf } from "../src/tune/choose.ts";
import { Likelihoods } from "../src/tune/likelihoods.ts";
import { openLog } from "../src/tune/log.ts";
import { duel } from "../src/tune/measure.ts";
import { inScratch } from "../src/tune/scratch.ts";
import { openSearch, SEARCHES, type SearchName } from "../src/tune/search.ts";
import { DEFAULT_SEARCH } from "../src/tune/session.ts";
import type { Point, Setting } from "../src/tune/setting.ts";
import { mostWorkers, tuneSpace } from "../src/tune/space.ts";
import { tune, Workbench } from "../src/tune/tune.ts";

const OPTIONS = {
  budget: { type: "string", default: "20" },
  times: { type: "string", default: "3" },
  search: { type: "string", default: DEFAULT_SEARCH },
} as const;
/** After a quick sweep of all candidates: so many of the best are measured at length, so many of these again and how often. */
const [AT_LENGTH, AGAIN, TIMES_AGAIN] = [64, 16, 4];
/** Of each comparison. */
const PAIRS = 25;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    args: process.argv.slice(2),
    options: OPTIONS,
    allowPositionals: true,
  });
  const search = SEARCHES.find((name) => name === values.search) as SearchName;
  const options = parseRunOptions(positionals);
  const inputs = readInputs(options);
  const machine = thisMachine();
  const where = whereOf(options);
  const { id } = signatureOfRun(options, inputs, machine);
  const logs = mkdtempSync(join(tmpdir(), "tuned-"));
  await inScratch(async (scratch) => {
    const most = mostWorkers(machine, where);
    const n = countCandidates(inputs);
    const workload = await Likelihoods.open(options, inputs, n, scratch, most, machine.topology);
    const space = tuneSpace(machine, where, workload, Infinity);
    const common = { workload, machine, where, space, mostBytes: Infinity };
    for (let time = 0; time < Number(values.times); time++) {
      const header = { signature: id, version: `${time}`, search, seed: time, space: space.dimensions };
      const { log } = openLog(header, logs);
      const deadline = performance.now() + 1000 * Number(values.budget);
      const tuned = await tune({ ...common, search: openSearch(search, space, time), deadline, log });
      log.finish();
      const found = tuned.best.setting;
      const bench = new Workbench({ ...common, search: openSearch(search, space, time), deadline, log });
      try {
        const best = await sweep(
          bench,
          listCandidates(space).map(({ point }) => point),
          space.setting,
        );
        const against = async (a: Setting, b: Setting) => {
          const { ratio, error } = await duel(
            [() => bench.rate(a), () => bench.rate(b)],
            (done) => done >= PAIRS,
          );
          return `${ratio.toFixed(3)} +- ${error.toFixed(3)}`;
        };
        console.log(`${time}: search ${settingText(found)} (${tuned.candidates.length} measurements)`);
        console.log(`   all    ${settingText(best)}`);
        const kept = tuned.setting === tuned.builtIn;
        console.log(`   tune ${kept ? "keeps the built-in setting" : "takes the best of the search"}`);
        console.log(`   chosen by tune / built-in   ${await against(tuned.setting, tuned.builtIn)}`);
        console.log(`   best of search / built-in   ${await against(found, tuned.builtIn)}`);
        console.log(`   best of all / built-in      ${await against(best, tuned.builtIn)}`);
        console.log(`   best of search / of all     ${await against(found, best)}`);
      } finally {
        bench.close();
      }
    }
    workload.close();
  });
  rmSync(logs, { recursive: true, force: true });
}

/** The fastest of all. */
async function sweep(bench: Workbench, points: readonly Point[], settingOf: (point: Point) => Setting) {
  const round = async (settings: readonly Setting[], effort: "quick" | "full", times: number) => {
    const rates = new Map(settings.map((setting) => [setting, 0]));
    for (let k = 0; k < times; k++) {
      for (const setting of settings) {
        const { timed } = await bench.measure(setting, effort);
        rates.set(setting, (rates.get(setting) ?? 0) + (timed?.rate ?? 0) / times);
      }
    }
    return settings.toSorted((a, b) => (rates.get(b) ?? 0) - (rates.get(a) ?? 0));
  };
  const all = await round(points.map(settingOf), "quick", 1);
  const good = await round(all.slice(0, AT_LENGTH), "full", 1);
  return (await round(good.slice(0, AGAIN), "full", TIMES_AGAIN))[0];
}

await main();
process.exit();
