/**
 * The coordinates in which the prior is simple, from the physical ones: the derived columns of samples.feather.
 * They are those of cogwheel's CartesianIASPrior (detector-frame masses uniform; effective spin uniform; in-plane
 * spins uniform in the disk; isotropic orientation and sky; Roulet et al., arXiv:2207.03508), so its tools read them.
 */

import { DotpeError } from "../errors.ts";
import { arrivalTimes, detectorResponses, detectorsNamed } from "./detectors.ts";
import { greenwichMeanSiderealTime } from "./sidereal.ts";
import { modulo, networkAngles, networkAxes } from "./sky-angles.ts";

/** G Msun / c^3 in s, the IAU 2015 nominal solar mass parameter. */
export const SOLAR_MASS_SECONDS = 4.925490947641267e-6;

/** What the network columns refer to. */
export interface NetworkFrame {
  /** GPS time (s) that fixes the Earth's orientation. */
  readonly tgps: number;
  /** The detectors that define the sky angles, e.g. "LH". */
  readonly detectorPair: string;
  /** The detector that time, phase and distance refer to, e.g. "L". */
  readonly refDetector: string;
  /** Mean frequency (Hz) of the signal's power: removes most of the correlation of phase with time. */
  readonly fAvg: number;
  /** `phaseRefdet` of a well-fitting waveform (rad); 0 without one. */
  readonly phaseRefdet0: number;
}

/** Of the bank. */
const INTRINSIC_COLUMNS = [
  "m1",
  "m2",
  "s1z",
  "s1x_n",
  "s1y_n",
  "s2z",
  "s2x_n",
  "s2y_n",
  "iota",
  "f_ref",
] as const;

export const PHYSICAL_COLUMNS = [
  ...INTRINSIC_COLUMNS,
  "ra",
  "dec",
  "psi",
  "phi_ref",
  "t_geocenter",
  "d_luminosity",
] as const;

export const DERIVED_COLUMNS = [
  "mchirp",
  "lnq",
  "chieff",
  "cumchidiff",
  "costheta_jn",
  "x1",
  "y1",
  "x2",
  "y2",
  "costhetanet",
  "phinet_hat",
  "t_refdet",
  "phi_ref_hat",
  "d_hat",
] as const;

type Columns<Name extends string> = Record<Name, Float64Array>;
type Physical = Columns<(typeof PHYSICAL_COLUMNS)[number]>;
type Derived = Columns<(typeof DERIVED_COLUMNS)[number]>;

/** Chirp mass, in the unit of m1 and m2. */
export function mchirp(m1: number, m2: number): number {
  return (m1 * m2) ** 0.6 / (m1 + m2) ** 0.2;
}

/** The chirp mass to the fifth power: in the order of chirp masses, without a root. */
export function chirpMass5(m1: number, m2: number): number {
  const product = m1 * m2;
  return (product * product * product) / (m1 + m2);
}

/** ln(m2/m1). */
export function lnq(m1: number, m2: number): number {
  return Math.log(m2 / m1);
}

/** Effective spin: the mass-weighted mean of the components along the orbital angular momentum. */
export function chieff(m1: number, m2: number, s1z: number, s2z: number): number {
  return (m1 * s1z + m2 * s2z) / (m1 + m2);
}

/**
 * Where s1z lies between the least and the greatest value that effective spin and mass ratio allow it, 0 to 1.
 * At |chieff| = 1 only one value is allowed: 0.5.
 */
export function cumchidiff(m1: number, m2: number, s1z: number, s2z: number): number {
  const q = m2 / m1;
  const weighted = s1z + q * s2z;
  const least = Math.max(weighted - q, -1);
  const greatest = Math.min(weighted + q, 1);
  return greatest > least ? (s1z - least) / (greatest - least) : 0.5;
}

