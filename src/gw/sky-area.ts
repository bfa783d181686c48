/** Credible regions of a density on the sky: thresholds, areas, and the density at any place. */
import { kernelAt, leaveOneOut, type SkyDensity } from "./sky-density.ts";
import { RingIndex, Rings } from "./sky-rings.ts";

export interface CredibleRegion {
  /** E.g. 0.9. */
  readonly level: number;
  /** The region is where the density (per sr) is at least this. */
  readonly threshold: number;
  /** sr. */
  readonly area: number;
}

export interface SkyMap {
  /** The density (per sr) in the direction of a unit vector. */
  at(x: number, y: number, z: number): number;
  readonly regions: readonly CredibleRegion[];
  /** Distinct positions' effective number: what the areas rest on. */
  readonly nEffective: number;
  /** A cap with the largest region's points: a unit vector and a radius (rad). */
  readonly cap: { readonly centre: readonly [number, number, number]; readonly radius: number };
}

/** sr to deg^2. */
export const SQUARE_DEGREES = (180 / Math.PI) ** 2;
/** Cells inside the smallest region: a boundary through cells then costs less than 1% of its area. */
const CELLS_INSIDE = 1000;
/** rad. */
const MIN_CELL = 1e-5;
const MAX_CELL = 0.02;
const INDEX_CELLS = { min: 0.003, max: 0.2 };

/**
 * The smallest regions among those where the density exceeds a threshold that hold these shares of the weight. Whether a point
 * is inside is judged by the density of all other points, so that a kernel too wide or too narrow does not change what a
 * region holds.
 * @param levels rising, between 0 and 1
 */
export function skyMap(density: SkyDensity, levels: readonly number[]): SkyMap {
  const found = evaluator(density);
  const loo = leaveOneOut(density);
  const order = Uint32Array.from(loo.keys()).sort((a, b) => loo[b] - loo[a]);
  const thresholds = levels.map((level) => thresholdAt(level, loo, density.weights, order));
  const areas = areasAbove(found, thresholds, roughArea(thresholds[0], loo, density.weights));
  return {
    at: found.at,
    regions: levels.map((level, r) => ({ level, threshold: thresholds[r], area: areas[r] })),
    nEffective: density.nEffective,
    cap: capOf(density, loo, Math.min(...thresholds)),
  };
}

/** About the points that are inside. */
function capOf({ centres, weights }: SkyDensity, loo: Float64Array, threshold: number): SkyMap["cap"] {
  const inside = Array.from(weights.keys()).filter((k) => loo[k] >= threshold);
  const sum = (axis: number) => inside.reduce((total, k) => total + weights[k] * centres[3 * k + axis], 0);
  const [x, y, z] = [sum(0), sum(1), sum(2)];
  const length = Math.hypot(x, y, z) || 1;
  const least = inside.reduce(
    (least, k) =>
      Math.min(least, (centres[3 * k] * x + centres[3 * k + 1] * y + centres[3 * k + 2] * z) / length),
    1,
  );
  return { centre: [x / length, y / length, z / length], radius: Math.acos(Math.max(-1, least)) };
}

/** The density above which points of this share of the weight lie: linear in its logarithm between two points. */
function thresholdAt(level: number, loo: Float64Array, weights: Float64Array, order: Uint32Array): number {
  let below = 0;
  let [lastMiddle, lastDensity] = [0, loo[order[0]]];
  for (const k of order) {
    const middle = below + weights[k] / 2;
    if (middle >= level) {
      if (!(loo[k] > 0)) return lastDensity;
      const share = (level - lastMiddle) / Math.max(middle - lastMiddle, Number.MIN_VALUE);
      return Math.exp((1 - share) * Math.log(lastDensity) + share * Math.log(loo[k]));
    }
    below += weights[k];
    [lastMiddle, lastDensity] = [middle, loo[k]];
  }
  return lastDensity;
}

/** The mean of 1 / density over the points inside: the size of the cells need not be known well. */
function roughArea(threshold: number, loo: Float64Array, weights: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < loo.length; k++) if (loo[k] >= threshold && loo[k] > 0) sum += weights[k] / loo[k];
  return sum;
}

function areasAbove({ at, index, most }: Evaluator, thresholds: readonly number[], rough: number): number[] {
  const rings = new Rings(Math.min(MAX_CELL, Math.max(MIN_CELL, Math.sqrt(rough / CELLS_INSIDE))));
  const areas = thresholds.map(() => 0);
  const least = Math.min(...thresholds);
  const mayBeInside = (kernels: readonly number[]) => {
    let sum = 0;
    for (let m = 0; m < kernels.length; m++) sum += most[kernels[m]];
    return sum >= least;
  };
  for (let ring = 0; ring < rings.n_rings; ring++) {
    const sinDec = rings.sinDec(ring);
    const cosDec = Math.sqrt(1 - sinDec * sinDec);
    const n = rings.cells(ring);
    for (const [start, end] of index.spans(sinDec, mayBeInside)) {
      for (let cell = Math.ceil(start * n - 0.5); cell + 0.5 < end * n; cell++) {
        const ra = (2 * Math.PI * (cell + 0.5)) / n;
        const value = at(cosDec * Math.cos(ra), cosDec * Math.sin(ra), sinDec);
        for (let r = 0; r < thresholds.length; r++)
          if (value >= thresholds[r]) areas[r] += rings.cellArea(ring);
      }
    }
  }
  return areas;
}

interface Evaluator {
  readonly at: SkyMap["at"];
  readonly index: RingIndex;
  /** (k) the density (per sr) that a kernel adds at its centre. */
  readonly most: Float64Array;
}

/** The density anywhere: only the kernels that reach a cell of a coarse grid are looked at. */
function evaluator(density: SkyDensity): Evaluator {
  const sorted = density.reach.toSorted();
  const typical = sorted[sorted.length >> 1];
  const index = new RingIndex(Math.min(INDEX_CELLS.max, Math.max(INDEX_CELLS.min, typical / 2)));
  for (let k = 0; k < density.n_points; k++) {
    const { centres, reach } = density;
    index.add(k, centres[3 * k], centres[3 * k + 1], centres[3 * k + 2], reach[k]);
  }
  const at = (x: number, y: number, z: number) => {
    const near = index.near(x, y, z);
    let sum = 0;
    for (let m = 0; m < near.length; m++) {
      sum += density.weights[near[m]] * kernelAt(density, near[m], x, y, z);
    }
    return sum;
  };
  return { at, index, most: density.peaks.map((peak, k) => peak * density.weights[k]) };
}
