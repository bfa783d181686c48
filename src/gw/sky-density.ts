/**
 * The density on the sky of weighted points: a sum of Gaussian kernels, each with the shape of the points around it.
 *
 * A kernel lives in the Lambert equal-area projection about its point, where areas are those of the sphere, so that it
 * integrates to 1 (but for what lies beyond the antipode). Its covariance is h^2 times that of the nearest points that hold a
 * share of the weight: wide where points are few (Abramson 1982, Ann. Stat. 10, 1217), drawn out along an arc (Vincent & Bengio
 * 2003, manifold Parzen windows). h and the share are those with the largest likelihood of each point given the others.
 */

/** Equally long arrays: right ascension (or longitude) and declination (rad), weights >= 0 of any sum. */
export interface SkyPoints {
  readonly ra: ArrayLike<number>;
  readonly dec: ArrayLike<number>;
  readonly weights: ArrayLike<number>;
}

/** A sum of kernels: kernel k has its centre, two tangent vectors, weight over normalization, and inverse covariance. */
export interface SkyDensity {
  /** Points that the kernels stand on, after the merging of very many. */
  readonly n_points: number;
  /** 1 / sum of squared weights (normalized). */
  readonly nEffective: number;
  /** (k) sum to 1. */
  readonly weights: Float64Array;
  /** (k, 3) unit vectors. */
  readonly centres: Float64Array;
  /** (k, 9): two tangent unit vectors, then inverse covariance xx, xy, yy. */
  readonly shapes: Float64Array;
  /** (k) 1 / (2 pi sqrt(det covariance)), per sr. */
  readonly peaks: Float64Array;
  /** (k) rad: no weight to speak of lies beyond it. */
  readonly reach: Float64Array;
}

/** Points beyond this are merged: the choice of the kernels takes a time that grows with their square. */
export const MAX_POINTS = 1000;
/** Shares of the weight around a point that give its kernel's shape. */
const SHARES = [0.04, 0.1, 0.25, 0.6, 1];
/** Widths h, relative to that shape. */
const WIDTHS = [0.35, 0.5, 0.7, 1, 1.4, 2];
/** A kernel's shape never rests on fewer points. */
const MIN_NEIGHBOURS = 4;
/** The shape is blended with a circle by this much: a few neighbours on a line are no line. */
const ROUNDING = 0.1;
/** rad. */
const MIN_SIGMA = 1e-5;
const MAX_SIGMA = 1.2;
/** Beyond so many standard deviations a kernel is cut. */
const CUT = 5;
/** Of the likelihood of one point given the others, part of a uniform sky: a point far from all others is not impossible. */
const UNIFORM_SHARE = 1e-3;

const UNIFORM = 1 / (4 * Math.PI);
const SHAPE = 9;

/** @throws Error if no weight is positive. */
export function skyDensity(points: SkyPoints): SkyDensity {
  const { centres, weights } = distinct(points);
  if (weights.length === 0) throw new Error("no point of the sky has weight");
  const covariances = shapesByShare(centres, weights);
  return bestOfGrid(SHARES.length, WIDTHS.length, (share, width) => {
    const kernels = kernelsOf(centres, weights, covariances[share], WIDTHS[width]);
    return { value: kernels, score: looLikelihood(kernels) };
  });
}

/** Uphill from the middle of an n x m grid, by the best of the four neighbours, until none is better. */
function bestOfGrid<T>(
  n: number,
  m: number,
  evaluate: (i: number, j: number) => { value: T; score: number },
): T {
  const seen = new Set<number>();
  let at = { i: n >> 1, j: m >> 1 };
  let best = evaluate(at.i, at.j);
  seen.add(at.i * m + at.j);
  for (let improved = true; improved; ) {
    improved = false;
    const { i, j } = at;
    for (const next of [
      { i: i - 1, j },
      { i: i + 1, j },
      { i, j: j - 1 },
      { i, j: j + 1 },
    ]) {
      const key = next.i * m + next.j;
      if (next.i < 0 || next.i >= n || next.j < 0 || next.j >= m || seen.has(key)) continue;
      seen.add(key);
      const found = evaluate(next.i, next.j);
      if (found.score > best.score) [best, at, improved] = [found, next, true];
    }
  }
  return best.value;
}