/**
 * The disk u^2 + v^2 <= 1 to the square |x|, |y| <= 1 by the 2-squircular mapping (Fong, arXiv:1709.07875):
 * (x, y) = factor (u, v). The published factor sqrt(1/2 - sqrt(1/4 - w^2)) / |w|, w = u v, loses all its digits as
 * w -> 0; this is the same number without the difference, and 1 at w = 0.
 */
export function diskToSquareFactor(u: number, v: number): number {
  return 1 / Math.sqrt(0.5 + Math.sqrt(Math.max(0, 0.25 - (u * v) ** 2)));
}

/** (component in the plane)^2 over the largest it can be given sz: 0 to 1. Zero spin in the plane is 0 even at |sz| = 1. */
function inplaneFraction(sx: number, sy: number, sz: number): number {
  const square = sx * sx + sy * sy;
  return square === 0 ? 0 : square / (1 - sz * sz);
}

function massColumns({ m1, m2 }: Physical): Pick<Derived, "mchirp" | "lnq"> {
  return {
    mchirp: m1.map((m, n) => mchirp(m, m2[n]!)),
    lnq: m1.map((m, n) => lnq(m, m2[n]!)),
  };
}

function alignedSpinColumns({ m1, m2, s1z, s2z }: Physical): Pick<Derived, "chieff" | "cumchidiff"> {
  return {
    chieff: m1.map((m, n) => chieff(m, m2[n]!, s1z[n]!, s2z[n]!)),
    cumchidiff: m1.map((m, n) => cumchidiff(m, m2[n]!, s1z[n]!, s2z[n]!)),
  };
}

/**
 * Orbital angular momentum (G Msun^2 / c) of a circular orbit at gravitational-wave frequency fRef (Hz), to relative
 * order v^2 and without spin terms: the one that LALSimulation's SimInspiralTransformPrecessingWvf2PE adds the spins to.
 */
export function orbitalAngularMomentum(m1: number, m2: number, fRef: number): number {
  const total = m1 + m2;
  const eta = (m1 * m2) / (total * total);
  const v = Math.cbrt(Math.PI * total * SOLAR_MASS_SECONDS * fRef);
  return ((m1 * m2) / v) * (1 + v * v * (1.5 + eta / 6));
}

/**
 * Inclination of the total angular momentum J, and the in-plane spins as points of two squares.
 *
 * Axes: z along the orbital angular momentum L, the line of sight N = (0, sin iota, cos iota). J = L + m1^2 s1 + m2^2 s2.
 * Disk 1: radius from spin 1, azimuth that of L about J, counted so that N has azimuth pi/2, plus pi where J points
 * away from us. Disk 2: radius from spin 2, azimuth from spin 1 to spin 2 in the orbital plane. With J along L the
 * first azimuth has no meaning and is 0 (before the pi).
 */
