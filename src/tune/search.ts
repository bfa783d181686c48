/** How candidates are chosen: ask for the next one, measure it, tell the result. */
import type { Measured, Point } from "./setting.ts";

export interface Ask {
  readonly point: Point;
  /** quick: a single timed run or two, to leave out what is hopeless; full: until the spread is known. */
  readonly effort: "quick" | "full";
}

/** One search. The same answers lead to the same questions, so a log of answers can be told again to resume. */
export interface Search {
  /** The next candidate; undefined when there is nothing more to ask. */
  ask(): Ask | undefined;
  /** undefined: the candidate could not be measured (too much memory, wrong answer); it is not asked for again. */
  tell(ask: Ask, measured: Measured | undefined): void;
}
