/** Hashes that choose subsets, in TypeScript and in c/rows.c. */

/** A well-mixed unsigned 32-bit hash of four integers, for choosing subsets (finalizer of MurmurHash3 after each word). */
export function hash32(a: number, b: number, c: number, d: number): number {
  return hashOn(hashOf(a, b), c, d);
}

/** The first half of `hash32`, for many hashes that begin alike: hash32(a, b, c, d) = hashOn(hashOf(a, b), c, d). */
export function hashOf(a: number, b: number): number {
  return mix32((mix32(a ^ 0x9e3779b9) + 0x7f4a7c15) ^ b);
}

export function hashOn(half: number, c: number, d: number): number {
  return mix32((mix32((half + 0x7f4a7c15) ^ c) + 0x7f4a7c15) ^ d) >>> 0;
}

function mix32(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
