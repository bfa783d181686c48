/**
 * The amplitude of IMRPhenomD over its leading term A0 F^(-7/6) (Khan et al., arXiv:1508.07253, section VII):
 * post-Newtonian with three fitted terms up to M f = 0.014, a Lorentzian with an exponential from its peak, and between
 * them the quartic with the values and derivatives of both and a fitted value in the middle. Frequencies F = M f.
 */

import type { Coefficients } from "./phenom-d-coefficients.ts";
import type { Binary, Ringdown } from "./phenom-d-final-state.ts";

/** Where the inspiral ends. */
export const INSPIRAL_AMPLITUDE_END = 0.014;

/** 1 + c2 x^2 + ... + c9 x^9, x = F^(1/3). */
interface InspiralAmplitude {
  readonly c2: number;
  readonly c3: number;
  readonly c4: number;
  readonly c5: number;
  readonly c6: number;
  readonly c7: number;
  readonly c8: number;
  readonly c9: number;
}

/** Newton's form with the knots start, start, middle, end, end. */
interface IntermediateAmplitude {
  readonly start: number;
  readonly middle: number;
  readonly end: number;
  readonly d0: number;
  readonly d1: number;
  readonly d2: number;
  readonly d3: number;
  readonly d4: number;
}

/** height/((F - centre)^2 + width^2) exp(-decay (F - centre)). */
interface MergerAmplitude {
  readonly height: number;
  readonly centre: number;
  readonly width2: number;
  readonly decay: number;
}

export interface AmplitudeModel {
  readonly inspiral: InspiralAmplitude;
  readonly intermediate: IntermediateAmplitude;
  readonly merger: MergerAmplitude;
  /** Of the merger's amplitude times F^(7/6): where its region begins, and where time is zero. */
  readonly peak: number;
}

export function amplitudeModel(
  binary: Binary,
  coefficients: Coefficients,
  ringdown: Ringdown,
): AmplitudeModel {
  const inspiral = inspiralAmplitudeSeries(binary, coefficients);
  const { v2, gamma1, gamma2, gamma3 } = coefficients;
  const width = gamma3 * ringdown.fDamp;
  const merger = {
    height: gamma1 * width,
    centre: ringdown.fRing,
    width2: width * width,
    decay: gamma2 / width,
  };
  const peak = peakOf(ringdown.fRing, width, gamma2);
  const start = INSPIRAL_AMPLITUDE_END;
  const intermediate = quarticBetween(
    {
      F: start,
      value: inspiralAmplitude(inspiral, Math.cbrt(start)),
      slope: inspiralAmplitudeSlope(inspiral, start),
    },
    v2,
    { F: peak, value: mergerAmplitude(merger, peak), slope: mergerAmplitudeSlope(merger, peak) },
  );
  return { inspiral, intermediate, merger, peak };
}

/** Equation 20 of the paper: the merger's maximum, or where it bends if it has none (gamma2 of 1 and more). */
function peakOf(fRing: number, width: number, gamma2: number): number {
  const root = gamma2 > 1 ? 0 : Math.sqrt(1 - gamma2 * gamma2);
  return Math.abs(fRing + (width * (root - 1)) / gamma2);
}