function inplaneSpinColumns(samples: Physical): Pick<Derived, "costheta_jn" | "x1" | "y1" | "x2" | "y2"> {
  const { m1, m2, s1z, s1x_n, s1y_n, s2z, s2x_n, s2y_n, iota, f_ref } = samples;
  const size = m1.length;
  const costheta_jn = new Float64Array(size);
  const x1 = new Float64Array(size);
  const y1 = new Float64Array(size);
  const x2 = new Float64Array(size);
  const y2 = new Float64Array(size);

  for (let n = 0; n < size; n++) {
    const mass1Square = m1[n]! ** 2;
    const mass2Square = m2[n]! ** 2;
    const jx = mass1Square * s1x_n[n]! + mass2Square * s2x_n[n]!;
    const jy = mass1Square * s1y_n[n]! + mass2Square * s2y_n[n]!;
    const jz =
      orbitalAngularMomentum(m1[n]!, m2[n]!, f_ref[n]!) + mass1Square * s1z[n]! + mass2Square * s2z[n]!;
    const inplaneSquare = jx * jx + jy * jy;
    const j = Math.sqrt(inplaneSquare + jz * jz);
    const sinIota = Math.sin(iota[n]!);
    const cosIota = Math.cos(iota[n]!);
    const cosThetaJn = Math.max(-1, Math.min(1, (jy * sinIota + jz * cosIota) / j));

    const azimuthL =
      inplaneSquare === 0
        ? 0
        : Math.PI / 2 + Math.atan2(j * jx * sinIota, inplaneSquare * cosIota - jz * jy * sinIota);
    const azimuth1 = azimuthL + (cosThetaJn < 0 ? Math.PI : 0);
    const radius1 = Math.sqrt(inplaneFraction(s1x_n[n]!, s1y_n[n]!, s1z[n]!));
    const u1 = radius1 * Math.cos(azimuth1);
    const v1 = radius1 * Math.sin(azimuth1);
    const factor1 = diskToSquareFactor(u1, v1);

    const azimuth2 = Math.atan2(s2y_n[n]!, s2x_n[n]!) - Math.atan2(s1y_n[n]!, s1x_n[n]!);
    const radius2 = Math.sqrt(inplaneFraction(s2x_n[n]!, s2y_n[n]!, s2z[n]!));
    const u2 = radius2 * Math.cos(azimuth2);
    const v2 = radius2 * Math.sin(azimuth2);
    const factor2 = diskToSquareFactor(u2, v2);

    costheta_jn[n] = cosThetaJn;
    x1[n] = factor1 * u1;
    y1[n] = factor1 * v1;
    x2[n] = factor2 * u2;
    y2[n] = factor2 * v2;
  }
  return { costheta_jn, x1, y1, x2, y2 };
}

/** The azimuth is shifted by pi for binaries seen from above, which makes two mirror solutions one. */
function skyColumns(
  { ra, dec, iota }: Physical,
  frame: NetworkFrame,
): Pick<Derived, "costhetanet" | "phinet_hat"> {
  const gmst = greenwichMeanSiderealTime(frame.tgps);
  const { costheta, phi } = networkAngles(networkAxes(frame.detectorPair), gmst, ra, dec);
  const phinet_hat = phi.map((angle, n) => modulo(angle + (Math.cos(iota[n]!) > 0 ? Math.PI : 0)));
  return { costhetanet: costheta, phinet_hat };
}

type Orientation = Pick<Physical, "iota" | "ra" | "dec" | "psi" | "t_geocenter">;

/** What the reference detector sees: arrival time (s after tgps), amplitude factor |R| and phase arg R (rad). */
interface RefdetSignal {
  readonly t: Float64Array;
  readonly amplitude: Float64Array;
  readonly phase: Float64Array;
}

/**
 * R = F+ (1 + cos^2 iota)/2 - i Fx cos iota is the response to a quadrupole wave over that to an overhead face-on one.
 * @throws DotpeError badData for a reference detector that is unknown or not one letter.
 */
function refdetSignal(
  { iota, ra, dec, psi, t_geocenter }: Orientation,
  frame: Omit<NetworkFrame, "phaseRefdet0">,
): RefdetSignal {
  const detectors = detectorsNamed([frame.refDetector], "ref_det_name");
  const gmst = greenwichMeanSiderealTime(frame.tgps);
  // Not reduced modulo 2 pi: the reduction of thousands of turns would add 1e-12.
  const lon = ra.map((angle) => angle - gmst);
  const response_pe = detectorResponses(detectors, dec, lon, psi);
  const size = ra.length;
  const amplitude = new Float64Array(size);
  const phase = new Float64Array(size);
  for (let n = 0; n < size; n++) {
    const cosIota = Math.cos(iota[n]!);
    const re = (response_pe[n]! * (1 + cosIota * cosIota)) / 2;
    const im = -response_pe[size + n]! * cosIota;
    amplitude[n] = Math.sqrt(re * re + im * im);
    phase[n] = Math.atan2(im, re);
  }
  return { t: arrivalTimes(detectors, dec, lon, t_geocenter), amplitude, phase };
}

