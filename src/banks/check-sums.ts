/** The bank's SHA256SUMS: what sha256sum wrote, of the bank's own files. */
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { DotpeError } from "../errors.ts";
import { type Bank, CONFIG_FILE, SAMPLES_FILE } from "../gw/bank.ts";
import { readInput } from "../io/input.ts";
import { SUMS_FILE as SUMS } from "../io/sha256.ts";
import { type BankCheck, failed, passed, skipped, warned } from "./check-list.ts";

const NAME = "checksums";
const MAX_BYTES = 2 ** 25;
const AGAIN = "copy the bank again from where it was made";

/** What SHA256SUMS says. */
export interface StatedSums {
  /** Files to take the checksum of, and what it should be. */
  readonly files: readonly { readonly name: string; readonly sum: string }[];
  /** Files of the bank that it does not mention. */
  readonly missing: readonly string[];
  /** What is wrong with the file itself. */
  readonly findings: readonly BankCheck[];
}

/** Names of the files of a bank, in its folder. */
export function namesOf({ folder, blocks, packed }: Pick<Bank, "folder" | "blocks" | "packed">): string[] {
  const waveforms =
    packed === null
      ? blocks.flatMap(({ amplitudesPath, phasePath }) => [amplitudesPath, phasePath])
      : [packed.path];
  return [CONFIG_FILE, SAMPLES_FILE, ...waveforms.map((path) => relative(folder, path))];
}

/**
 * Reads SHA256SUMS, if there is one: lines `<64 hex digits>  <name>`. A name that is not one of the bank's files is an error and
 * is not opened.
 */
export function readSums(folder: string, names: readonly string[]): StatedSums | null {
  if (!existsSync(join(folder, SUMS))) return null;
  const findings: BankCheck[] = [];
  const wrong = (found: string, todo: string) => findings.push(failed(NAME, found, todo, { file: SUMS }));
  const files = new Map<string, string>();
  let text = "";
  try {
    text = new TextDecoder().decode(readInput(join(folder, SUMS), MAX_BYTES));
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
    wrong(error.message, error.hint);
  }
  const known = new Set(names);
  for (const [k, line] of text.split("\n").entries()) {
    if (line === "" || line === "\r") continue;
    const [, sum, name] = /^([0-9a-fA-F]{64}) [ *](.+?)\r?$/.exec(line) ?? [];
    const at = `line ${k + 1}`;
    if (name === undefined) wrong(`${at}: found no line of sha256sum`, "write it again with sha256sum");
    else if (!known.has(name))
      wrong(`${at}: found ${name.slice(0, 200)}, which is no file of this bank`, "remove the line");
    else if (files.has(name)) wrong(`${at}: found ${name} twice`, "remove the line that is wrong");
    else files.set(name, sum.toLowerCase());
    if (findings.length > 0) break;
  }
  return {
    files: [...files].map(([name, sum]) => ({ name, sum })),
    missing: names.filter((name) => !files.has(name)),
    findings,
  };
}

interface FoundSum {
  readonly k: number;
  readonly sum?: string;
  readonly error?: string;
}

/** @param found checksums by position in `stated.files` */
export function sumChecks(stated: StatedSums | null, found: readonly FoundSum[]): BankCheck[] {
  if (stated === null) return [skipped(NAME, `there is no ${SUMS}`)];
  if (stated.findings.length > 0) return [...stated.findings];
  const wrong = [...found]
    .sort((a, b) => a.k - b.k)
    .flatMap(({ k, sum, error }) => {
      const { name, sum: expected } = stated.files[k];
      if (error !== undefined) return [failed(NAME, error, AGAIN, { file: name })];
      if (sum === expected) return [];
      const text = `${name}: found ${sum?.slice(0, 12)}..., ${SUMS} says ${expected.slice(0, 12)}...`;
      return [failed(NAME, text, AGAIN, { file: name })];
    });
  if (wrong.length > 0) return wrong;
  if (stated.missing.length > 0) {
    const others = stated.missing.length > 1 ? ` and ${stated.missing.length - 1} more` : "";
    const todo = `write it again: sha256sum of every file > ${SUMS}`;
    return [warned(NAME, `${SUMS} says nothing of ${stated.missing[0]}${others}`, todo, { file: SUMS })];
  }
  return [passed(NAME, `${stated.files.length} files are what ${SUMS} says`)];
}
