/** Reading one input: it must end in a value or in a DotpeError with something to say. */
import { DotpeError, EXIT_CODES } from "../../src/errors.ts";
import type { Format } from "./format.ts";

export interface Outcome {
  readonly kind: "value" | "refused" | "wrong";
  /** What was thrown, without numbers, names and the path; alike for inputs that went the same way. */
  readonly signature: string;
  /** How many stages were reached. */
  readonly depth: number;
  /** Bytes that the input has proved to hold. */
  readonly held: number;
  /** Of a wrong one: what went wrong. */
  readonly message?: string;
}

/** Longer messages are not for people. */
const MAX_MESSAGE = 4000;

export function readInput(format: Format, path: string): Outcome {
  let [depth, held] = [0, 0];
  const probe = {
    reach: (stage: string) => {
      depth = Math.max(depth, format.stages.indexOf(stage) + 1);
    },
    holds: (bytes: number) => {
      held += bytes;
    },
  };
  try {
    format.read(path, probe);
    return { kind: "value", signature: "value", depth, held };
  } catch (error) {
    const message = faultOf(error, path);
    const signature = message === undefined ? signatureOf(error as DotpeError, path) : `wrong: ${message}`;
    return { kind: message === undefined ? "refused" : "wrong", signature, depth, held, message };
  }
}

/** What is wrong with what was thrown; undefined if nothing is. */
function faultOf(error: unknown, path: string): string | undefined {
  if (!(error instanceof DotpeError)) {
    const { name, message, stack = "" } = error instanceof Error ? error : new Error(String(error));
    const place = /\((?:.*\/)?((?:src|node_modules)\/[^)]*)\)/.exec(stack)?.[1] ?? "";
    return `${name}: ${message.replaceAll(path, "FILE").slice(0, 200)} ${place}`;
  }
  const { message, hint, exit } = error;
  if (typeof message !== "string" || typeof hint !== "string" || hint === "")
    return "a DotpeError without words";
  if (!(exit in EXIT_CODES) || exit === "internal" || exit === "ok")
    return `a DotpeError that is ${exit}: ${message}`;
  if (message.length > MAX_MESSAGE)
    return `a message of ${message.length} characters: ${message.slice(0, 100)}`;
  return undefined;
}

function signatureOf({ exit, message }: DotpeError, path: string): string {
  const words = message
    .replaceAll(path, "")
    .replace(/found .*?(, expected|$)/s, "found$1")
    .replace(/unknown option .*/s, "unknown option")
    .replace(/'[^']*'|"[^"]*"/g, "''")
    .replace(/[^A-Za-z' ]+/g, " ")
    .replace(/ +/g, " ");
  return `${exit}: ${words.slice(0, 70).trim()}`;
}
