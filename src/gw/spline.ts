/**
 * Not-a-knot cubic splines (the third derivative is continuous at the second and the last but one knot; what
 * scipy.interpolate.CubicSpline does by default), and the summary weights of relative binning built on them.
 *
 * The spline is kept as values and slopes at the knots. The slopes m solve T m = R y with T tridiagonal:
 * continuity of the second derivative inside, not-a-knot at both ends (de Boor, "A practical guide to splines", ch. IV).
 */
import { DotpeError } from "../errors.ts";
import type { GridFunction, SetupKernels, SummaryGrid } from "../kernels/setup-table.ts";

/** Factored slope equations T m = R y of one set of knots. */
class SlopeSolver {
  readonly n: number;
  /** Row j of R: coefficients of y[first_j], y[first_j + 1], y[first_j + 2]. */
  readonly right: Float64Array;
  /** T = L U: `lower` is L's subdiagonal, `pivot` and `upper` are U's diagonals. */
  readonly lower: Float64Array;
  readonly pivot: Float64Array;
  readonly upper: Float64Array;

  constructor(x: Float64Array) {
    const n = x.length;
    this.n = n;
    const diagonal = new Float64Array(n);
    const below = new Float64Array(n);
    const above = new Float64Array(n);
    const right = new Float64Array(3 * n);
    for (let j = 1; j < n - 1; j++) {
      const left = x[j] - x[j - 1];
      const next = x[j + 1] - x[j];
      below[j] = next;
      diagonal[j] = 2 * (left + next);
      above[j] = left;
      const fromLeft = (3 * next) / left;
      const fromRight = (3 * left) / next;
      right.set([-fromLeft, fromLeft - fromRight, fromRight], 3 * j);
    }
    const [d0, a0, r0] = endRow(x[1] - x[0], x[2] - x[1]);
    diagonal[0] = d0;
    above[0] = a0;
    right.set([-r0[0], r0[0] - r0[1], r0[1]], 0);
    const [dn, bn, rn] = endRow(x[n - 1] - x[n - 2], x[n - 2] - x[n - 3]);
    diagonal[n - 1] = dn;
    below[n - 1] = bn;
    right.set([-rn[1], rn[1] - rn[0], rn[0]], 3 * (n - 1));
    for (let j = 1; j < n; j++) {
      below[j] /= diagonal[j - 1];
      diagonal[j] -= below[j] * above[j - 1];
    }
    this.right = right;
    this.lower = below;
    this.pivot = diagonal;
    this.upper = above;
  }

  private firstColumn(row: number): number {
    return Math.min(Math.max(row - 1, 0), this.n - 3);
  }

  /** Slopes T^-1 R y. */
  slopes(y: ArrayLike<number>): Float64Array {
    const { n, lower, pivot, upper, right } = this;
    const m = new Float64Array(n);
    for (let j = 0; j < n; j++) {
      const c = this.firstColumn(j);
      m[j] = right[3 * j] * y[c] + right[3 * j + 1] * y[c + 1] + right[3 * j + 2] * y[c + 2];
      if (j > 0) m[j] -= lower[j] * m[j - 1];
    }
    m[n - 1] /= pivot[n - 1];
    for (let j = n - 2; j >= 0; j--) m[j] = (m[j] - upper[j] * m[j + 1]) / pivot[j];
    return m;
  }
}

/** Not-a-knot row of T (diagonal, neighbour) and the weights of the two differences y' - y next to the end. */
function endRow(near: number, far: number): [number, number, [number, number]] {
  const sum = near + far;
  return [far, sum, [((near + 2 * sum) * far) / (sum * near), (near * near) / (sum * far)]];
}

function requireKnots(x: Float64Array): void {
  let good = x.length >= 4;
  for (let j = 1; j < x.length; j++) good &&= x[j] > x[j - 1];
  if (!good) {
    throw new DotpeError(
      "badData",
      `spline knots: found ${x.length} values, not all rising; expected at least 4 strictly rising values`,
      "Check the frequency bins (fbin in bank_config.json).",
    );
  }
}

export type CubicSpline = {
  /** Knots, n. */
  x: Float64Array;
  /** n - 1 pieces of 4: y = c0 + c1 s + c2 s^2 + c3 s^3, s = x - x_j. */
  coefficients: Float64Array;
};

/**
 * The not-a-knot cubic spline through (x, y).
 * @throws DotpeError badData unless x has at least 4 strictly rising values.
 */
export function cubicSpline(x: Float64Array, y: ArrayLike<number>): CubicSpline {
  requireKnots(x);
  const coefficients = new Float64Array(4 * (x.length - 1));
  writePieces(coefficients, x, y, new SlopeSolver(x).slopes(y));
  return { x, coefficients };
}

/** The pieces of the spline with values y and slopes m, see `CubicSpline`. */
function writePieces(out: Float64Array, x: Float64Array, y: ArrayLike<number>, m: Float64Array): void {
  for (let j = 0; j < x.length - 1; j++) {
    const width = x[j + 1] - x[j];
    const chord = (y[j + 1] - y[j]) / width;
    const bend = (m[j] + m[j + 1] - 2 * chord) / width;
    out[4 * j] = y[j];
    out[4 * j + 1] = m[j];
    out[4 * j + 2] = (chord - m[j]) / width - bend;
    out[4 * j + 3] = bend / width;
  }
}

