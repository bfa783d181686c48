/**
 * An isotropic sample of the sky, found by the delays between the detectors: which directions make a wave arrive
 * at detector d so many time bins after the first detector. After the sky dictionary of cogwheel (Roulet et al.,
 * arXiv:2404.02435). Plain data over shared buffers: it can be posted to workers without a copy.
 */

import { antennaPatterns, type Detector, geocenterDelays, SPEED_OF_LIGHT } from "./detectors.ts";
import { ScrambledHalton } from "./qmc.ts";

/** Time resolution aimed at (Hz). */
export const DEFAULT_F_SAMPLING = 8192;
export const DEFAULT_N_SKY = 1_000_000;
/** Stream of the random numbers that scramble the sky sample. */
const SKY_STREAM = 0x5c10;
/** Directions handled at a time when building: small enough to stay in cache. */
const BLOCK = 8192;

/** s: a direction of the sky sample. A bin is a cell of the grid of delay bins, last detector fastest. */
export interface SkyDictionary {
  readonly n_d: number;
  /** Hz: a delay bin is 1/f_sampling wide, centred on a whole number of them. */
  readonly f_sampling: number;
  /** Earth-fixed latitude and longitude (rad) of each direction. */
  readonly lat_s: Float64Array;
  readonly lon_s: Float64Array;
  /** For detectors 1, 2, ...: the largest |delay| (in bins) to detector 0; the grid runs from -it to +it. */
  readonly maxDelay: readonly number[];
  /** Directions of bin k: directions[binStart[k]] ... directions[binStart[k + 1] - 1]. */
  readonly binStart: Int32Array;
  readonly directions: Int32Array;
  /** Share of each bin in detectable sources: sum of |F|^3 over its directions; sums to 1. For proposals only. */
  readonly detectable: Float64Array;
}

/** The multiple of 2 fNyquist that is closest to 8192 Hz, at least one. @param fNyquist last frequency of the event's grid (Hz). */
export function chooseFSampling(fNyquist: number): number {
  const rate = 2 * fNyquist;
  return rate * Math.max(1, Math.round(DEFAULT_F_SAMPLING / rate));
}

/**
 * @param detectors one, two or three, the first being the one that delays refer to.
 * @param f_sampling Hz. @param seed of the quasi-random directions. @param n_s how many directions.
 */
export function buildSkyDictionary(
  detectors: readonly Detector[],
  f_sampling: number,
  seed: number,
  n_s = DEFAULT_N_SKY,
): SkyDictionary {
  const maxDelay = detectors.slice(1).map((d) => Math.ceil(lightTravel(d, detectors[0]!) * f_sampling));
  const n_bin = maxDelay.reduce((n, max) => n * (2 * max + 1), 1);
  const { lat_s, lon_s } = isotropicDirections(n_s, seed);
  const bin_s = new Int32Array(n_s);
  const detectable = sharedFloats(n_bin);
  for (let s0 = 0; s0 < n_s; s0 += BLOCK) {
    const s1 = Math.min(s0 + BLOCK, n_s);
    const lat = lat_s.subarray(s0, s1);
    const lon = lon_s.subarray(s0, s1);
    const bins = bin_s.subarray(s0, s1);
    fillBins(geocenterDelays(detectors, lat, lon), maxDelay, f_sampling, bins);
    addDetectable(antennaPatterns(detectors, lat, lon), bins, detectable);
  }
  const total = detectable.reduce((sum, x) => sum + x, 0);
  for (let k = 0; k < n_bin; k++) detectable[k]! /= total;
  return {
    n_d: detectors.length,
    f_sampling,
    lat_s,
    lon_s,
    maxDelay,
    ...sortByBin(bin_s, n_bin),
    detectable,
  };
}

/** The bin of given delays: delay of detector 1 (and 2) after detector 0, in time bins. -1 where no direction has them. */
export function delayBin(sky: SkyDictionary, delay1: number, delay2: number): number {
  const { maxDelay } = sky;
  let bin = 0;
  if (sky.n_d > 1) {
    const max = maxDelay[0]!;
    if (delay1 < -max || delay1 > max) return -1;
    bin = delay1 + max;
  }
  if (sky.n_d > 2) {
    const max = maxDelay[1]!;
    if (delay2 < -max || delay2 > max) return -1;
    bin = bin * (2 * max + 1) + delay2 + max;
  }
  return sky.binStart[bin + 1]! > sky.binStart[bin]! ? bin : -1;
}

/** Seconds that light needs between two detectors. */
function lightTravel(a: Detector, b: Detector): number {
  const [x, y, z] = a.location.map((r, k) => r - b.location[k]!) as [number, number, number];
  return Math.hypot(x, y, z) / SPEED_OF_LIGHT;
}

function sharedFloats(n: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(8 * n));
}

function sharedInts(n: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * n));
}

function isotropicDirections(n_s: number, seed: number) {
  const halton = new ScrambledHalton(2, seed, SKY_STREAM);
  const lat_s = sharedFloats(n_s);
  const lon_s = sharedFloats(n_s);
  for (let s0 = 0; s0 < n_s; s0 += BLOCK) {
    const n = Math.min(BLOCK, n_s - s0);
    const u = halton.points(s0, n);
    for (let s = 0; s < n; s++) {
      lat_s[s0 + s] = Math.asin(2 * u[s]! - 1);
      lon_s[s0 + s] = 2 * Math.PI * u[n + s]!;
    }
  }
  return { lat_s, lon_s };
}

/** @param delay_ds s after the centre of the Earth. */
function fillBins(
  delay_ds: Float64Array,
  maxDelay: readonly number[],
  f_sampling: number,
  bin_s: Int32Array,
): void {
  const n_s = bin_s.length;
  bin_s.fill(0);
  maxDelay.forEach((max, k) => {
    for (let s = 0; s < n_s; s++) {
      const delay = Math.round((delay_ds[(k + 1) * n_s + s]! - delay_ds[s]!) * f_sampling);
      bin_s[s] = bin_s[s]! * (2 * max + 1) + delay + max;
    }
  });
}

/** Volume in which a source is heard grows as |F|^3, |F|^2 the sum of F+^2 + Fx^2 over the detectors. */
function addDetectable(response_dps: Float64Array, bin_s: Int32Array, detectable: Float64Array): void {
  const n_s = bin_s.length;
  for (let s = 0; s < n_s; s++) {
    let square = 0;
    for (let k = s; k < response_dps.length; k += n_s) square += response_dps[k]! * response_dps[k]!;
    detectable[bin_s[s]!]! += square * Math.sqrt(square);
  }
}

/** Counting sort: directions in ascending order within each bin. */
function sortByBin(bin_s: Int32Array, n_bin: number) {
  const n_s = bin_s.length;
  const binStart = sharedInts(n_bin + 1);
  for (let s = 0; s < n_s; s++) binStart[bin_s[s]! + 1]!++;
  for (let k = 0; k < n_bin; k++) binStart[k + 1]! += binStart[k]!;
  const next = binStart.slice(0, n_bin);
  const directions = sharedInts(n_s);
  for (let s = 0; s < n_s; s++) directions[next[bin_s[s]!]!++] = s;
  return { binStart, directions };
}
