/**
 * Sky angles tied to the network: polar angle from the line between two detectors, azimuth about it.
 * Arrival-time differences fix the polar angle well, whatever the azimuth, so posteriors are simple in these angles.
 */

import { DotpeError } from "../errors.ts";
import { detectorsNamed, type Vec3 } from "./detectors.ts";

const TURN = 2 * Math.PI;

/** x - n period for the whole number n that brings it into [start, start + period). */
export function modulo(x: number, period = TURN, start = 0): number {
  const remainder = (x - start) % period;
  return (remainder < 0 ? remainder + period : remainder) + start;
}

/** Right ascension (rad) of an Earth-fixed longitude at sidereal time gmst (rad), in [0, 2 pi). */
export function lonToRa(lon: number, gmst: number): number {
  return modulo(lon + gmst);
}

/** Earth-fixed longitude (rad) of a right ascension at sidereal time gmst (rad), in [0, 2 pi). */
export function raToLon(ra: number, gmst: number): number {
  return modulo(ra - gmst);
}

/** Right-handed orthonormal axes in Earth-fixed components: i horizon, j zenith, k along the network. */
export interface NetworkAxes {
  readonly i: Vec3;
  readonly j: Vec3;
  readonly k: Vec3;
}

const add = (a: Vec3, b: Vec3): Vec3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const subtract = (a: Vec3, b: Vec3): Vec3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function unit(a: Vec3): Vec3 {
  const norm = Math.hypot(...a);
  return [a[0] / norm, a[1] / norm, a[2] / norm];
}

/**
 * Two detectors ("LH"): k from the second to the first, i perpendicular to k and to the midpoint's vertical, j = k x i.
 * One detector ("L"): k the bisector of its arms, i from the x arm to the y arm, j = k x i.
 * @throws DotpeError badData for an unknown detector, one named twice, or a number other than one or two.
 */
export function networkAxes(detectorPair: string): NetworkAxes {
  const detectors = detectorsNamed(detectorPair, "detector_pair");
  if (detectors.length < 1 || detectors.length > 2 || detectors[0] === detectors[1])
    throw new DotpeError(
      "badData",
      `detector_pair: found ${JSON.stringify(detectorPair)}, expected one or two different detectors`,
      'Give the detectors as letters, e.g. "LH" or "L".',
    );
  const [first, second] = detectors;
  let i: Vec3;
  let k: Vec3;
  if (second) {
    k = unit(subtract(first!.location, second.location));
    i = unit(cross(add(first!.location, second.location), k));
  } else {
    const { xArm, yArm } = first!;
    // The published arms are orthogonal only to 2e-7: the y arm gives way.
    const yArmOrthogonal = cross(cross(xArm, yArm), xArm);
    k = unit(add(xArm, yArmOrthogonal));
    i = unit(subtract(yArmOrthogonal, xArm));
  }
  return { i, j: cross(k, i), k };
}

export interface NetworkAngles {
  /** Cosine of the angle from k. */
  readonly costheta: Float64Array;
  /** Azimuth about k from i towards j (rad, [0, 2 pi)). */
  readonly phi: Float64Array;
}

/** Network angles of sky positions ra, dec (rad, equal lengths) at sidereal time gmst (rad). */
export function networkAngles(
  axes: NetworkAxes,
  gmst: number,
  ra: Float64Array,
  dec: Float64Array,
): NetworkAngles {
  const costheta = new Float64Array(ra.length);
  const phi = new Float64Array(ra.length);
  for (let n = 0; n < ra.length; n++) {
    const lon = raToLon(ra[n]!, gmst);
    const cosDec = Math.cos(dec[n]!);
    const source: Vec3 = [Math.cos(lon) * cosDec, Math.sin(lon) * cosDec, Math.sin(dec[n]!)];
    costheta[n] = Math.max(-1, Math.min(1, dot(axes.k, source)));
    phi[n] = modulo(Math.atan2(dot(axes.j, source), dot(axes.i, source)));
  }
  return { costheta, phi };
}
