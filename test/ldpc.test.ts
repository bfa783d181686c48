/**
 * examples/ldpc, driven as the threads of this program drive a benchmark module: right against its plain decoder and against
 * maximum likelihood by brute force, and the same for any cut.
 */
import { expect, test } from "bun:test";
import { parseAlist } from "../examples/ldpc/alist.ts";
import { type DecodedFrame, TileDecoder } from "../examples/ldpc/decoder.ts";
import { flippedBits } from "../examples/ldpc/frames.ts";
import ldpc, { type LdpcPlan, type LdpcResult } from "../examples/ldpc/ldpc.ts";
import { compileChecks, type ParityCheck, syndromeOf } from "../examples/ldpc/parity-check.ts";
import { decodePlainly } from "../examples/ldpc/plain-decoder.ts";
import { growCode } from "../examples/ldpc/progressive-edge-growth.ts";
import { temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();
const MAX_ITERATIONS = 50;

/** Bit v is in the checks whose binary digit is set in v + 1. */
const HAMMING = [
  [0, 2, 4, 6],
  [1, 2, 5, 6],
  [3, 4, 5, 6],
];

/** MacKay's format, of the code above; short lines are filled with zeros, as he does. */
const HAMMING_ALIST = `7 3
3 4
1 1 2 1 2 2 3
4 4 4
1 0 0
2 0 0
1 2 0
3 0 0
1 3 0
2 3 0
1 2 3
1 3 5 7
2 3 6 7
4 5 6 7
`;

/** Does all units in batches dealt to `n_threads` in turn, each batch with the threads' own state. */
function runModule(plan: LdpcPlan, n_threads: number, batch: number, tile: number): LdpcResult {
  const threads = Array.from({ length: n_threads }, () => ldpc.open(plan, { batch, tile }));
  const n = ldpc.size(plan);
  for (let first = 0, k = 0; first < n; first += batch, k++) {
    threads[k % n_threads].run(first, Math.min(first + batch, n));
  }
  return ldpc.reduce(plan, threads.map((thread) => structuredClone(thread.result())).reverse());
}

const given = (options: string) =>
  ldpc.prepare(Object.fromEntries(options.split(" ").map((option) => option.split("=") as [string, string])));

function decodeOne(h: ParityCheck, flipped: readonly number[]): DecodedFrame {
  const decoded: DecodedFrame[] = [];
  new TileDecoder(h, 1, MAX_ITERATIONS).decode(
    0,
    1,
    (_, syndrome_c) => syndromeOf(h, flipped, syndrome_c),
    (frame) => decoded.push({ ...frame, words: frame.words.slice() }),
  );
  return decoded[0];
}

const setBits = (words: Uint32Array, n: number) =>
  Array.from({ length: n }, (_, v) => v).filter((v) => (words[v >> 5] >>> (v & 31)) & 1);

function syndrome(h: ParityCheck, flipped: readonly number[]): number[] {
  const syndrome_c = new Uint8Array(h.n_checks);
  syndromeOf(h, flipped, syndrome_c);
  return [...syndrome_c];
}

test("every frame as the plain decoder has it, for any tile, batch and number of threads", () => {
  // p lies where some frames fail, some need many iterations and some few.
  const plan = given("n=512 p=0.07 frames=97 iterations=30");
  const results = [
    ...[1, 4, 8, 16, 32, 64].map((tile) => runModule(plan, 1, 97, tile)),
    runModule(plan, 3, 1, 8),
    runModule(plan, 2, 10, 16),
    runModule(plan, 5, 40, 12),
  ];
  for (const result of results) {
    expect(result).toEqual(results[0]);
    ldpc.check(plan, result, 97);
  }
  const { frames, converged, histogram } = results[0];
  expect(frames).toBe(97);
  expect(converged).toBeGreaterThan(40);
  expect(converged).toBeLessThan(97);
  expect(histogram.filter((n) => n > 0).length).toBeGreaterThan(5);
  expect(histogram.reduce((sum, n) => sum + n, 0)).toBe(97);
});

test("check refuses a wrong bit, a wrong count, a lost frame; reduce one that was decoded twice", () => {
  const plan = given("n=128 p=0.04 frames=12");
  const right = runModule(plan, 1, 12, 8);
  const altered = (change: (result: LdpcResult) => object) => {
    const kept = right.kept.map((frame, k) => (k === 7 ? { ...frame, ...change(right) } : frame));
    return { ...right, kept };
  };
  const { words, iterations, converged } = right.kept[7];
  const wrong: [LdpcResult, string][] = [
    [
      altered(() => ({ words: words.map((word, k) => (k === 1 ? word ^ 16 : word)) })),
      "frame 7: bit 36: found",
    ],
    [altered(() => ({ iterations: iterations + 1 })), `frame 7: iterations: found ${iterations + 1}`],
    [altered(() => ({ converged: !converged })), `frame 7: converged: found ${!converged}`],
    [{ ...right, kept: right.kept.filter(({ frame }) => frame !== 7) }, "frame 7 was not decoded"],
  ];
  for (const [result, message] of wrong) {
    expect(() => ldpc.check(plan, result, 12)).toThrow(message);
  }
  expect(() => ldpc.check(plan, right, 11)).toThrow("found 12 decoded frames, expected 11");
  const thread = ldpc.open(plan, { batch: 12, tile: 8 });
  thread.run(0, 4);
  thread.run(3, 5);
  expect(() => ldpc.reduce(plan, [thread.result()])).toThrow("frame 3 was decoded twice");
});

test("the Hamming code: a single flipped bit, by hand", () => {
  const h = compileChecks(7, HAMMING);
  expect(syndrome(h, [4])).toEqual([1, 0, 1]);
  expect(decodeOne(h, [])).toMatchObject({ converged: true, iterations: 0 });
  // Bit 0 is in the first check alone. r(0) = -12 to all its bits, +12 from the others: beliefs 16 - 12 = 4 at bit 0,
  // and 4 + 12 = 16, 16, 28 at bits 2, 4, 6: nobody is flipped yet. Then q = 16, 28, 28, 40 in check 0: r = -21 to bit 0.
  const decoded = decodeOne(h, [0]);
  expect(decoded).toMatchObject({ converged: true, iterations: 2 });
  expect(setBits(decoded.words, 7)).toEqual([0]);
});

test("small codes: what converges has the syndrome; most often it is the most likely pattern", () => {
  const n = 16;
  const h = compileChecks(n, [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9, 10, 11],
    [12, 13, 14, 15],
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
  ]);
  const column = Array.from({ length: n }, (_, v) => number(syndrome(h, [v])));
  const lightest = new Map<number, number>();
  for (let pattern = 0; pattern < 2 ** n; pattern++) {
    let sum = 0;
    for (let v = 0; v < n; v++) if ((pattern >> v) & 1) sum ^= column[v];
    lightest.set(sum, Math.min(lightest.get(sum) ?? n, weight(pattern)));
  }
  const flipped = new Int32Array(n + 1);
  let [converged, best] = [0, 0];
  for (let frame = 0; frame < 500; frame++) {
    const pattern = [...flipped.subarray(0, flippedBits(3, frame, 0.1, n, flipped))];
    const decoded = decodeOne(h, pattern);
    const found = setBits(decoded.words, n);
    const target = syndrome(h, pattern);
    const least = lightest.get(number(target))!;
    expect(found.length >= least || !decoded.converged).toBe(true);
    if (!decoded.converged) continue;
    expect(syndrome(h, found)).toEqual(target);
    converged++;
    if (found.length === least) best++;
  }
  // The rest stands between patterns of the same weight.
  expect(converged).toBeGreaterThan(300);
  expect(best).toBeGreaterThan(0.98 * converged);
});

