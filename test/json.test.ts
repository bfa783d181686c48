import { expect, test } from "bun:test";
import { join } from "node:path";
import { MAX_JSON_DEPTH, parseJson, readJson } from "../src/io/json.ts";
import { expectRefusal, temporaryFolder, thrownBy, writeTemporary } from "./io-helpers.ts";

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

test("a name given twice in one object is refused and named", () => {
  expect(parse('{"a": {"b": 1}, "b": {"a": "a: b"}, "c": [{"a": 1}, {"a": 2}]}')).toBeDefined();
  expectRefusal(() => parse('{"a": {"b": 1, "c": 2, "b": 1}}'), "badData", "found b twice");
  expectRefusal(() => parse('{"a": [{}], "\\u0061": 1}'), "badData", "found a twice");
  expectRefusal(() => parse('{"__proto__": 1, "__proto__": 1}'), "badData", "__proto__ twice");
});

test("short files of very many values are refused", () => {
  const list = (item: string, n: number) => `[${`${item},`.repeat(n - 1)}${item}]`;
  expect((parse(list("1", 1e6)) as number[]).length).toBe(1e6);
  for (const text of [list("1", 2 ** 21 + 2), list("[]", 2 ** 18), list('""', 2 ** 18), list("{}", 2 ** 18)])
    expectRefusal(() => parse(text), "badData", "too many values");
});

test("other encodings are refused, a byte order mark is no part of the text", () => {
  expect(parse('\ufeff{"a": 1}')).toEqual({ a: 1 });
  expectRefusal(() => parseJson(Buffer.from('\ufeff{"a": 1}', "utf16le"), "x.json"), "badData", "not UTF-8");
  expectRefusal(() => parseJson(Buffer.from('{"a": 1}', "utf16le"), "x.json"), "badData", "not valid JSON");
});

test("numbers of any size are numbers, messages stay short", () => {
  expect(parse(`[1e999, -1e999, 1e-999, ${"9".repeat(400)}, 9007199254740993]`)).toEqual([
    ...[Infinity, -Infinity, 0, Infinity, 9007199254740992],
  ]);
  for (const text of [
    "NaN",
    "[Infinity]",
    "-Infinity",
    "[01]",
    "0x10",
    "'a'",
    "[1,]",
    "nul",
    "x".repeat(1e5),
  ])
    expect(thrownBy(() => parse(text)).message.length).toBeLessThan(300);
});

test("__proto__ is dropped, however it is spelled", () => {
  for (const name of ["__proto__", "\\u005f_proto__"]) {
    const value = parse(`{"a": {"${name}": {"x": 1}, "y": 3}}`) as { a: object };
    expect(Object.keys(value.a)).toEqual(["y"]);
    expect(Object.getPrototypeOf(value.a)).toBe(Object.prototype);
  }
});