/** The paper's appendix B, and the fitted rho. */
function inspiralAmplitudeSeries(
  { eta, delta, chi1, chi2 }: Binary,
  { rho1, rho2, rho3 }: Coefficients,
): InspiralAmplitude {
  const { PI } = Math;
  const pi2 = PI * PI;
  const eta2 = eta * eta;
  const eta3 = eta2 * eta;
  const s = (chi1 + chi2) / 2;
  const s2 = s * s;
  const a = (delta * (chi1 - chi2)) / 2;
  const a2 = ((chi1 - chi2) / 2) ** 2;

  const p2 = -323 / 224 + (451 / 168) * eta;
  const p3 = (27 / 8) * a + (27 / 8 - (11 / 6) * eta) * s;
  const p4 =
    -27312085 / 8128512 -
    (1975055 / 338688) * eta +
    (105271 / 24192) * eta2 +
    (-81 / 32 + 8 * eta) * a2 -
    (81 / 16) * a * s +
    (-81 / 32 + (17 / 8) * eta) * s2;
  const p5 =
    (-85 / 64) * PI +
    (85 / 16) * PI * eta +
    (285197 / 16128 - (1579 / 4032) * eta) * a +
    (285197 / 16128 - (15317 / 672) * eta - (2227 / 1008) * eta2) * s;
  const p6 =
    -177520268561 / 8583708672 +
    (545384828789 / 5007163392 - (205 / 48) * pi2) * eta -
    (3248849057 / 178827264) * eta2 +
    (34473079 / 6386688) * eta3 +
    (1614569 / 64512 - (1873643 / 16128) * eta + (2167 / 42) * eta2) * a2 +
    ((31 / 12) * PI - (7 / 3) * PI * eta) * s +
    (1614569 / 64512 - (61391 / 1344) * eta + (57451 / 4032) * eta2) * s2 +
    ((31 / 12) * PI + (1614569 / 32256 - (165961 / 2688) * eta) * s) * a;

  const k = Math.cbrt(PI);
  return {
    c2: p2 * k ** 2,
    c3: p3 * PI,
    c4: p4 * k ** 4,
    c5: p5 * k ** 5,
    c6: p6 * pi2,
    c7: rho1,
    c8: rho2,
    c9: rho3,
  };
}

/** @param x F^(1/3) */
export function inspiralAmplitude(c: InspiralAmplitude, x: number): number {
  const fitted = c.c6 + x * (c.c7 + x * (c.c8 + x * c.c9));
  return 1 + x * x * (c.c2 + x * (c.c3 + x * (c.c4 + x * (c.c5 + x * fitted))));
}

/** The derivative by F. */
export function inspiralAmplitudeSlope(c: InspiralAmplitude, F: number): number {
  const x = Math.cbrt(F);
  const fitted = 6 * c.c6 + x * (7 * c.c7 + x * (8 * c.c8 + x * 9 * c.c9));
  return (2 * c.c2 + x * (3 * c.c3 + x * (4 * c.c4 + x * (5 * c.c5 + x * fitted)))) / (3 * x);
}

export function intermediateAmplitude(p: IntermediateAmplitude, F: number): number {
  const s = F - p.start;
  return p.d0 + s * (p.d1 + s * (p.d2 + (F - p.middle) * (p.d3 + (F - p.end) * p.d4)));
}

export function mergerAmplitude(p: MergerAmplitude, F: number): number {
  const s = F - p.centre;
  return (p.height / (s * s + p.width2)) * Math.exp(-p.decay * s);
}

export function mergerAmplitudeSlope(p: MergerAmplitude, F: number): number {
  const s = F - p.centre;
  return -mergerAmplitude(p, F) * ((2 * s) / (s * s + p.width2) + p.decay);
}

interface Knot {
  readonly F: number;
  readonly value: number;
  readonly slope: number;
}

/** The quartic with the values and slopes of both knots and the value v2 half way, by divided differences. */
function quarticBetween(first: Knot, v2: number, last: Knot): IntermediateAmplitude {
  const half = (last.F - first.F) / 2;
  const left = (v2 - first.value) / half;
  const right = (last.value - v2) / half;
  const left2 = (left - first.slope) / half;
  const middle2 = (right - left) / (2 * half);
  const right2 = (last.slope - right) / half;
  const left3 = (middle2 - left2) / (2 * half);
  const right3 = (right2 - middle2) / (2 * half);
  return {
    start: first.F,
    middle: first.F + half,
    end: last.F,
    d0: first.value,
    d1: first.slope,
    d2: left2,
    d3: left3,
    d4: (right3 - left3) / (2 * half),
  };
}
