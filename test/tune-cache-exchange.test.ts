import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { listCached, writeCached } from "../src/tune/cache.ts";
import { exportCached, importCached } from "../src/tune/cache-exchange.ts";
import { toFile } from "../src/tune/entry.ts";
import { signatureId } from "../src/tune/signature.ts";
import { expectRefusal, temporaryFolder, writeTemporary } from "./io-helpers.ts";
import { madeEntry, newPlaces } from "./tune-entries.ts";

const folder = temporaryFolder();
const ENTRY = madeEntry();
const asText = (value: unknown) => JSON.stringify(value);

test("carry all entries, or some, to another cache", () => {
  const [here, there] = [newPlaces(folder), newPlaces(folder)];
  const entries = ["a", "b", "c"].map((name) => madeEntry(name));
  for (const entry of entries) writeCached(entry, here);
  const path = join(folder, "all.json");
  expect(exportCached(path, here).entries.length).toBe(3);
  expect(importCached(path, there).warnings).toEqual([]);
  expect(listCached(there).found.map(({ entry }) => entry)).toEqual(
    listCached(here).found.map(({ entry }) => entry),
  );
  const one = exportCached(path, here, [entries[1].signature.id]);
  expect(one.entries).toEqual([entries[1]]);
  // A cache file itself can be imported too.
  const single = newPlaces(folder);
  expect(importCached(join(here.user, `hpc_config_${entries[2].signature.id}.json`), single)).toEqual({
    imported: [entries[2]],
    warnings: [],
  });
});

test("of one signature in two places the system's goes out", () => {
  const places = newPlaces(folder);
  writeCached(ENTRY, places);
  writeCached({ ...ENTRY, host: "administrator" }, { user: places.system, system: "/nonexistent" });
  const { entries } = exportCached(join(folder, "two.json"), places);
  expect(entries.map(({ host }) => host)).toEqual(["administrator"]);
});

test("nothing to export, nowhere to write, nothing to import are errors", () => {
  const places = newPlaces(folder);
  expectRefusal(() => exportCached(join(folder, "x.json"), places), "noInput", "no tuned setting");
  expectRefusal(() => importCached(join(folder, "absent.json"), places), "noInput", "absent.json");
  writeCached(ENTRY, places);
  expectRefusal(() => exportCached("/proc/x.json", places), "cannotCreate", "/proc/x.json");
});

test("hostile files: each bad entry is a warning, nothing is written outside the folder", () => {
  const places = newPlaces(folder);
  const evil = toFile(ENTRY);
  const parts = { cpu: "../../x", workload: "/etc/passwd" };
  const content = {
    format: 1,
    entries: [
      { ...evil, signature: "../../../escaped" },
      { ...evil, signature: "../../escaped/0123" },
      { ...evil, signature: `${evil.signature}\n` },
      { ...evil, signature: "0123456789abcdef" },
      { ...evil, signature: ["0123456789abcdef"] },
      null,
      3,
      [],
      { ...evil, parts, signature: signatureId(parts) },
      evil,
    ],
  };
  const path = writeTemporary(folder, "evil.json", asText(content));
  const { imported, warnings } = importCached(path, places);
  expect(imported.length).toBe(2);
  expect(warnings.length).toBe(8);
  expect(warnings.every((warning) => warning.startsWith(path))).toBe(true);
  const expected = [signatureId(parts), evil.signature].map((id) => `hpc_config_${id}.json`);
  expect(readdirSync(places.user).sort()).toEqual(expected.sort());
  expect(readdirSync(join(places.user, "../.."))).toEqual(["cache"]);
});

test("files that are too long, too deep, too many, or of another kind are refused", () => {
  const places = newPlaces(folder);
  const refused = (content: string, ...parts: string[]) =>
    expectRefusal(
      () => importCached(writeTemporary(folder, "bad.json", content), places),
      "badData",
      ...parts,
    );
  refused(`{"format":1,"entries":["${"x".repeat(10e6)}"]}`, "expected at most");
  refused(`{"format":1,"entries":${"[".repeat(1e6)}`, "nested");
  refused(asText({ format: 1, entries: Array(5000).fill(0) }), "at most 4096 entries");
  refused(asText({ format: 1, entries: { 0: toFile(ENTRY) } }), "entries in a list");
  for (const content of ["[]", "null", "3", "{}", '{"entries":[]}', '{"format":2,"entries":[]}']) {
    refused(content, '"format": 1');
  }
  refused('{"__proto__":{"format":1,"entries":[]}}', '"format": 1');
  expect(existsSync(places.user)).toBe(false);
});

test("many bad entries make few warnings; an unwritable folder makes them too", () => {
  const path = writeTemporary(folder, "many.json", asText({ format: 1, entries: Array(4000).fill({}) }));
  const { warnings } = importCached(path, newPlaces(folder));
  expect(warnings.length).toBe(11);
  expect(warnings[10]).toContain("3990 more");
  const file = join(folder, "carried.json");
  const here = newPlaces(folder);
  writeCached(ENTRY, here);
  exportCached(file, here);
  const { imported, warnings: why } = importCached(file, { user: "/proc/x", system: "/nonexistent" });
  expect([imported, why.length]).toEqual([[], 1]);
});
