import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync, truncateSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { openInput, readInput } from "../src/io/input.ts";
import { readNpy } from "../src/io/npy.ts";
import { expectRefusal, temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

test("a named pipe that nobody writes to is refused at once", () => {
  expect(Bun.spawnSync(["mkfifo", at("pipe")]).exitCode).toBe(0);
  symlinkSync(at("pipe"), at("link"));
  for (const name of ["pipe", "link"])
    expectRefusal(() => openInput(at(name)), "noInput", at(name), "a special file, expected a regular file");
});

test("folders, devices and sockets are refused", async () => {
  expectRefusal(() => openInput(folder), "noInput", "found a folder");
  for (const device of ["/dev/zero", "/dev/null"])
    expectRefusal(() => readInput(device, 1e9), "noInput", device, "a special file");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(at("socket"), resolve));
  try {
    expectRefusal(() => openInput(at("socket")), "noInput", "a special file");
  } finally {
    server.close();
  }
});

test("links that lead nowhere, in circles or to a folder, and names that cannot be", () => {
  symlinkSync(at("absent"), at("dangling"));
  symlinkSync(at("circle"), at("circle"));
  mkdirSync(at("sub"));
  symlinkSync(at("sub"), at("to-folder"));
  expectRefusal(() => openInput(at("dangling")), "noInput", "no such file");
  expectRefusal(() => openInput(at("circle")), "noInput", "ELOOP");
  expectRefusal(() => openInput(at("to-folder")), "noInput", "a folder");
  expectRefusal(() => openInput(at("n".repeat(300))), "noInput", "ENAMETOOLONG");
  expectRefusal(() => openInput(at("a\0b")), "noInput", "a\0b");
});

test("a file of 100 GB of nothing is refused by its header, not read", () => {
  const path = writeTemporary(folder, "sparse.npy", "");
  truncateSync(path, 100e9);
  expectRefusal(() => readNpy(path), "badData", "not a .npy file");
  expectRefusal(() => readInput(path, 1e6), "badData", "found 100000000000 bytes, expected at most 1000000");
});
