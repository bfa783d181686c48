/** JSON of bounded size and depth. */
import { DotpeError } from "../errors.ts";
import { readInput } from "./input.ts";

export const MAX_JSON_BYTES = 64 * 2 ** 20;
export const MAX_JSON_DEPTH = 64;

/**
 * The value held in a JSON file. Keys named `__proto__` are dropped.
 * @throws DotpeError noInput (missing), badData (too long, too deep, not UTF-8, not JSON).
 */
export function readJson(path: string): unknown {
  return parseJson(readInput(path, MAX_JSON_BYTES), path);
}

/** As `readJson`, from bytes; `where` names them in errors. */
export function parseJson(bytes: Uint8Array, where: string): unknown {
  const text = decodeUtf8(bytes, where);
  checkDepth(text, where);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DotpeError(
      "badData",
      `${where}: not valid JSON: ${(error as Error).message}`,
      "NaN and Infinity are not JSON; write the file again if it is truncated.",
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

/** Counts brackets outside strings, so that a deep file never reaches a recursive parser. */
function checkDepth(text: string, where: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === 0x22) at = endOfString(text, at);
    else if (c === 0x5b || c === 0x7b) depth++;
    else if (c === 0x5d || c === 0x7d) depth--;
    if (depth > MAX_JSON_DEPTH) {
      throw new DotpeError(
        "badData",
        `${where}: found more than ${MAX_JSON_DEPTH} nested levels, expected at most ${MAX_JSON_DEPTH}`,
        "Check that this is the right file.",
      );
    }
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
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
