/** JSON files of which a schema says what they hold. */
import * as v from "valibot";
import { DotpeError } from "../errors.ts";
import { clipped } from "./clipped.ts";
import { readJson } from "./json.ts";

/** @throws DotpeError noInput; badData naming the file and the first field that is wrong, with this hint. */
export function readChecked<const S extends v.GenericSchema>(
  schema: S,
  path: string,
  hint: string,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, readJson(path), { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const field = v.getDotPath(issue) ?? "(whole file)";
  const message = `${field}: found ${clipped(issue.received)}, expected ${issue.expected ?? issue.message}`;
  throw new DotpeError("badData", `${path}: ${message}`, hint);
}

/** Undefined where the file is missing, or is not what it should be: for those on which nothing depends. */
export function readIfGood<const S extends v.GenericSchema>(
  schema: S,
  path: string,
): v.InferOutput<S> | undefined {
  try {
    return readChecked(schema, path, "");
  } catch (error) {
    if (error instanceof DotpeError) return undefined;
    throw error;
  }
}
