/** How candidates are chosen: ask for the next one, measure it, tell the result. */
import { gridSearch } from "./grid.ts";
import { halvingSearch } from "./halving.ts";
import type { Measured, Point, Space } from "./setting.ts";
import { surrogateSearch } from "./surrogate.ts";

export const SEARCHES = ["grid", "halving", "surrogate"] as const;
export type SearchName = (typeof SEARCHES)[number];

export interface Ask {
  readonly point: Point;
  /** quick: a single timed run or two, to leave out what is hopeless; full: until the spread is known. */
  readonly effort: "quick" | "full";
}

/** One search. The same answers lead to the same questions, so a log of answers can be told again to resume. */
export interface Search {
  /** The next candidate; undefined when there is nothing more to ask. Until it is told, the same one again. */
  ask(): Ask | undefined;
  /** undefined: the candidate could not be measured (too much memory, wrong answer); it is not asked for again. */
  tell(ask: Ask, measured: Measured | undefined): void;
  /** The one that it takes for the best of all it was told, if it knows more than the measured rates say. */
  best?(): Point | undefined;
}

/** @param seed of the searches that choose at random: the same seed, the same questions */
export function openSearch(name: SearchName, space: Space, seed: number): Search {
  if (name === "grid") return gridSearch(space);
  return name === "halving" ? halvingSearch(space, seed) : surrogateSearch(space, seed);
}
