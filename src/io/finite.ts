/** Whether numbers are numbers: asked of every input, so millions of times. */

/** Place of the first value that is NaN or infinite, or -1. */
export function firstNotFinite(values: Float64Array): number {
  // 0 x is 0 for finite x only, and NaN spreads. Four sums, because one would wait for itself.
  let [a, b, c, d] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 4 <= values.length; k += 4) {
    a += 0 * values[k];
    b += 0 * values[k + 1];
    c += 0 * values[k + 2];
    d += 0 * values[k + 3];
  }
  for (; k < values.length; k++) a += 0 * values[k];
  return a + b + c + d === 0 ? -1 : values.findIndex((value) => !Number.isFinite(value));
}
