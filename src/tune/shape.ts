/**
 * The class of a workload's sizes. Runs of one class share a tuned setting: a setting decides what stays in the caches
 * and how many tasks there are, and both follow the sizes in proportion. Knobs are tried in steps of two, so sizes that
 * differ by less than that lead to the same choice, or to its neighbour, which is nearly as fast.
 */
import { createHash } from "node:crypto";

export interface WorkloadSizes {
  /** Detectors and harmonic modes. */
  readonly n_d: number;
  readonly n_m: number;
  /** Frequency bins that are used. */
  readonly n_b: number;
  /** Times in each detector, orbital phases, extrinsic samples. */
  readonly n_t: number;
  readonly n_phi: number;
  readonly n_e: number;
  /** Bank samples, of all banks. */
  readonly n_i: number;
}

/**
 * Such as "d3 m4 b384 t128 o64 e1024 i16k".
 * - Detectors and modes are few, and each changes the work of everything: as they are.
 * - Bins are the length of every inner loop and most of the working set: padded to 8 as the kernels pad them, then up
 *   to 8, 16, 24, 32, 48, 64, 96, ... (powers of two and the values between them).
 * - Phases are padded to 8; phases, times and extrinsic samples go up to powers of two.
 * - Bank samples set the number of tasks alone: up to powers of four, and from a million on there are enough of
 *   them for any number of threads.
 * @throws RangeError if a size is not a whole number of at least 1
 */
export function shapeClass({ n_d, n_m, n_b, n_t, n_phi, n_e, n_i }: WorkloadSizes): string {
  const sizes = [
    ["d", checked(n_d)],
    ["m", checked(n_m)],
    ["b", halfStepUp(padded(n_b))],
    ["t", powerUp(n_t, 2)],
    ["o", powerUp(padded(n_phi), 2)],
    ["e", powerUp(n_e, 2)],
  ];
  return `${sizes.map(([name, size]) => `${name}${size}`).join(" ")} i${countClass(n_i)}`;
}

/**
 * The class of a workload of the user's own: "module NAME <hash of its file> i16k", and a hash of the options that it is
 * given, if any. Files that the module imports are not in the hash.
 * @param file the module's own bytes
 * @param n units of work
 * @param given its --benchmark-option KEY=VALUE: they may change what a unit is
 */
export function moduleShape(
  name: string,
  file: Uint8Array,
  n: number,
  given: Readonly<Record<string, string>> = {},
): string {
  const options = Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1));
  const suffix = options.length > 0 ? ` options ${shortHash(JSON.stringify(options))}` : "";
  return `module ${name} ${shortHash(file)} i${countClass(n)}${suffix}`;
}

const MANY = 4 ** 10;

function countClass(n: number): string {
  const size = Math.min(powerUp(n, 4), MANY);
  if (size === MANY) return "1M";
  return size >= 1024 ? `${size / 1024}k` : `${size}`;
}

function padded(n: number): number {
  return Math.ceil(checked(n) / 8) * 8;
}

/** The first of 1, base, base^2, ... that is not below n. */
function powerUp(n: number, base: number): number {
  let power = 1;
  while (power < checked(n)) power *= base;
  return power;
}

/** The first of 2^k and 3 2^k that is not below n. */
function halfStepUp(n: number): number {
  const power = powerUp(n, 2);
  return power > 4 && n <= 0.75 * power ? 0.75 * power : power;
}

function checked(n: number): number {
  if (!Number.isSafeInteger(n) || n < 1) throw new RangeError(`found a size of ${n}, expected at least 1`);
  return n;
}

/** 16 hex digits of SHA-256. */
export function shortHash(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}
