/**
 * An isotropic sample of the sky, found by the delays between the detectors: which directions make a wave arrive
 * at detector d so many time bins after the first detector. After the sky dictionary of cogwheel (Roulet et al.,
 * arXiv:2404.02435). Plain data over shared buffers: it can be posted to workers without a copy. A direction is a number
 * of a quasi-random sequence, and its angles are computed from that number when they are needed.
 */

import type { SkyBins, SkyTables } from "../kernels/extrinsic-table.ts";
import { referenceKernels } from "../kernels/ref.ts";
import { skyCoordinate } from "../kernels/ref-sky.ts";
import type { Kernels } from "../kernels/table.ts";
import { type Detector, SPEED_OF_LIGHT } from "./detectors.ts";
import { ScrambledHalton } from "./qmc.ts";

/** Time resolution aimed at (Hz). */
export const DEFAULT_F_SAMPLING = 8192;
export const DEFAULT_N_SKY = 1_000_000;
/** Stream of the random numbers that scramble the sky sample. */
const SKY_STREAM = 0x5c10;
/** Directions of a task: see `fillDirections`. */
const BLOCK = 65_536;

/** s: a direction of the sky sample. A bin is a cell of the grid of delay bins, last detector fastest. */
export interface SkyDictionary extends SkyTables, SkyBins {
  readonly n_d: number;
  readonly n_s: number;
  /** Hz: a delay bin is 1/f_sampling wide, centred on a whole number of them. */
  readonly f_sampling: number;
  /** Share of each bin in detectable sources: sum of |F|^3 over its directions; sums to 1. For proposals only. */
  readonly detectable: Float64Array;
  readonly maxDelay: Int32Array;
}

/** A dictionary in the making: its arrays, and the bin and |F|^3 of every direction. */
export interface SkyPlan {
  readonly sky: SkyDictionary;
  readonly bin_s: Int32Array;
  readonly power_s: Float64Array;
  readonly nTasks: number;
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
export function planSky(
  detectors: readonly Detector[],
  f_sampling: number,
  seed: number,
  n_s = DEFAULT_N_SKY,
): SkyPlan {
  // Two, whatever the number of detectors: 0 is the only delay to a detector that is not there.
  const maxDelay = sharedInts(2);
  maxDelay.set(detectors.slice(1).map((d) => Math.ceil(lightTravel(d, detectors[0]!) * f_sampling)));
  const n_bin = maxDelay.reduce((n, max) => n * (2 * max + 1), 1);
  const halton = new ScrambledHalton(2, seed, SKY_STREAM);
  const [lat, lon] = [halton.tables(0, n_s), halton.tables(1, n_s)];
  const sky: SkyDictionary = {
    n_d: detectors.length,
    n_s,
    f_sampling,
    low: [shared(lat.low), shared(lon.low)],
    high: [shared(lat.high), shared(lon.high)],
    site_dk: shared(
      detectors.flatMap(({ location, response }) => [
        ...location.map((r) => (r * f_sampling) / SPEED_OF_LIGHT),
        ...response,
      ]),
    ),
    maxDelay,
    binStart: sharedInts(n_bin + 1),
    directions: sharedInts(n_s),
    detectable: sharedFloats(n_bin),
  };
  return { sky, bin_s: sharedInts(n_s), power_s: sharedFloats(n_s), nTasks: Math.ceil(n_s / BLOCK) };
}

/** Bins and |F|^3 of one task's directions. */
export function fillDirections({ sky, bin_s, power_s }: SkyPlan, task: number, kernels: Kernels): void {
  const [s0, s1] = [task * BLOCK, Math.min((task + 1) * BLOCK, sky.n_s)];
  kernels.skyBlock(bin_s.subarray(s0, s1), power_s.subarray(s0, s1), sky, s0, s1 - s0);
}

/** Sorts the directions into their bins, once all tasks are done: the dictionary is complete then. */
export function sortDirections({ sky, bin_s, power_s }: SkyPlan, kernels: Kernels): void {
  const { binStart, directions, detectable, n_s } = sky;
  kernels.skySort(binStart, directions, detectable, bin_s, power_s, n_s, detectable.length);
}

/** All of it at once: arguments as `planSky`. */
export function buildSkyDictionary(
  detectors: readonly Detector[],
  f_sampling: number,
  seed: number,
  n_s = DEFAULT_N_SKY,
  kernels: Kernels = referenceKernels,
): SkyDictionary {
  const plan = planSky(detectors, f_sampling, seed, n_s);
  for (let task = 0; task < plan.nTasks; task++) fillDirections(plan, task, kernels);
  sortDirections(plan, kernels);
  return plan.sky;
}

/** Earth-fixed latitudes and longitudes (rad) of some directions. */
export function skyAngles(
  sky: SkyDictionary,
  directions: ArrayLike<number>,
): { lat: Float64Array; lon: Float64Array } {
  return {
    lat: Float64Array.from(directions, (s) => Math.asin(2 * skyCoordinate(sky, 0, s) - 1)),
    lon: Float64Array.from(directions, (s) => 2 * Math.PI * skyCoordinate(sky, 1, s)),
  };
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

function shared(values: ArrayLike<number>): Float64Array {
  const copy = sharedFloats(values.length);
  copy.set(values);
  return copy;
}
