/**
 * Redshift by luminosity distance in a flat universe of matter and a cosmological constant, with the parameters that LIGO and
 * Virgo use: the TT+lowP+lensing+ext column of table 4 of Planck 2015 (arXiv:1502.01589). Radiation is left out.
 */

/** Hubble's constant, km/s/Mpc. */
const H0 = 67.9;
/** Share of matter. */
const OMEGA_M = 0.3065;
/** km/s. */
const SPEED_OF_LIGHT = 299792.458;
const HUBBLE_DISTANCE = SPEED_OF_LIGHT / H0;

/** Five-point Gauss-Legendre on [-1, 1]; panels of this width in ln(1 + z) leave a relative error below 1e-11. */
const NODES = [
  0,
  -Math.sqrt(5 - 2 * Math.sqrt(10 / 7)) / 3,
  Math.sqrt(5 - 2 * Math.sqrt(10 / 7)) / 3,
  -Math.sqrt(5 + 2 * Math.sqrt(10 / 7)) / 3,
  Math.sqrt(5 + 2 * Math.sqrt(10 / 7)) / 3,
];
const WEIGHTS = [
  128 / 225,
  (322 + 13 * Math.sqrt(70)) / 900,
  (322 + 13 * Math.sqrt(70)) / 900,
  (322 - 13 * Math.sqrt(70)) / 900,
  (322 - 13 * Math.sqrt(70)) / 900,
];
const PANEL = 0.25;

const MAX_NEWTON_STEPS = 60;
const TOLERANCE = 1e-13;

/** H(z) / H0. */
function expansionRate(onePlusZ: number): number {
  return Math.sqrt(OMEGA_M * onePlusZ ** 3 + 1 - OMEGA_M);
}

/** Comoving distance (Mpc): the integral of c / H(z) (Hogg, astro-ph/9905116, eq. 15), over x = ln(1 + z). */
function comovingDistance(z: number): number {
  const end = Math.log1p(z);
  const panels = Math.max(1, Math.ceil(end / PANEL));
  const half = end / panels / 2;
  let sum = 0;
  for (let panel = 0; panel < panels; panel++) {
    for (let k = 0; k < NODES.length; k++) {
      const onePlusZ = Math.exp((2 * panel + 1 + NODES[k]) * half);
      sum += (WEIGHTS[k] * onePlusZ) / expansionRate(onePlusZ);
    }
  }
  return HUBBLE_DISTANCE * half * sum;
}

/** Mpc; z >= 0. */
export function luminosityDistance(z: number): number {
  return (1 + z) * comovingDistance(z);
}

/** The redshift at a luminosity distance (Mpc, >= 0). */
export function redshiftAt(distance: number): number {
  // d_L is convex with slope c / H0 at zero: c z / H0 lies below it, and Newton's steps from beyond the root come down to it.
  let z = distance / HUBBLE_DISTANCE;
  for (let step = 0; step < MAX_NEWTON_STEPS; step++) {
    const comoving = comovingDistance(z);
    const slope = comoving + ((1 + z) * HUBBLE_DISTANCE) / expansionRate(1 + z);
    const change = ((1 + z) * comoving - distance) / slope;
    z -= change;
    if (Math.abs(change) <= TOLERANCE * z) break;
  }
  return z;
}
