/** The lines of a tune's log: `["<CRC-32>",<JSON>]`, the first one the header. */
import * as v from "valibot";
import { parseJson } from "../io/json.ts";
import type { Ask } from "./search.ts";
import type { Dimension, Measured, Point } from "./setting.ts";

export const MAX_LOG_LINES = 10_000;
export const MAX_LOG_BYTES = 4e6;

/** What must be the same for a log to be gone on with. */
export interface LogHeader {
  /** Id of the signature. */
  readonly signature: string;
  /** Of the program. */
  readonly version: string;
  /** Kind of search, with whatever changes what it asks. */
  readonly search: string;
  readonly seed: number;
  readonly space: readonly Dimension[];
}

/** One answer to a question of the search. */
export interface LogRecord {
  readonly point: Point;
  readonly effort: Ask["effort"];
  /** That the measurement took. */
  readonly seconds: number;
  /** Absent: it could not be measured, and */
  readonly measured?: Measured;
  /** why. */
  readonly failed?: string;
  /** Bytes of a worker at its peak, where that is known. */
  readonly memory?: number;
}

const AMOUNT = v.pipe(v.number(), v.finite(), v.minValue(0));
const RECORD = v.pipe(
  v.object({
    point: v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
    effort: v.picklist(["quick", "full"]),
    seconds: AMOUNT,
    rate: v.optional(v.pipe(v.number(), v.finite(), v.gtValue(0))),
    error: v.optional(AMOUNT),
    n: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
    failed: v.optional(v.string()),
    memory: v.optional(AMOUNT),
  }),
  v.check(({ rate, error, n, failed }) =>
    [rate, error, n].every((x) => (x === undefined) === (failed !== undefined)),
  ),
);

const MAX_REASON = 200;

export function headerLine({ signature, version, search, seed, space }: LogHeader): Uint8Array {
  const dimensions = space.map(({ knob, values }) => ({ knob, values }));
  return lineOf({ format: 1, signature, version, search, seed, space: dimensions });
}

/** @throws RangeError if a number cannot stand in a log */
export function recordLine({ point, effort, seconds, measured, failed, memory }: LogRecord): Uint8Array {
  const { rate, error, n } = measured ?? {};
  const reason = measured === undefined ? (failed ?? "").slice(0, MAX_REASON).toWellFormed() : undefined;
  const line = { point, effort, rate, error, n, seconds, memory, failed: reason };
  if (!v.is(RECORD, line)) throw new RangeError(`found a measurement of ${JSON.stringify(line)}`);
  return lineOf(line);
}

function lineOf(value: unknown): Uint8Array {
  const json = JSON.stringify(value);
  return Buffer.from(`["${checksum(Buffer.from(json))}",${json}]\n`);
}

function checksum(json: Uint8Array): string {
  return Bun.hash.crc32(json).toString(16).padStart(8, "0");
}

/**
 * The records up to the first line that is torn, altered, or no answer in this space.
 * @returns undefined if the log does not begin with this header
 */
export function readLines(
  bytes: Uint8Array,
  header: LogHeader,
): { records: LogRecord[]; goodBytes: number } | undefined {
  const first = headerLine(header);
  if (Buffer.compare(bytes.subarray(0, first.length), first) !== 0) return undefined;
  const records: LogRecord[] = [];
  let at = first.length;
  while (records.length < MAX_LOG_LINES) {
    const end = bytes.indexOf(NEWLINE, at);
    const record = end === -1 ? undefined : readRecord(bytes.subarray(at, end), header.space);
    if (record === undefined) break;
    records.push(record);
    at = end + 1;
  }
  return { records, goodBytes: at };
}

const NEWLINE = 0x0a;
/** The length of `["01234567",`. */
const PREFIX = 12;

function readRecord(line: Uint8Array, space: readonly Dimension[]): LogRecord | undefined {
  const json = line.subarray(PREFIX, -1);
  const whole = Buffer.from(line).toString("latin1");
  if (whole.slice(0, PREFIX) !== `["${checksum(json)}",` || !whole.endsWith("]")) return undefined;
  const parsed = v.safeParse(RECORD, parsedOrNull(json));
  if (!parsed.success) return undefined;
  const { rate, error, n, failed, ...rest } = parsed.output;
  const { point } = rest;
  if (point.length !== space.length || point.some((k, d) => k >= space[d].values.length)) return undefined;
  if (failed !== undefined) return { ...rest, failed };
  return { ...rest, measured: { rate, error, n } as Measured };
}

function parsedOrNull(json: Uint8Array): unknown {
  try {
    return parseJson(json, "log");
  } catch {
    return null;
  }
}
