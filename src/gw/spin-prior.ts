/**
 * Spins and orientation from uniform numbers, as cogwheel's IntrinsicIASPrior has them: effective spin uniform, the spins in
 * the orbital plane uniform in the disk that the aligned ones leave, orientation isotropic (Roulet et al., arXiv:2207.03508).
 */

/** The spins along L whose effective spin is 2 u - 1; v says where s1z lies between its bounds. */
export function alignedSpins(u: number, v: number, q: number): { s1z: number; s2z: number } {
  const weighted = (1 + q) * (2 * u - 1);
  const least = Math.max(weighted - q, -1);
  const greatest = Math.min(weighted + q, 1);
  const s1z = least + v * (greatest - least);
  return { s1z, s2z: Math.max(-1, Math.min(1, (weighted - s1z) / q)) };
}

/** Magnitude and tilt (rad) of a spin with component sz along L, and the share u of the largest square in the plane. */
export function magnitudeAndTilt(u: number, sz: number): { chi: number; tilt: number } {
  const inPlane = Math.sqrt(u * (1 - sz * sz));
  return { chi: Math.sqrt(inPlane * inPlane + sz * sz), tilt: Math.atan2(inPlane, sz) };
}

/** How the inclination of J is drawn: theta (rad) of u, and ln of isotropic density / density of the draw. */
export interface InclinationDraw {
  theta(u: number): number;
  logWeight(theta: number): number;
}

export const ISOTROPIC: InclinationDraw = { theta: (u) => Math.acos(2 * u - 1), logWeight: () => 0 };

/** theta -> pi - theta changes nothing, and theta is never so near to 0 that its weight is 0. */
const LEAST_THETA = 1e-9;

/**
 * More systems seen along J than an isotropic draw has: the density of theta is (1 + a cos 2 theta) / pi with
 * a = (factor - 1) / (factor + 1); with factor 1 it is uniform. dot_pe's sample_banks drew so at first.
 */
export function towardsFaceOn(factor: number): InclinationDraw {
  const a = (factor - 1) / (factor + 1);
  return {
    theta: (u) => {
      // Newton's method, kept within [0, pi]: the density may be small, the cumulative is monotone.
      let [low, high] = [0, Math.PI];
      let theta = u * Math.PI;
      for (let step = 0; step < 60 && high - low > 1e-15; step++) {
        const error = theta + (a / 2) * Math.sin(2 * theta) - u * Math.PI;
        if (error > 0) high = theta;
        else low = theta;
        const next = theta - error / (1 + a * Math.cos(2 * theta));
        if (next === theta) break;
        theta = next > low && next < high ? next : (low + high) / 2;
      }
      return Math.max(LEAST_THETA, Math.min(Math.PI - LEAST_THETA, theta));
    },
    logWeight: (theta) => Math.log((Math.PI * Math.sin(theta)) / (2 * (1 + a * Math.cos(2 * theta)))),
  };
}
