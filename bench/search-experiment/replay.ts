/** One search on one landscape, with noise. */
import { STREAMS, uniform } from "../../src/gw/random.ts";
import { normalQuantile } from "../../src/gw/special.ts";
import { listCandidates } from "../../src/tune/candidates.ts";
import { type Ask, openSearch, type SearchName } from "../../src/tune/search.ts";
import type { Point } from "../../src/tune/setting.ts";
import { type Landscape, RUNS } from "./landscape.ts";

/** The random numbers of the noise begin here: the searches' own are below. */
const FIRST_COUNTER = 2 ** 41;
/** A replay is given up after so many budgets. */
const MOST_BUDGETS = 6;

export interface Goal {
  /** Rate of the best candidate. */
  readonly best: number;
  /** A candidate is good enough that lacks no more than this share of it. */
  readonly close: number;
  /** s */
  readonly budget: number;
}

export interface Replay {
  /** Until the best so far is good enough; Infinity if it never is. */
  readonly evaluations: number;
  readonly seconds: number;
  /** What the best within the budget lacks, as a share of the best of all. */
  readonly regret: number;
  /** Seconds until the search had nothing more to ask; Infinity if that was not seen. */
  readonly end: number;
  /** Milliseconds that the search took for the slowest question and its answer. */
  readonly slowest: number;
}

/** The candidate with the best rate and its margin for noise: at least 3%, or what a measurement may be wrong by. */
export function goalOf({ space, rate, noise }: Landscape, close: number, budget: number): Goal {
  const best = listCandidates(space).reduce((a, b) => (rate(b.point) > rate(a.point) ? b : a));
  return { best: rate(best.point), close: Math.max(close, noise(best.point, "full")), budget };
}

export function replay(landscape: Landscape, name: SearchName, seed: number, goal: Goal): Replay {
  const { space } = landscape;
  const search = openSearch(name, space, seed);
  const measured = new Map<string, { readonly point: Point; readonly rate: number }>();
  const measure = noisyRates(landscape, seed);
  let [seconds, evaluations, end, slowest, regret] = [0, 0, Infinity, 0, 1];
  let reached = { seconds: Infinity, evaluations: Infinity };
  while (seconds < MOST_BUDGETS * goal.budget) {
    const asked = performance.now();
    const ask = search.ask();
    let own = performance.now() - asked;
    if (!ask) {
      end = seconds;
      break;
    }
    const rate = measure(ask);
    seconds += landscape.seconds(ask.point, ask.effort);
    evaluations++;
    const told = performance.now();
    search.tell(ask, { rate, error: landscape.error(ask.point, ask.effort), n: RUNS[ask.effort] });
    own += performance.now() - told;
    slowest = Math.max(slowest, own);
    const key = space.key(ask.point)!;
    // As the tuner does: the one that the search names, or of the longest measurement of each candidate the best rate.
    if (ask.effort === "full" || !measured.has(key)) measured.set(key, { point: ask.point, rate });
    const fastest = [...measured.values()].reduce((a, b) => (b.rate > a.rate ? b : a));
    const lacking = 1 - landscape.rate(search.best?.() ?? fastest.point) / goal.best;
    if (seconds <= goal.budget) regret = lacking;
    if (lacking <= goal.close && reached.seconds === Infinity) reached = { seconds, evaluations };
  }
  return { ...reached, regret, end, slowest };
}

/** What a measurement says: the rate with its error, some of them disturbed. */
function noisyRates({ rate, noise, disturbed, loss }: Landscape, seed: number): (ask: Ask) => number {
  let counter = FIRST_COUNTER;
  const next = () => uniform(seed, STREAMS.tuning, counter++);
  return ({ point, effort }) => {
    const left = next() < disturbed ? 1 - loss : 1;
    return rate(point) * left * (1 + noise(point, effort) * normalQuantile(next()));
  };
}
