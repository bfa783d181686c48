/** Changing bytes and text at random: what every format's inputs are made with. */
import type { Random } from "./random.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

/** Where a number stands in a file: byte and length. */
export type Field = readonly [at: number, bytes: 1 | 2 | 4 | 8];
/** Bytes from a to before b. */
export type Range = readonly [from: number, to: number];

/** Inputs stay below this, so that none is slow because it is long. */
export const MAX_INPUT_BYTES = 2 ** 18;

const INTERESTING: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 4n, 7n, 8n, 15n, 16n, 24n, 32n, 63n, 64n, 100n, 127n, 128n, 255n, 256n, 1000n, 4096n],
  ...[15n, 16n, 20n, 28n, 31n, 32n, 40n, 53n, 62n, 63n, 64n].flatMap((power) => [
    2n ** power - 1n,
    2n ** power,
    2n ** power + 1n,
  ]),
  ...[1n, 2n, 8n, 128n, 2n ** 31n, 2n ** 53n].map((n) => 2n ** 64n - n),
];

export function writeInteger(bytes: Bytes, at: number, size: number, value: bigint): void {
  let rest = value;
  for (let k = 0; k < size && at + k < bytes.length; k++, rest >>= 8n) bytes[at + k] = Number(rest & 0xffn);
}

function readInteger(bytes: Bytes, at: number, size: number): bigint {
  let value = 0n;
  for (let k = Math.min(size, bytes.length - at) - 1; k >= 0; k--)
    value = (value << 8n) | BigInt(bytes[at + k]);
  return value;
}

/** Gives a number in the file another value: an interesting one, one nearby, or that of another field. */
export function changeField(random: Random, bytes: Bytes, [at, size]: Field, others: readonly Field[]): void {
  const found = readInteger(bytes, at, size);
  const how = random.below(4);
  let value = random.pick(INTERESTING);
  if (how === 0) value = found + BigInt(random.below(33) - 16);
  if (how === 1 && others.length > 0) value = readInteger(bytes, ...random.pick(others));
  writeInteger(bytes, at, size, BigInt.asUintN(64, value));
}

/** How one input is changed. */
export interface Changes {
  /** Another input, to take pieces of. */
  readonly other?: Bytes;
  /** Pieces that mean something in the format. */
  readonly tokens?: readonly string[];
  /** Where half of the changes are made. */
  readonly hot?: readonly Range[];
}

type Step = (random: Random, bytes: Bytes, at: number, changes: Changes) => Bytes;

function replaced(bytes: Bytes, from: number, to: number, middle: Uint8Array): Bytes {
  const out = new Uint8Array(from + middle.length + bytes.length - to);
  out.set(bytes.subarray(0, from));
  out.set(middle, from);
  out.set(bytes.subarray(to), from + middle.length);
  return out;
}

const encoder = new TextEncoder();
const lengthOf = (random: Random) => 1 + random.below(random.chance(0.8) ? 16 : 512);

const STEPS: readonly (readonly [weight: number, step: Step])[] = [
  [
    4,
    (random, bytes, at) => {
      bytes[at] ^= 1 << random.below(8);
      return bytes;
    },
  ],
  [
    3,
    (random, bytes, at) => {
      bytes[at] = random.chance(0.5) ? random.word() : random.pick([0, 1, 0x7f, 0x80, 0xff, 0x20, 0x30]);
      return bytes;
    },
  ],
  [
    6,
    (random, bytes, at) => {
      const size = random.pick([1, 2, 4, 8] as const);
      const place = random.chance(0.5) ? at - (at % size) : at;
      changeField(random, bytes, [place, size], [[random.below(bytes.length), size]]);
      return bytes;
    },
  ],
  [1, (_, bytes, at) => bytes.slice(0, at)],
  [2, (random, bytes, at) => replaced(bytes, at, at, random.bytes(lengthOf(random)))],
  [
    2,
    (random, bytes, at) =>
      replaced(bytes, at, Math.min(at + lengthOf(random), bytes.length), new Uint8Array(0)),
  ],
  [
    2,
    (random, bytes, at) => {
      const from = random.below(bytes.length);
      return replaced(bytes, at, at, bytes.slice(from, from + lengthOf(random)));
    },
  ],
  [
    2,
    (random, bytes, at) => {
      const from = random.below(bytes.length);
      bytes.copyWithin(at, from, from + lengthOf(random));
      return bytes;
    },
  ],
  [
    2,
    (random, bytes, at, { other = bytes }) => {
      const from = random.below(other.length);
      const n = random.chance(0.3) ? other.length : lengthOf(random);
      const end = random.chance(0.5) ? at : Math.min(at + n, bytes.length);
      return replaced(bytes, at, end, other.subarray(from, from + n));
    },
  ],
  [
    3,
    (random, bytes, at, { tokens = [] }) => {
      if (tokens.length === 0) return bytes;
      const token = encoder.encode(random.pick(tokens));
      return replaced(bytes, at, random.chance(0.5) ? at : Math.min(at + token.length, bytes.length), token);
    },
  ],
];
const WEIGHTED = STEPS.flatMap(([weight, step]) => new Array<Step>(weight).fill(step));