/** Unit vector (into `out` at 3 k). */
export function putVector(out: Float64Array, k: number, ra: number, dec: number): void {
  out[3 * k] = Math.cos(dec) * Math.cos(ra);
  out[3 * k + 1] = Math.cos(dec) * Math.sin(ra);
  out[3 * k + 2] = Math.sin(dec);
}

/** Kernel k at a unit vector, per sr, without its weight. */
export function kernelAt({ centres, shapes, peaks }: SkyDensity, k: number, x: number, y: number, z: number) {
  const c = centres[3 * k] * x + centres[3 * k + 1] * y + centres[3 * k + 2] * z;
  if (c <= -1) return 0;
  const at = SHAPE * k;
  const scale = Math.sqrt(2 / (1 + c));
  const u = scale * (shapes[at] * x + shapes[at + 1] * y + shapes[at + 2] * z);
  const v = scale * (shapes[at + 3] * x + shapes[at + 4] * y + shapes[at + 5] * z);
  const squared = shapes[at + 6] * u * u + 2 * shapes[at + 7] * u * v + shapes[at + 8] * v * v;
  return squared > CUT * CUT ? 0 : peaks[k] * Math.exp(-0.5 * squared);
}

/**
 * The density (per sr) at each point, of all the other points: what a new point would see.
 * @returns (k)
 */
export function leaveOneOut(kernels: SkyDensity): Float64Array {
  const { weights, centres } = kernels;
  const n = weights.length;
  const out = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const w = weights[k];
    for (let j = 0; j < n; j++) {
      if (j !== k) out[j] += w * kernelAt(kernels, k, centres[3 * j], centres[3 * j + 1], centres[3 * j + 2]);
    }
  }
  return out.map((density, j) => density / Math.max(1 - weights[j], Number.MIN_VALUE));
}

function looLikelihood(kernels: SkyDensity): number {
  const density = leaveOneOut(kernels);
  let sum = 0;
  for (let j = 0; j < density.length; j++) {
    sum += kernels.weights[j] * Math.log((1 - UNIFORM_SHARE) * density[j] + UNIFORM_SHARE * UNIFORM);
  }
  return sum;
}

/** Positions that occur several times become one; of too many, evenly spaced ones of the cumulative weight stand for all. */
function distinct({ ra, dec, weights }: SkyPoints): { centres: Float64Array; weights: Float64Array } {
  const merged = new Map<string, { ra: number; dec: number; weight: number }>();
  let total = 0;
  for (let k = 0; k < weights.length; k++) {
    if (!(weights[k] > 0)) continue;
    total += weights[k];
    const key = `${ra[k]} ${dec[k]}`;
    const known = merged.get(key);
    if (known === undefined) merged.set(key, { ra: ra[k], dec: dec[k], weight: weights[k] });
    else known.weight += weights[k];
  }
  let list = [...merged.values()];
  if (list.length > MAX_POINTS) list = thinned(list, total);
  const centres = new Float64Array(3 * list.length);
  for (let k = 0; k < list.length; k++) putVector(centres, k, list[k].ra, list[k].dec);
  const sum = list.reduce((partial, { weight }) => partial + weight, 0);
  return { centres, weights: Float64Array.from(list, ({ weight }) => weight / sum) };
}

function thinned<T extends { weight: number }>(list: readonly T[], total: number): T[] {
  const step = total / MAX_POINTS;
  const kept: T[] = [];
  let cumulative = 0;
  let next = step / 2;
  for (const point of list) {
    cumulative += point.weight;
    let times = 0;
    for (; next < cumulative; next += step) times++;
    if (times > 0) kept.push({ ...point, weight: times });
  }
  return kept;
}

