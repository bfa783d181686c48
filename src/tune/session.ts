/** One tune from its request to the remembered setting: what `tune` does, and `run` where nothing is known. */
import { hostname } from "node:os";
import { version } from "../../package.json";
import { DotpeError } from "../errors.ts";
import type { Machine } from "../machine/machine.ts";
import type { CacheEntry } from "./entry.ts";
import { openLog } from "./log.ts";
import { openSearch, type SearchName } from "./search.ts";
import type { Signature } from "./signature.ts";
import { tuneSpace, type Where } from "./space.ts";
import { type Candidate, type Tuned, tune } from "./tune.ts";
import type { Workload } from "./workload.ts";

export interface TuneHow {
  readonly search: SearchName;
  readonly seed: number;
  readonly budgetSeconds: number;
  /** When the budget began (ms, as performance.now()). */
  readonly started: number;
  readonly where: Where;
  /** Bytes of a worker at most; undefined: the share of each in the allowed memory, less 15%. */
  readonly mostBytes: number | undefined;
  /** Share of the allowed memory. */
  readonly memoryFraction: number;
  readonly onMeasured?: (candidate: Candidate, spent: number) => void;
}

export interface TuneOutcome extends Tuned {
  readonly entry: CacheEntry;
  /** Since `started`. */
  readonly seconds: number;
  readonly budgetSeconds: number;
}

/** The soonest within 3% of the best nearly always: bench/search-experiment.ts. */
export const DEFAULT_SEARCH: SearchName = "surrogate";
/** Left of a worker's share of the memory. */
const KEPT_MEMORY = 0.85;

/** @throws DotpeError, or Error if the built-in setting gives a wrong answer. */
export async function tuneSession(
  workload: Workload,
  machine: Machine,
  signature: Signature,
  how: TuneHow,
): Promise<TuneOutcome> {
  const { search, seed, budgetSeconds, started, where, onMeasured } = how;
  const allowed = machine.allowed.memoryBytes * how.memoryFraction;
  const share = (n: number) => how.mostBytes ?? (KEPT_MEMORY * allowed) / n;
  const space = tuneSpace(machine, where, workload, share(1));
  const mostBytes = share(space.most);
  if (workload.leastBytes(space.setting(space.start)) > mostBytes) {
    throw new DotpeError(
      "usage",
      `memory of a worker: found ${Math.round(mostBytes / 1e6)} MB, expected enough for the built-in setting`,
      "Raise --max-memory-per-worker or --memory-fraction.",
    );
  }
  const header = { signature: signature.id, version, search, seed, space: space.dimensions };
  const { log, warning } = openLog(header);
  try {
    const tuned = await tune({
      ...{ workload, machine, where, space, log, mostBytes, search: openSearch(search, space, seed) },
      deadline: started + 1000 * budgetSeconds,
      onMeasured: (candidate) => onMeasured?.(candidate, (performance.now() - started) / 1000),
    });
    log.finish();
    const seconds = (performance.now() - started) / 1000;
    const warnings = [...(warning === undefined ? [] : [warning]), ...tuned.warnings];
    return {
      ...tuned,
      warnings,
      seconds,
      budgetSeconds,
      entry: entryOf(tuned, workload, signature, how, seconds),
    };
  } finally {
    log.close();
  }
}

function entryOf(
  { setting, builtIn, best, start, duel, candidates }: Tuned,
  { unit }: Workload,
  signature: Signature,
  { search }: TuneHow,
  seconds: number,
): CacheEntry {
  const isBuiltIn = setting === builtIn;
  const { rate, error } = (isBuiltIn ? start : best).timed ?? { rate: Number.NaN, error: Number.NaN };
  return {
    ...{ signature, version, created: new Date().toISOString(), host: hostname(), setting, rate, error },
    ...{ unit, defaultRate: start.timed?.rate ?? Number.NaN, gain: isBuiltIn ? 1 : (duel?.ratio ?? 1) },
    ...{ candidates: candidates.length, seconds, search },
  };
}
