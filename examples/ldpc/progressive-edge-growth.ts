/**
 * Progressive edge growth: X.-Y. Hu, E. Eleftheriou, D. M. Arnold, "Regular and irregular progressive edge-growth Tanner
 * graphs", IEEE Trans. Inf. Theory 51 (2005) 386. Edge by edge, each bit is joined to a check as far away from it as the
 * graph allows, so that short cycles, which spoil belief propagation, are avoided.
 */
import { hash } from "./frames.ts";

/**
 * A code of rate one half with three checks a bit and about six bits a check.
 * @returns the bits of each of the n_bits / 2 checks
 * @throws Error if the code is so short that it would have cycles of length four
 */
export function growCode(n_bits: number, seed: number): number[][] {
  const bits_c: number[][] = Array.from({ length: n_bits / 2 }, () => []);
  const checks_v: number[][] = Array.from({ length: n_bits }, () => []);
  for (let bit = 0; bit < n_bits; bit++) {
    for (let k = 0; k < 3; k++) {
      const far = k === 0 ? [...bits_c.keys()] : farthestChecks(bit, bits_c, checks_v);
      if (far.length === 0) throw new Error(`n=${n_bits}: too short for a code without short cycles`);
      const check = leastUsed(far, bits_c, hash(seed, bit, k));
      bits_c[check].push(bit);
      checks_v[bit].push(check);
    }
  }
  return bits_c;
}

/** Checks that no path reaches, or else those that only the longest paths reach; none if those have fewer than 5 edges. */
function farthestChecks(
  bit: number,
  bits_c: readonly (readonly number[])[],
  checks_v: readonly (readonly number[])[],
): number[] {
  const reached = new Uint8Array(bits_c.length);
  const seen = new Uint8Array(checks_v.length);
  seen[bit] = 1;
  let n_reached = 0;
  let bits = [bit];
  for (let length = 1; ; length += 2) {
    const layer: number[] = [];
    for (const v of bits) {
      for (const c of checks_v[v]) {
        if (reached[c]) continue;
        reached[c] = 1;
        layer.push(c);
      }
    }
    n_reached += layer.length;
    if (n_reached === bits_c.length) return length >= 5 ? layer : [];
    if (layer.length === 0) return [...bits_c.keys()].filter((c) => !reached[c]);
    bits = [...new Set(layer.flatMap((c) => bits_c[c]))].filter((v) => !seen[v]);
    for (const v of bits) seen[v] = 1;
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