/** Values at rising points; outside the knots the end pieces are continued. */
export function evaluateSpline(
  spline: CubicSpline,
  points: Float64Array,
  out = new Float64Array(points.length),
): Float64Array {
  const { x, coefficients } = spline;
  const lastPiece = x.length - 2;
  let j = 0;
  for (let k = 0; k < points.length; k++) {
    while (j < lastPiece && points[k] >= x[j + 1]) j++;
    const s = points[k] - x[j];
    const c = 4 * j;
    out[k] =
      coefficients[c] + s * (coefficients[c + 1] + s * (coefficients[c + 2] + s * coefficients[c + 3]));
  }
  return out;
}

/**
 * Summary weights 4 df sum_f g(f) c_b(f), c_b the cardinal not-a-knot cubic splines on fbin (c_b(fbin_b') = delta_bb'),
 * f running over the FFT frequencies from fbin[0] to fbin[n_b - 1] inclusive, and splines through values on fbin.
 *
 * Per bin interval only the moments sum g t^k, k = 0 ... 3, t the place in the interval from 0 to 1, are summed; they give
 * the derivative of the sum by the knots' values and by their slopes, and the slopes' part goes through the transposed
 * slope equations. So one integrand costs O(n_f + n_b).
 */
export class SummaryWeights {
  readonly n_b: number;
  /** First FFT index used, and the index after the last. */
  readonly fStart: number;
  readonly fEnd: number;
  readonly grid: SummaryGrid;
  private readonly solver: SlopeSolver;
  private readonly scale: number;
  private readonly w_cb: Float64Array;

  /**
   * @param fbin knots (Hz), strictly rising @param frequencies the whole FFT grid (Hz), uniform
   * @throws DotpeError badData for bad knots; mismatch if the grid does not cover fbin.
   */
  constructor(
    fbin: Float64Array,
    frequencies: Float64Array,
    readonly kernels: SetupKernels,
  ) {
    requireKnots(fbin);
    const n_b = fbin.length;
    const n_f = frequencies.length;
    if (!(frequencies[0] <= fbin[0] && frequencies[n_f - 1] + 1e-9 >= fbin[n_b - 1])) {
      throw new DotpeError(
        "mismatch",
        `bank bins: found ${fbin[0]} to ${fbin[n_b - 1]} Hz, expected to lie within the event's ${frequencies[0]} to ${frequencies[n_f - 1]} Hz`,
        "Use only the bins inside the event's band.",
      );
    }
    this.n_b = n_b;
    this.scale = 4 * (frequencies[1] - frequencies[0]);
    this.solver = new SlopeSolver(fbin);
    this.grid = summaryGrid(fbin, frequencies, this.solver);
    this.fStart = this.grid.edges[0];
    this.fEnd = this.grid.edges[n_b - 1];
    this.w_cb = new Float64Array(4 * n_b);
  }

  /**
   * The weights for which 4 df factor sum_f weight x conj(y) r(f) = sum_b w_b r(f_b) x_b conj(y_b), for every spline r.
   * @returns views of re and im (b), overwritten by the next call: one instance serves one thread
   */
  weights(
    weight_f: Float64Array,
    x: GridFunction,
    y: GridFunction,
    factor = 1,
  ): { re_b: Float64Array; im_b: Float64Array } {
    const { w_cb, n_b } = this;
    this.kernels.summaryWeights(w_cb, this.grid, weight_f, x, y, factor * this.scale);
    return { re_b: w_cb.subarray(0, n_b), im_b: w_cb.subarray(n_b, 2 * n_b) };
  }

  /** Writes the pieces (j, 4) of the spline through y (b), see `CubicSpline`. */
  writeSpline(pieces: Float64Array, y: ArrayLike<number>): void {
    writePieces(pieces, this.grid.knots, y, this.solver.slopes(y));
  }
}

function summaryGrid(knots: Float64Array, frequencies: Float64Array, solver: SlopeSolver): SummaryGrid {
  const n_b = knots.length;
  const n_f = frequencies.length;
  const edges = new Int32Array(n_b);
  const width_j = new Float64Array(n_b - 1);
  const place_f = new Float64Array(n_f);
  let f = 0;
  while (f < n_f && frequencies[f] < knots[0]) f++;
  for (let j = 0; j < n_b - 1; j++) {
    const end = j === n_b - 2 ? knots[n_b - 1] + 1e-9 : knots[j + 1];
    const width = knots[j + 1] - knots[j];
    width_j[j] = width;
    edges[j] = f;
    for (; f < n_f && frequencies[f] < end; f++) place_f[f] = (frequencies[f] - knots[j]) / width;
  }
  edges[n_b - 1] = f;
  const { right, lower, pivot, upper } = solver;
  return { n_b, edges, place_f, knots, width_j, right, lower, pivot, upper };
}
