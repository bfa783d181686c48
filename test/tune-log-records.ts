/** What the tests of the log of a tune write into it. */
import type { LogHeader, LogRecord } from "../src/tune/log.ts";

export const HEADER: LogHeader = {
  ...{ signature: "0123456789abcdef", version: "0.1.0", search: "halving", seed: 7 },
  space: [
    { knob: "n_procs", values: [1, 2, 4, 8] },
    { knob: "iBatch", values: Array.from({ length: 64 }, (_, k) => 64 * (k + 1)) },
    { knob: "kernel", values: ["x86-64-v2", "x86-64-v3"] },
    { knob: "smt", values: [false, true] },
  ],
};

/** A different one for each k. */
export function madeRecord(k: number): LogRecord {
  const point = [k % 4, k % 64, k % 2, (k >> 2) % 2];
  const effort = k % 3 === 0 ? "full" : "quick";
  if (k % 5 === 4) return { point, effort, seconds: 0.1, failed: `too much memory: ${k} é` };
  return {
    point,
    effort,
    seconds: 0.1 + 0.2 * k,
    measured: { rate: 1e6 / 3 + k, error: 1 / 300, n: 5 },
    memory: 3e7,
  };
}
