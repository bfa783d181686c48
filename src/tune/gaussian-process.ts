/**
 * Gaussian process with a Matern-5/2 kernel and a length scale for each coordinate, and the expected improvement
 * (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2, 4 and 5; Jones, Schonlau and
 * Welch, J. Global Optimization 13, 455, 1998).
 */

export interface Hyperparameters {
  /** Of each coordinate. */
  readonly lengths: readonly number[];
  /** Standard deviation of the function about its mean. */
  readonly scale: number;
  /** Standard deviation of a measurement beyond its known error. */
  readonly noise: number;
}

export interface Observations {
  /** Coordinates of each point. */
  readonly x: readonly (readonly number[])[];
  /** Coordinates that are names: two different ones are 1 apart. */
  readonly named: readonly boolean[];
  readonly y: readonly number[];
  /** Known variance of each y. */
  readonly variance: readonly number[];
}

export interface Prediction {
  readonly mean: number;
  /** Standard deviation of the function, without the noise of a measurement. */
  readonly deviation: number;
}

export interface GaussianProcess {
  /** Log marginal likelihood of the observations, the mean at its best value. */
  readonly logLikelihood: number;
  mean(x: readonly number[]): number;
  /** The mean, and in little time a deviation that is not below the true one: of the single most telling observation. */
  optimistic(x: readonly number[]): Prediction;
  predict(x: readonly number[]): Prediction;
}

/** Matern covariance of order 5/2, 1 at distance 0. */
export function matern52(distance: number): number {
  const r = Math.sqrt(5) * distance;
  return (1 + r + (r * r) / 3) * Math.exp(-r);
}

/** @throws Error if the covariance is not positive definite (two equal points without noise) */
export function fitGaussianProcess(
  { x, named, y, variance }: Observations,
  { lengths, scale, noise }: Hyperparameters,
): GaussianProcess {
  // Loaded when a search needs it: the program starts without it.
  const { CholeskyDecomposition, Matrix } = require("ml-matrix") as typeof import("ml-matrix");
  const n = y.length;
  const n_d = lengths.length;
  const covariance = (a: readonly number[], b: readonly number[]) => {
    let sum = 0;
    for (let d = 0; d < n_d; d++) {
      const apart = named[d] ? Number(a[d] !== b[d]) : a[d] - b[d];
      const distance = apart / lengths[d];
      sum += distance * distance;
    }
    return scale * scale * matern52(Math.sqrt(sum));
  };

  const k = Matrix.zeros(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const value = covariance(x[i], x[j]);
      k.set(i, j, value);
      k.set(j, i, value);
    }
    k.set(i, i, scale * scale + noise * noise + variance[i]);
  }
  const diagonal = k.diagonal();
  const cholesky = new CholeskyDecomposition(k);
  if (!cholesky.isPositiveDefinite()) throw new Error("the covariance is not positive definite");
  const lower = cholesky.lowerTriangularMatrix.to2DArray();
  // The constant mean by generalised least squares: m = 1' K^-1 y / 1' K^-1 1.
  const solved = cholesky.solve(Matrix.columnVector(new Array(n).fill(1)));
  const weight = solved.sum();
  const centre = y.reduce((sum, value, i) => sum + value * solved.get(i, 0), 0) / weight;
  const residual = y.map((value) => value - centre);
  const alpha = cholesky.solve(Matrix.columnVector(residual)).to1DArray();

  let logLikelihood = -0.5 * n * Math.log(2 * Math.PI);
  for (let i = 0; i < n; i++) logLikelihood -= 0.5 * residual[i] * alpha[i] + Math.log(lower[i][i]);

  const mean = (at: readonly number[]) => {
    let sum = centre;
    for (let i = 0; i < n; i++) sum += alpha[i] * covariance(at, x[i]);
    return sum;
  };
  const half = new Float64Array(n);
  return {
    logLikelihood,
    mean,
    optimistic(at) {
      let sum = centre;
      let explained = 0;
      for (let i = 0; i < n; i++) {
        const value = covariance(at, x[i]);
        sum += alpha[i] * value;
        explained = Math.max(explained, (value * value) / diagonal[i]);
      }
      return { mean: sum, deviation: Math.sqrt(Math.max(0, scale * scale - explained)) };
    },
    predict(at) {
      let sum = centre;
      let explained = 0;
      for (let i = 0; i < n; i++) {
        const value = covariance(at, x[i]);
        const row = lower[i];
        sum += alpha[i] * value;
        let rest = value;
        for (let j = 0; j < i; j++) rest -= row[j] * half[j];
        half[i] = rest / row[i];
        explained += half[i] * half[i];
      }
      return { mean: sum, deviation: Math.sqrt(Math.max(0, scale * scale - explained)) };
    },
  };
}

/** Of the standard normal distribution; absolute error below 1e-7 (Abramowitz and Stegun 26.2.17). */
function normalCdf(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const upper = normalDensity(z) * series;
  return z < 0 ? upper : 1 - upper;
}

function normalDensity(z: number): number {
  return Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
}

/** Mean of max(0, f - best) for a normal f. */
export function expectedImprovement({ mean, deviation }: Prediction, best: number): number {
  const gain = mean - best;
  if (deviation <= 0) return Math.max(0, gain);
  const z = gain / deviation;
  return Math.max(0, gain * normalCdf(z) + deviation * normalDensity(z));
}
