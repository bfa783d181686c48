/** Samples that are there more than once. */
import { hash32 } from "../kernels/hash.ts";

export interface Copies {
  /** Samples that are equal to an earlier one. */
  readonly n: number;
  /** The first of them, and the earlier one. */
  readonly first: readonly [i: number, original: number] | null;
}

const SEED = 0x6b617465;

/**
 * Visits those of n things that equal an earlier one, the first of its kind; in linear time and 8 bytes a thing.
 * @param hashOf equal things have equal hashes, 32 bits @param areEqual asked of things whose hashes fall together
 */
export function eachCopy(
  n: number,
  hashOf: (i: number) => number,
  areEqual: (i: number, j: number) => boolean,
  visit: (i: number, original: number) => void,
): void {
  const size = 2 ** Math.ceil(Math.log2(2 * n + 1));
  // 1 + i; 0: free
  const place_s = new Uint32Array(size);
  for (let i = 0; i < n; i++) {
    let s = hashOf(i) & (size - 1);
    while (place_s[s] !== 0 && !areEqual(i, place_s[s] - 1)) s = (s + 1) & (size - 1);
    if (place_s[s] === 0) place_s[s] = i + 1;
    else visit(i, place_s[s] - 1);
  }
}

/** Counts what it is told of. */
export class CopyCount {
  n = 0;
  first: Copies["first"] = null;

  add(i: number, original: number): void {
    this.n++;
    this.first ??= [i, original];
  }
}

/** Rows of a table that are the same in every column. */
export function equalRows(columns: readonly Float64Array[]): Copies {
  // -0 is 0.
  const words = columns.map((values) => new Uint32Array(values.map((x) => x + 0).buffer));
  const hashOf = (i: number) => {
    let hash = SEED;
    for (const word of words) hash = hash32(hash, word[2 * i], word[2 * i + 1], 0);
    return hash;
  };
  const count = new CopyCount();
  const areEqual = (i: number, j: number) => columns.every((values) => values[i] === values[j]);
  eachCopy(columns[0].length, hashOf, areEqual, (i, original) => count.add(i, original));
  return count;
}
