/** Sums, log-sums and normal quantiles. Every sum runs in a fixed order, so results do not depend on how work was cut. */

/** Values added one after the other before the pairwise tree starts. */
const LEAF = 64;

/** Sum of values[start, end) as a binary tree over leaves of 64: fixed order, rounding error O(log n). */
export function pairwiseSum(values: ArrayLike<number>, start = 0, end = values.length): number {
  const count = end - start;
  if (count <= LEAF) {
    let sum = 0;
    for (let j = start; j < end; j++) sum += values[j];
    return sum;
  }
  const middle = start + LEAF * Math.ceil(count / (2 * LEAF));
  return pairwiseSum(values, start, middle) + pairwiseSum(values, middle, end);
}

/** ln sum exp(values[start, end)), summed pairwise; -Infinity for an empty range, NaN if any value is NaN. */
export function logSumExp(values: ArrayLike<number>, start = 0, end = values.length): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let j = start; j < end; j++) {
    const value = values[j];
    if (Number.isNaN(value)) return Number.NaN;
    if (value > largest) largest = value;
  }
  if (!Number.isFinite(largest)) return largest;
  return largest + Math.log(pairwiseExpSum(values, largest, start, end));
}

function pairwiseExpSum(values: ArrayLike<number>, shift: number, start: number, end: number): number {
  const count = end - start;
  if (count <= LEAF) {
    let sum = 0;
    for (let j = start; j < end; j++) sum += Math.exp(values[j] - shift);
    return sum;
  }
  const middle = start + LEAF * Math.ceil(count / (2 * LEAF));
  return pairwiseExpSum(values, shift, start, middle) + pairwiseExpSum(values, shift, middle, end);
}

type Rational = { top: readonly number[]; bottom: readonly number[] };

/* Rational approximations of algorithm AS 241 (PPND16), M. Wichura, Applied Statistics 37 (1988) 477; lowest power first. */
const CENTRE: Rational = {
  top: [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
    67265.7709270087, 33430.57558358813, 2509.0809287301227,
  ],
  bottom: [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852854,
  ],
};
const TAIL: Rational = {
  top: [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  bottom: [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
};
const FAR_TAIL: Rational = {
  top: [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
    0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
  ],
  bottom: [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
    1.8463183175100548e-5, 1.421511758316446e-7, 2.0442631033899397e-15,
  ],
};

function polynomial(coefficients: readonly number[], x: number): number {
  let value = 0;
  for (let j = coefficients.length - 1; j >= 0; j--) value = value * x + coefficients[j];
  return value;
}

function ratio(r: Rational, x: number): number {
  return polynomial(r.top, x) / polynomial(r.bottom, x);
}

/**
 * The x with P(X <= x) = p for a standard normal X; relative error about 1e-15 (AS 241).
 * 0 gives -Infinity, 1 gives Infinity, anything outside [0, 1] NaN.
 */
export function normalQuantile(p: number): number {
  const fromHalf = p - 0.5;
  if (Math.abs(fromHalf) <= 0.425) return fromHalf * ratio(CENTRE, 0.180625 - fromHalf * fromHalf);
  const tailProbability = fromHalf < 0 ? p : 1 - p;
  if (!(tailProbability >= 0)) return Number.NaN;
  if (tailProbability === 0) return fromHalf * Number.POSITIVE_INFINITY;
  const depth = Math.sqrt(-Math.log(tailProbability));
  const x = depth <= 5 ? ratio(TAIL, depth - 1.6) : ratio(FAR_TAIL, depth - 5);
  return fromHalf < 0 ? -x : x;
}

/** The x with P(|X| > x) = q for a standard normal X (the chi distribution with one degree of freedom). */
export function absNormalUpperQuantile(q: number): number {
  return -normalQuantile(q / 2);
}

/** Inverse of the error function. */
export function erfInv(y: number): number {
  return (y < 0 ? -1 : 1) * -normalQuantile((1 - Math.abs(y)) / 2) * Math.SQRT1_2;
}
