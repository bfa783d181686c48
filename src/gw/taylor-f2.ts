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

/**
 * phi of h = A exp(i phi), quadrupole, up to a constant and a term linear in f: TaylorF2 without spins to 3.5PN (Buonanno,
 * Iyer, Ochsner, Pan, Sathyaprakash, arXiv:0907.0700, eq. 3.18), spin-orbit coupling at 1.5PN (Poisson & Will, gr-qc/9502040).
 * The paper's psi enters as h ~ exp(-i psi).
 * @returns the phase (rad) as a function of f (Hz, positive)
 */
export function inspiralPhase({ m1, m2, s1z, s2z }: InspiralParameters): (f: number) => number {
  const total = m1 + m2;
  const eta = (m1 * m2) / (total * total);
  const beta =
    ((113 / 12) * (m1 / total) ** 2 + (25 / 4) * eta) * s1z +
    ((113 / 12) * (m2 / total) ** 2 + (25 / 4) * eta) * s2z;
  const pi2 = Math.PI * Math.PI;

  const v2 = (20 / 9) * (743 / 336 + (11 / 4) * eta);
  const v3 = 4 * beta - 16 * Math.PI;
  const v4 = 10 * (3058673 / 1016064 + (5429 / 1008) * eta + (617 / 144) * eta * eta);
  const v5 = Math.PI * (38645 / 756 - (65 / 9) * eta);
  const v6 =
    11583231236531 / 4694215680 -
    (640 / 3) * pi2 -
    (6848 / 21) * EULER_GAMMA +
    ((2255 / 12) * pi2 - 15737765635 / 3048192) * eta +
    (76055 / 1728) * eta ** 2 -
    (127825 / 1296) * eta ** 3;
  const v7 = Math.PI * (77096675 / 254016 + (378515 / 1512) * eta - (74045 / 756) * eta * eta);

  return (f) => {
    const v = Math.cbrt(Math.PI * total * SOLAR_MASS_SECONDS * f);
    const logV = Math.log(v);
    const sixth = v6 - (6848 / 21) * (Math.LN2 * 2 + logV);
    const series = 1 + v * v * (v2 + v * (v3 + v * (v4 + v * (v5 * (1 + 3 * logV) + v * (sixth + v * v7)))));
    return (-3 / (128 * eta)) * v ** -5 * series;
  };
}

const EULER_GAMMA = 0.5772156649015329;
