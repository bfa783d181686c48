import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { removeParts, writeFileAtomic } from "../src/io/atomic-write.ts";
import { expectRefusal, temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();

test("bytes, text and chunks are written whole", () => {
  const path = join(folder, "a.bin");
  writeFileAtomic(path, Uint8Array.of(1, 2, 3));
  expect(Array.from(readFileSync(path))).toEqual([1, 2, 3]);
  writeFileAtomic(path, "é");
  expect(readFileSync(path, "utf8")).toBe("é");
  writeFileAtomic(path, [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2)]);
  expect(Array.from(readFileSync(path))).toEqual([1, 2]);
  expect(statSync(path).mode & 0o777).toBe(0o644 & ~process.umask());
});

test("while chunks are written the old content stands, beside a hidden .part file", () => {
  const path = writeTemporary(folder, "old.txt", "old");
  function* chunks() {
    yield Buffer.from("new");
    const parts = readdirSync(folder).filter(
      (name) => name.startsWith(".old.txt.") && name.endsWith(".part"),
    );
    expect(parts.length).toBe(1);
    expect(readFileSync(path, "utf8")).toBe("old");
  }
  writeFileAtomic(path, chunks());
  expect(readFileSync(path, "utf8")).toBe("new");
});

test("a failure in the middle keeps the old content and leaves no temporary file", () => {
  const path = writeTemporary(folder, "kept.txt", "old");
  function* chunks() {
    yield Buffer.from("half");
    throw new Error("stop");
  }
  expect(() => writeFileAtomic(path, chunks())).toThrow("stop");
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
});

test("what the system refuses is cannotCreate, with the path and the reason", () => {
  const nowhere = join(folder, "absent", "x");
  expectRefusal(() => writeFileAtomic(nowhere, "x"), "cannotCreate", nowhere, "no such folder (ENOENT)");
  mkdirSync(join(folder, "taken"));
  expectRefusal(() => writeFileAtomic(join(folder, "taken"), "x"), "cannotCreate", "EISDIR");
  const file = writeTemporary(folder, "file", "");
  expectRefusal(() => writeFileAtomic(join(file, "x"), "x"), "cannotCreate", "its folder is a file");
  expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
});

test("part files of a process that was killed are removed, other hidden files are not", () => {
  const left = join(folder, "left");
  removeParts(left);
  mkdirSync(left);
  for (const name of [".a.npy.1-2.part", ".hidden", "b.part", "c"]) writeTemporary(left, name, "x");
  removeParts(left);
  expect(readdirSync(left).sort()).toEqual([".hidden", "b.part", "c"]);
  expectRefusal(() => removeParts(join(left, "c")), "cannotCreate", "its folder is a file");
});
