/**
 * Bayesian optimisation: a Latin hypercube to start with, then where a Gaussian process through the logarithms of the
 * rates expects the largest improvement.
 */
import { choiceWithoutReplacement, STREAMS } from "../gw/random.ts";
import { type Candidate, isNumeric, listCandidates, neighbours } from "./candidates.ts";
import { expectedImprovement, type GaussianProcess, type Observations } from "./gaussian-process.ts";
import { HyperparameterChain, type Likely } from "./hyperparameters.ts";
import { spreadCandidates } from "./latin-hypercube.ts";
import type { Search } from "./search.ts";
import type { Measured, Point, Space } from "./setting.ts";

/** Candidates of the start for each knob. */
export const TUNABLE = {
  perKnob: 2,
  enough: 0.003,
  octaves: 1,
  lengthShare: 0.5,
  categoryLength: 2,
  noise: 0.01,
};
const MOST_CANDIDATES = 2000;
const LEAST_SCALE = 0.05;

interface Told extends Candidate {
  readonly x: readonly number[];
  readonly measured: Measured;
}

interface Coordinates {
  readonly named: readonly boolean[];
  readonly range: readonly number[];
  of(point: Point): number[];
}

export function surrogateSearch(space: Space, seed: number): Search {
  const all = listCandidates(space);
  const knobs = space.dimensions.filter(({ values }) => values.length > 1).length;
  const first = [
    ...all.filter(({ key }) => key === space.key(space.start)),
    ...spreadCandidates(space, Math.round(TUNABLE.perKnob * knobs), seed),
  ];
  const coordinates = coordinatesOf(space);
  const done = new Set<string>();
  const told: Told[] = [];
  const chain = new HyperparameterChain();
  let process: GaussianProcess | undefined;

  const chosen = (): Candidate | undefined => {
    if (!process) return undefined;
    const model = process;
    const best = told.reduce((a, b) => (model.mean(a.x) > model.mean(b.x) ? a : b));
    const level = model.mean(best.x);
    const open = openCandidates(space, all, best.point, seed, told.length).filter(
      ({ key }) => !done.has(key),
    );
    const bounded = open.map((candidate) => {
      const x = coordinates.of(candidate.point);
      const mean = model.mean(x);
      return {
        candidate,
        x,
        bound: expectedImprovement({ mean, deviation: model.deviationBound(x) }, level),
      };
    });
    bounded.sort((a, b) => b.bound - a.bound);
    let found: Candidate | undefined;
    let most = TUNABLE.enough;
    for (const { candidate, x, bound } of bounded) {
      if (bound <= most) break;
      const gain = expectedImprovement(model.predict(x), level);
      if (gain > most) {
        most = gain;
        found = candidate;
      }
    }
    return found;
  };

  return {
    best() {
      if (!process) return undefined;
      const model = process;
      return told.reduce((a, b) => (model.mean(a.x) > model.mean(b.x) ? a : b)).point;
    },
    ask() {
      const next = first.find(({ key }) => !done.has(key)) ?? chosen();
      return next && { point: next.point, effort: "full" };
    },
    tell({ point }, measured) {
      const key = space.key(point)!;
      done.add(key);
      if (!measured) return;
      told.push({ point, key, x: coordinates.of(point), measured });
      const data = observations(told, coordinates.named);
      process = chain.fit(data, likely(coordinates, data));
    },
  };
}

/** All, or where there are too many a sample and what is around the best. */
function openCandidates(
  space: Space,
  all: readonly Candidate[],
  best: Point,
  seed: number,
  n_told: number,
): Candidate[] {
  if (all.length <= MOST_CANDIDATES) return [...all];
  const some = choiceWithoutReplacement(all.length, MOST_CANDIDATES, seed + n_told, STREAMS.tuning);
  const near = neighbours(space, best);
  return [
    ...near,
    ...near.flatMap(({ point }) => neighbours(space, point)),
    ...Array.from(some, (j) => all[j]),
  ];
}

/** The knobs that have a choice as coordinates: numbers by their logarithms to base 2, others by position. */
function coordinatesOf({ dimensions }: Space): Coordinates {
  const used = dimensions.flatMap((dimension, d) => (dimension.values.length > 1 ? [{ dimension, d }] : []));
  const named = used.map(({ dimension }) => !isNumeric(dimension));
  const values = used.map(({ dimension }, k) =>
    dimension.values.map((value, v) => (named[k] ? v : Math.log2(Number(value)))),
  );
  return {
    named,
    range: values.map((column) => column.at(-1)! - column[0]),
    of: (point) => used.map(({ d }, k) => values[k][point[d]]),
  };
}

function observations(told: readonly Told[], named: readonly boolean[]): Observations {
  return {
    x: told.map(({ x }) => x),
    named,
    y: told.map(({ measured }) => Math.log(measured.rate)),
    variance: told.map(({ measured }) => measured.error ** 2),
  };
}

function likely({ named, range }: Coordinates, { y }: Observations): Likely {
  const lengths = named.map((isNamed, k) =>
    isNamed ? TUNABLE.categoryLength : Math.max(1, TUNABLE.lengthShare * range[k]),
  );
  const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
  const scale = Math.sqrt(y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / y.length);
  return {
    middle: { lengths, scale: Math.max(LEAST_SCALE, scale), noise: TUNABLE.noise },
    octaves: TUNABLE.octaves,
  };
}
