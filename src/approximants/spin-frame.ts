/** From angles about the total angular momentum, in which priors are simple, to the spins and inclination that waveforms take. */

import { orbitalAngularMomentum } from "../gw/prior.ts";

/** Spins with L along z and the line of sight N = (0, sin iota, cos iota); iota in rad, 0 to pi. */
export interface SpinFrame {
  readonly iota: number;
  readonly s1x_n: number;
  readonly s1y_n: number;
  readonly s1z: number;
  readonly s2x_n: number;
  readonly s2y_n: number;
  readonly s2z: number;
}

/**
 * Angles in rad: theta_jn from J to the line of sight N; phi_jl the azimuth of L about J, counted so that N has azimuth pi/2;
 * tilt1, tilt2 from L to the spins, phi12 the azimuth about L from spin 1 to spin 2 (Farr et al., arXiv:1404.7070). chi1, chi2 are
 * the lengths of the spins; masses in Msun (detector frame), f_ref in Hz. J = L + m1^2 s1 + m2^2 s2 with the L of the derived columns
 * (src/gw/prior.ts): this is LALSimulation's SimInspiralTransformPrecessingNewInitialConditions at phiRef 0.
 *
 * Derivation: put spin 1 at azimuth 0 about L; that fixes J and its azimuth. Seen from J, N lies at theta_jn, at the azimuth
 * pi/2 - phi_jl from L. That gives its components in the orbital plane along J (rho) and across it (phi), and along L (z). Then all
 * turns about L until N has azimuth pi/2. Where J or N is along L, its azimuth is taken as 0.
 */
export function spinsFromAngles(
  theta_jn: number,
  phi_jl: number,
  tilt1: number,
  tilt2: number,
  phi12: number,
  chi1: number,
  chi2: number,
  m1: number,
  m2: number,
  f_ref: number,
): SpinFrame {
  const s1z = chi1 * Math.cos(tilt1);
  const s2z = chi2 * Math.cos(tilt2);
  const inplane1 = chi1 * Math.sin(tilt1);
  const inplane2 = chi2 * Math.sin(tilt2);
  const cos12 = Math.cos(phi12);
  const sin12 = Math.sin(phi12);

  const jx = m1 * m1 * inplane1 + m2 * m2 * inplane2 * cos12;
  const jy = m2 * m2 * inplane2 * sin12;
  const jz = orbitalAngularMomentum(m1, m2, f_ref) + m1 * m1 * s1z + m2 * m2 * s2z;
  const jInplane = Math.sqrt(jx * jx + jy * jy);
  const j = Math.sqrt(jx * jx + jy * jy + jz * jz);
  const cosPhiJ = jInplane > 0 ? jx / jInplane : 1;
  const sinPhiJ = jInplane > 0 ? jy / jInplane : 0;
  const cosJL = jz / j;
  const sinJL = jInplane / j;

  const cosJN = Math.cos(theta_jn);
  const towardsL = Math.sin(theta_jn) * Math.sin(phi_jl);
  const nRho = cosJN * sinJL - towardsL * cosJL;
  const nPhi = -Math.sin(theta_jn) * Math.cos(phi_jl);
  const nz = cosJN * cosJL + towardsL * sinJL;
  const nInplane = Math.sqrt(nRho * nRho + nPhi * nPhi);
  const cosPhiN = nInplane > 0 ? (nRho * cosPhiJ - nPhi * sinPhiJ) / nInplane : 1;
  const sinPhiN = nInplane > 0 ? (nRho * sinPhiJ + nPhi * cosPhiJ) / nInplane : 0;

  return {
    iota: Math.atan2(nInplane, nz),
    s1x_n: inplane1 * sinPhiN,
    s1y_n: inplane1 * cosPhiN,
    s1z,
    s2x_n: inplane2 * (sinPhiN * cos12 - cosPhiN * sin12),
    s2y_n: inplane2 * (cosPhiN * cos12 + sinPhiN * sin12),
    s2z,
  };
}
