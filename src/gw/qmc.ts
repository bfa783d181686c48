/**
 * Scrambled Halton sequences: coordinate k of point q is the radical inverse of q in the k-th prime base, with an
 * own random permutation of the digits at every digit position (Owen, arXiv:1706.02808, algorithm 1), zeros included.
 * Every point is a function of (seed, stream, q) alone, so any piece of a sequence can be made anywhere.
 */

import { uniform } from "./random.ts";

const PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23] as const;
/** Low digits are tabulated together: the table is the largest power of the base that is not above this. */
const MAX_TABLE = 4096;
/** The largest double below 1: points lie in [0, 1). */
const BELOW_ONE = 1 - 2 ** -53;
/** Counters of one coordinate: 64 digit positions of at most 64 draws. */
const COUNTERS_PER_DIM = 4096;
const COUNTERS_PER_DIGIT = 64;

/** One coordinate: base b, permutation of every digit position, and the sums over the low digits. */
interface Coordinate {
  readonly base: number;
  readonly permutations: readonly Uint8Array[];
  /** Sum over the lowest `n_low` digits for every value of them. */
  readonly lowSums: Float64Array;
  readonly n_low: number;
}

export class ScrambledHalton {
  private readonly coordinates: readonly Coordinate[];

  /** @param dims number of coordinates, at most 9. @param seed @param stream of the counter-based generator. */
  constructor(dims: number, seed: number, stream: number) {
    if (dims > PRIMES.length) throw new RangeError(`Halton: ${dims} coordinates, at most ${PRIMES.length}`);
    this.coordinates = PRIMES.slice(0, dims).map((base, dim) => coordinate(base, dim, seed, stream));
  }

  /** Points first .. first + n_q - 1, in [0, 1). Shape (dims, n_q). */
  points(first: number, n_q: number): Float64Array {
    const out = new Float64Array(this.coordinates.length * n_q);
    this.coordinates.forEach((coordinate, dim) => {
      fill(coordinate, first, out.subarray(dim * n_q, (dim + 1) * n_q));
    });
    return out;
  }

  /**
   * Coordinate k of the first n_q points as tables: of point q it is low[q % low.length] + high[floor(q / low.length)], if
   * that is below 1.
   */
  tables(k: number, n_q: number): { low: Float64Array; high: Float64Array } {
    const coordinate = this.coordinates[k]!;
    const n_high = Math.floor(n_q / coordinate.lowSums.length) + 1;
    return {
      low: coordinate.lowSums,
      high: Float64Array.from({ length: n_high }, (_, high) => highSum(coordinate, high)),
    };
  }
}

/** The first n_q points of a scrambled Halton sequence, in [0, 1). Shape (dims, n_q); dims at most 9. */
export function haltonScrambled(n_q: number, dims: number, seed: number, stream: number): Float64Array {
  return new ScrambledHalton(dims, seed, stream).points(0, n_q);
}

function coordinate(base: number, dim: number, seed: number, stream: number): Coordinate {
  const n_digits = Math.ceil(53 / Math.log2(base));
  const permutations = Array.from({ length: n_digits }, (_, digit) =>
    digitPermutation(base, seed, stream, dim * COUNTERS_PER_DIM + digit * COUNTERS_PER_DIGIT),
  );
  const n_low = Math.floor(Math.log(MAX_TABLE) / Math.log(base) + 1e-9);
  let lowSums = new Float64Array(1);
  for (let digit = 0; digit < n_low; digit++) lowSums = withNextDigit(lowSums, permutations[digit]!, digit);
  return { base, permutations, lowSums, n_low };
}

/** Fisher-Yates shuffle of 0 .. base - 1. */
function digitPermutation(base: number, seed: number, stream: number, counter: number): Uint8Array {
  const order = Uint8Array.from({ length: base }, (_, k) => k);
  for (let last = base - 1; last > 0; last--) {
    const k = Math.floor(uniform(seed, stream, counter + last) * (last + 1));
    const kept = order[last]!;
    order[last] = order[k]!;
    order[k] = kept;
  }
  return order;
}

/** The table for one more digit, of weight base^-(digit + 1). */
function withNextDigit(
  sums: Float64Array,
  permutation: Uint8Array,
  digit: number,
): Float64Array<ArrayBuffer> {
  const base = permutation.length;
  const weight = base ** -(digit + 1);
  const out = new Float64Array(sums.length * base);
  for (let value = 0; value < base; value++)
    for (let k = 0; k < sums.length; k++)
      out[value * sums.length + k] = sums[k]! + permutation[value]! * weight;
  return out;
}

/** The sum over all digits above the low ones of index `high` x base^n_low. */
function highSum({ base, permutations, n_low }: Coordinate, high: number): number {
  let sum = 0;
  let weight = base ** -(n_low + 1);
  for (let digit = n_low; digit < permutations.length; digit++) {
    sum += permutations[digit]![high % base]! * weight;
    high = Math.floor(high / base);
    weight /= base;
  }
  return sum;
}

function fill(coordinate: Coordinate, first: number, out: Float64Array): void {
  const { lowSums } = coordinate;
  let high = Math.floor(first / lowSums.length);
  let low = first - high * lowSums.length;
  for (let q = 0; q < out.length; high++, low = 0) {
    const sum = highSum(coordinate, high);
    const end = Math.min(lowSums.length, low + out.length - q);
    for (; low < end; low++, q++) out[q] = Math.min(lowSums[low]! + sum, BELOW_ONE);
  }
}
