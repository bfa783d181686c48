/** The post-Newtonian phase of an aligned-spin inspiral in the frequency domain. */
import { SOLAR_MASS_SECONDS } from "./prior.ts";

export interface InspiralParameters {
  /** Detector-frame masses, Msun. */
  m1: number;
  m2: number;
  /** Spin components along the orbital angular momentum. */
  s1z: number;
  s2z: number;
}

/** -3 v^-5 / (128 eta) (1 + v2 v^2 + v3 v^3 + v4 v^4 + v5 (1 + 3 ln v) v^5 + (v6 - l6 ln 4v) v^6 + v7 v^7). */
interface Expansion {
  readonly eta: number;
  readonly v2: number;
  readonly v3: number;
  readonly v4: number;
  readonly v5: number;
  readonly v6: number;
  readonly l6: number;
  readonly v7: number;
}

/**
 * The quadrupole's phase up to a constant and a term linear in f: TaylorF2 without spins to 3.5PN (Buonanno, Iyer, Ochsner,
 * Pan, Sathyaprakash, arXiv:0907.0700, eq. 3.18), spin-orbit coupling at 1.5PN (Poisson & Will, gr-qc/9502040).
 * The paper's psi enters as h ~ exp(-i psi).
 */
function expansionOf({ m1, m2, s1z, s2z }: InspiralParameters): Expansion {
  const total = m1 + m2;
  const eta = (m1 * m2) / (total * total);
  const beta =
    ((113 / 12) * (m1 / total) ** 2 + (25 / 4) * eta) * s1z +
    ((113 / 12) * (m2 / total) ** 2 + (25 / 4) * eta) * s2z;
  const pi2 = Math.PI * Math.PI;
  return {
    eta,
    v2: (20 / 9) * (743 / 336 + (11 / 4) * eta),
    v3: 4 * beta - 16 * Math.PI,
    v4: 10 * (3058673 / 1016064 + (5429 / 1008) * eta + (617 / 144) * eta * eta),
    v5: Math.PI * (38645 / 756 - (65 / 9) * eta),
    v6:
      11583231236531 / 4694215680 -
      (640 / 3) * pi2 -
      (6848 / 21) * EULER_GAMMA +
      ((2255 / 12) * pi2 - 15737765635 / 3048192) * eta +
      (76055 / 1728) * eta ** 2 -
      (127825 / 1296) * eta ** 3,
    l6: 6848 / 21,
    v7: Math.PI * (77096675 / 254016 + (378515 / 1512) * eta - (74045 / 756) * eta * eta),
  };
}

/**
 * phi of h = A exp(i phi), quadrupole, see `expansionOf`.
 * @returns the phase (rad) as a function of f (Hz, positive)
 */
export function inspiralPhase(parameters: InspiralParameters): (f: number) => number {
  const { eta, v2, v3, v4, v5, v6, l6, v7 } = expansionOf(parameters);
  const total = (parameters.m1 + parameters.m2) * SOLAR_MASS_SECONDS;
  return (f) => {
    const v = Math.cbrt(Math.PI * total * f);
    const logV = Math.log(v);
    const sixth = v6 - l6 * (Math.LN2 * 2 + logV);
    const series = 1 + v * v * (v2 + v * (v3 + v * (v4 + v * (v5 * (1 + 3 * logV) + v * (sixth + v * v7)))));
    return (-3 / (128 * eta)) * v ** -5 * series;
  };
}

/**
 * The phase of mode m, (m/2) phi(2 f/m), as coefficients s of a series in x = f^(1/3):
 * s0 x^-5 (1 + s1 x^2 + s2 x^3 + s3 x^4 + (s4 + s5 ln f) x^5 + (s6 + s7 ln f) x^6 + s8 x^7); zeros for m = 0.
 */
export function inspiralSeries(parameters: InspiralParameters, m: number): Float64Array {
  if (m === 0) return new Float64Array(9);
  const { eta, v2, v3, v4, v5, v6, l6, v7 } = expansionOf(parameters);
  // v = k x
  const k = Math.cbrt(Math.PI * (parameters.m1 + parameters.m2) * SOLAR_MASS_SECONDS * (2 / m));
  const logK = Math.log(k);
  return Float64Array.of(
    (m / 2) * (-3 / (128 * eta)) * k ** -5,
    v2 * k ** 2,
    v3 * k ** 3,
    v4 * k ** 4,
    v5 * (1 + 3 * logK) * k ** 5,
    v5 * k ** 5,
    (v6 - l6 * (Math.LN2 * 2 + logK)) * k ** 6,
    (-l6 / 3) * k ** 6,
    v7 * k ** 7,
  );
}

const EULER_GAMMA = 0.5772156649015329;
