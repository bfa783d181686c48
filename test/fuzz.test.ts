/** Hostile input: what was found before, and a short run of the fuzzer (`bun test/fuzz/run.ts` runs a longer one). */
import { describe, expect, test } from "bun:test";
import { copyFileSync, readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { FORMATS } from "./fuzz/formats.ts";
import { readInput } from "./fuzz/outcome.ts";
import { fuzz } from "./fuzz/watch.ts";
import { temporaryFolder } from "./io-helpers.ts";

const folder = temporaryFolder();
const FOUND = join(import.meta.dir, "fuzz/found");

/** Files are named after the format, the longest name that fits. */
const formatOf = (file: string) =>
  FORMATS.filter(({ name }) => file.startsWith(`${name}-`)).sort((a, b) => b.name.length - a.name.length)[0];

describe("what was found once is refused", () => {
  for (const file of readdirSync(FOUND)) {
    test(file, () => {
      const format = formatOf(file);
      expect(extname(file)).toBe(`.${format.extension}`);
      const path = join(folder, `input${extname(file)}`);
      copyFileSync(join(FOUND, file), path);
      expect(readInput(format, path)).toMatchObject({ kind: "refused" });
    });
  }
});

/** Of a format; fewer where one takes long. */
const N = 2000;
const FEWER: Readonly<Record<string, number>> = { yaml: 1000, event: 1000, reference: 500, pack: 300 };

describe.skipIf(process.platform !== "linux")("a value or a DotpeError, in time and in little memory", () => {
  for (const format of FORMATS) {
    const n = FEWER[format.name] ?? N;
    test(`${format.name}: ${n} hostile files`, async () => {
      const watched = { n, seed: "2026", folder, limitMs: 60_000 };
      const { executions, values, refused, found, depths } = await fuzz(format, watched);
      expect(found).toEqual([]);
      expect(executions).toBe(n);
      expect(values + refused).toBe(n);
      // They come through to the last stage, and end at every stage before.
      expect(Math.min(...depths.slice(0, 1), depths.at(-1)!)).toBeGreaterThan(n / 50);
    }, 120_000);
  }
});