/** One to eight changes, one upon the other; `bytes` stays as it is. */
export function mutateBytes(random: Random, bytes: Uint8Array, changes: Changes = {}): Bytes {
  let out: Bytes = Uint8Array.from(bytes);
  for (let n = random.pick([1, 1, 1, 2, 4, 8]); n > 0; n--) {
    if (out.length === 0) out = random.bytes(8);
    const { hot = [] } = changes;
    let at = random.below(out.length);
    if (hot.length > 0 && random.chance(0.7)) {
      const [from, to] = random.pick(hot);
      at = Math.max(0, Math.min(from + random.below(to - from), out.length - 1));
    }
    out = random.pick(WEIGHTED)(random, out, at, changes);
  }
  return out.length > MAX_INPUT_BYTES ? out.slice(0, MAX_INPUT_BYTES) : out;
}

const NUMBERS = [
  ...["0", "1", "-1", "-0", "00", "0.5", "1e308", "1e309", "-1e999", "1e-400", "NaN", "Infinity", "nan"],
  ...["2147483647", "2147483648", "4294967295", "4294967296", "9007199254740991", "9007199254740993"],
  ...["9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616"],
  ...["-2147483649", "0x7fffffff", "1_000", "1e", ".5", "5.", "10".repeat(40), "9".repeat(400), "3L"],
];

/** One to four changes of text: of its numbers, lines and words; tokens put in; pieces doubled or taken away. */
export function mutateText(random: Random, text: string, tokens: readonly string[], other = text): string {
  let out = text;
  for (let n = random.pick([1, 1, 1, 2, 4]); n > 0; n--) out = changeText(random, out, tokens, other);
  return out.slice(0, MAX_INPUT_BYTES);
}

function changeText(random: Random, text: string, tokens: readonly string[], other: string): string {
  const at = random.below(text.length + 1);
  const end = Math.min(text.length, at + lengthOf(random));
  const put = (from: number, to: number, piece: string) => text.slice(0, from) + piece + text.slice(to);
  const how = random.below(8);
  if (how <= 1)
    return changeMatch(random, text, /-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g, () => random.pick(NUMBERS));
  if (how === 2) return changeMatch(random, text, /[\w.-]+/g, () => random.pick(tokens));
  if (how === 3) return put(at, random.chance(0.5) ? at : end, random.pick(tokens));
  if (how === 4) return put(at, end, "");
  if (how === 5) return put(at, at, text.slice(random.below(text.length), end).slice(0, 200));
  if (how === 6) {
    const lines = text.split("\n");
    lines.splice(random.below(lines.length), random.below(2), random.pick(lines));
    return lines.join("\n");
  }
  const from = random.below(other.length);
  return put(at, at, other.slice(from, from + lengthOf(random)));
}

function changeMatch(random: Random, text: string, pattern: RegExp, replacement: () => string): string {
  const matches = [...text.slice(0, 20_000).matchAll(pattern)];
  if (matches.length === 0) return text + replacement();
  const match = random.pick(matches);
  return text.slice(0, match.index) + replacement() + text.slice(match.index + match[0].length);
}

const FINITE = [
  0,
  -0,
  1,
  -1,
  0.5,
  5e-324,
  1e-300,
  1e-150,
  1e150,
  1e300,
  1.7e308,
  -1.7e308,
  2 ** 31,
  2 ** 53,
  1e-22,
];
const NOT_FINITE = [NaN, Infinity, -Infinity];
const FACTORS = [-1, 2, 1.001, 1 + 2 ** -40, 1e10, 1e-10, 1e150, 1e-150];

/** Gives some numbers of an array of doubles strange values. */
export function mutateDoubles(random: Random, values: Float64Array): Float64Array<ArrayBuffer> {
  const out = Float64Array.from(values);
  for (let n = 1 + random.below(3); n > 0 && out.length > 0; n--) {
    const at = random.below(out.length);
    const own = random.chance(0.5) ? out[at] * random.pick(FACTORS) : random.pick(FINITE);
    const value = random.chance(0.05) ? random.pick(NOT_FINITE) : own;
    const how = random.below(10);
    if (how === 0) out.fill(value);
    else if (how === 1) out.fill(value, at, at + random.below(20));
    else if (how === 2) for (let k = 0; k < out.length; k++) out[k] *= own;
    else out[at] = value;
  }
  return out;
}