const number = (bits: readonly number[]) => bits.reduce((sum, bit) => 2 * sum + bit, 0);
const weight = (pattern: number) => pattern.toString(2).replaceAll("0", "").length;

test("checks of one bit, of many bits, and beliefs at their limit", () => {
  const h = compileChecks(40, [
    [3],
    Array.from({ length: 40 }, (_, v) => v),
    ...Array.from({ length: 39 }, (_, v) => [v, v + 1]),
  ]);
  for (const flipped of [[], [3], [0, 1, 2, 3], [17], [5, 20, 39], Array.from({ length: 40 }, (_, v) => v)]) {
    const { words, ...decoded } = decodeOne(h, flipped);
    const plain = decodePlainly(h, Uint8Array.from(syndrome(h, flipped)), MAX_ITERATIONS);
    expect(decoded).toEqual({ frame: 0, converged: plain.converged, iterations: plain.iterations });
    expect(setBits(words, 40)).toEqual([...plain.flipped.keys()].filter((v) => plain.flipped[v]));
  }
});

test("the grown code: three checks a bit, about six bits a check, no two checks with two bits in common", () => {
  const bits_c = growCode(1024, 5);
  const pairs = new Set<number>();
  const degree_v = new Array(1024).fill(0);
  for (const bits of bits_c) {
    expect([5, 6, 7]).toContain(bits.length);
    for (const a of bits) {
      degree_v[a]++;
      for (const b of bits) {
        if (a >= b) continue;
        expect(pairs.has(1024 * a + b)).toBe(false);
        pairs.add(1024 * a + b);
      }
    }
  }
  expect(new Set(degree_v)).toEqual(new Set([3]));
  expect(growCode(1024, 5)).toEqual(bits_c);
  expect(growCode(1024, 6)).not.toEqual(bits_c);
});

test("fewer frames fail where fewer bits flip, and they need fewer iterations", () => {
  const rows = [0.02, 0.06, 0.1].map((p) => {
    const { frames, converged, histogram } = runModule(given(`n=512 frames=200 p=${p}`), 1, 200, 32);
    return { failed: frames - converged, work: histogram.reduce((sum, n, k) => sum + n * k, 0) };
  });
  expect(rows[0].failed).toBe(0);
  expect(rows[1].failed).toBeGreaterThanOrEqual(rows[0].failed);
  expect(rows[2].failed).toBeGreaterThan(rows[1].failed + 50);
  expect(rows[0].work * 2).toBeLessThan(rows[1].work);
  expect(rows[2].work).toBeLessThanOrEqual(200 * 50);
});

