/** Runs that were interrupted, through the binary: who may go on, with what, and that it is the same run. */
import { beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT_CODES } from "../src/errors.ts";
import { thisOwner } from "../src/rundir/owner.ts";
import { GIVEN } from "./error-cases.ts";
import { BINARY, type BinaryResult, CACHE, runBinary } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import { BANK, EVENT } from "./make-inputs.ts";

const folder = temporaryFolder();
/** Of a copy of the bank, which the tests spoil. */
const BANK_COPY = join(folder, "bank");
const RUN = ["run", EVENT, BANK_COPY, ...GIVEN];
const OFTEN = ["--checkpoint-interval", "0"];
const UNLIKE = ["run_kwargs.json", "manifest.json", "timings.json"];

beforeAll(async () => {
  cpSync(BANK, BANK_COPY, { recursive: true, preserveTimestamps: true });
  expect((await runBinary([...RUN, "--rundir", join(folder, "whole")])).code).toBe(0);
});

/** All files of a run but those that tell of the run itself. */
function bytesOf(rundir: string): Record<string, string> {
  const files = readdirSync(rundir, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  const wanted = paths.filter((path) => !UNLIKE.some((name) => path.endsWith(name)));
  return Object.fromEntries(wanted.map((path) => [path.slice(rundir.length), readFileSync(path, "base64")]));
}

const environment = { ...process.env, XDG_CACHE_HOME: CACHE };

/** Begins a run and sends a signal as soon as it has saved something. */
async function interrupted(rundir: string, signal: NodeJS.Signals, args = [...RUN, "--rundir", rundir]) {
  const child = Bun.spawn([BINARY, ...args, ...OFTEN, "--quiet"], {
    ...{ cwd: folder, env: environment, stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  });
  const isSaved = () =>
    existsSync(join(rundir, "checkpoint")) &&
    readdirSync(join(rundir, "checkpoint")).some((name) => /^[^.].*\.npz$/.test(name));
  while (child.exitCode === null && !isSaved()) await Bun.sleep(1);
  child.kill(signal);
  const [code, stderr] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  return { code, stderr };
}

async function expectGoesOn(rundir: string, again: BinaryResult): Promise<void> {
  expect([again.code, again.stderr]).toEqual([
    0,
    expect.stringContaining(`goes on with ${rundir}, process 2`),
  ]);
  expect(bytesOf(rundir)).toEqual(bytesOf(join(folder, "whole")));
}

describe("goes on", () => {
  test.each(["SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGKILL"] as const)(
    "%s",
    async (signal) => {
      const rundir = join(folder, signal);
      const { code, stderr } = await interrupted(rundir, signal);
      if (signal === "SIGKILL") expect(code).toBe(137);
      else
        expect([code, stderr]).toEqual([
          EXIT_CODES.runAgain,
          expect.stringContaining(`stopped by ${signal}`),
        ]);
      expect(existsSync(join(rundir, "summary_results.json"))).toBe(false);
      const threads = signal === "SIGKILL" ? ["--n-procs", "3", "--recycle", "1"] : [];
      // From anywhere, by the directory alone, or by the same command.
      const how = signal === "SIGINT" ? ["run", "--resume", rundir] : [...RUN, "--rundir", rundir];
      await expectGoesOn(rundir, await runBinary([...how, ...threads]));
    },
  );

  test("the last run_N that is not complete, and then the next one", async () => {
    const events = join(folder, "events");
    const args = [...RUN, "--event-dir", events];
    await interrupted(join(events, "run_0"), "SIGTERM", args);
    await interrupted(join(events, "run_1"), "SIGKILL", [...args, "--seed", "9"]);
    await expectGoesOn(join(events, "run_0"), await runBinary(args));
    expect((await runBinary(args)).code).toBe(0);
    expect(readdirSync(events).sort()).toEqual(["run_0", "run_1", "run_2"]);
    expect(existsSync(join(events, "run_1/checkpoint"))).toBe(true);
  });

  test("a second signal ends it at once, as the signal does", async () => {
    const rundir = join(folder, "twice");
    const child = Bun.spawn([BINARY, ...RUN, "--rundir", rundir], {
      ...{ env: environment, stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    });
    while (child.exitCode === null && !existsSync(join(rundir, "manifest.json"))) await Bun.sleep(1);
    child.kill("SIGSTOP");
    child.kill("SIGTERM");
    child.kill("SIGINT");
    child.kill("SIGCONT");
    // Whether it was between two of its steps decides which of the two it is.
    expect([EXIT_CODES.runAgain, 128 + 2, 128 + 15]).toContain(await child.exited);
    const { code } = await runBinary([...RUN, "--rundir", rundir]);
    expect(code).toBe(0);
    expect(bytesOf(rundir)).toEqual(bytesOf(join(folder, "whole")));
  });
});

describe("is refused", () => {
  const rundir = join(folder, "begun");
  beforeAll(async () => {
    await interrupted(rundir, "SIGKILL");
  });
  const again = (more: string[] = []) => runBinary([...RUN, "--rundir", rundir, ...more]);
  const expectMismatch = ({ code, stderr }: BinaryResult, ...lines: string[]) => {
    expect(stderr.split("\n")).toEqual([
      `error: run directory ${rundir}: begun with other inputs or settings:`,
      ...lines.map((line) => expect.stringContaining(`  ${line}`)),
      expect.stringContaining("hint: Give what it was begun with"),
      "",
    ]);
    expect(code).toBe(EXIT_CODES.mismatch);
  };

  test("with other settings: each is named", async () => {
    const { code, stderr } = await again(["--n-t", "16", "--seed", "9", "--size-limit", "77", "--quiet"]);
    expectMismatch({ code, stdout: "", stderr }, "seed: was 0, is 9", "size_limit: was 10000000, is 77");
  });

  test("with an input that has changed: in a byte, in its place", async () => {
    for (const [name, words] of [
      ["bank_config.json", "bank_0 bank_config.json: its content has changed"],
      ["waveforms/phase_block_1.npy", "bank_0 phase_block_1.npy: its content has changed"],
    ] as const) {
      const path = join(BANK_COPY, name);
      const before = readFileSync(path);
      const changed = Buffer.from(before);
      // A digit of the configuration's metadata would do as well; blanks at its end change no number.
      if (name.endsWith("json")) writeFileSync(path, Buffer.concat([before, Buffer.from(" ")]));
      else {
        changed[changed.length - 5] ^= 1;
        writeFileSync(path, changed);
      }
      const result = await again(["--quiet"]);
      writeFileSync(path, before);
      expectMismatch(result, words);
    }
  });

  test("by another version, or with other arithmetic", async () => {
    const path = join(rundir, "manifest.json");
    const before = readFileSync(path, "utf8");
    const manifest = JSON.parse(before);
    const program = { ...manifest.program, version: "0.0.1", arithmetic: "pencil" };
    writeFileSync(path, JSON.stringify({ ...manifest, program }));
    const result = await again(["--quiet"]);
    writeFileSync(path, before);
    expectMismatch(result, 'version: was "0.0.1", is ', 'arithmetic: was "pencil", is ');
  });

  test("--resume with a place, of a folder that is no run", async () => {
    const both = await runBinary(["run", "--resume", rundir, "--event-dir", folder]);
    expect([both.code, both.stderr]).toEqual([
      EXIT_CODES.usage,
      expect.stringContaining("--resume and --event-dir"),
    ]);
    const none = await runBinary(["run", "--resume", folder]);
    expect([none.code, none.stderr]).toEqual([EXIT_CODES.noInput, expect.stringContaining("manifest.json")]);
  });

  test("while another process has it: which, and what to do", async () => {
    const owner = join(rundir, "checkpoint/owner-1.json");
    const before = readFileSync(owner);
    const { pid, start } = thisOwner(1);
    writeFileSync(owner, JSON.stringify({ ...JSON.parse(String(before)), pid, start }));
    const held = await again(["--quiet"]);
    expect([held.code, held.stderr]).toEqual([
      EXIT_CODES.cannotCreate,
      expect.stringMatching(/held by process \d+ on .*, which runs\n {2}hint: Wait/),
    ]);
    writeFileSync(owner, JSON.stringify({ ...JSON.parse(String(before)), host: "elsewhere" }));
    const far = await again(["--quiet"]);
    expect([far.code, far.stderr]).toEqual([
      EXIT_CODES.cannotCreate,
      expect.stringMatching(/held by process \d+ on elsewhere, begun .*\n {2}hint: .*--unlock/),
    ]);
    await expectGoesOn(rundir, await again(["--unlock"]));
  });
});

test("a bank that was copied without its times is the same bank", async () => {
  const rundir = join(folder, "copied");
  await interrupted(rundir, "SIGTERM");
  utimesSync(join(BANK_COPY, "waveforms/amplitudes_block_0.npy"), 1, 1);
  await expectGoesOn(rundir, await runBinary([...RUN, "--rundir", rundir]));
});

test("of two processes that begin one directory together, one has it", async () => {
  const rundir = join(folder, "twins");
  const results = await Promise.all([1, 2, 3].map(() => runBinary([...RUN, "--rundir", rundir, "--quiet"])));
  const codes = results.map(({ code }) => code).sort((a, b) => a - b);
  // One that comes late finds it complete.
  expect(codes[0]).toBe(0);
  for (const { code, stderr } of results) {
    if (code === 0) continue;
    expect(code).toBe(EXIT_CODES.cannotCreate);
    expect(stderr).toMatch(/^error: .*held by process \d+ on .*\n {2}hint: /);
  }
  expect(bytesOf(rundir)).toEqual(bytesOf(join(folder, "whole")));
});

test("what a state holds that was saved by another run, or is damaged, is not believed", async () => {
  const rundir = join(folder, "damaged");
  await interrupted(rundir, "SIGTERM");
  for (const name of readdirSync(join(rundir, "checkpoint"))) {
    if (!name.endsWith(".npz")) continue;
    const path = join(rundir, "checkpoint", name);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(path, bytes);
  }
  const again = await runBinary([...RUN, "--rundir", rundir]);
  expect(again.stderr).toContain("what it held is computed again");
  await expectGoesOn(rundir, again);
  rmSync(rundir, { recursive: true });
});
