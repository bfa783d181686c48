/** Sorting many numbers by their bits: linear time, and stable. */

const DIGITS_PER_KEY = 4;
const N_DIGIT_VALUES = 65536;

/**
 * The positions of `values` in ascending order; equal values (-0 and 0 are equal) stay in the order of their positions, NaN
 * goes last. Least significant digit first, 16 bits at a time; O(n), 12 n bytes beside the result.
 */
export function stableArgsort(values: Float64Array): Uint32Array {
  const n = values.length;
  const digits = sortableDigits(values);
  let from = new Uint32Array(n);
  let to = new Uint32Array(n);
  for (let j = 0; j < n; j++) from[j] = j;
  const places = new Uint32Array(N_DIGIT_VALUES);
  for (let digit = 0; digit < DIGITS_PER_KEY; digit++) {
    places.fill(0);
    for (let j = 0; j < n; j++) places[digits[DIGITS_PER_KEY * j + digit]]++;
    let place = 0;
    for (let value = 0; value < N_DIGIT_VALUES; value++) {
      const count = places[value];
      places[value] = place;
      place += count;
    }
    for (let j = 0; j < n; j++) to[places[digits[DIGITS_PER_KEY * from[j] + digit]]++] = from[j];
    [from, to] = [to, from];
  }
  return from;
}

/** Bits changed so that they order as unsigned integers do; digits of 16 bits, the least significant first. */
function sortableDigits(values: Float64Array): Uint16Array {
  // Adding 0 turns -0 into 0.
  const words = new Uint32Array(values.map((value) => value + 0).buffer);
  for (let j = 0; j < values.length; j++) {
    const high = words[2 * j + 1];
    if (Number.isNaN(values[j])) words[2 * j] = words[2 * j + 1] = 0xffffffff;
    else if (high >>> 31 === 0) words[2 * j + 1] = high ^ 0x80000000;
    else {
      words[2 * j] = ~words[2 * j];
      words[2 * j + 1] = ~high;
    }
  }
  return new Uint16Array(words.buffer);
}
