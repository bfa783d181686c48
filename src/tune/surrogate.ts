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

/** Candidates of the start for each knob that has a choice: measured quickly, the later ones well. */
const FIRST_PER_KNOB = 2;
/** The search ends where an improvement of this share is not expected any more. */
export const ENOUGH = 0.002;
/** Pairs of a candidate and a measurement that one question looks at: about 10 ms. */
const MOST_PAIRS = 100_000;
/** Thought likely before there is a measurement: lengths are a part of the range, names change a little. */
const LIKELY = {
  lengthShare: 0.5,
  leastLength: 1,
  namedLength: 2,
  noise: 0.01,
  leastScale: 0.05,
  octaves: 1,
};

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
  const coordinates = coordinatesOf(space);
  const spread = spreadCandidates(space, FIRST_PER_KNOB * coordinates.named.length, seed);
  const isStart = ({ key }: Candidate) => key === space.key(space.start);
  const first = [...all.filter(isStart), ...spread.filter((candidate) => !isStart(candidate))];
  /** Measured in any way; not to be asked for again; the last measurement of each that could be measured. */
  const tried = new Set<string>();
  const done = new Set<string>();
  const told = new Map<string, Told>();
  const chain = new HyperparameterChain();
  let process: GaussianProcess | undefined;

  /** Of all that is measured, by the process: it smooths the luck of single measurements away. */
  const believedBest = (model: GaussianProcess) => {
    const known = [...told.values()].map(({ point, x }) => ({ point, mean: model.mean(x) }));
    return known.reduce((a, b) => (b.mean > a.mean ? b : a));
  };

  return {
    best: () => process && believedBest(process).point,
    ask() {
      const next = first.find(({ key }) => !tried.has(key));
      if (next) return { point: next.point, effort: isStart(next) ? "full" : "quick" };
      if (!process) return undefined;
      const best = believedBest(process);
      const open = openCandidates(space, all, best.point, seed, told.size);
      const point = mostPromising(
        process,
        open.filter(({ key }) => !done.has(key)).map(({ point }) => ({ point, x: coordinates.of(point) })),
        best.mean,
      );
      return point && { point, effort: "full" };
    },
    tell({ point, effort }, measured) {
      const key = space.key(point);
      if (key === undefined) return;
      const isUsable = measured !== undefined && measured.rate > 0 && Number.isFinite(measured.rate);
      tried.add(key);
      if (effort === "full" || !isUsable) done.add(key);
      if (!isUsable) return;
      told.set(key, { point, key, x: coordinates.of(point), measured });
      const data = observations([...told.values()], coordinates.named);
      process = chain.fit(data, likely(coordinates, data));
    },
  };
}

/** Where the expected improvement on `level` is largest; undefined where it is not worth a measurement. */
function mostPromising(
  process: GaussianProcess,
  open: readonly { readonly point: Point; readonly x: readonly number[] }[],
  level: number,
): Point | undefined {
  const bounded = open.map(({ point, x }) => {
    return { point, x, bound: expectedImprovement(process.optimistic(x), level) };
  });
  bounded.sort((a, b) => b.bound - a.bound);
  let found: Point | undefined;
  let most = ENOUGH;
  for (const { point, x, bound } of bounded) {
    // The exact value costs n x n operations; below the bound of this one nothing can be larger.
    if (bound <= most) break;
    const gain = expectedImprovement(process.predict(x), level);
    if (gain > most) [most, found] = [gain, point];
  }
  return found;
}

/** All, or where there are too many a sample and what is around the best. */
function openCandidates(
  space: Space,
  all: readonly Candidate[],
  best: Point,
  seed: number,
  n_told: number,
): Candidate[] {
  const n = Math.ceil(MOST_PAIRS / n_told);
  if (all.length <= n) return [...all];
  const some = choiceWithoutReplacement(all.length, n, seed + n_told, STREAMS.tuning);
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
  const { lengthShare, leastLength, namedLength, noise, leastScale, octaves } = LIKELY;
  const lengths = named.map((isNamed, k) =>
    isNamed ? namedLength : Math.max(leastLength, lengthShare * range[k]),
  );
  const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
  const scale = Math.sqrt(y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / y.length);
  return { middle: { lengths, scale: Math.max(leastScale, scale), noise }, octaves };
}
