/**
 * A sparse parity-check matrix H, compiled for message passing: the ones of H are edges between checks (rows) and bits
 * (columns), counted check by check. Its arrays are shared between threads and never written again.
 */

/** More checks on one bit could overflow the 16-bit sums of the decoder. */
const MAX_BIT_DEGREE = 200;

export interface ParityCheck {
  readonly n_bits: number;
  readonly n_checks: number;
  readonly n_edges: number;
  /** Edges starts[c] <= e < starts[c + 1] belong to check c. [n_checks + 1] */
  readonly starts: Int32Array;
  /** Bit of each edge. [n_edges] */
  readonly bits: Int32Array;
  /** checks[bitStarts[v] .. bitStarts[v + 1]] are the checks of bit v. [n_bits + 1] */
  readonly bitStarts: Int32Array;
  /** [n_edges] */
  readonly checks: Int32Array;
}

/**
 * @param bits_c the bits of each check
 * @throws Error if a check is empty or names a bit twice or one that does not exist, or a bit has too many checks
 */
export function compileChecks(n_bits: number, bits_c: readonly (readonly number[])[]): ParityCheck {
  const n_checks = bits_c.length;
  const n_edges = bits_c.reduce((sum, bits) => sum + bits.length, 0);
  const starts = sharedInts(n_checks + 1);
  const bits = sharedInts(n_edges);
  const bitStarts = sharedInts(n_bits + 1);
  const checks = sharedInts(n_edges);
  bits_c.forEach((list, c) => {
    if (list.length === 0) throw new Error(`check ${c + 1} has no bits`);
    const sorted = [...list].sort((a, b) => a - b);
    for (const [k, bit] of sorted.entries()) {
      if (!Number.isInteger(bit) || bit < 0 || bit >= n_bits)
        throw new Error(`check ${c + 1}: found bit ${bit + 1}, expected 1 to ${n_bits}`);
      if (k > 0 && sorted[k - 1] === bit) throw new Error(`check ${c + 1}: bit ${bit + 1} twice`);
      bitStarts[bit + 1]++;
    }
    bits.set(sorted, starts[c]);
    starts[c + 1] = starts[c] + sorted.length;
  });
  for (let v = 0; v < n_bits; v++) {
    if (bitStarts[v + 1] > MAX_BIT_DEGREE)
      throw new Error(
        `bit ${v + 1} is in ${bitStarts[v + 1]} checks, at most ${MAX_BIT_DEGREE} are supported`,
      );
    bitStarts[v + 1] += bitStarts[v];
  }
  const filled = bitStarts.slice(0, n_bits);
  for (let c = 0; c < n_checks; c++) {
    for (let e = starts[c]; e < starts[c + 1]; e++) checks[filled[bits[e]]++] = c;
  }
  return { n_bits, n_checks, n_edges, starts, bits, bitStarts, checks };
}

/**
 * The syndrome of an error pattern, H e mod 2.
 * @param flipped positions of the bits that are one
 * @param syndrome output, 0 or 1 of each check [n_checks]
 */
export function syndromeOf(h: ParityCheck, flipped: ArrayLike<number>, syndrome: Uint8Array): void {
  syndrome.fill(0);
  for (let k = 0; k < flipped.length; k++) {
    const bit = flipped[k];
    for (let a = h.bitStarts[bit]; a < h.bitStarts[bit + 1]; a++) syndrome[h.checks[a]] ^= 1;
  }
}

function sharedInts(n: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * n));
}