test("frames: bits flip as often as said, each frame differs, and a seed gives the same ones again", () => {
  const flipped = new Int32Array(2049);
  const frame = (seed: number, k: number) => [
    ...flipped.subarray(0, flippedBits(seed, k, 0.05, 2048, flipped)),
  ];
  const counts_v = new Array(2048).fill(0);
  let total = 0;
  for (let k = 0; k < 500; k++) {
    const bits = frame(1, k);
    total += bits.length;
    for (const v of bits) counts_v[v]++;
  }
  // Within five standard deviations: of the sum, and of the variance of the counts of the bits.
  const n = 500 * 2048;
  expect(Math.abs(total - 0.05 * n)).toBeLessThan(5 * Math.sqrt(n * 0.05 * 0.95));
  const variance = counts_v.reduce((sum, count) => sum + (count - 25) ** 2, 0) / 2048 / (25 * 0.95);
  expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / 2048));
  expect(frame(1, 7)).toEqual(frame(1, 7));
  expect(frame(1, 7)).not.toEqual(frame(1, 8));
  expect(frame(1, 7)).not.toEqual(frame(2, 7));
  expect(flippedBits(1, 0, 0, 2048, flipped)).toBe(0);
});

test("a matrix from an alist file", () => {
  const path = writeTemporary(folder, "hamming.alist", HAMMING_ALIST);
  expect(parseAlist(HAMMING_ALIST, "it")).toEqual({ n_bits: 7, bits_c: HAMMING });
  const plan = given(`matrix=${path} frames=300 p=0.05`);
  const result = runModule(plan, 2, 16, 8);
  ldpc.check(plan, result, 300);
  expect(ldpc.report(plan, result)[0]).toContain("7 bits, 3 checks, 12 ones");
});

test("damaged alist files: the line, what was found, what was expected", () => {
  const change = (line: number, text: string) =>
    HAMMING_ALIST.split("\n")
      .map((old, k) => (k === line - 1 ? text : old))
      .join("\n");
  const cases: [string, string][] = [
    ["", "line 1: found nothing, expected 0 to 1000000"],
    [change(1, "7"), "line 1: found 1 numbers, expected 2"],
    [change(1, "0 3"), "line 1: found 0 bits, 3 checks"],
    [change(1, "99999999 3"), "line 1: found 99999999, expected 0 to 1000000"],
    [change(1, "8 3"), "line 3: found 7 numbers, expected 8"],
    [change(3, "1 1 2 1 2 2 9"), "line 3: found 9, expected 0 to 3"],
    [change(7, "1 -2 0"), "line 7: found -2"],
    [change(7, "1 2 3"), "line 7: found 3 numbers above 0, expected 2"],
    [change(11, "1 2 4"), "line 11: found 4, expected 0 to 3"],
    [change(12, "1 3 5 6"), "line 12: found other bits of check 1"],
    [change(7, "1 1 0"), "line 12: found other bits of check 1"],
    [HAMMING_ALIST.split("\n").slice(0, 13).join("\n"), "line 14: found the end of the file"],
    ["\u0000\u0001", "line 1: found"],
  ];
  for (const [text, message] of cases) {
    expect(() => parseAlist(text, "matrix=x")).toThrow(`matrix=x: ${message}`);
  }
  expect(() => given(`matrix=${folder}`)).toThrow("no such file");
  const empty = writeTemporary(folder, "empty.alist", "2 2\n1 2\n1 1\n2 0\n1\n1\n1 2\n0\n");
  expect(() => given(`matrix=${empty}`)).toThrow(`matrix=${empty}: check 2 has no bits`);
  const twice = writeTemporary(folder, "twice.alist", "3 2\n2 3\n2 1 1\n3 1\n1 1\n1\n2\n1 1 2\n3\n");
  expect(() => given(`matrix=${twice}`)).toThrow(`matrix=${twice}: check 1: bit 1 twice`);
});

test("options: unknown ones, and values out of range", () => {
  const cases: [string, string][] = [
    ["size=3", "found option size, expected n, p, frames, iterations, seed, matrix"],
    ["n=1025", "n=1025: expected an even number"],
    ["n=1e9", "n=1e9: expected 64 to 8192"],
    ["p=0.6", "p=0.6: expected 0 to 0.5"],
    ["p=", "p=: expected 0 to 0.5"],
    ["frames=1.5", "frames=1.5: expected an integer"],
    ["iterations=none", "iterations=none: expected 1 to 1000"],
    ["n=64 matrix=x", "found n and matrix, expected one of them"],
  ];
  for (const [options, message] of cases) expect(() => given(options)).toThrow(message);
  expect(() => new TileDecoder(given("n=64").h, 2 ** 24, 1)).toThrow("at most");
});
