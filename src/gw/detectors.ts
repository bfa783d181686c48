/**
 * The interferometers: where they stand, how they respond to a wave, when it reaches them.
 * Earth-fixed axes: x to Greenwich on the equator, z to the north pole; lat, lon (rad) of the source in these axes.
 * Site constants: LIGO-T980044 and Virgo's published site data, as in LALSuite's LALDetectors.h.
 */

import { DotpeError } from "../errors.ts";

/** m/s */
export const SPEED_OF_LIGHT = 299792458;

export type Vec3 = readonly [number, number, number];

export interface Detector {
  /** One letter: "H", "L" or "V". */
  readonly name: string;
  /** Vertex, m from the centre of the Earth. */
  readonly location: Vec3;
  /** Unit vectors along the arms (to 1e-11, not exactly orthogonal). */
  readonly xArm: Vec3;
  readonly yArm: Vec3;
  /** The symmetric tensor (x x^T - y y^T)/2, nine numbers in row order. */
  readonly response: readonly number[];
}

/**
 * Rounded to single precision because LALSuite stores it so (REAL4), and every waveform and response of the
 * field is made with those numbers; the difference is 1e-8.
 */
function responseTensor(xArm: Vec3, yArm: Vec3): number[] {
  return xArm.flatMap((x, row) =>
    xArm.map((_, column) => Math.fround(0.5 * (x * xArm[column]! - yArm[row]! * yArm[column]!))),
  );
}

function detector(name: string, location: Vec3, xArm: Vec3, yArm: Vec3): Detector {
  return { name, location, xArm, yArm, response: responseTensor(xArm, yArm) };
}

export const DETECTORS: ReadonlyMap<string, Detector> = new Map(
  [
    detector(
      "H",
      [-2161414.92636, -3834695.17889, 4600350.22664],
      [-0.22389266154, 0.79983062746, 0.55690487831],
      [-0.91397818574, 0.02609403989, -0.40492342125],
    ),
    detector(
      "L",
      [-74276.0447238, -5496283.71971, 3224257.01744],
      [-0.95457412153, -0.1415807734, -0.26218911324],
      [0.29774156894, -0.48791033647, -0.82054461286],
    ),
    detector(
      "V",
      [4546374.099, 842989.697626, 4378576.96241],
      [-0.70045821479, 0.20848948619, 0.68256166277],
      [-0.05379255368, -0.96908180549, 0.24080451708],
    ),
  ].map((site) => [site.name, site]),
);

/**
 * The detectors of "HLV" or ["H", "L", "V"], in that order.
 * @param where the file and field the names come from, for the message.
 * @throws DotpeError badData for a name that is not H, L or V.
 */
export function detectorsNamed(names: Iterable<string>, where = "detector names"): Detector[] {
  return Array.from(names, (name) => {
    const found = DETECTORS.get(name);
    if (found) return found;
    const known = [...DETECTORS.keys()].join(", ");
    throw new DotpeError(
      "badData",
      `${where}: found detector ${JSON.stringify(name)}, expected one of ${known}`,
      "Remove the other detectors from the input: only their sites and arms are known here.",
    );
  });
}

/**
 * Delays (s) of a wave from direction (lat, lon) at each detector with respect to the centre of the Earth:
 * -(r_d . n)/c, n the unit vector to the source. Shape (d, e); lat, lon (rad) have length n_e.
 */
export function geocenterDelays(
  detectors: readonly Detector[],
  lat: Float64Array,
  lon: Float64Array,
): Float64Array {
  const n_e = lat.length;
  const delay_de = new Float64Array(detectors.length * n_e);
  for (let e = 0; e < n_e; e++) {
    const cosLat = Math.cos(lat[e]!);
    const x = Math.cos(lon[e]!) * cosLat;
    const y = Math.sin(lon[e]!) * cosLat;
    const z = Math.sin(lat[e]!);
    for (let d = 0; d < detectors.length; d++) {
      const r = detectors[d]!.location;
      delay_de[d * n_e + e] = -(r[0] * x + r[1] * y + r[2] * z) / SPEED_OF_LIGHT;
    }
  }
  return delay_de;
}

