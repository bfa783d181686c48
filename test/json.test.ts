import { expect, test } from "bun:test";
import { join } from "node:path";
import { MAX_JSON_DEPTH, parseJson, readJson } from "../src/io/json.ts";
import { expectRefusal, temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();
const parse = (text: string) => parseJson(Buffer.from(text), "x.json");

test("a file is read", () => {
  expect(readJson(writeTemporary(folder, "a.json", '{"a": [1, {"b": "]}\\"["}]}'))).toEqual({
    a: [1, { b: ']}"[' }],
  });
  expectRefusal(() => readJson(join(folder, "absent.json")), "noInput", "absent.json");
});

test("what is not JSON is refused", () => {
  for (const text of ["", "{", "[NaN]", '{"a": "'])
    expectRefusal(() => parse(text), "badData", "x.json", "not valid");
  expectRefusal(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22), "x.json"), "badData", "not UTF-8");
});

test("the depth is limited, brackets in strings do not count", () => {
  const deep = (n: number) => "[".repeat(n) + "]".repeat(n);
  expect(() => parse(deep(MAX_JSON_DEPTH))).not.toThrow();
  expectRefusal(() => parse(deep(MAX_JSON_DEPTH + 1)), "badData", "nested levels");
  expectRefusal(() => parse("[".repeat(1e6)), "badData", "nested levels");
  expect(parse(JSON.stringify("[".repeat(1000)))).toBe("[".repeat(1000));
});

test("__proto__ is dropped, however it is spelled", () => {
  for (const name of ["__proto__", "\\u005f_proto__"]) {
    const value = parse(`{"a": {"${name}": {"x": 1}, "y": 3}}`) as { a: object };
    expect(Object.keys(value.a)).toEqual(["y"]);
    expect(Object.getPrototypeOf(value.a)).toBe(Object.prototype);
  }
});
