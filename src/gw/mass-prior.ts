/** Densities of chirp mass and mass ratio: the prior, and what a bank is drawn from instead. */

/** Chirp mass in Msun (detector frame), q = m2/m1. */
export interface MassRange {
  readonly mchirp: readonly [low: number, high: number];
  readonly q: readonly [low: number, high: number];
}

/** Draws one of the two from u in [0, 1), and gives the logarithm of the density there. */
export interface Density {
  draw(u: number): number;
  logDensity(x: number): number;
}

/** mchirp^power. */
export function powerLaw([low, high]: readonly [number, number], power: number): Density {
  const p = power + 1;
  if (p === 0) {
    const norm = Math.log(high / low);
    return { draw: (u) => low * (high / low) ** u, logDensity: (x) => -Math.log(x * norm) };
  }
  const [a, b] = [low ** p, high ** p];
  const logNorm = Math.log((b - a) / p);
  return {
    draw: (u) => (a + u * (b - a)) ** (1 / p),
    logDensity: (x) => power * Math.log(x) - logNorm,
  };
}

/** Uniform in ln q, as a density of ln q. */
export function uniformLnq([low, high]: readonly [number, number]): Density {
  const [a, b] = [Math.log(low), Math.log(high)];
  return { draw: (u) => a + u * (b - a), logDensity: () => -Math.log(b - a) };
}

/** Cells in which the density is taken as constant for the draw: 1e-4 of it at most for q above 0.01. */
const N_CELLS = 4096;

/**
 * ln q where both masses are uniform: with m1 m2 -> (mchirp, ln q) the density is mchirp cosh(ln q / 2)^(2/5), so the chirp
 * mass has the power 1 and is independent of q.
 */
export function uniformMassesLnq([low, high]: readonly [number, number]): Density {
  const [a, b] = [Math.log(low), Math.log(high)];
  const width = (b - a) / N_CELLS;
  const shape = (x: number) => Math.cosh(x / 2) ** 0.4;
  const cumulative = new Float64Array(N_CELLS + 1);
  for (let k = 0; k < N_CELLS; k++) {
    const x = a + k * width;
    // Simpson's rule.
    const mean = (shape(x) + 4 * shape(x + width / 2) + shape(x + width)) / 6;
    cumulative[k + 1] = cumulative[k] + mean * width;
  }
  const total = cumulative[N_CELLS];
  return {
    draw: (u) => {
      const wanted = u * total;
      let [below, above] = [0, N_CELLS];
      while (above - below > 1) {
        const middle = (below + above) >> 1;
        if (cumulative[middle] <= wanted) below = middle;
        else above = middle;
      }
      const part = (wanted - cumulative[below]) / (cumulative[above] - cumulative[below]);
      return a + (below + part) * width;
    },
    logDensity: (x) => Math.log(shape(x) / total),
  };
}

/** m1 >= m2 of a chirp mass and ln q. */
export function componentMasses(mchirp: number, lnq: number): { m1: number; m2: number } {
  const q = Math.exp(lnq);
  const m1 = (mchirp * (1 + q) ** 0.2) / q ** 0.6;
  return { m1, m2: m1 * q };
}
