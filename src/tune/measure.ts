/** Times one candidate: warm-up, then runs until their spread is known. */
import { measure } from "mitata";
import type { Ask } from "./search.ts";
import type { Measured } from "./setting.ts";
import { medianOf, summarise } from "./statistics.ts";

/** Timed runs and seconds of them at least. */
const EFFORTS: Readonly<Record<Ask["effort"], { readonly n: number; readonly seconds: number }>> = {
  quick: { n: 2, seconds: 0 },
  full: { n: 5, seconds: 0.2 },
};
const MOST_RUNS = 50;

export interface Timed extends Measured {
  /** Runs that are far from the median. */
  readonly outliers: number;
  /** Of a run: the median; of quick ones the least. */
  readonly seconds: number;
}

/** Runs are timed once more where the first ones leave the rate less certain than this. */
const ENOUGH = 0.02;

/** @param work units that a run does @param run once before the clock starts, then as often as it takes */
export async function timed(run: () => Promise<void>, work: number, effort: Ask["effort"]): Promise<Timed> {
  const seconds = await secondsOf(run, effort);
  if (effort === "full" && summarise(seconds).error > ENOUGH) seconds.push(...(await secondsOf(run, effort)));
  const { median, error, outliers } = summarise(seconds);
  // Two runs have no typical time: other programs only make them longer.
  const typical = effort === "quick" ? Math.min(...seconds) : median;
  return { rate: work / typical, error, n: seconds.length, outliers, seconds: typical };
}

async function secondsOf(run: () => Promise<void>, effort: Ask["effort"]): Promise<number[]> {
  const { n, seconds } = EFFORTS[effort];
  const { samples } = await measure(run, {
    ...{ min_samples: n, min_cpu_time: 1e9 * seconds, max_samples: MOST_RUNS, samples_threshold: MOST_RUNS },
    ...{ gc: false, inner_gc: false },
  } as Parameters<typeof measure>[1]);
  return samples.map((ns) => ns / 1e9);
}

export interface Duel {
  /** Rate of the first over that of the second: median of the pairs, and its relative standard error. */
  readonly ratio: number;
  readonly error: number;
  readonly n: number;
  /** Medians, units a second. */
  readonly rates: readonly [number, number];
}

/** Standard errors that are chance: machines drift, so that pairs are not as independent as their error takes them to be. */
const CHANCE = 3;

/** Whether the first is faster, by more than chance explains. */
export const wins = ({ ratio, error }: Pick<Duel, "ratio" | "error">): boolean =>
  ratio * (1 - CHANCE * error) > 1;

/**
 * Two candidates in turns, so that whatever else happens on the machine happens to both.
 * @param rates of a run of each, units a second
 * @param enough told the pairs so far, before each
 */
export async function duel(
  rates: readonly [() => Promise<number>, () => Promise<number>],
  enough: (n: number) => boolean,
): Promise<Duel> {
  const ratios: number[] = [];
  const seen: [number[], number[]] = [[], []];
  while (!enough(ratios.length)) {
    // The one that begins changes, so that none is always the one that runs on the other's caches.
    const order = ratios.length % 2 === 0 ? [0, 1] : [1, 0];
    const found = [0, 0];
    for (const k of order) found[k] = await rates[k]();
    seen[0].push(found[0]);
    seen[1].push(found[1]);
    ratios.push(found[0] / found[1]);
  }
  const { median, error } = summarise(ratios);
  return { ratio: median, error, n: ratios.length, rates: [medianOf(seen[0]), medianOf(seen[1])] };
}
