import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  cachePlaces,
  clearCached,
  listCached,
  type Places,
  readCached,
  writeCached,
} from "../src/tune/cache.ts";
import { parseEntry, toFile } from "../src/tune/entry.ts";
import { temporaryFolder, writeTemporary } from "./io-helpers.ts";
import { madeEntry, newPlaces } from "./tune-entries.ts";

const folder = temporaryFolder();
const USABLE = { workers: 16, kernels: ["x86-64-v3", "ref"] };
const ENTRY = madeEntry();
const FILE_NAME = `hpc_config_${ENTRY.signature.id}.json`;

/** Places where the user's file for `ENTRY` has this content. */
function placesWith(content: string | Uint8Array): { user: string; system: string } {
  const places = newPlaces(folder);
  mkdirSync(places.user, { recursive: true });
  writeFileSync(join(places.user, FILE_NAME), content);
  return places;
}

function read(places: Places) {
  return readCached(ENTRY.signature, USABLE, places);
}

/** The one warning of a file that is not used. */
function warningOf(content: string | Uint8Array): string {
  const places = placesWith(content);
  const { found, warnings } = read(places);
  expect(found).toBeUndefined();
  expect(warnings.length).toBe(1);
  expect(warnings[0]).toStartWith(join(places.user, FILE_NAME));
  expect(warnings[0]).not.toMatch(/[^\P{C}]/u);
  return warnings[0];
}

const asText = (value: unknown) => JSON.stringify(value);
const changed = (change: object) => asText({ ...toFile(ENTRY), ...change });
const changedSetting = (change: object) => changed({ setting: { ...toFile(ENTRY).setting, ...change } });

describe("places", () => {
  test("follow XDG_CACHE_HOME if it is absolute, else HOME", () => {
    const user = (environment: Record<string, string>) => cachePlaces(environment).user;
    expect(user({ XDG_CACHE_HOME: "/x/cache", HOME: "/home/a" })).toBe("/x/cache/dotpe");
    expect(user({ HOME: "/home/a" })).toBe("/home/a/.cache/dotpe");
    for (const relative of ["", "cache", "./cache", "~/cache"]) {
      expect(user({ XDG_CACHE_HOME: relative, HOME: "/home/a" })).toBe("/home/a/.cache/dotpe");
    }
    expect(user({})).toBeUndefined();
    expect(user({ HOME: "" })).toBeUndefined();
    expect(cachePlaces({}).system).toBe("/etc/dotpe");
  });

  test("without a home nothing is found, and writing is a warning", () => {
    const places = { user: undefined, system: join(folder, "none") };
    expect(read(places)).toEqual({ warnings: [] });
    expect(writeCached(ENTRY, places)).toEqual({ warning: expect.stringContaining("HOME") });
    expect(clearCached(places).removed).toEqual([]);
  });
});

describe("an entry", () => {
  test("comes back as it was written, in a file that people can read", () => {
    const places = newPlaces(folder);
    expect(read(places)).toEqual({ warnings: [] });
    const path = join(places.user, FILE_NAME);
    expect(writeCached(ENTRY, places)).toEqual({ path });
    expect(read(places)).toEqual({ found: { entry: ENTRY, path }, warnings: [] });
    const text = readFileSync(path, "utf8");
    expect(text).toContain(
      `\n  "setting": {\n    "n_procs": 8,\n    "i_batch": 128,\n    "batches_per_task": 2,`,
    );
    expect(text).toContain(
      `"i_tile": 16,\n    "e_tile": 256,\n    "kernel": "x86-64-v3",\n    "smt": false\n`,
    );
    expect(JSON.parse(text)).toMatchObject({ format: 1, signature: ENTRY.signature.id, default_rate: 1.2e6 });
  });

  test("of the system is taken first; a bad one gives way with a warning", () => {
    const places = newPlaces(folder);
    writeCached(ENTRY, places);
    const other = { ...ENTRY, host: "administrator" };
    writeCached(other, { user: places.system, system: "/nonexistent" });
    expect(read(places).found).toEqual({ entry: other, path: join(places.system, FILE_NAME) });
    writeFileSync(join(places.system, FILE_NAME), "{");
    const { found, warnings } = read(places);
    expect(found?.entry).toEqual(ENTRY);
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toContain(places.system);
  });

  test("that could not be read again is not written", () => {
    const places = newPlaces(folder);
    for (const change of [{ rate: Number.NaN }, { error: Infinity }, { gain: 0 }, { created: "today" }]) {
      const written = writeCached({ ...ENTRY, ...change }, places);
      expect(written).toEqual({ warning: expect.stringContaining(`field ${Object.keys(change)[0]}`) });
    }
    const foreign = { ...ENTRY, signature: { ...ENTRY.signature, id: "../../../../x" } };
    expect(writeCached(foreign, places)).toEqual({ warning: expect.stringContaining("field signature") });
    expect(existsSync(places.user)).toBe(false);
  });
});

