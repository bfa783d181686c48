/** JSON of bounded size, depth and number of values. */
import { DotpeError } from "../errors.ts";
import { clipped } from "./clipped.ts";
import { readInput } from "./input.ts";

export const MAX_JSON_BYTES = 16 * 2 ** 20;
export const MAX_JSON_DEPTH = 64;
/** A short file can hold many values, each of which takes memory: a number 8 to 25 bytes, text or an object up to 200. */
const MAX_WEIGHT = 2 ** 21;
const [NUMBER, TEXT_OR_OBJECT] = [1, 8];

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * The value held in a JSON file. Keys named `__proto__` are dropped. A number too large for a double is infinite.
 * @throws DotpeError noInput (missing), badData (too long, too deep, not UTF-8, not JSON, a name twice in one object).
 */
export function readJson(path: string): unknown {
  return parseJson(readInput(path, MAX_JSON_BYTES), path);
}

/** As `readJson`, from bytes; `where` names them in errors. */
export function parseJson(bytes: Uint8Array, where: string): unknown {
  const text = decodeUtf8(bytes, where);
  const n_names = checkExtent(text, where);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DotpeError(
      "badData",
      `${where}: not valid JSON: ${clipped((error as Error).message)}`,
      "NaN and Infinity are not JSON; write the file again if it is truncated.",
    );
  }
  if (countNames(value) !== n_names) {
    throw new DotpeError(
      "badData",
      `${where}: found ${clipped(nameGivenTwice(text))} twice in one object, expected each name once`,
      "Keep one of the two.",
    );
  }
  dropProtoKeys(value);
  return value;
}

function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new DotpeError("badData", `${where}: found bytes that are not UTF-8`, "Write the file as UTF-8.");
  }
}

/**
 * Counts brackets and values outside strings, so that a deep file never reaches a recursive parser. Returns how many names
 * its objects have.
 */
function checkExtent(text: string, where: string): number {
  let [depth, weight, n_names] = [0, 0, 0];
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === QUOTE) {
      at = endOfString(text, at);
      weight += TEXT_OR_OBJECT;
    } else if (c === OPEN_LIST || c === OPEN_OBJECT) {
      depth++;
      weight += TEXT_OR_OBJECT;
    } else if (c === CLOSE_LIST || c === CLOSE_OBJECT) depth--;
    else if (c === COMMA) weight += NUMBER;
    else if (c === COLON) n_names++;
    if (depth > MAX_JSON_DEPTH) {
      throw unlike(where, `more than ${MAX_JSON_DEPTH} nested levels, expected at most ${MAX_JSON_DEPTH}`);
    }
    if (weight > MAX_WEIGHT) {
      const texts = MAX_WEIGHT / TEXT_OR_OBJECT;
      throw unlike(
        where,
        `too many values, expected at most ${MAX_WEIGHT} numbers or ${texts} texts and lists`,
      );
    }
  }
  return n_names;
}

function unlike(where: string, found: string): DotpeError {
  return new DotpeError("badData", `${where}: found ${found}`, "Check that this is the right file.");
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}

/** In all objects together: fewer than in the text if one is there twice, since the parser keeps the last. */
function countNames(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const items: unknown[] = Array.isArray(value) ? value : Object.values(value);
  let n = Array.isArray(value) ? 0 : items.length;
  for (const item of items) n += countNames(item);
  return n;
}

/** The first, in valid JSON. */
function nameGivenTwice(text: string): string {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === OPEN_LIST || c === OPEN_OBJECT) open.push(new Set());
    if (c === CLOSE_LIST || c === CLOSE_OBJECT) open.pop();
    if (c !== QUOTE) continue;
    const end = endOfString(text, at);
    if (/^\s*:/.test(text.slice(end + 1, end + 100))) {
      const name = String(JSON.parse(text.slice(at, end + 1)));
      if (open.at(-1)?.has(name)) return name;
      open.at(-1)?.add(name);
    }
    at = end;
  }
  return "a name";
}

function dropProtoKeys(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) dropProtoKeys(item);
    return;
  }
  if (Object.hasOwn(value, "__proto__")) Reflect.deleteProperty(value, "__proto__");
  for (const item of Object.values(value)) dropProtoKeys(item);
}
