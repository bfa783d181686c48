/** Packed banks in the whole program: through the binary. */
import { beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readFeather } from "../src/io/feather.ts";
import { FIXTURES, runBinary } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";

const EVENT = join(FIXTURES, "events/GW170814.npz");
const BANK = join(FIXTURES, "banks/s");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const COARSE = ["--n-phi", "16", "--n-t", "32", "--n-ext", "96", "--seed", "9"];

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runBinary(args, { cwd: folder });
  if (code !== 0) throw new Error(`exit ${code}: ${stderr}`);
  return stdout;
}

beforeAll(async () => {
  await ok("bank", "pack", BANK, "exact", "--quiet");
  await ok("bank", "pack", BANK, "lossy", "--tolerance", "0.01", "--quiet", "--n-procs", "2");
  await ok("run", EVENT, BANK, "--rundir", "npy", ...COARSE);
});

test("a run from an exactly packed bank gives the same bytes", async () => {
  await ok("run", EVENT, "exact", "--rundir", "from-exact", ...COARSE, "--n-procs", "2");
  for (const name of ["prob_samples", "samples", "extrinsic_samples"]) {
    const [found, expected] = ["from-exact", "npy"].map((run) => readFileSync(at(`${run}/${name}.feather`)));
    expect([name, found.equals(expected)]).toEqual([name, true]);
  }
});

test("a run from a bank packed within a tolerance gives the same likelihoods within it", async () => {
  const given = ["--extrinsic-samples", at("npy/extrinsic_samples.feather")];
  const settings = ["--n-phi", "16", "--n-t", "32"];
  await ok("run", EVENT, BANK, "--rundir", "given", ...settings, ...given);
  await ok("run", EVENT, "lossy", "--rundir", "from-lossy", ...settings, ...given);
  const [found, expected] = ["from-lossy", "given"].map((run) => {
    const table = readFeather(at(`${run}/prob_samples.feather`));
    const [i, e, o, lnl] = ["i", "e", "o", "bestfit_lnlike"].map((name) => table.f64(name));
    return new Map(Array.from(lnl, (x, k) => [`${i[k]} ${e[k]} ${o[k]}`, x]));
  });
  expect(expected.size).toBeGreaterThan(100);
  let [common, largest] = [0, 0];
  for (const [row, lnl] of expected) {
    const other = found.get(row);
    if (other === undefined) continue;
    common++;
    largest = Math.max(largest, Math.abs(other - lnl));
  }
  expect(common).toBeGreaterThan(0.98 * expected.size);
  expect(largest).toBeGreaterThan(0);
  expect(largest).toBeLessThan(0.01);
});

test("unpack gives the .npy files again; --json says sizes and errors", async () => {
  const unpacked = JSON.parse(await ok("bank", "unpack", "exact", "again", "--json", "--quiet"));
  expect(unpacked).toMatchObject({ samples: 96, blocks: 3, mode: "exact", rawBytes: 4644864 });
  for (const name of readdirSync(join(BANK, "waveforms"))) {
    const [found, expected] = [at("again"), BANK].map((bank) => readFileSync(join(bank, "waveforms", name)));
    expect(found.equals(expected)).toBe(true);
  }
  const packed = JSON.parse(
    await ok(
      "bank",
      "pack",
      "again",
      "again-lossy",
      "--json",
      "--quiet",
      "--tolerance",
      "0.02",
      "--snr",
      "10",
    ),
  );
  expect(packed).toMatchObject({ mode: "rounded", samples: 96, rounding: { tolerance: 0.02, snr: 10 } });
  expect(6 * 10 * packed.rounding.relativeError).toBeLessThan(0.021);
});

test.each(["exact", "again"])(
  "bank %s has the checksums of its files, and bank check uses them",
  async (bank) => {
    const { checks } = JSON.parse(await ok("bank", "check", bank, "--json", "--quiet")).banks[0];
    const found = checks.find(({ name }: { name: string }) => name === "checksums");
    expect([found.level, found.found]).toEqual([
      "pass",
      `${bank === "exact" ? 3 : 8} files are what SHA256SUMS says`,
    ]);
  },
);

describe("what is refused", () => {
  test.each([
    [["pack"], 64, "found 0 folders, expected BANK and OUT"],
    [["pack", BANK, "x", "--tolerance", "no"], 64, "--tolerance: found no, expected a number above 0"],
    [["pack", BANK, "x", "--tolerance", "0"], 64, "--tolerance: found 0"],
    [["pack", BANK, "x", "--snr", "30"], 64, "--snr: found without --tolerance"],
    [["pack", BANK, "x", "--n-procs", "1.5"], 64, "--n-procs: found 1.5"],
    [["pack", BANK, "exact"], 73, "exact: exists already"],
    [["pack", "absent", "x"], 66, "absent: no such folder"],
    [["unpack", BANK, "x"], 65, "is not packed"],
    [["unpack", "exact"], 64, "found 1 folders"],
  ])("%p", async (args, code, message) => {
    const result = await runBinary(["bank", ...args], { cwd: folder });
    expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(message)]);
    expect(readdirSync(folder).filter((name) => name === "x" || name.endsWith(".part"))).toEqual([]);
  });

  test("--help describes both", async () => {
    expect(await ok("bank", "pack", "--help")).toContain("--tolerance T");
    expect(await ok("bank", "unpack", "--help")).toContain("PACKED");
  });
});
