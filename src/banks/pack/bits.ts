/** Bits of 64-bit integers in a row of bytes. */

/**
 * Adds `width` bits of an integer, lowest first, from bit `place` of bytes[at] on, where there are zeros; up to eight at a time: those
 * that go into one byte. @param low @param high halves of the integer
 */
export function putBits(
  bytes: Uint8Array,
  at: number,
  width: number,
  place: number,
  low: number,
  high: number,
): void {
  let to = place;
  for (let k = 0; k < width; ) {
    const n = Math.min(8 - (to & 7), width - k);
    const word = k < 32 ? (low >>> k) | (k > 0 ? high << (32 - k) : 0) : high >>> (k - 32);
    bytes[at + (to >> 3)] |= (word & ((1 << n) - 1)) << (to & 7);
    k += n;
    to += n;
  }
}
