import { expect, test } from "bun:test";
import { formatTable } from "../src/bench/table.ts";
import { cacheRows, LIST_TEXT_COLUMNS } from "../src/tune/cache-list.ts";
import { madeEntry } from "./tune-entries.ts";

const AT = Date.parse("2026-02-03T12:00:00.000Z");

test("one row an entry, the system's marked", () => {
  const [a, b] = [madeEntry("a"), madeEntry("b")];
  const one = { ...b, setting: { ...b.setting, n_procs: 1, smt: true } };
  const found = [
    { entry: a, path: "/etc/dotpe/x.json" },
    { entry: one, path: "/home/x/.cache/dotpe/x.json" },
  ];
  const rows = cacheRows(found, AT, "/etc/dotpe");
  expect(rows.length).toBe(3);
  expect(rows[1]).toEqual([
    `${a.signature.id} (system)`,
    "AMD EPYC 7763 64-Core, 8 cores",
    "a",
    "8 threads, batch 128 x 2, tile 16 x 256, x86-64-v3",
    "1,500,000 likelihoods/s",
    "1.25x",
    "3 d",
  ]);
  expect(rows[2][0]).toBe(b.signature.id);
  expect(rows[2][3]).toBe("1 thread, batch 128 x 2, tile 16 x 256, x86-64-v3, SMT");
  const lines = formatTable(rows, LIST_TEXT_COLUMNS).trimEnd().split("\n");
  expect(lines.length).toBe(3);
  expect(lines.every((line) => line.length < 200)).toBe(true);
  expect(cacheRows([], AT, "/etc/dotpe").length).toBe(1);
});

test("ages, and one of the future", () => {
  const ages = [-1, 0, 5 * 60e3, 47 * 3600e3, 48 * 3600e3].map((age) => {
    const entry = { ...madeEntry(), created: new Date(AT - age).toISOString() };
    return cacheRows([{ entry, path: "/x" }], AT, "/y")[1].at(-1);
  });
  expect(ages).toEqual(["-", "now", "5 min", "47 h", "2 d"]);
});

test("long names and parts that are missing", () => {
  const entry = (parts: Record<string, string>) => madeEntry("x", { signature: { id: "0", parts } });
  const nameOf = (parts: Record<string, string>) =>
    cacheRows([{ entry: entry(parts), path: "/x" }], AT, "/y")[1][1];
  expect(nameOf({ cpu: "Intel(R) Xeon(R) Platinum 8480+ CPU", cores: "112" })).toBe(
    "Intel Xeon Platinum 8480+, 112 cores",
  );
  expect(nameOf({ cpu: "z".repeat(100), cores: "1" })).toBe(`${"z".repeat(37)}..., 1 core`);
  expect(nameOf({})).toBe("-");
});
