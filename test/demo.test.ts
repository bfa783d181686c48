/** `dotpe-hpc demo`, by the compiled binary, with a small bank. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GW170814_PUBLISHED } from "../src/demo/gw170814.ts";
import { readEvent } from "../src/gw/event.ts";
import { FIXTURES, runBinary } from "./helpers.ts";

const folder = mkdtempSync(join(tmpdir(), "dotpe-demo-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const N = "4096";

describe("demo", () => {
  const out = join(folder, "demo");

  test("makes event, bank, run and page; the answer agrees with the published one", async () => {
    const { code, stdout, stderr } = await runBinary(["demo", out, "--n", N, "--quiet", "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { values, sky_areas_deg2, page, summary, steps } = JSON.parse(stdout);
    for (const path of ["event/GW170814.npz", "bank/bank_config.json", "run/summary_results.json"])
      expect(existsSync(join(out, path))).toBe(true);
    expect(page).toBe(join(out, "report.html"));
    const html = readFileSync(page, "utf8");
    expect(html).toContain("<h1>GW170814</h1>");
    expect(html).toContain("4,096 IMRPhenomD waveforms");
    expect(html).toContain("GWTC-1");
    expect(steps.map(({ name }: { name: string }) => name)).toEqual(["bank", "run", "page"]);
    expect(summary.n_i).toBe(4096);
    // Each median within the other's 90% interval.
    for (const [name, published] of Object.entries(GW170814_PUBLISHED.values)) {
      const found = values[name];
      expect(found.median).toBeGreaterThan(published.lo);
      expect(found.median).toBeLessThan(published.hi);
      expect(published.median).toBeGreaterThan(found.lo);
      expect(published.median).toBeLessThan(found.hi);
    }
    expect(sky_areas_deg2["0.9"]).toBeGreaterThan(40);
    expect(sky_areas_deg2["0.9"]).toBeLessThan(160);
  });

  test("again into the same folder: replaced, with the same answer; a stranger's file stays", async () => {
    const before = readFileSync(join(out, "run/samples.feather"));
    writeFileSync(join(out, "notes.txt"), "mine");
    const { code, stdout } = await runBinary(["demo", out, "--n", N, "--quiet", "--n-procs", "1"]);
    expect(code).toBe(0);
    expect(readFileSync(join(out, "run/samples.feather")).equals(before)).toBe(true);
    expect(readFileSync(join(out, "notes.txt"), "utf8")).toBe("mine");
    expect(stdout).toMatch(
      /^chirp mass \(source frame\) +Msun +\d+\.\d \+\d\.\d -\d\.\d +24\.1 \+1\.4 -1\.1$/m,
    );
    expect(stdout).toMatch(/^sky area \(90%\) +deg\^2 +\d+ +87$/m);
    expect(stdout).toContain("dotpe-hpc bank create BANK --event EVENT.npz");
    expect(stdout).toContain("dotpe-hpc run EVENT.npz BANK");
  });

  test("a folder that is not a demo's is refused and left as it is", async () => {
    const other = join(folder, "other");
    mkdirSync(join(other, "run"), { recursive: true });
    const { code, stderr } = await runBinary(["demo", other, "--n", N]);
    expect(code).toBe(73);
    expect(stderr).toContain("found something that is not a demo");
    expect(existsSync(join(other, "run"))).toBe(true);
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect((await runBinary(["demo", file])).code).toBe(73);
  });

  test("bad options", async () => {
    for (const args of [
      ["--n", "0"],
      ["--n", "12x"],
      ["--seed", "-1"],
      ["--n-procs", "0"],
      ["a", "b"],
    ]) {
      const { code, stderr } = await runBinary(["demo", ...args]);
      expect({ args, code }).toEqual({ args, code: 64 });
      expect(stderr).toContain("dotpe-hpc demo --help");
    }
    const help = await runBinary(["demo", "--help"]);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain("dotpe-hpc-demo");
  });
});

test("the event of the demo is the fixture's", () => {
  const [demo, fixture] = ["../src/demo", "fixtures/events"].map((at) =>
    readFileSync(join(FIXTURES, "..", at, "GW170814.npz")),
  );
  expect(demo.equals(fixture)).toBe(true);
  expect(readEvent(join(FIXTURES, "events/GW170814.npz")).name).toBe("GW170814");
});
