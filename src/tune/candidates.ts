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
 * without order. One candidate for each key.
 */
export function neighbours(space: Space, point: Point): Candidate[] {
  const here = space.key(point);
  const found = new Map<string, Candidate>();
  const tryValue = (d: number, value: number): boolean => {
    const other = point.with(d, value);
    const key = space.key(other);
    if (key === undefined || key === here) return false;
    if (!found.has(key)) found.set(key, { point: other, key });
    return true;
  };
  space.dimensions.forEach((dimension, d) => {
    const n = dimension.values.length;
    if (isNumeric(dimension)) {
      for (const step of [1, -1])
        for (let value = point[d] + step; value >= 0 && value < n; value += step)
          if (tryValue(d, value)) break;
    } else for (let value = 0; value < n; value++) if (value !== point[d]) tryValue(d, value);
  });
  return [...found.values()];
}
