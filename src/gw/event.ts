/** A gravitational-wave event as cogwheel's `EventData.to_npz` writes it. */
import { basename } from "node:path";
import { DotpeError } from "../errors.ts";
import { clipped } from "../io/clipped.ts";
import { firstNotFinite } from "../io/finite.ts";
import type { NpyArray } from "../io/npy.ts";
import { type Npz, openNpz } from "../io/npz.ts";

export interface Event {
  name: string;
  path: string;
  /** One letter each, in the order of the d axis. */
  detectors: string[];
  n_d: number;
  n_f: number;
  /** Hz. */
  df: number;
  /** (f) Hz, from 0, evenly spaced. */
  f: Float64Array;
  /** (d, f) in 1/Hz. */
  strainRe_df: Float64Array;
  strainIm_df: Float64Array;
  /** (d, f) whitening filter, 1/ASD in sqrt(Hz), tapered to zero at the band's edges. */
  whiten_df: Float64Array;
  /** GPS time of the event, s. */
  tgps: number;
  /** Where the merger sits in the segment, s from its start. */
  tcoarse: number;
  /** The band: first and last frequency (Hz) at which some detector's filter is not zero. */
  f0: number;
  f1: number;
}

export const KNOWN_DETECTORS = ["H", "L", "V"] as const;
const SPACING_TOLERANCE = 1e-6;
/**
 * The filters of real events ring slightly below zero where a line is notched (down to -3.5% of the largest value in the
 * events that cogwheel ships); more than this is not a whitening filter.
 */
const MAX_NEGATIVE_SHARE = 0.1;
const RESAVE = "Save the event again with cogwheel's EventData.to_npz.";

/**
 * Reads an event. A pickled `injection` entry is never touched. The older keys `psd`, `fd_filter` are understood.
 * @throws DotpeError noInput, badData (missing field, dtype, shape, frequencies, detectors), notFinite.
 */
export function readEvent(path: string): Event {
  const npz = openNpz(path);
  const detectors = readDetectors(npz);
  const { f, df } = readFrequencies(npz);
  const [n_d, n_f] = [detectors.length, f.length];
  const whiten_df = readWhitening(npz, detectors, n_f);
  const { re: strainRe_df, im: strainIm_df } = readStrain(npz, detectors, n_f);
  const tgps = readScalar(npz, "tgps");
  const tcoarse = readScalar(npz, "tcoarse");
  if (tcoarse < 0 || tcoarse >= 1 / df) {
    throw bad(npz, "tcoarse", `found ${tcoarse} s, expected a time within the segment of ${1 / df} s`);
  }
  const { f0, f1 } = findBand(npz, f, whiten_df, detectors);
  const name = readName(npz);
  return {
    ...{ name, path, detectors, n_d, n_f, df, f },
    ...{ strainRe_df, strainIm_df, whiten_df, tgps, tcoarse, f0, f1 },
  };
}

function readName(npz: Npz): string {
  if (!npz.has("eventname")) return basename(npz.path).replace(/\.npz$/, "");
  const names = npz.get("eventname").toStrings();
  if (names.length !== 1) throw bad(npz, "eventname", `found ${names.length} names, expected one`);
  const [name] = names;
  if (clipped(name) !== name)
    throw bad(
      npz,
      "eventname",
      `found ${clipped(name)}, expected at most 200 characters, none of them a control`,
    );
  return name;
}

function readDetectors(npz: Npz): string[] {
  const array = npz.get("detector_names");
  const texts = array.toStrings();
  const detectors = array.shape.length === 0 ? [...texts[0]] : texts;
  const known: readonly string[] = KNOWN_DETECTORS;
  const unknown = detectors.filter((name) => !known.includes(name));
  if (detectors.length === 0 || unknown.length > 0) {
    const found = detectors.length === 0 ? "none" : `'${clipped(detectors.join("', '"))}'`;
    throw bad(npz, "detector_names", `found ${found}, expected some of ${known.join(", ")}`);
  }
  const twice = detectors.find((name, d) => detectors.indexOf(name) !== d);
  if (twice !== undefined) throw bad(npz, "detector_names", `found ${twice} twice, expected each once`);
  return detectors;
}

function readFrequencies(npz: Npz): { f: Float64Array; df: number } {
  const array = npz.get("frequencies");
  if (array.dtype !== "f8" || array.shape.length !== 1 || array.n_items < 3) {
    throw bad(npz, "frequencies", `found ${describe(array)}, expected f8 of shape (n_f,), n_f at least 3`);
  }
  const f = array.toFloat64();
  refuseNotFinite(npz, "frequencies", f, (k) => `at index ${k}`);
  if (f[0] !== 0) throw bad(npz, "frequencies", `found ${f[0]} Hz first, expected 0`);
  const df = f[f.length - 1] / (f.length - 1);
  for (let k = 1; k < f.length; k++) {
    const step = f[k] - f[k - 1];
    if (!(df > 0) || !(Math.abs(step - df) <= SPACING_TOLERANCE * df)) {
      throw bad(
        npz,
        "frequencies",
        `found a step of ${step} Hz at index ${k}, expected even steps of ${df} Hz`,
      );
    }
  }
  return { f, df };
}