/** For each share: (k, 3) covariance xx, xy, yy of the nearest points, in the projection about point k. */
function shapesByShare(centres: Float64Array, weights: Float64Array): Float64Array[] {
  const n = weights.length;
  const out = SHARES.map(() => new Float64Array(3 * n));
  const cosine = new Float64Array(n);
  const order = new Uint32Array(n);
  for (let k = 0; k < n; k++) {
    const [x, y, z] = [centres[3 * k], centres[3 * k + 1], centres[3 * k + 2]];
    for (let j = 0; j < n; j++) {
      cosine[j] = centres[3 * j] * x + centres[3 * j + 1] * y + centres[3 * j + 2] * z;
      order[j] = j;
    }
    order.sort((a, b) => cosine[b] - cosine[a]);
    momentsOf(k, centres, weights, order, out);
  }
  return out;
}

function momentsOf(
  k: number,
  centres: Float64Array,
  weights: Float64Array,
  order: Uint32Array,
  out: readonly Float64Array[],
): void {
  const n = weights.length;
  const tangent = tangentsAt(centres[3 * k], centres[3 * k + 1], centres[3 * k + 2]);
  let [sum, xx, xy, yy, share] = [0, 0, 0, 0, 0];
  for (let rank = 1; rank < n && share < SHARES.length; rank++) {
    const j = order[rank];
    const [x, y, z] = [centres[3 * j], centres[3 * j + 1], centres[3 * j + 2]];
    const c = centres[3 * k] * x + centres[3 * k + 1] * y + centres[3 * k + 2] * z;
    const scale = Math.sqrt(2 / Math.max(1 + c, 1e-12));
    const u = scale * (tangent[0] * x + tangent[1] * y + tangent[2] * z);
    const v = scale * (tangent[3] * x + tangent[4] * y + tangent[5] * z);
    sum += weights[j];
    xx += weights[j] * u * u;
    xy += weights[j] * u * v;
    yy += weights[j] * v * v;
    const last = rank === n - 1;
    while (
      share < SHARES.length &&
      (last || (rank >= MIN_NEIGHBOURS && sum >= SHARES[share] * (1 - weights[k])))
    ) {
      out[share].set([xx / sum, xy / sum, yy / sum], 3 * k);
      share++;
    }
  }
}

/** Two unit vectors that with (x, y, z) make a right-handed frame. */
function tangentsAt(x: number, y: number, z: number): [number, number, number, number, number, number] {
  const across = Math.hypot(x, y);
  const [ex, ey] = across > 1e-9 ? [-y / across, x / across] : [1, 0];
  return [ex, ey, 0, -z * ey, z * ex, x * ey - y * ex];
}

function kernelsOf(
  centres: Float64Array,
  weights: Float64Array,
  covariance: Float64Array,
  width: number,
): SkyDensity {
  const n = weights.length;
  const shapes = new Float64Array(SHAPE * n);
  const peaks = new Float64Array(n);
  const reach = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const h2 = width * width;
    const round = (ROUNDING * (covariance[3 * k] + covariance[3 * k + 2])) / 2;
    let xx = h2 * ((1 - ROUNDING) * covariance[3 * k] + round) + MIN_SIGMA ** 2;
    let xy = h2 * (1 - ROUNDING) * covariance[3 * k + 1];
    let yy = h2 * ((1 - ROUNDING) * covariance[3 * k + 2] + round) + MIN_SIGMA ** 2;
    const largest = (xx + yy) / 2 + Math.hypot((xx - yy) / 2, xy);
    const shrink = Math.min(1, MAX_SIGMA ** 2 / largest);
    [xx, xy, yy] = [xx * shrink, xy * shrink, yy * shrink];
    const determinant = xx * yy - xy * xy;
    shapes.set(tangentsAt(centres[3 * k], centres[3 * k + 1], centres[3 * k + 2]), SHAPE * k);
    shapes.set([yy / determinant, -xy / determinant, xx / determinant], SHAPE * k + 6);
    peaks[k] = 1 / (2 * Math.PI * Math.sqrt(determinant));
    // A chord of length 2 sin(theta / 2) in the projection.
    reach[k] = 2 * Math.asin(Math.min(1, (CUT * Math.sqrt(largest * shrink)) / 2));
  }
  const nEffective = 1 / weights.reduce((sum, w) => sum + w * w, 0);
  return { n_points: n, nEffective, weights, centres, shapes, peaks, reach };
}
