import { expect, test } from "bun:test";
import { flagOf, parseCommandLine } from "../src/cli.ts";
import { FlagValues, POSITIVE, SHARE, whole } from "../src/flag-values.ts";
import { expectRefusal } from "./io-helpers.ts";

const FLAGS = [
  flagOf("", "x", "X", ""),
  flagOf("", "range", "LO,HI", ""),
  flagOf("", "n-procs", "N", ""),
  flagOf("", "quiet", "", ""),
];
const given = (...argv: string[]) => new FlagValues(parseCommandLine(argv, FLAGS).flags, "dotpe-hpc try");

test("values that are given, and undefined for those that are not", () => {
  const flags = given("--x", "1e3", "--range", "2.5,30", "--quiet");
  expect(flags.number("x", POSITIVE)).toBe(1000);
  expect(flags.required("x", whole(1))).toBe(1000);
  expect(flags.pair("range", POSITIVE)).toEqual([2.5, 30]);
  expect([flags.isOn("quiet"), flags.threads(), flags.text("x")]).toEqual([true, undefined, "1e3"]);
  expect([given().number("x", SHARE), given().pair("range", POSITIVE), given().isOn("quiet")]).toEqual([
    undefined,
    undefined,
    false,
  ]);
});

test.each([
  ["0", POSITIVE, "expected a number above 0"],
  ["", POSITIVE, "found nothing"],
  ["Infinity", POSITIVE, "found Infinity"],
  ["1.01", SHARE, "expected a number above 0 and at most 1"],
  ["2.5", whole(1), "expected a whole number of at least 1"],
  ["9", whole(1, 8), "expected a whole number from 1 to 8"],
  ["many", whole(0), "found many"],
])("refuses %j", (text, range, message) => {
  expectRefusal(() => given(`--x=${text}`).number("x", range), "usage", "--x", message);
});

test("refuses a pair that is not one, and a number that is missing", () => {
  expectRefusal(
    () => given("--range", "3").pair("range", POSITIVE),
    "usage",
    "found 3, expected two numbers",
  );
  expectRefusal(() => given("--range", "3,2").pair("range", POSITIVE), "usage", "the smaller number first");
  expectRefusal(() => given("--range", "3,x").pair("range", POSITIVE), "usage", "--range: found x");
  expectRefusal(() => given().required("x", POSITIVE), "usage", "--x: found nothing");
  expectRefusal(() => given("--n-procs", "0").threads(), "usage", "--n-procs: found 0");
});
