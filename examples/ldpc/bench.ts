/**
 * Frames a second on one thread, by tile, beside the plain decoder in the same run: `bun examples/ldpc/bench.ts [KEY=VALUE ...]`
 * takes the options of the module. Rounds go through all decoders in turn; the medians are printed.
 */

import { flippedBits } from "./frames.ts";
import ldpc from "./ldpc.ts";
import { syndromeOf } from "./parity-check.ts";
import { decodePlainly } from "./plain-decoder.ts";

const ROUNDS = 7;
const TILES = [1, 8, 16, 32, 64, 128];

const given = process.argv.slice(2).map((option) => option.split("=") as [string, string]);
const plan = ldpc.prepare({ frames: "2000", ...Object.fromEntries(given) });

function plainly(frames: number): void {
  const { h, seed, p, iterations } = plan;
  const flipped = new Int32Array(h.n_bits + 1);
  const syndrome_c = new Uint8Array(h.n_checks);
  for (let frame = 0; frame < frames; frame++) {
    syndromeOf(h, flipped.subarray(0, flippedBits(seed, frame, p, h.n_bits, flipped)), syndrome_c);
    decodePlainly(h, syndrome_c, iterations);
  }
}

/** Frames a second. */
function rate(frames: number, decode: (frames: number) => void): number {
  const start = performance.now();
  decode(frames);
  return (1000 * frames) / (performance.now() - start);
}

const threads = TILES.map((tile) => ldpc.open(plan, { batch: plan.frames, tile }));
const few = Math.min(plan.frames, 200);
const rates_r = Array.from({ length: ROUNDS }, () => [
  rate(few, plainly),
  ...threads.map((thread, k) => rate(TILES[k] < 8 ? few : plan.frames, (frames) => thread.run(0, frames))),
]);
const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];
const medianOf = (of: (rates: number[]) => number) => median(rates_r.map(of));
console.log("decoder        frames/s   beside plain   beside tile 1");
for (const [k, name] of ["plain", ...TILES.map((tile) => `tile ${tile}`)].entries()) {
  const columns = [
    medianOf((rates) => rates[k]).toFixed(0),
    medianOf((rates) => rates[k] / rates[0]).toFixed(1),
    medianOf((rates) => rates[k] / rates[1]).toFixed(1),
  ];
  console.log(
    `${name.padEnd(12)}${columns[0].padStart(11)}${columns[1].padStart(15)}${columns[2].padStart(16)}`,
  );
}
