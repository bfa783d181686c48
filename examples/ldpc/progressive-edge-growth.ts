/**
 * Progressive edge growth: X.-Y. Hu, E. Eleftheriou, D. M. Arnold, "Regular and irregular progressive edge-growth Tanner
 * graphs", IEEE Trans. Inf. Theory 51 (2005) 386. Edge by edge, each bit is joined to a check as far away from it as the
 * graph allows, so that short cycles, which spoil belief propagation, are avoided.
 */
import { hash } from "./frames.ts";

const CHECKS_OF_BIT = 3;

/** A graph that grows. */
interface Graph {
  readonly bits_c: number[][];
  readonly checks_v: number[][];
}

/**
 * A code of rate one half with three checks a bit and about six bits a check.
 * @returns the bits of each of the n_bits / 2 checks
 * @throws Error if the code is so short that it would have cycles of length four
 */
export function growCode(n_bits: number, seed: number): number[][] {
  const graph: Graph = {
    bits_c: Array.from({ length: n_bits / 2 }, () => []),
    checks_v: Array.from({ length: n_bits }, () => []),
  };
  const { bits_c, checks_v } = graph;
  for (let bit = 0; bit < n_bits; bit++) {
    for (let k = 0; k < CHECKS_OF_BIT; k++) {
      const far = farthestChecks(bit, graph);
      if (far.length === 0) throw new Error(`n=${n_bits}: too short for a code without short cycles`);
      const check = leastUsed(far, bits_c, hash(seed, bit, k));
      bits_c[check].push(bit);
      checks_v[bit].push(check);
    }
  }
  return bits_c;
}

/** The checks that no path reaches, or else those that only the longest paths reach; none if those have 3 edges or fewer. */
function farthestChecks(bit: number, { bits_c, checks_v }: Graph): number[] {
  const reached_c = new Uint8Array(bits_c.length);
  const seen_v = new Uint8Array(checks_v.length);
  seen_v[bit] = 1;
  let n_reached = 0;
  let bits = [bit];
  for (let length = 1; ; length += 2) {
    const checks: number[] = [];
    for (const v of bits) {
      for (const c of checks_v[v]) {
        if (reached_c[c] === 0) checks.push(c);
        reached_c[c] = 1;
      }
    }
    n_reached += checks.length;
    if (n_reached === bits_c.length) return length > 3 ? checks : [];
    if (checks.length === 0) return [...bits_c.keys()].filter((c) => reached_c[c] === 0);
    bits = [];
    for (const c of checks) {
      for (const v of bits_c[c]) {
        if (seen_v[v] === 0) bits.push(v);
        seen_v[v] = 1;
      }
    }
  }
}

/** One of the checks with the fewest bits so far. */
function leastUsed(
  checks: readonly number[],
  bits_c: readonly (readonly number[])[],
  random: number,
): number {
  const fewest = Math.min(...checks.map((c) => bits_c[c].length));
  const candidates = checks.filter((c) => bits_c[c].length === fewest);
  return candidates[random % candidates.length];
}