describe("a bad file is one warning", () => {
  const whole = asText(toFile(ENTRY));

  test("truncated at any byte", () => {
    const places = placesWith(whole);
    expect(read(places).found?.entry).toEqual(ENTRY);
    for (let n = 0; n < whole.length; n++) {
      writeFileSync(join(places.user, FILE_NAME), whole.slice(0, n));
      const { found, warnings } = read(places);
      expect([n, found, warnings.length]).toEqual([n, undefined, 1]);
    }
  });

  test("altered at random: what is taken is valid, the rest is a warning", () => {
    const places = placesWith(whole);
    let state = 12345;
    const random = (n: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    let taken = 0;
    for (let k = 0; k < 2000; k++) {
      const bytes = Buffer.from(whole);
      for (let m = 0; m <= random(3); m++) bytes[random(bytes.length)] = random(256);
      writeFileSync(join(places.user, FILE_NAME), bytes);
      const { found, warnings } = read(places);
      expect(warnings.length).toBe(found === undefined ? 1 : 0);
      if (found === undefined) continue;
      taken++;
      // The signature and what it follows from are as they were.
      expect(found.entry.signature).toEqual(ENTRY.signature);
      expect(found.entry.setting.n_procs).toBeGreaterThanOrEqual(1);
      expect(found.entry.setting.n_procs).toBeLessThanOrEqual(USABLE.workers);
      expect(USABLE.kernels).toContain(found.entry.setting.kernel);
    }
    // Changes of a digit in a number are not noticed: both outcomes occur.
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(2000);
  });

  test("foreign: another format, signature, kind of content", () => {
    expect(warningOf(changed({ format: 2 }))).toContain("field format: found 2, expected 1");
    const other = madeEntry("other");
    expect(warningOf(asText(toFile(other)))).toContain(
      `field signature: found ${other.signature.id}, expected ${ENTRY.signature.id} as in the file's name`,
    );
    expect(warningOf(changed({ parts: { ...ENTRY.signature.parts, cpu: "mine" } }))).toContain(
      "follows from its parts",
    );
    for (const content of ["null", "[]", "3", '"x"', "[[1]]", "{}"]) warningOf(content);
    expect(warningOf(Uint8Array.of(0xff, 0xfe, 0))).toContain("not UTF-8");
    expect(warningOf("")).toContain("not valid JSON");
  });

  test("out of bounds: every field of the setting", () => {
    const bad = {
      n_procs: [0, -1, 1e9, 1.5, "8", null, 17],
      i_batch: [0, 1e9, true],
      batches_per_task: [0, 1e9],
      i_tile: [0, 1e9],
      e_tile: [0, 1e9],
      kernel: ["", "../x", "x".repeat(99), 3, "x86-64-v4"],
      smt: ["yes", 0, null],
    };
    for (const [name, values] of Object.entries(bad)) {
      for (const value of values) {
        expect(warningOf(changedSetting({ [name]: value }))).toContain(`field setting.${name}: found`);
      }
      expect(warningOf(changedSetting({ [name]: undefined }))).toContain("field setting");
    }
    expect(warningOf(changedSetting({ n_procs: 17 }))).toContain("found 17, expected at most 16");
  });

  test("numbers and texts that make no sense", () => {
    const bad = [
      { rate: 0 },
      { rate: -1 },
      { rate: "fast" },
      { error: -1 },
      { candidates: 0 },
      { seconds: -1 },
    ];
    const texts = [
      { host: "a\u001b[2J" },
      { unit: "a\nb" },
      { search: "\u202e" },
      { version: "x".repeat(99) },
      { host: 3 },
    ];
    const times = [{ created: "yesterday" }, { created: "2026-13-31T12:00:00.000Z" }, { created: 5 }];
    for (const change of [...bad, ...texts, ...times]) {
      expect(warningOf(changed(change))).toContain(`field ${Object.keys(change)[0]}: found`);
    }
    const many = Object.fromEntries(Array.from({ length: 99 }, (_, k) => [`p${k}`, "x"]));
    for (const parts of [many, { "a b": "x" }, { cpu: 3 }, { cpu: "x".repeat(9999) }, null, 3]) {
      expect(warningOf(changed({ parts }))).toContain("field parts");
    }
    // A number beyond double precision is Infinity to JSON.parse.
    expect(warningOf(changed({}).replace('"rate":1500000', '"rate":1e999'))).toContain("field rate");
  });

  test("huge, deep, or no file at all", () => {
    expect(warningOf(`${whole}${" ".repeat(2 ** 16)}`)).toContain("expected at most 65536");
    expect(warningOf("[".repeat(60_000))).toContain("nested");
    const places = newPlaces(folder);
    const path = join(places.user, FILE_NAME);
    mkdirSync(path, { recursive: true });
    expect(read(places).warnings).toEqual([expect.stringContaining("a folder")]);
    rmSync(path, { recursive: true });
    symlinkSync(path, path);
    expect(read(places).warnings).toEqual([expect.stringContaining("ELOOP")]);
    rmSync(path);
    symlinkSync(join(folder, "absent"), path);
    expect(read(places)).toEqual({ warnings: [] });
    rmSync(path);
    // Nobody writes to it: opening it must not wait.
    expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
    expect(read(places).warnings).toEqual([expect.stringContaining("a special file")]);
  });

  test("__proto__ changes nothing", () => {
    const proto = `{"__proto__": {"n_procs": 4}, ${changed({}).slice(1)}`;
    const places = placesWith(proto);
    expect(read(places).found?.entry).toEqual(ENTRY);
    const parts = changed({}).replace('"parts":{', '"parts":{"__proto__":"x",');
    expect(parts).not.toBe(changed({}));
    expect(read(placesWith(parts)).found?.entry).toEqual(ENTRY);
    expect(({} as { n_procs?: number }).n_procs).toBeUndefined();
  });
});

describe("a folder that cannot be written", () => {
  test("is one warning", () => {
    const file = writeTemporary(folder, "in-the-way", "");
    for (const user of [join(file, "dotpe"), file, "/proc/dotpe"]) {
      const places = { user, system: "/nonexistent" };
      const written = writeCached(ENTRY, places);
      expect(written).toEqual({ warning: expect.stringContaining(`the setting is not remembered: ${user}`) });
      expect(read(places).found).toBeUndefined();
      expect(listCached(places)).toEqual({ found: [], warnings: [] });
      expect(clearCached(places)).toEqual({ removed: [], warnings: [] });
    }
  });

  test("with a folder in the file's place too, and nothing is left behind", () => {
    const places = newPlaces(folder);
    mkdirSync(join(places.user, FILE_NAME, "x"), { recursive: true });
    expect(writeCached(ENTRY, places)).toEqual({ warning: expect.stringContaining("it is a folder") });
    expect(readdirSync(places.user)).toEqual([FILE_NAME]);
  });
});

test("many processes write one entry while it is read: it is always whole", async () => {
  const places = newPlaces(folder);
  const { signature } = madeEntry("race");
  const writers = Array.from({ length: 8 }, (_, k) =>
    Bun.spawn([process.execPath, join(import.meta.dir, "cache-writer.ts"), places.user, "50", `${k}`], {
      stdout: "inherit",
      stderr: "inherit",
    }),
  );
  let running = true;
  const ended = Promise.all(writers.map((writer) => writer.exited)).finally(() => {
    running = false;
  });
  const hosts = new Set<string>();
  while (running) {
    const { found, warnings } = readCached(signature, USABLE, places);
    expect(warnings).toEqual([]);
    if (found !== undefined) hosts.add(found.entry.host);
    await Bun.sleep(0);
  }
  expect(await ended).toEqual(writers.map(() => 0));
  expect(hosts.size).toBeGreaterThan(1);
  expect(readCached(signature, USABLE, places).found?.entry.candidates).toBe(50);
  expect(readdirSync(places.user)).toEqual([`hpc_config_${signature.id}.json`]);
}, 120_000);

describe("list and clear", () => {
  function filled() {
    const places = newPlaces(folder);
    const [a, b, c] = ["a", "b", "c"].map((name) => madeEntry(name));
    writeCached(a, places);
    writeCached(b, places);
    writeCached(c, { user: places.system, system: "/nonexistent" });
    writeFileSync(join(places.user, "other.json"), "{}");
    return { places, a, b, c };
  }

  test("every entry is listed, the system's first; bad ones are warnings", () => {
    const { places, a, b, c } = filled();
    writeFileSync(join(places.user, "hpc_config_0123456789abcdef.json"), "x");
    const { found, warnings } = listCached(places);
    const ids = [a, b].map(({ signature }) => signature.id).sort();
    expect(found.map(({ entry }) => entry.signature.id)).toEqual([c.signature.id, ...ids]);
    expect(warnings).toEqual([expect.stringContaining("0123456789abcdef.json")]);
    expect(listCached(newPlaces(folder))).toEqual({ found: [], warnings: [] });
  });

  test("clearing takes the user's entries, and old leftovers, and nothing else", () => {
    const { places, a, b, c } = filled();
    const log = `tune_${a.signature.id}_node17_4711-99.log`;
    const part = `.hpc_config_${a.signature.id}.json.4711-0198.part`;
    for (const name of [log, part]) {
      writeFileSync(join(places.user, `${name}`), "");
      utimesSync(join(places.user, name), 1, 1);
    }
    const young = `tune_${b.signature.id}_node17_4711-99.log`;
    writeFileSync(join(places.user, young), "");
    expect(clearCached(places, [a.signature.id]).removed).toEqual([
      join(places.user, `hpc_config_${a.signature.id}.json`),
    ]);
    expect(readdirSync(places.user)).toContain(log);
    expect(clearCached(places)).toEqual({
      removed: [join(places.user, `hpc_config_${b.signature.id}.json`)],
      warnings: [],
    });
    expect(readdirSync(places.user).sort()).toEqual(["other.json", young]);
    expect(listCached(places).found.map(({ entry }) => entry)).toEqual([c]);
  });
});

test("what is said of a bad entry shows no control characters of it", () => {
  const said = parseEntry({ ...toFile(ENTRY), format: "\u001b[2J\u202e".repeat(50) }) as string;
  expect(said).toStartWith("field format: found");
  expect(said).not.toMatch(/\p{C}/u);
  const key = parseEntry({ ...toFile(ENTRY), parts: { "\u001b[2J": "x" } }) as string;
  expect(key).not.toMatch(/\p{C}/u);
});
