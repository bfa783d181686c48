/** `--truth FILE.json`: the parameters of an injection. */
import { DotpeError } from "../errors.ts";
import { readJson } from "../io/json.ts";

/**
 * The numbers among the parameters of a JSON object, by name; what else it holds is left out. If it has an object `par_dic`,
 * as an injection's record has, the parameters are looked for there.
 * @throws DotpeError noInput, badData (not an object, no number in it).
 */
export function readTruth(path: string): Record<string, number> {
  const content = readJson(path);
  const parameters = isObject(content) && isObject(content.par_dic) ? content.par_dic : content;
  const numbers = isObject(parameters)
    ? Object.entries(parameters).filter(([, value]) => isNumber(value))
    : [];
  if (numbers.length === 0) {
    throw new DotpeError(
      "badData",
      `${path}: found no numbers by name, expected an object such as {"m1": 36.2, "m2": 29.1}`,
      "Write the injected parameters as one JSON object.",
    );
  }
  return Object.fromEntries(numbers) as Record<string, number>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value);
}
