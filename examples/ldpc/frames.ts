/**
 * The frames to decode: error patterns from a counter-based generator, so that frame k is the same whichever thread makes
 * it, and whenever.
 */

/** Mixes 32 bits: the finalizer of MurmurHash3 (A. Appleby, public domain). */
export function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** 32 random bits, a function of three integers. */
export function hash(seed: number, stream: number, counter: number): number {
  return mix(mix(mix(seed + 0x9e3779b9) ^ stream) ^ counter);
}

/**
 * The bits that the channel flips in a frame, each with probability `p`, independently.
 * @param flipped output: their positions in rising order [n_bits at least]
 * @returns how many
 */
export function flippedBits(
  seed: number,
  frame: number,
  p: number,
  n_bits: number,
  flipped: Int32Array,
): number {
  const limit = p * 2 ** 32;
  // Two keys: with one alone, two frames whose keys differ in few bits would be the same up to order.
  const key0 = hash(seed, frame, 0);
  const key1 = hash(seed, frame, 1);
  let n = 0;
  for (let bit = 0; bit < n_bits; bit++) {
    flipped[n] = bit;
    if (mix((mix(bit ^ key0) + key1) | 0) < limit) n++;
  }
  return n;
}
