/**
 * Reads a parity-check matrix in the alist format of D. J. C. MacKay's collection of codes: a line with the numbers of bits
 * and checks, one with the largest degrees, one with all bits' degrees, one with all checks', then the checks of each
 * bit, a line each, and the bits of each check, counted from 1; zeros fill up short lines.
 */
import { readFileSync, statSync } from "node:fs";

const MAX_BYTES = 64 * 2 ** 20;
const MAX_SIZE = 1_000_000;

export interface Alist {
  readonly n_bits: number;
  /** The bits of each check, from 0. */
  readonly bits_c: number[][];
}

/** @throws Error that names the file, the line, what was found and what was expected */
export function readAlist(path: string): Alist {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status?.isFile()) throw new Error(`matrix=${path}: no such file`);
  if (status.size > MAX_BYTES)
    throw new Error(`matrix=${path}: found ${status.size} bytes, expected at most ${MAX_BYTES}`);
  return parseAlist(readFileSync(path, "latin1"), `matrix=${path}`);
}

/** @param name for messages */
export function parseAlist(text: string, name: string): Alist {
  const lines = text.trimEnd().split("\n");
  const fail = (line: number, found: string, expected: string): never => {
    throw new Error(`${name}: line ${line + 1}: found ${found}, expected ${expected}`);
  };
  const integers = (line: number, highest: number): number[] => {
    if (line >= lines.length) fail(line, "the end of the file", "more lines");
    const words = lines[line].trim().split(/\s+/);
    return words.map((word) => {
      const n = /^\d{1,7}$/.test(word) ? Number(word) : -1;
      return n >= 0 && n <= highest ? n : fail(line, word.slice(0, 20) || "nothing", `0 to ${highest}`);
    });
  };
  const exactly = (line: number, n: number, highest: number): number[] => {
    const list = integers(line, highest);
    return list.length === n ? list : fail(line, `${list.length} numbers`, `${n}`);
  };
  const [n_bits, n_checks] = exactly(0, 2, MAX_SIZE);
  if (n_bits === 0 || n_checks === 0) fail(0, `${n_bits} bits, ${n_checks} checks`, "at least 1 of each");
  exactly(1, 2, MAX_SIZE);
  const degrees = [exactly(2, n_bits, n_checks), exactly(3, n_checks, n_bits)].flat();
  const lists = degrees.map((degree, k) => {
    const line = 4 + k;
    const list = integers(line, k < n_bits ? n_checks : n_bits).filter((n) => n > 0);
    if (list.length !== degree) fail(line, `${list.length} numbers above 0`, `${degree}, as its degree says`);
    return list.map((n) => n - 1);
  });
  const bits_c: number[][] = Array.from({ length: n_checks }, () => []);
  lists.slice(0, n_bits).forEach((checks, bit) => {
    for (const check of checks) bits_c[check].push(bit);
  });
  lists.slice(n_bits).forEach((bits, check) => {
    const sorted = bits.sort((a, b) => a - b);
    if (sorted.join() !== bits_c[check].join())
      fail(4 + n_bits + check, `other bits of check ${check + 1}`, "those of the lists of the bits");
  });
  return { n_bits, bits_c };
}
