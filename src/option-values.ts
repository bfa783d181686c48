/**
 * Schemas of single option values. Each takes what a command line (a string) or a configuration file (a string,
 * number or boolean) holds; the message of each issue says what was expected, to stand after 'found X, expected'.
 */
import * as v from "valibot";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function toNumber(input: string | number): number {
  if (typeof input === "number") return input;
  return NUMBER.test(input.trim()) ? Number(input) : Number.NaN;
}

function numberThat(isGood: (x: number) => boolean, expected: string) {
  return v.pipe(
    v.union([v.string(), v.number()], expected),
    v.transform(toNumber),
    v.check(isGood, expected),
  );
}

/** A whole number in [min, max]; `1e7` is one. */
export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER) {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return numberThat((x) => Number.isSafeInteger(x) && x >= min && x <= max, `a whole number ${range}`);
}

/** A finite number of at least 0. */
export function nonNegativeNumber() {
  return numberThat((x) => Number.isFinite(x) && x >= 0, "a number of at least 0");
}

/** A finite number above 0. */
export function positiveNumber() {
  return numberThat((x) => Number.isFinite(x) && x > 0, "a number above 0");
}

/** A number above 0 and at most 1. */
export function share() {
  return numberThat((x) => x > 0 && x <= 1, "a number above 0 and at most 1");
}

export function text(expected: string) {
  return v.pipe(v.string(expected), v.nonEmpty(expected));
}

/** The path of a file or folder. It is not looked at here. */
export function path(expected = "a path") {
  return text(expected);
}

/** The path of a file whose name ends in one of `endings`. */
export function pathEnding(...endings: readonly string[]) {
  const expected = `a path ending in ${endings.join(" or ")}`;
  return v.pipe(
    text(expected),
    v.check((name) => endings.some((ending) => name.toLowerCase().endsWith(ending)), expected),
  );
}

export function oneOf<const Names extends readonly string[]>(...names: Names) {
  return v.picklist(names, names.join(" or "));
}

/** `name`, or a path ending in `ending`. */
export function nameOrPath(name: string, ending: string) {
  const expected = `${name} or a path ending in ${ending}`;
  return v.pipe(
    v.string(expected),
    v.check((given) => given === name || given.toLowerCase().endsWith(ending), expected),
  );
}

/** true or false. */
export function truth() {
  const expected = "true or false";
  return v.pipe(
    v.union([v.boolean(), v.picklist(["true", "false"])], expected),
    v.transform((x) => x === true || x === "true"),
  );
}

/** One optional value for each bank, in the order of the banks. */
export function perBank<const S extends v.GenericSchema<unknown, unknown>>(item: S) {
  return v.array(v.optional(item));
}
