/** `dotpe-hpc tune`, and what `run` does with what it found: the compiled program, each time with a cache of its own. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSyntheticBank, writeSyntheticEvent } from "../src/bench/synthetic.ts";
import { runBinary } from "./helpers.ts";

const scratch = mkdtempSync(join(tmpdir(), "tune-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const event = writeSyntheticEvent(scratch);
/** As many samples as make a tune worth it. */
const bank = writeSyntheticBank(join(scratch, "bank"), 520);
const SMALL = ["--n-ext", "64", "--n-phi", "16", "--n-t", "32"];

function program(cache: string) {
  const env = { XDG_CACHE_HOME: join(scratch, cache) };
  return (...args: string[]) => runBinary(args, { env });
}

const cached = (cache: string) => {
  const folder = join(scratch, cache, "dotpe");
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.map((name) => ({ name, path: join(folder, name) }));
};

describe("tune, then run", () => {
  const call = program("one");

  test("measures the real work within its candidates, checks every answer, and remembers", async () => {
    const { code, stdout, stderr } = await call("tune", event, bank, ...SMALL, "--budget", "12s", "--json");
    expect(stderr).toStartWith("tuning for d3 m4 b384 t32 o16 e64 i1k, 520 bank samples");
    expect(code).toBe(0);
    const { candidates, setting, built_in, path, signature } = JSON.parse(stdout);
    expect(candidates.length).toBeGreaterThan(1);
    expect(candidates.every((one: { failed?: string }) => one.failed === undefined)).toBeTrue();
    expect(built_in).toMatchObject({ i_batch: 16, batches_per_task: 4, i_tile: 16, e_tile: 128, smt: false });
    expect(path).toBe(join(scratch, "one/dotpe", `hpc_config_${signature}.json`));
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ signature, setting });
    // The log of a tune that has ended is gone.
    expect(cached("one").map(({ name }) => name)).toEqual([`hpc_config_${signature}.json`]);
  }, 60_000);

  test("a second tune prints what is remembered", async () => {
    const { stdout, code } = await call("tune", event, bank, ...SMALL);
    expect(code).toBe(0);
    expect(stdout).toStartWith("remembered: ");
    expect(stdout).toContain("--retune measures again");
  });

  test("run says that it uses it, and a flag wins over it", async () => {
    const [{ path }] = cached("one");
    const entry = JSON.parse(readFileSync(path, "utf8"));
    entry.setting = { ...entry.setting, i_batch: 32, e_tile: 64 };
    writeFileSync(path, JSON.stringify(entry));
    const only = await call("run", event, bank, ...SMALL, "--autotune-only", "--json");
    expect(JSON.parse(only.stdout)).toMatchObject({ i_batch: 32, e_tile: 64, i_tile: entry.setting.i_tile });
    const flag = await call("run", event, bank, ...SMALL, "--autotune-only", "--json", "--i-batch", "8");
    expect(JSON.parse(flag.stdout)).toMatchObject({ i_batch: 8, e_tile: 64 });
    const manual = await call("run", event, bank, ...SMALL, "--autotune-only", "--json", "--hpc", "manual");
    expect(JSON.parse(manual.stdout)).toMatchObject({ i_batch: 16, n_procs: 1 });
    const run = await call("run", event, bank, ...SMALL, "--rundir", join(scratch, "out"));
    expect(run.code).toBe(0);
    expect(run.stderr).toMatch(/^settings: .*batch 32 x .*\(tuned 20\d\d-/m);
  });

  test("other sizes of the same work take the nearest there is", async () => {
    const { stdout, code } = await call("run", event, bank, "--n-ext", "128", "--autotune-only");
    expect(code).toBe(0);
    expect(stdout).toContain("i_batch: 32");
    expect(stdout).toContain("tuned for similar work, d3 m4 b384 t32 o16 e64 i1k");
  });

  test("list, export, clear, import", async () => {
    const file = join(scratch, "exported.json");
    expect((await call("tune", "--list")).stdout).toContain("d3 m4 b384 t32 o16 e64 i1k");
    expect((await call("tune", "--export", file)).stdout).toBe(`1 written to ${file}\n`);
    expect((await call("tune", "--clear")).stdout).toBe("1 forgotten\n");
    expect((await call("tune", "--list")).stdout).toStartWith("nothing is remembered in ");
    expect((await call("tune", "--import", file)).stdout).toBe(`1 taken from ${file}\n`);
    expect((await call("run", event, bank, ...SMALL, "--autotune-only")).stdout).toContain("i_batch: 32");
  });

  test("a broken file is one warning, and the run goes on", async () => {
    const [{ path }] = cached("one");
    writeFileSync(path, readFileSync(path, "utf8").slice(0, 100));
    const args = [event, bank, ...SMALL, "--no-tune", "--rundir", join(scratch, "broken")];
    const { code, stderr } = await call("run", ...args);
    expect(code).toBe(0);
    expect(stderr.match(/warning: .*hpc_config_/g)).toHaveLength(1);
  });
});

