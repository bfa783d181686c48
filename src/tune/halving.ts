/**
 * Successive halving (Jamieson and Talwalkar, AISTATS 2016): many candidates measured quickly, the best third of them
 * well; then steps from the best one, of one knob at a time.
 */
import { type Candidate, listCandidates, neighbours } from "./candidates.ts";
import { spreadCandidates } from "./latin-hypercube.ts";
import type { Ask, Search } from "./search.ts";
import type { Measured, Space } from "./setting.ts";

/** Candidates of the first round for each knob that has a choice, and one in how many goes on to the second. */
const FIRST_PER_KNOB = 5;
const ONE_IN = 3;

type Results = Map<string, Measured | undefined>;

export function halvingSearch(space: Space, seed: number): Search {
  const knobs = space.dimensions.filter(({ values }) => values.length > 1).length;
  const [start] = listCandidates(space);
  const first = start === undefined ? [] : [start, ...spreadCandidates(space, FIRST_PER_KNOB * knobs, seed)];
  const quick: Results = new Map();
  const full: Results = new Map();

  const rate = (results: Results, { key }: Candidate) => results.get(key)?.rate ?? 0;
  const best = (results: Results, from: readonly Candidate[]) =>
    [...from].sort((a, b) => rate(results, b) - rate(results, a));
  const ask = (results: Results, from: readonly Candidate[]): Ask | undefined => {
    const next = from.find(({ key }) => !results.has(key));
    return next && { point: next.point, effort: results === quick ? "quick" : "full" };
  };

  const refined = (from: Candidate): Ask | undefined => {
    let centre = from;
    for (;;) {
      const around = neighbours(space, centre.point);
      const here = full.get(centre.key);
      const better = best(full, around).find(({ key }) => isBetter(full.get(key), here));
      if (!better) return ask(full, around);
      centre = better;
    }
  };

  return {
    ask() {
      const quickly = ask(quick, first);
      if (quickly) return quickly;
      const usable = first.filter(({ key }) => quick.get(key) !== undefined);
      const chosen = best(quick, usable).slice(0, Math.ceil(usable.length / ONE_IN));
      const kept = [...new Set([...usable.filter((one) => one === start), ...chosen])];
      return ask(full, kept) ?? (kept.length > 0 ? refined(best(full, kept)[0]) : undefined);
    },
    tell({ point, effort }, measured) {
      (effort === "quick" ? quick : full).set(space.key(point)!, measured);
    },
  };
}

/** By more than the error of the comparison. */
function isBetter(there: Measured | undefined, here: Measured | undefined): boolean {
  if (!there || !here) return there !== undefined;
  return there.rate > here.rate * (1 + Math.hypot(there.error, here.error));
}