/**
 * The overall phase of the signal in the reference detector (rad, [0, 2 pi)), which the data measure well:
 * arg R + 2 phi_ref - 2 pi fAvg t_refdet. `phaseRefdet0` of a frame is its value for the reference waveform.
 */
export function phaseRefdet(
  parameters: Record<"phi_ref" | "iota" | "ra" | "dec" | "psi" | "t_geocenter", number>,
  frame: Omit<NetworkFrame, "phaseRefdet0">,
): number {
  const { iota, ra, dec, psi, t_geocenter, phi_ref } = parameters;
  const column = (value: number) => Float64Array.of(value);
  const signal = refdetSignal(
    {
      iota: column(iota),
      ra: column(ra),
      dec: column(dec),
      psi: column(psi),
      t_geocenter: column(t_geocenter),
    },
    frame,
  );
  return modulo(signal.phase[0]! + 2 * phi_ref - 2 * Math.PI * frame.fAvg * signal.t[0]!);
}

/** d_hat is the effective distance over mchirp^(5/6), Mpc Msun^(-5/6); phi_ref_hat is in [-pi/2, 3 pi/2). */
function refdetColumns(
  samples: Physical,
  masses: Pick<Derived, "mchirp">,
  frame: NetworkFrame,
): Pick<Derived, "t_refdet" | "phi_ref_hat" | "d_hat"> {
  const { phi_ref, d_luminosity } = samples;
  const { t, amplitude, phase } = refdetSignal(samples, frame);
  const phi_ref_hat = phi_ref.map((phi, n) => {
    const phaseWithoutOrbit = modulo(phase[n]! - 2 * Math.PI * frame.fAvg * t[n]!);
    return modulo(phi + (phaseWithoutOrbit - frame.phaseRefdet0) / 2, 2 * Math.PI, -Math.PI / 2);
  });
  const d_hat = d_luminosity.map((d, n) => d / (masses.mchirp[n]! ** (5 / 6) * amplitude[n]!));
  return { t_refdet: t, phi_ref_hat, d_hat };
}

function withColumns(
  samples: Record<string, Float64Array>,
  names: readonly string[],
): Record<string, Float64Array> {
  const size = samples.m1?.length;
  for (const name of names) {
    const column = samples[name];
    if (column && column.length === size) continue;
    throw new DotpeError(
      "badData",
      `samples: column ${name}: found ${column ? `${column.length} rows` : "nothing"}, expected ${size ?? "some"} rows`,
      `A sample table needs the columns ${names.join(" ")}, all of one length.`,
    );
  }
  return samples;
}

/** Those of `derivedColumns` that take nothing but the bank's columns. @throws DotpeError badData as there. */
export function intrinsicDerivedColumns(samples: Record<string, Float64Array>) {
  const physical = withColumns(samples, INTRINSIC_COLUMNS) as Physical;
  return { ...massColumns(physical), ...alignedSpinColumns(physical), ...inplaneSpinColumns(physical) };
}

/**
 * The derived columns (`DERIVED_COLUMNS`, each of the samples' length) from the physical ones (`PHYSICAL_COLUMNS`:
 * detector-frame masses in Msun with m1 >= m2, angles in rad, f_ref in Hz, t_geocenter in s after frame.tgps,
 * d_luminosity in Mpc; spins with L along z and the line of sight in the y-z plane). Other columns are ignored.
 * @throws DotpeError badData for a missing or shorter column, or an unknown detector in the frame.
 */
export function derivedColumns(samples: Record<string, Float64Array>, frame: NetworkFrame): Derived {
  const physical = withColumns(samples, PHYSICAL_COLUMNS) as Physical;
  const intrinsic = intrinsicDerivedColumns(physical);
  return {
    ...intrinsic,
    ...skyColumns(physical, frame),
    ...refdetColumns(physical, intrinsic, frame),
  };
}