function readMatrix(npz: Npz, field: string, dtype: "f8" | "c16", n_d: number, n_f: number): NpyArray {
  const array = npz.get(field);
  const [rows, columns] = array.shape;
  if (array.dtype !== dtype || array.shape.length !== 2 || rows !== n_d || columns !== n_f) {
    const expected = `${dtype} of shape (${n_d}, ${n_f}): one row a detector, one column a frequency`;
    throw bad(npz, field, `found ${describe(array)}, expected ${expected}`);
  }
  return array;
}

function readStrain(npz: Npz, detectors: string[], n_f: number): { re: Float64Array; im: Float64Array } {
  const interleaved = readMatrix(npz, "strain", "c16", detectors.length, n_f).toComplex();
  refuseNotFinite(npz, "strain", interleaved, (k) => placeOf(k >> 1, detectors, n_f));
  const re = new Float64Array(interleaved.length / 2);
  const im = new Float64Array(interleaved.length / 2);
  for (let k = 0; k < re.length; k++) {
    re[k] = interleaved[2 * k];
    im[k] = interleaved[2 * k + 1];
  }
  for (const [d, detector] of detectors.entries()) {
    const row = interleaved.subarray(2 * d * n_f, 2 * (d + 1) * n_f);
    if (row.every((value) => value === 0))
      throw bad(npz, "strain", `detector ${detector}: found only zeros, expected data`);
  }
  return { re, im };
}

function readWhitening(npz: Npz, detectors: string[], n_f: number): Float64Array {
  const whiten_df = npz.has("psd")
    ? whiteningFromPsd(npz, detectors.length, n_f)
    : readMatrix(npz, "wht_filter", "f8", detectors.length, n_f).toFloat64();
  refuseNotFinite(npz, "wht_filter", whiten_df, (k) => placeOf(k, detectors, n_f));
  for (const [d, detector] of detectors.entries()) {
    const row = whiten_df.subarray(d * n_f, (d + 1) * n_f);
    const { lowest, highest } = rangeOf(row);
    if (highest === 0)
      throw bad(npz, "wht_filter", `detector ${detector}: found no positive value, expected some`);
    if (lowest < -MAX_NEGATIVE_SHARE * highest) {
      throw bad(
        npz,
        "wht_filter",
        `detector ${detector}: found ${lowest}, expected no negative values (1/ASD)`,
      );
    }
  }
  return whiten_df;
}

/** Smallest and largest value, and zero. */
function rangeOf(values: Float64Array): { lowest: number; highest: number } {
  let [lowest, highest] = [0, 0];
  for (let k = 0; k < values.length; k++) {
    if (values[k] < lowest) lowest = values[k];
    if (values[k] > highest) highest = values[k];
  }
  return { lowest, highest };
}

/** Events saved by early releases of cogwheel: a filter without units, and the power spectral density. */
function whiteningFromPsd(npz: Npz, n_d: number, n_f: number): Float64Array {
  if (npz.has("wht_filter")) throw bad(npz, "psd", "found wht_filter too, expected only one of them");
  const filter_df = readMatrix(npz, "fd_filter", "f8", n_d, n_f).toFloat64();
  const psd_df = readMatrix(npz, "psd", "f8", n_d, n_f).toFloat64();
  return filter_df.map((value, k) => value / Math.sqrt(psd_df[k]));
}

function findBand(
  npz: Npz,
  f: Float64Array,
  whiten_df: Float64Array,
  detectors: string[],
): { f0: number; f1: number } {
  const n_f = f.length;
  let [first, last] = [n_f, -1];
  for (let d = 0; d < detectors.length; d++) {
    const row = whiten_df.subarray(d * n_f, (d + 1) * n_f);
    let [low, high] = [0, n_f - 1];
    while (low < n_f && row[low] === 0) low++;
    while (high >= 0 && row[high] === 0) high--;
    [first, last] = [Math.min(first, low), Math.max(last, high)];
  }
  if (last <= first) throw bad(npz, "wht_filter", `found no band for ${detectors.join("")}`);
  return { f0: f[first], f1: f[last] };
}

function readScalar(npz: Npz, field: string): number {
  const array = npz.get(field);
  if (array.n_items !== 1) throw bad(npz, field, `found ${describe(array)}, expected one number`);
  const value = array.toFloat64();
  refuseNotFinite(npz, field, value, () => "");
  return value[0];
}

function refuseNotFinite(npz: Npz, field: string, values: Float64Array, place: (k: number) => string): void {
  const k = firstNotFinite(values);
  if (k === -1) return;
  throw new DotpeError(
    "notFinite",
    `${npz.path}: field ${field}: found ${values[k]} ${place(k)}, expected finite numbers`,
    "The data around the event have a gap or were not conditioned; make the event again.",
  );
}

function placeOf(k: number, detectors: string[], n_f: number): string {
  return `for detector ${detectors[Math.floor(k / n_f)]} at frequency index ${k % n_f}`;
}

function describe(array: NpyArray): string {
  return `${array.dtype} of shape (${array.shape.join(", ")})`;
}

function bad(npz: Npz, field: string, message: string): DotpeError {
  return new DotpeError("badData", `${npz.path}: field ${field}: ${message}`, RESAVE);
}
