/** The points of a space that are worth measuring, and who is next to whom. */
import type { Dimension, Point, Space } from "./setting.ts";

export interface Candidate {
  readonly point: Point;
  readonly key: string;
}

/** Whether the values have an order and distances. */
export function isNumeric({ values }: Dimension): boolean {
  return values.every((value) => typeof value === "number");
}

/**
 * Every usable point, one for each key: the start, then those that differ from it in one knob, in two, and so on; fewer
 * steps first.
 */
export function listCandidates(space: Space): Candidate[] {
  const found = allPoints(space).map((point) => ({ point, ...distance(space, point) }));
  found.sort((a, b) => a.knobs - b.knobs || a.steps - b.steps);
  const byKey = new Map<string, Candidate>();
  for (const { point } of found) {
    const key = space.key(point);
    if (key !== undefined && !byKey.has(key)) byKey.set(key, { point, key });
  }
  return [...byKey.values()];
}

function allPoints({ dimensions }: Space): Point[] {
  let points: Point[] = [[]];
  for (const { values } of dimensions)
    points = points.flatMap((point) => values.map((_, value) => [...point, value]));
  return points;
}

function distance({ dimensions, start }: Space, point: Point): { knobs: number; steps: number } {
  const steps = point.map((value, d) =>
    isNumeric(dimensions[d]) ? Math.abs(value - start[d]) : Number(value !== start[d]),
  );
  return { knobs: steps.filter((n) => n > 0).length, steps: steps.reduce((sum, n) => sum + n, 0) };
}

/**
 * What one step of one knob leads to: the next value up and down that does other work, every other value of a knob
 * without order. Where a step of a number is of use only with another value of a knob without order (more workers, on
 * both threads of a core), both change. One candidate for each key.
 */
export function neighbours(space: Space, point: Point): Candidate[] {
  const here = space.key(point);
  const found = new Map<string, Candidate>();
  const unordered = space.dimensions.flatMap((dimension, d) => (isNumeric(dimension) ? [] : [d]));
  const others = (from: Point) =>
    unordered.flatMap((d) => space.dimensions[d].values.map((_, value) => from.with(d, value)));
  const add = (points: readonly Point[]): boolean => {
    const usable = points.find((other) => space.key(other) !== undefined);
    const key = usable && space.key(usable);
    if (usable === undefined || key === undefined || key === here) return false;
    if (!found.has(key)) found.set(key, { point: usable, key });
    return true;
  };
  space.dimensions.forEach((dimension, d) => {
    if (!isNumeric(dimension)) return;
    for (const step of [1, -1]) {
      let value = point[d] + step;
      while (value in dimension.values && !add([point.with(d, value), ...others(point.with(d, value))]))
        value += step;
    }
  });
  for (const other of others(point)) add([other]);
  return [...found.values()];
}
