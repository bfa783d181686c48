/**
 * The phase of IMRPhenomD (Khan et al., arXiv:1508.07253, section VI): post-Newtonian with four fitted terms up to
 * M f = 0.018, then two fitted regions, joined with a continuous derivative. phi of h = A exp(-i phi); frequencies F = M f.
 */

import type { Coefficients } from "./phenom-d-coefficients.ts";
import type { Binary, Ringdown } from "./phenom-d-final-state.ts";

/** Where the inspiral ends. */
export const INSPIRAL_PHASE_END = 0.018;
const EULER_GAMMA = 0.5772156649015329;

/**
 * x^-5 (c0 + c2 x^2 + c3 x^3 + c4 x^4 + (c5 + l5 ln F) x^5 + (c6 + l6 ln F) x^6 + c7 x^7 + ... + c11 x^11), x = F^(1/3).
 */
interface InspiralSeries {
  readonly c0: number;
  readonly c2: number;
  readonly c3: number;
  readonly c4: number;
  readonly c5: number;
  readonly l5: number;
  readonly c6: number;
  readonly l6: number;
  readonly c7: number;
  readonly c8: number;
  readonly c9: number;
  readonly c10: number;
  readonly c11: number;
}

/** constant + linear F + log ln F + cubed F^-3. */
interface IntermediatePhase {
  readonly constant: number;
  readonly linear: number;
  readonly log: number;
  readonly cubed: number;
}

/** constant + linear F + inverse/F + root F^(3/4) + step atan((F - centre)/width). */
interface MergerPhase {
  readonly constant: number;
  readonly linear: number;
  readonly inverse: number;
  readonly root: number;
  readonly step: number;
  readonly centre: number;
  readonly width: number;
}

export interface PhaseModel {
  readonly inspiral: InspiralSeries;
  readonly intermediate: IntermediatePhase;
  readonly merger: MergerPhase;
  /** `merger` as it was fitted: without the constant and the linear term that join it to the rest. */
  readonly mergerFit: MergerPhase;
  /** Where the merger and ringdown begin. */
  readonly mergerStart: number;
}

export function phaseModel(binary: Binary, coefficients: Coefficients, ringdown: Ringdown): PhaseModel {
  const inspiral = inspiralSeries(binary, coefficients);
  const mergerStart = ringdown.fRing / 2;
  const first = INSPIRAL_PHASE_END;
  const { eta } = binary;

  const { beta1, beta2, beta3, alpha1, alpha2, alpha3, alpha4, alpha5 } = coefficients;
  const intermediateFit = { constant: 0, linear: beta1 / eta, log: beta2 / eta, cubed: -beta3 / (3 * eta) };
  const intermediate = joined(
    intermediateFit,
    first,
    inspiralPhase(inspiral, Math.cbrt(first), Math.log(first)) -
      intermediatePhase(intermediateFit, first, Math.log(first)),
    inspiralSlope(inspiral, first) - intermediateSlope(intermediateFit, first),
  );
  const mergerFit = {
    constant: 0,
    linear: alpha1 / eta,
    inverse: -alpha2 / eta,
    root: (4 * alpha3) / (3 * eta),
    step: alpha4 / eta,
    centre: alpha5 * ringdown.fRing,
    width: ringdown.fDamp,
  };
  const merger = joined(
    mergerFit,
    mergerStart,
    intermediatePhase(intermediate, mergerStart, Math.log(mergerStart)) -
      mergerPhase(mergerFit, mergerStart, mergerStart ** 0.75),
    intermediateSlope(intermediate, mergerStart) - mergerSlope(mergerFit, mergerStart),
  );
  return { inspiral, intermediate, merger, mergerFit, mergerStart };
}

/** With a constant and a linear term that add `step` to the value and `slope` to the derivative at F. */
function joined<Region extends { readonly constant: number; readonly linear: number }>(
  region: Region,
  F: number,
  step: number,
  slope: number,
): Region {
  return { ...region, constant: region.constant + step - slope * F, linear: region.linear + slope };
}

/**
 * The phase of the paper's appendix B (TaylorF2: Buonanno et al., arXiv:0907.0700; spin-orbit terms to 3.5PN: Bohe et al.,
 * arXiv:1303.7412; spin-spin at 2PN alone, as the fits were made with it), and the fitted sigma.
 */
