/**
 * Counter-based random numbers: every number is a pure function of (seed, stream, counter), so results do not depend on
 * which worker asks or in which order.
 * Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC11).
 */

export { hash32, hashOf, hashOn } from "../kernels/hash.ts";

/** One stream per use; numbers of different streams are independent. Never renumber: results depend on them. */
export const STREAMS = {
  permutation: 1,
  draw: 2,
  distance: 3,
  skyChoice: 4,
  scramble: 5,
  probe: 6,
  tuning: 7,
  bank: 8,
} as const;

const ROUNDS = 10;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const TWO_32 = 4294967296;
const TWO_26 = 67108864;
const TWO_M53 = 2 ** -53;

/** High 32 bits of the product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const middle2 = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + (middle >>> 16) + (middle2 >>> 16);
}

/**
 * One Philox4x32-10 block: `block` holds the four counter words on entry and the four random words on return.
 * @param block 4 words, changed in place
 */
export function philox4x32(block: Uint32Array, key0: number, key1: number): void {
  let [c0, c1, c2, c3] = block;
  let k0 = key0 >>> 0;
  let k1 = key1 >>> 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  block[0] = c0;
  block[1] = c1;
  block[2] = c2;
  block[3] = c3;
}

const scratch = new Uint32Array(4);

/**
 * A number in [0, 1) with 53 random bits.
 * @param seed integer in [0, 2^53)
 * @param stream one of STREAMS (or any integer below 2^32)
 * @param counter integer in [0, 2^53)
 */
export function uniform(seed: number, stream: number, counter: number): number {
  scratch[0] = counter % TWO_32;
  scratch[1] = Math.floor(counter / TWO_32);
  scratch[2] = stream;
  scratch[3] = 0;
  philox4x32(scratch, seed % TWO_32, Math.floor(seed / TWO_32));
  return ((scratch[0] >>> 5) * TWO_26 + (scratch[1] >>> 6)) * TWO_M53;
}

/** A random order of 0 ... n-1 (Fisher-Yates from the front: its first k are `choiceWithoutReplacement(n, k, ...)`). */
export function permutation(n: number, seed: number, stream: number): Uint32Array {
  const order = new Uint32Array(n);
  for (let j = 0; j < n; j++) order[j] = j;
  for (let j = 0; j < n - 1; j++) {
    const other = j + Math.floor(uniform(seed, stream, j) * (n - j));
    const value = order[j];
    order[j] = order[other];
    order[other] = value;
  }
  return order;
}

/** k distinct numbers of 0 ... n-1 in random order; time and memory O(k). k above n gives all n. */
export function choiceWithoutReplacement(n: number, k: number, seed: number, stream: number): Uint32Array {
  const count = Math.min(n, k);
  const chosen = new Uint32Array(count);
  const moved = new Map<number, number>();
  for (let j = 0; j < count; j++) {
    const other = j + Math.floor(uniform(seed, stream, j) * (n - j));
    chosen[j] = moved.get(other) ?? other;
    moved.set(other, moved.get(j) ?? j);
  }
  return chosen;
}
