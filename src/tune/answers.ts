/** Whether what a candidate computed is right. */
import { joined } from "../stages/select.ts";

export interface Answers {
  /** ln likelihoods of stage 2: of the first look (j), of the second (d, j). */
  readonly first: Float64Array | undefined;
  readonly second: Float64Array;
  /** Sums over the rows of stage 5, as `RowProgress.kept`. */
  readonly kept: Float64Array;
}

/** Of the first of n copies of the slice. */
export function firstBlock({ first, second, kept }: Answers, n_blocks: number, n_d: number): Answers {
  const part = (values: Float64Array, n_rows: number) => {
    const [n, n_part] = [values.length / n_rows, values.length / n_rows / n_blocks];
    const rows = Array.from({ length: n_rows }, (_, r) => values.subarray(r * n, r * n + n_part));
    return joined(rows);
  };
  return { first: first && part(first, 1), second: part(second, n_d), kept: part(kept, 1) };
}

/**
 * Every copy of the slice must have the very answers that the first candidate gave of the first copy: threads, batches and
 * tiles change no bit.
 * @param expected of one copy
 * @param n_d detectors, the slowest axis of `second`
 */
export function differenceByBlock(found: Answers, expected: Answers, n_d: number): string | undefined {
  return (
    repeats("first look", found.first, expected.first, 1) ??
    repeats("second look", found.second, expected.second, n_d) ??
    repeats("sums of rows", found.kept, expected.kept, 1)
  );
}

/** (r, copy, k) against (r, k). */
function repeats(
  name: string,
  found: Float64Array | undefined,
  expected: Float64Array | undefined,
  n_rows: number,
): string | undefined {
  if (found === undefined || expected === undefined) return undefined;
  const [n_found, n_expected] = [found.length / n_rows, expected.length / n_rows];
  for (let r = 0; r < n_rows; r++) {
    for (let k = 0; k < n_found; k++) {
      const [a, b] = [found[r * n_found + k], expected[r * n_expected + (k % n_expected)]];
      if (!Object.is(a, b)) return `${name}: found ${a} at position ${k}, expected ${b}`;
    }
  }
  return undefined;
}

/** Relative difference that rounding explains. */
const ROUNDING = 1e-8;

type Compared = Pick<Answers, "second" | "kept">;

/** Against the plain kernels, which define the answer. */
export function differenceFromDefinition(found: Compared, defined: Compared): string | undefined {
  for (const name of ["second", "kept"] as const) {
    const at = found[name].findIndex((value, k) => !isClose(value, defined[name][k]));
    if (at >= 0)
      return `${name}: found ${found[name][at]} at position ${at}, expected ${defined[name][at]} by definition`;
  }
  return undefined;
}

function isClose(a: number, b: number): boolean {
  return Object.is(a, b) || Math.abs(a - b) <= ROUNDING * Math.max(1, Math.abs(b));
}
