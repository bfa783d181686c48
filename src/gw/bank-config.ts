/** `bank_config.json` of a bank folder. */
import * as v from "valibot";
import { DotpeError } from "../errors.ts";
import { clipped } from "../io/clipped.ts";
import { readJson } from "../io/json.ts";

export interface BankConfig {
  /** (b) Hz, strictly increasing: where the bank's waveforms are given. */
  fbin: Float64Array;
  /** Hz, at which the spins are given. */
  f_ref: number;
  /** Azimuthal modes, in the order of the m axis. */
  m_arr: number[];
  /** (l, m); null in banks made before it was recorded. */
  harmonic_modes: [number, number][] | null;
  /** Samples in every block but the last. */
  blocksize: number;
  approximant: string;
  /** What else the file says: who made the bank, and how. Not checked. */
  others: Readonly<Record<string, unknown>>;
}

/** Among the others: `WaveformRequest.phenomXPrecVersion` of the bank's waveforms, where it was given. */
export const PREC_VERSION = "phenomx_prec_version";

const MAX_MODES = 16;
const MAX_HARMONICS = 256;
/** A not-a-knot cubic spline needs 4; fewer than this many bins cannot follow a signal. */
export const MIN_BINS = 8;
/** Relative binning takes hundreds; the tables of some stages grow with the square. */
const MAX_BINS = 2 ** 14;

const Positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const WholeNumber = v.pipe(v.number(), v.integer(), v.minValue(0));
const ConfigSchema = v.looseObject({
  fbin: v.pipe(v.array(Positive), v.minLength(MIN_BINS), v.maxLength(MAX_BINS)),
  f_ref: Positive,
  m_arr: v.optional(v.pipe(v.array(WholeNumber), v.minLength(1), v.maxLength(MAX_MODES))),
  harmonic_modes: v.optional(
    v.pipe(v.array(v.strictTuple([WholeNumber, WholeNumber])), v.minLength(1), v.maxLength(MAX_HARMONICS)),
  ),
  blocksize: v.pipe(v.number(), v.integer(), v.minValue(1)),
  approximant: v.pipe(v.string(), v.nonEmpty()),
});

/** @throws DotpeError noInput, badData naming the file and the field. */
export function readBankConfig(path: string): BankConfig {
  const parsed = v.safeParse(ConfigSchema, readJson(path), { abortEarly: true });
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw bad(
      path,
      v.getDotPath(issue) ?? "(whole file)",
      `found ${clipped(issue.received)}, expected ${expectedBy(issue)}`,
    );
  }
  const { f_ref, blocksize, approximant, harmonic_modes = null, m_arr: stated, ...rest } = parsed.output;
  const { fbin: bins, ...others } = rest;
  const fbin = Float64Array.from(bins);
  checkIncreasing(fbin, path);
  const m_arr = resolveModes(stated, harmonic_modes, path);
  return { fbin, f_ref, m_arr, harmonic_modes, blocksize, approximant, others };
}

function expectedBy(issue: v.BaseIssue<unknown>): string {
  return issue.expected ?? issue.message;
}

function checkIncreasing(fbin: Float64Array, path: string): void {
  const b = fbin.findIndex((f, k) => k > 0 && f <= fbin[k - 1]);
  if (b === -1) return;
  throw bad(
    path,
    "fbin",
    `found ${fbin[b]} Hz after ${fbin[b - 1]} Hz at index ${b}, expected increasing bins`,
  );
}

/** The m axis: as stated, or the m of `harmonic_modes` in order of first appearance; both must say the same. */
function resolveModes(
  stated: number[] | undefined,
  modes: [number, number][] | null,
  path: string,
): number[] {
  const derived = modes === null ? undefined : [...new Set(modes.map(([, m]) => m))];
  const m_arr = derived ?? stated;
  if (m_arr === undefined) {
    throw bad(path, "m_arr", "found neither m_arr nor harmonic_modes, expected one of them");
  }
  if (stated !== undefined && stated.join() !== m_arr.join()) {
    throw bad(path, "m_arr", `found [${stated}], expected [${m_arr}] as harmonic_modes says`);
  }
  if (new Set(m_arr).size !== m_arr.length || m_arr.length > MAX_MODES) {
    throw bad(path, "m_arr", `found [${m_arr}], expected up to ${MAX_MODES} different modes`);
  }
  if (!m_arr.includes(2)) throw bad(path, "m_arr", `found [${m_arr}], expected m = 2 among the modes`);
  return m_arr;
}

function bad(path: string, field: string, message: string): DotpeError {
  return new DotpeError(
    "badData",
    `${path}: field ${field}: ${message}`,
    "Check bank_config.json, or make the bank again.",
  );
}
