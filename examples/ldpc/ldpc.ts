/**
 * Syndrome decoding of a low-density parity-check code, as a workload for the threads of dotpe-hpc: a unit is a frame.
 * README.md says what it computes. Nothing is imported from the program but types, so the folder can be copied.
 */
import type { BenchmarkModule, Cut, OpenedModule } from "../../src/tune/benchmark-module.ts";
import { readAlist } from "./alist.ts";
import { type DecodedFrame, TileDecoder } from "./decoder.ts";
import { flippedBits, mix } from "./frames.ts";
import { compileChecks, type ParityCheck, syndromeOf } from "./parity-check.ts";
import { decodePlainly } from "./plain-decoder.ts";
import { growCode } from "./progressive-edge-growth.ts";

/** Frames whose words are kept, to be compared with the plain decoder's. */
const KEPT = 64;

export interface LdpcPlan {
  readonly h: ParityCheck;
  readonly frames: number;
  readonly iterations: number;
  readonly p: number;
  readonly seed: number;
}

export interface KeptFrame {
  readonly frame: number;
  readonly converged: boolean;
  readonly iterations: number;
  readonly words: Uint32Array;
}

interface Counts {
  readonly frames: number;
  /** The decision has the syndrome. */
  readonly converged: number;
  /** Of those, how many are not what the channel did. */
  readonly wrong: number;
  /** Bits that differ from what the channel did. */
  readonly bitErrors: number;
  /** Frames by iterations. */
  readonly histogram: readonly number[];
  /** Two sums modulo 2^32 over hashes of all frames: equal if every decision is, in whatever order. */
  readonly checksum: readonly [number, number];
}

export interface LdpcPart extends Counts {
  readonly kept: readonly KeptFrame[];
}
/** Its kept frames in rising order. */
export type LdpcResult = LdpcPart;

const OPTIONS = ["n", "p", "frames", "iterations", "seed", "matrix"];

/** @throws Error that names the option or the place in the file, what was found and what was expected */
function prepare(given: Readonly<Record<string, string>>): LdpcPlan {
  for (const key of Object.keys(given)) {
    if (!OPTIONS.includes(key)) throw new Error(`found option ${key}, expected ${OPTIONS.join(", ")}`);
  }
  const number = (key: string, otherwise: number, low: number, high: number): number => {
    const value = Number(given[key] ?? otherwise);
    if (given[key] === "" || !(value >= low && value <= high))
      throw new Error(`${key}=${given[key]}: expected ${low} to ${high}`);
    return value;
  };
  const integer = (key: string, otherwise: number, low: number, high: number): number => {
    const value = number(key, otherwise, low, high);
    if (!Number.isInteger(value)) throw new Error(`${key}=${given[key]}: expected an integer`);
    return value;
  };
  const channel = {
    frames: integer("frames", 4000, 1, 1e9),
    iterations: integer("iterations", 50, 1, 1000),
    p: number("p", 0.065, 0, 0.5),
    seed: integer("seed", 1, 0, 2 ** 31 - 1),
  };
  const n = integer("n", 2048, 64, 8192);
  return { ...channel, h: given.matrix === undefined ? madeUpCode(n, channel.seed) : readCode(given) };
}

function madeUpCode(n: number, seed: number): ParityCheck {
  if (n % 2 !== 0) throw new Error(`n=${n}: expected an even number`);
  return compileChecks(n, growCode(n, seed));
}

function readCode({ n, matrix }: Readonly<Record<string, string>>): ParityCheck {
  if (n !== undefined) throw new Error("found n and matrix, expected one of them");
  const { n_bits, bits_c } = readAlist(matrix);
  try {
    return compileChecks(n_bits, bits_c);
  } catch (error) {
    throw new Error(`matrix=${matrix}: ${(error as Error).message}`);
  }
}

function open(plan: LdpcPlan, { tile }: Cut): OpenedModule<LdpcPart> {
  const { h, p, seed, iterations } = plan;
  const decoder = new TileDecoder(h, tile, iterations);
  const flipped = new Int32Array(h.n_bits + 1);
  const truths = new Map<number, Uint32Array>();
  const histogram = new Array<number>(iterations + 1).fill(0);
  const kept: KeptFrame[] = [];
  let [frames, converged, wrong, bitErrors, sum0, sum1] = [0, 0, 0, 0, 0, 0];

  const make = (frame: number, syndrome_c: Uint8Array): void => {
    const n = flippedBits(seed, frame, p, h.n_bits, flipped);
    syndromeOf(h, flipped.subarray(0, n), syndrome_c);
    const truth = new Uint32Array(Math.ceil(h.n_bits / 32));
    for (let k = 0; k < n; k++) truth[flipped[k] >> 5] |= 1 << (flipped[k] & 31);
    truths.set(frame, truth);
  };
  const count = (decoded: DecodedFrame): void => {
    const { frame, words } = decoded;
    const errors = differentBits(words, truths.get(frame)!);
    truths.delete(frame);
    frames++;
    bitErrors += errors;
    histogram[decoded.iterations]++;
    if (decoded.converged) converged++;
    if (decoded.converged && errors > 0) wrong++;
    const digest = digestOf(decoded);
    sum0 = (sum0 + mix(digest)) >>> 0;
    sum1 = (sum1 + mix(digest ^ 0x5bd1e995)) >>> 0;
    if (frame < KEPT) kept.push({ ...decoded, words: words.slice() });
  };
  return {
    run: (first, end) => decoder.decode(first, end, make, count),
    result: () => ({ frames, converged, wrong, bitErrors, histogram, checksum: [sum0, sum1], kept }),
  };
}