describe("run where nothing is known", () => {
  test("measures first and says so; the posterior is the one without tuning, to the byte", async () => {
    const call = program("two");
    const [a, b] = [join(scratch, "a"), join(scratch, "b")];
    const tuned = await call("run", event, bank, ...SMALL, "--rundir", a);
    expect(tuned.code).toBe(0);
    expect(tuned.stderr).toContain("nothing is known of this machine: measuring for");
    expect(tuned.stderr).toContain("(tuned now, ");
    expect(cached("two")).toHaveLength(1);
    const plain = await program("three")("run", event, bank, ...SMALL, "--no-tune", "--rundir", b);
    expect(plain.stderr).not.toContain("measuring");
    expect(cached("three")).toHaveLength(0);
    for (const name of ["prob_samples.feather", "samples.feather", "summary_results.json"])
      expect(readFileSync(join(a, name)).equals(readFileSync(join(b, name)))).toBeTrue();
  }, 60_000);

  test("a cache that cannot be written is one warning", async () => {
    writeFileSync(join(scratch, "no-folder"), "");
    const { code, stderr } = await program("no-folder")(
      "run",
      event,
      bank,
      ...SMALL,
      "--rundir",
      join(scratch, "c"),
    );
    expect(code).toBe(0);
    expect(stderr.match(/warning: the setting is not remembered/g)).toHaveLength(1);
  }, 60_000);

  test("nothing is left in memory", () => {
    const left = existsSync("/dev/shm") ? readdirSync("/dev/shm") : [];
    const mine = left.filter((name) => name.startsWith("dotpe-tune-"));
    // Other tunes may be running: none of ended processes.
    for (const name of mine) expect(existsSync(`/proc/${name.split("-")[2]}`)).toBeTrue();
  });
});

describe("wrong use", () => {
  const call = program("four");
  test.each([
    [["tune", "--search", "luck"], "--search: found luck, expected grid, halving, surrogate"],
    [["tune", "--budget", "soon"], "--budget: found soon, expected 1s to 24h"],
    [["tune", "--list", "--clear"], "found --list and --clear, expected one of them"],
    [["tune", "event.npz"], "no bank folder given"],
    [["tune", "e", "b", "--benchmark", "m.ts"], "--benchmark and EVENT: found both"],
    [["tune", "--benchmark", "/nowhere.ts"], "/nowhere.ts: cannot be loaded"],
    [["tune", "--numa", "77"], "--numa: found 77, expected a NUMA node"],
    [["tune", "--benchmark-option", "x"], "--benchmark-option: found x, expected KEY=VALUE"],
    [
      ["run", "e", "b", "--memory-fraction", "2"],
      "--memory-fraction: found 2, expected a number above 0 and at most 1",
    ],
  ])("%p", async (args, message) => {
    const { code, stderr } = await call(...args);
    expect(stderr).toContain(`error: ${message}`);
    expect([64, 66]).toContain(code);
  });

  test("memory that no run fits in is an error, memory that few threads fit in a warning", async () => {
    const run = (share: string, name: string) =>
      call(
        "run",
        event,
        bank,
        ...SMALL,
        "--no-tune",
        "--rundir",
        join(scratch, name),
        "--memory-fraction",
        share,
      );
    const none = await run("0.0001", "none");
    expect(none.code).toBe(75);
    expect(none.stderr).toMatch(/error: memory: found \d+ MB that may be used .* expected at least \d+ MB/);
    expect(existsSync(join(scratch, "none"))).toBeFalse();
  });
});
