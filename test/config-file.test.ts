/** Configuration files that are hostile; what the options make of them: options.test.ts. */
import { expect, test } from "bun:test";
import { readConfig } from "../src/config-file.ts";
import { expectRefusal, temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();
const KNOWN = ["seed", "n-ext", "banks"].map((name) => ({
  name,
  kind: "value" as const,
  group: "",
  help: "",
}));
const read = (text: string | Uint8Array, name = "c.yaml") =>
  readConfig(writeTemporary(folder, name, text), KNOWN, { other: "Leave it out." });
const refuse = (text: string | Uint8Array, ...parts: string[]) =>
  expectRefusal(() => read(text), "badData", "c.yaml: not valid YAML", ...parts);

test("anchors stand for what they name", () => {
  expect(read("seed: &n 4\nn_ext: *n\n").map(({ value }) => value)).toEqual([4, 4]);
  expect(read("%YAML 1.2\n---\nbanks: &a [x, y]\n")[0].value).toEqual(["x", "y"]);
});

test("aliases that multiply, and lists that hold themselves", () => {
  const nine = (name: string) => `[${new Array(9).fill(name).join(", ")}]`;
  const laughs = Array.from({ length: 12 }, (_, k) => `l${k}: &l${k} ${nine(k === 0 ? "ha" : `*l${k - 1}`)}`);
  refuse(laughs.join("\n"), "alias");
  refuse("banks: &a [*a]\n");
  refuse("banks: &a {b: *a}\n");
  refuse("seed: *absent\n", "alias");
});

test("tags are refused: nothing is made but text, numbers, lists and mappings", () => {
  const tags = [
    "!!js/function 'f'",
    "!!python/object/apply:os.system ['true']",
    "!!binary aGk=",
    "!!set {a, b}",
    "!x 1",
  ];
  for (const tag of tags) refuse(`seed: ${tag}\n`, "tag");
  refuse("%YAML 1.1\n---\nseed: !!set {a, b}\n", "YAML 1.1");
  refuse("? [1, 2]\n: 3\n");
  refuse("seed: 1\n---\nseed: 2\n", "multiple documents");
});

test("a name given twice is refused, merge keys do not merge", () => {
  refuse("seed: 1\nseed: 2\n", "found seed twice");
  refuse("banks: {a: 1, 'a': 2}\n", "found a twice");
  expect(read("banks: &a {x: 1}\nseed: {<<: *a}\n")[1].value).toEqual({ "<<": { x: 1 } });
  expectRefusal(() => read("<<: {seed: 1}\n"), "usage", "unknown option <<");
});

test("names that every object has are no options", () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    expectRefusal(() => read(`${name}: 1\n`), "usage", `unknown option ${name}`);
    if (name !== "__proto__") expectRefusal(() => read(`{"${name}": 1}`, "c.json"), "usage", name);
  }
  expect(read('{"__proto__": {"seed": 1}, "seed": 2}', "c.json").map(({ value }) => value)).toEqual([2]);
  const long = () => read(`${"n".repeat(900)}: 1\n`);
  expectRefusal(long, "usage", "nnn...");
});

// Each of these took from seconds to minutes, most of it in comparing names with each other.
test("deep and long files are refused or read in little time", () => {
  refuse("[".repeat(2e5), "brackets");
  refuse(`seed: ${"{a: ".repeat(2e4)}`, "brackets");
  refuse("- ".repeat(3e4));
  refuse(`seed: ${"? ".repeat(3e4)}`);
  const many = Array.from({ length: 10_000 }, (_, k) => `  k${k}: 1`).join("\n");
  expect(Object.keys(read(`banks:\n${many}\n`)[0].value as object).length).toBe(10_000);
  refuse(`banks: [${"1,".repeat(120_000)}]`, "more than 100000 items");
  expectRefusal(() => read(`#${" ".repeat(2 ** 18)}`), "badData", "expected at most 262144");
}, 60_000);

test("other encodings are refused, a byte order mark is no part of the text", () => {
  expect(read("\ufeffseed: 1\n")[0].value).toBe(1);
  refuse(Buffer.from("\ufeffseed: 1\n", "utf16le"));
  expectRefusal(() => read(Buffer.from("seed: 1\n", "utf16le")), "badData", "c.yaml");
  refuse("seed: \u0000\n".slice(0, 6) + "'\u0007\n", "quote");
});