function inspiralSeries(
  { eta, delta, chi1, chi2 }: Binary,
  { sigma1, sigma2, sigma3, sigma4 }: Coefficients,
): InspiralSeries {
  const { PI } = Math;
  const pi2 = PI * PI;
  const eta2 = eta * eta;
  const eta3 = eta2 * eta;
  const s = (chi1 + chi2) / 2;
  const a = (delta * (chi1 - chi2)) / 2;
  const spinsSquared = ((chi1 - chi2) / 2) ** 2;

  const p2 = 3715 / 756 + (55 / 9) * eta;
  const p3 = -16 * PI + (113 / 3) * a + (113 / 3 - (76 / 3) * eta) * s;
  const p4 =
    15293365 / 508032 +
    (27145 / 504) * eta +
    (3085 / 72) * eta2 +
    (-405 / 8 + 200 * eta) * spinsSquared -
    (405 / 4) * a * s +
    (-405 / 8 + (5 / 2) * eta) * s * s;
  const p5 =
    (38645 / 756) * PI -
    (65 / 9) * PI * eta +
    (-732985 / 2268 - (140 / 9) * eta) * a +
    (-732985 / 2268 + (24260 / 81) * eta + (340 / 9) * eta2) * s;
  const p6 =
    11583231236531 / 4694215680 -
    (6848 / 21) * (EULER_GAMMA + Math.log(4)) -
    (640 / 3) * pi2 +
    (-15737765635 / 3048192 + (2255 / 12) * pi2) * eta +
    (76055 / 1728) * eta2 -
    (127825 / 1296) * eta3 +
    (2270 / 3) * PI * a +
    (2270 / 3 - 520 * eta) * PI * s;
  const log6 = -6848 / 63;
  const p7 =
    (77096675 / 254016) * PI +
    (378515 / 1512) * PI * eta -
    (74045 / 756) * PI * eta2 +
    (-25150083775 / 3048192 + (26804935 / 6048) * eta - (1985 / 48) * eta2) * a +
    (-25150083775 / 3048192 + (10566655595 / 762048) * eta - (1042165 / 3024) * eta2 + (5345 / 36) * eta3) *
      s;

  // v = (pi F)^(1/3) = k x
  const k = Math.cbrt(PI);
  const c0 = (3 / (128 * eta)) * k ** -5;
  const logPi = Math.log(PI);
  return {
    c0,
    c2: c0 * p2 * k ** 2,
    c3: c0 * p3 * PI,
    c4: c0 * p4 * k ** 4,
    c5: c0 * p5 * (1 + logPi) * k ** 5,
    l5: c0 * p5 * k ** 5,
    c6: c0 * (p6 + log6 * logPi) * pi2,
    l6: c0 * log6 * pi2,
    c7: c0 * p7 * k ** 7,
    c8: sigma1 / eta,
    c9: (3 / 4) * (sigma2 / eta),
    c10: (3 / 5) * (sigma3 / eta),
    c11: (1 / 2) * (sigma4 / eta),
  };
}

/** @param x F^(1/3) */
export function inspiralPhase(c: InspiralSeries, x: number, logF: number): number {
  const x2 = x * x;
  const fitted = c.c7 + x * (c.c8 + x * (c.c9 + x * (c.c10 + x * c.c11)));
  const middle = c.c5 + c.l5 * logF + x * (c.c6 + c.l6 * logF + x * fitted);
  return (c.c0 + x2 * (c.c2 + x * (c.c3 + x * (c.c4 + x * middle)))) / (x2 * x2 * x);
}

/** The derivative by F. */
export function inspiralSlope(c: InspiralSeries, F: number): number {
  const x = Math.cbrt(F);
  const x2 = x * x;
  const logF = Math.log(F);
  const byX =
    (-5 * c.c0) / x2 ** 3 -
    (3 * c.c2) / x2 ** 2 -
    (2 * c.c3) / (x2 * x) -
    c.c4 / x2 +
    (3 * c.l5) / x +
    (c.c6 + c.l6 * (logF + 3)) +
    x * (2 * c.c7 + x * (3 * c.c8 + x * (4 * c.c9 + x * (5 * c.c10 + x * 6 * c.c11))));
  return byX / (3 * x2);
}

export function intermediatePhase(p: IntermediatePhase, F: number, logF: number): number {
  return p.constant + p.linear * F + p.log * logF + p.cubed / (F * F * F);
}

export function intermediateSlope(p: IntermediatePhase, F: number): number {
  return p.linear + p.log / F - (3 * p.cubed) / F ** 4;
}

/** @param rootF F^(3/4) */
export function mergerPhase(p: MergerPhase, F: number, rootF: number): number {
  return (
    p.constant + p.linear * F + p.inverse / F + p.root * rootF + p.step * Math.atan((F - p.centre) / p.width)
  );
}

export function mergerSlope(p: MergerPhase, F: number): number {
  const t = (F - p.centre) / p.width;
  return p.linear - p.inverse / (F * F) + (3 / 4) * p.root * F ** -0.25 + p.step / (p.width * (1 + t * t));
}

/** phi at any F. */
export function phaseAt({ inspiral, intermediate, merger, mergerStart }: PhaseModel, F: number): number {
  if (F < INSPIRAL_PHASE_END) return inspiralPhase(inspiral, Math.cbrt(F), Math.log(F));
  if (F < mergerStart) return intermediatePhase(intermediate, F, Math.log(F));
  return mergerPhase(merger, F, F ** 0.75);
}
