/** What the searches are tried on. */
import type { Ask } from "../../src/tune/search.ts";
import type { Point, Space } from "../../src/tune/setting.ts";

/** Runs of a measurement that are timed (src/tune/measure.ts), and that are not. */
export const RUNS: Readonly<Record<Ask["effort"], number>> = { quick: 2, full: 5 };
export const WARM_UP = 1;

export interface Landscape {
  readonly name: string;
  readonly space: Space;
  /** Without noise. */
  rate(point: Point): number;
  /** What a measurement says of its own error, relative. */
  error(point: Point, effort: Ask["effort"]): number;
  /** Standard deviation of a measured rate, relative. */
  noise(point: Point, effort: Ask["effort"]): number;
  /** What a measurement takes. */
  seconds(point: Point, effort: Ask["effort"]): number;
  /** Share of the measurements that something else on the machine slows down, by this share of the rate. */
  readonly disturbed: number;
  readonly loss: number;
}