/**
 * Arrival times (s) in each detector: tGeocenter + delay + tcoarse. Shape (d, e).
 * @param tGeocenter s after the event's GPS time, length n_e. @param tcoarse s from the segment's start to that time.
 */
export function arrivalTimes(
  detectors: readonly Detector[],
  lat: Float64Array,
  lon: Float64Array,
  tGeocenter: Float64Array,
  tcoarse = 0,
): Float64Array {
  const n_e = lat.length;
  const arrival_de = geocenterDelays(detectors, lat, lon);
  for (let d = 0; d < detectors.length; d++)
    for (let e = 0; e < n_e; e++) arrival_de[d * n_e + e]! += tGeocenter[e]! + tcoarse;
  return arrival_de;
}

/** u^T D v for a 3x3 tensor D in row order. */
function contract(D: readonly number[], u: ArrayLike<number>, v: ArrayLike<number>): number {
  return (
    u[0]! * (D[0]! * v[0]! + D[1]! * v[1]! + D[2]! * v[2]!) +
    u[1]! * (D[3]! * v[0]! + D[4]! * v[1]! + D[5]! * v[2]!) +
    u[2]! * (D[6]! * v[0]! + D[7]! * v[1]! + D[8]! * v[2]!)
  );
}

/**
 * F+ and Fx at polarization angle 0: u D u - v D v and 2 u D v, with u pointing west and v north on the sky
 * (Anderson, Brady, Creighton, Flanagan, gr-qc/0008066, appendix B). Shape (d, p, e); lat, lon (rad) of length n_e.
 */
export function antennaPatterns(
  detectors: readonly Detector[],
  lat: Float64Array,
  lon: Float64Array,
): Float64Array {
  const n_e = lat.length;
  const response_dpe = new Float64Array(detectors.length * 2 * n_e);
  const west = new Float64Array(3);
  const north = new Float64Array(3);
  for (let e = 0; e < n_e; e++) {
    const sinLat = Math.sin(lat[e]!);
    const sinLon = Math.sin(lon[e]!);
    const cosLon = Math.cos(lon[e]!);
    west[0] = sinLon;
    west[1] = -cosLon;
    north[0] = -cosLon * sinLat;
    north[1] = -sinLon * sinLat;
    north[2] = Math.cos(lat[e]!);
    for (let d = 0; d < detectors.length; d++) {
      const D = detectors[d]!.response;
      response_dpe[2 * d * n_e + e] = contract(D, west, west) - contract(D, north, north);
      response_dpe[(2 * d + 1) * n_e + e] = 2 * contract(D, west, north);
    }
  }
  return response_dpe;
}

/**
 * F+ and Fx at polarization angle psi: [[cos 2psi, sin 2psi], [-sin 2psi, cos 2psi]] applied to `antennaPatterns`
 * (the convention of LALSuite). Shape (d, p, e); lat, lon, psi (rad) of length n_e.
 */
export function detectorResponses(
  detectors: readonly Detector[],
  lat: Float64Array,
  lon: Float64Array,
  psi: Float64Array,
): Float64Array {
  const n_e = lat.length;
  const response_dpe = antennaPatterns(detectors, lat, lon);
  for (let e = 0; e < n_e; e++) {
    const cos = Math.cos(2 * psi[e]!);
    const sin = Math.sin(2 * psi[e]!);
    for (let d = 0; d < detectors.length; d++) {
      const plus = 2 * d * n_e + e;
      const cross = plus + n_e;
      const plus0 = response_dpe[plus]!;
      const cross0 = response_dpe[cross]!;
      response_dpe[plus] = cos * plus0 + sin * cross0;
      response_dpe[cross] = cos * cross0 - sin * plus0;
    }
  }
  return response_dpe;
}