/** @throws Error if a frame was decoded twice, as far as frames are kept */
function reduce({ iterations }: LdpcPlan, parts: readonly LdpcPart[]): LdpcResult {
  const sum = (of: (part: LdpcPart) => number) => parts.reduce((total, part) => total + of(part), 0);
  const kept = parts.flatMap((part) => part.kept).sort((a, b) => a.frame - b.frame);
  const twice = kept.find(({ frame }, k) => kept[k + 1]?.frame === frame);
  if (twice) throw new Error(`frame ${twice.frame} was decoded twice`);
  return {
    frames: sum((part) => part.frames),
    converged: sum((part) => part.converged),
    wrong: sum((part) => part.wrong),
    bitErrors: sum((part) => part.bitErrors),
    histogram: Array.from({ length: iterations + 1 }, (_, k) => sum((part) => part.histogram[k])),
    checksum: [sum((part) => part.checksum[0]) % 2 ** 32, sum((part) => part.checksum[1]) % 2 ** 32],
    kept,
  };
}

/** Decodes the first n frames again, KEPT at most, one by one. @throws Error that names the first frame that differs */
function check({ h, p, seed, iterations }: LdpcPlan, { frames, kept }: LdpcResult, n: number): void {
  if (frames !== n) throw new Error(`found ${frames} decoded frames, expected ${n}`);
  const flipped = new Int32Array(h.n_bits + 1);
  const syndrome_c = new Uint8Array(h.n_checks);
  for (let frame = 0; frame < Math.min(n, KEPT); frame++) {
    const found = kept[frame];
    if (found?.frame !== frame) throw new Error(`frame ${frame} was not decoded`);
    syndromeOf(h, flipped.subarray(0, flippedBits(seed, frame, p, h.n_bits, flipped)), syndrome_c);
    const plain = decodePlainly(h, syndrome_c, iterations);
    const differ = (what: string, a: unknown, b: unknown): never => {
      throw new Error(`frame ${frame}: ${what}: found ${a}, the plain decoder has ${b}`);
    };
    if (found.converged !== plain.converged) differ("converged", found.converged, plain.converged);
    if (found.iterations !== plain.iterations) differ("iterations", found.iterations, plain.iterations);
    for (let v = 0; v < h.n_bits; v++) {
      const bit = (found.words[v >> 5] >>> (v & 31)) & 1;
      if (bit !== plain.flipped[v]) differ(`bit ${v}`, bit, plain.flipped[v]);
    }
  }
}

function report({ h, p }: LdpcPlan, result: LdpcResult): string[] {
  const { frames, converged, wrong, bitErrors, histogram, checksum } = result;
  const mean = histogram.reduce((sum, n, iterations) => sum + n * iterations, 0) / frames;
  return [
    `code        ${h.n_bits} bits, ${h.n_checks} checks, ${h.n_edges} ones; bits flip with probability ${p}`,
    `frames      ${frames}: ${frames - converged} not converged, ${wrong} converged to another word`,
    `bit errors  ${bitErrors} (${(bitErrors / frames / h.n_bits).toExponential(2)} of the bits)`,
    `iterations  ${mean.toFixed(2)} on average`,
    `checksum    ${checksum.map((half) => half.toString(16).padStart(8, "0")).join("")}`,
  ];
}

function digestOf({ frame, iterations, words }: DecodedFrame): number {
  let digest = mix(frame ^ mix(iterations));
  for (let k = 0; k < words.length; k++) digest = mix((digest ^ words[k]) + 0x9e3779b9);
  return digest;
}

function differentBits(a: Uint32Array, b: Uint32Array): number {
  let n = 0;
  for (let k = 0; k < a.length; k++) {
    for (let left = a[k] ^ b[k]; left !== 0; left &= left - 1) n++;
  }
  return n;
}

export default {
  name: "ldpc",
  unit: "frames",
  tiles: [8, 16, 32, 64],
  prepare,
  size: (plan) => plan.frames,
  open,
  reduce,
  check,
  report,
} satisfies BenchmarkModule<LdpcPlan, LdpcPart, LdpcResult>;
