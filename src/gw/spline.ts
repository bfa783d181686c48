/**
 * Not-a-knot cubic splines (the third derivative is continuous at the second and the last but one knot; what
 * scipy.interpolate.CubicSpline does by default), and the summary weights of relative binning built on them.
 *
 * The spline is kept as values and slopes at the knots. The slopes m solve T m = R y with T tridiagonal:
 * continuity of the second derivative inside, not-a-knot at both ends (de Boor, "A practical guide to splines", ch. IV).
 */
import { DotpeError } from "../errors.ts";

/** Factored slope equations T m = R y of one set of knots. */
class SlopeSolver {
  readonly n: number;
  /** Row j of R: coefficients of y[first_j], y[first_j + 1], y[first_j + 2]. */
  private readonly right: Float64Array;
  /** T = L U: `lower` is L's subdiagonal, `pivot` and `upper` are U's diagonals. */
  private readonly lower: Float64Array;
  private readonly pivot: Float64Array;
  private readonly upper: Float64Array;

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

  /** out += R^T T^-T v; v is overwritten. */
  addTransposed(v: Float64Array, out: Float64Array, offset: number): void {
    const { n, lower, pivot, upper, right } = this;
    v[0] /= pivot[0];
    for (let j = 1; j < n; j++) v[j] = (v[j] - upper[j - 1] * v[j - 1]) / pivot[j];
    for (let j = n - 2; j >= 0; j--) v[j] -= lower[j + 1] * v[j + 1];
    for (let j = 0; j < n; j++) {
      const c = offset + this.firstColumn(j);
      out[c] += right[3 * j] * v[j];
      out[c + 1] += right[3 * j + 1] * v[j];
      out[c + 2] += right[3 * j + 2] * v[j];
    }
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
  const m = new SlopeSolver(x).slopes(y);
  const coefficients = new Float64Array(4 * (x.length - 1));
  for (let j = 0; j < x.length - 1; j++) {
    const width = x[j + 1] - x[j];
    const chord = (y[j + 1] - y[j]) / width;
    const bend = (m[j] + m[j + 1] - 2 * chord) / width;
    coefficients[4 * j] = y[j];
    coefficients[4 * j + 1] = m[j];
    coefficients[4 * j + 2] = (chord - m[j]) / width - bend;
    coefficients[4 * j + 3] = bend / width;
  }
  return { x, coefficients };
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
 * f running over the FFT frequencies from fbin[0] to fbin[n_b - 1] inclusive.
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
  private readonly scale: number;
  private readonly solver: SlopeSolver;
  /** Interval j holds the FFT indices edges[j] <= f < edges[j + 1]. */
  private readonly edges: Int32Array;
  private readonly place_f: Float64Array;
  private readonly widths: Float64Array;
  private readonly slopeRe: Float64Array;
  private readonly slopeIm: Float64Array;

  /**
   * @param fbin knots (Hz), strictly rising @param frequencies the whole FFT grid (Hz), uniform
   * @throws DotpeError badData for bad knots; mismatch if the grid does not cover fbin.
   */
  constructor(fbin: Float64Array, frequencies: Float64Array) {
    requireKnots(fbin);
    const n_b = fbin.length;
    const n_f = frequencies.length;
    const top = fbin[n_b - 1] + 1e-9;
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
    this.edges = new Int32Array(n_b);
    this.widths = new Float64Array(n_b - 1);
    this.place_f = new Float64Array(n_f);
    this.slopeRe = new Float64Array(n_b);
    this.slopeIm = new Float64Array(n_b);
    let f = 0;
    while (f < n_f && frequencies[f] < fbin[0]) f++;
    this.fStart = f;
    for (let j = 0; j < n_b - 1; j++) {
      const end = j === n_b - 2 ? top : fbin[j + 1];
      this.widths[j] = fbin[j + 1] - fbin[j];
      this.edges[j] = f;
      for (; f < n_f && frequencies[f] < end; f++) {
        this.place_f[f] = (frequencies[f] - fbin[j]) / this.widths[j];
      }
    }
    this.edges[n_b - 1] = f;
    this.fEnd = f;
  }

  /**
   * Weights of one complex integrand; does not allocate. One instance serves one thread.
   * @param re,im g on the whole FFT grid, starting at `offset` @param outRe,outIm n_b values from `outOffset`, written
   */
  accumulate(
    re: Float64Array,
    im: Float64Array,
    offset: number,
    outRe: Float64Array,
    outIm: Float64Array,
    outOffset: number,
  ): void {
    const { n_b, edges, place_f, widths, slopeRe, slopeIm, scale } = this;
    outRe.fill(0, outOffset, outOffset + n_b);
    outIm.fill(0, outOffset, outOffset + n_b);
    slopeRe.fill(0);
    slopeIm.fill(0);
    for (let j = 0; j < n_b - 1; j++) {
      const end = edges[j + 1];
      let re0 = 0;
      let re1 = 0;
      let re2 = 0;
      let re3 = 0;
      let im0 = 0;
      let im1 = 0;
      let im2 = 0;
      let im3 = 0;
      for (let f = edges[j]; f < end; f++) {
        const t = place_f[f];
        const t2 = t * t;
        const t3 = t2 * t;
        const gRe = re[offset + f];
        const gIm = im[offset + f];
        re0 += gRe;
        re1 += gRe * t;
        re2 += gRe * t2;
        re3 += gRe * t3;
        im0 += gIm;
        im1 += gIm * t;
        im2 += gIm * t2;
        im3 += gIm * t3;
      }
      const width = widths[j] * scale;
      const rightRe = scale * (3 * re2 - 2 * re3);
      const rightIm = scale * (3 * im2 - 2 * im3);
      const b = outOffset + j;
      outRe[b] += scale * re0 - rightRe;
      outIm[b] += scale * im0 - rightIm;
      outRe[b + 1] += rightRe;
      outIm[b + 1] += rightIm;
      slopeRe[j] += width * (re1 - 2 * re2 + re3);
      slopeIm[j] += width * (im1 - 2 * im2 + im3);
      slopeRe[j + 1] += width * (re3 - re2);
      slopeIm[j + 1] += width * (im3 - im2);
    }
    this.solver.addTransposed(slopeRe, outRe, outOffset);
    this.solver.addTransposed(slopeIm, outIm, outOffset);
  }
}
