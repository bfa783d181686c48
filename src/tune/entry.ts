/** A remembered setting, and how it stands in a file: JSON for people, checked when read. */
import * as v from "valibot";
import type { Setting } from "./setting.ts";
import { MAX_PART, type Signature, signatureId } from "./signature.ts";

/** Of the file, and of what the fields of the setting mean: another number is another program's. */
export const FORMAT = 1;

export interface CacheEntry {
  readonly signature: Signature;
  /** Of the program that measured it. */
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly host: string;
  readonly setting: Setting;
  /** Units of work a second, and what a unit is: "likelihoods". */
  readonly rate: number;
  readonly unit: string;
  /** Of the built-in setting, in the same tune. */
  readonly defaultRate: number;
  /** rate / defaultRate. */
  readonly gain: number;
  /** Standard error of the rate, relative. */
  readonly error: number;
  /** Candidates that were measured, the seconds that took, and how they were chosen. */
  readonly candidates: number;
  readonly seconds: number;
  readonly search: string;
}

/** What this process can use: a setting beyond it is not taken. */
export interface Usable {
  /** Threads at most. */
  readonly workers: number;
  readonly kernels: readonly string[];
}

/** One line of text that a terminal only shows. */
function text(maxLength: number) {
  const printable = v.regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, "text without control characters");
  return v.pipe(v.string("text"), v.maxLength(maxLength, `at most ${maxLength} characters`), printable);
}

function whole(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  return v.pipe(
    v.number(expected),
    v.integer(expected),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  );
}

const POSITIVE = v.pipe(
  v.number("a number above 0"),
  v.finite("a finite number"),
  v.gtValue(0, "a number above 0"),
);
const NOT_NEGATIVE = v.pipe(
  v.number("a number"),
  v.finite("a finite number"),
  v.minValue(0, "a number of at least 0"),
);

const ID = v.pipe(v.string("16 hex digits"), v.regex(/^[0-9a-f]{16}$/, "16 hex digits"));
const PART_NAME = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,31}$/, "a name in small letters"));
const MAX_PARTS = 16;

/** The bounds are those of the options, less where only a mistake would ask for more. */
const SETTING = v.object({
  n_procs: whole(1, 4096),
  i_batch: whole(1, 2 ** 20),
  batches_per_task: whole(1, 1024),
  i_tile: whole(1, 1024),
  e_tile: whole(1, 4096),
  kernel: v.pipe(v.string("the name of a kernel"), v.regex(/^[a-z0-9_-]{1,32}$/, "the name of a kernel")),
  smt: v.boolean("true or false"),
});

const FILE = v.object({
  format: v.literal(FORMAT, `${FORMAT}`),
  signature: ID,
  parts: v.pipe(
    v.record(PART_NAME, text(MAX_PART), "a mapping of names to texts"),
    v.maxEntries(MAX_PARTS, `at most ${MAX_PARTS} parts`),
  ),
  version: text(64),
  created: v.pipe(
    v.string("a time"),
    v.isoTimestamp("a time as 2026-01-31T12:00:00.000Z"),
    v.check((time) => Number.isFinite(Date.parse(time)), "a time that exists"),
  ),
  host: text(256),
  setting: SETTING,
  rate: POSITIVE,
  unit: text(64),
  default_rate: POSITIVE,
  gain: POSITIVE,
  error: NOT_NEGATIVE,
  candidates: whole(1, 1e6),
  seconds: NOT_NEGATIVE,
  search: text(64),
});

type EntryFile = v.InferOutput<typeof FILE>;

/**
 * @returns the entry, or what is wrong with it: field, what was found, what was expected
 */
export function parseEntry(value: unknown): CacheEntry | string {
  const parsed = v.safeParse(FILE, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    // What is found comes from the file: it may be long.
    const found = issue.received.length > 60 ? `${issue.received.slice(0, 60)}...` : issue.received;
    return `field ${fieldName(issue)}: found ${shown(found)}, expected ${issue.message}`;
  }
  const file = parsed.output;
  const id = signatureId(file.parts);
  if (id !== file.signature) {
    return `field signature: found ${file.signature}, expected ${id}, which follows from its parts`;
  }
  return fromFile(file);
}

function fieldName(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  return path === null ? "(whole entry)" : shown(path.slice(0, 60));
}

/** What a file says, fit to be shown. */
export function shown(found: string): string {
  return found.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
}

/** Why this process cannot use the setting; undefined if it can. */
export function whyUnusable({ setting }: CacheEntry, usable: Usable): string | undefined {
  const { n_procs, kernel } = setting;
  if (n_procs > usable.workers) {
    return `field setting.n_procs: found ${n_procs}, expected at most ${usable.workers}, which are allowed here`;
  }
  if (usable.kernels.includes(kernel)) return undefined;
  return `field setting.kernel: found ${kernel}, expected one of ${usable.kernels.join(", ")}`;
}

function fromFile(file: EntryFile): CacheEntry {
  const { format: _, signature: id, parts, setting: found, default_rate: defaultRate, ...rest } = file;
  const { n_procs, kernel, smt } = found;
  const cut = { iBatch: found.i_batch, batchesPerTask: found.batches_per_task };
  const setting = { n_procs, ...cut, iTile: found.i_tile, eTile: found.e_tile, kernel, smt };
  return { ...rest, signature: { id, parts }, setting, defaultRate };
}

/** As it stands in a file. */
export function toFile(entry: CacheEntry): EntryFile {
  const { signature, setting } = entry;
  return {
    format: FORMAT,
    signature: signature.id,
    parts: { ...signature.parts },
    version: entry.version,
    created: entry.created,
    host: entry.host,
    setting: {
      n_procs: setting.n_procs,
      i_batch: setting.iBatch,
      batches_per_task: setting.batchesPerTask,
      i_tile: setting.iTile,
      e_tile: setting.eTile,
      kernel: setting.kernel,
      smt: setting.smt,
    },
    rate: entry.rate,
    unit: entry.unit,
    default_rate: entry.defaultRate,
    gain: entry.gain,
    error: entry.error,
    candidates: entry.candidates,
    seconds: entry.seconds,
    search: entry.search,
  };
}
