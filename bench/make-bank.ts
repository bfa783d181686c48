/**
 * `bun bench/make-bank.ts FROM TO N`: a stand-in of N samples for a larger bank, by links to the blocks of the bank FROM.
 * Once in the page cache, FROM's blocks serve all of TO: a measurement on it is a warm one.
 */
import { linkBank } from "../src/bench/linked-bank.ts";

const [from, to, n] = process.argv.slice(2);
try {
  if (n === undefined) throw new Error("usage: bun bench/make-bank.ts FROM TO N");
  linkBank(from, to, Number(n));
  console.log(`${to}: ${n} samples, links to the blocks of ${from}`);
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 64;
}
