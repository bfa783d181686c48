/**
 * Lines of the table of environments: a small run of the binary in an unusual place, and what must come of it. A line is a shell script
 * that prepares the place and ends with the program's own command line, `"$@"`.
 */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT_CODES, type ExitName } from "../src/errors.ts";
import { BINARY, CACHE, FIXTURES } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import { BANK, EVENT } from "./make-inputs.ts";

/** What a line may need of the machine that the tests run on. */
export type Need =
  | "mounts"
  | "strace"
  | "faketime"
  | "qemu-x86_64"
  | "DOTPE_TEST_EMULATED=1"
  | "cgroup v1"
  | "avx2";

export interface Line {
  /**
   * Runs in a folder of its own, which is $OWN; "$@" is the command. Default: `exec "$@"`.
   * With the need `mounts` it is in a mount namespace, in which everything may be mounted and nothing is seen outside.
   */
  readonly sh?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly needs?: readonly Need[];
  /** Default: EVENT BANK. */
  readonly inputs?: readonly string[];
  /** Default: "out", in the line's folder. */
  readonly rundir?: string;
  /** Default: --quiet. */
  readonly flags?: readonly string[];
  /** Instead of `run` with all of the above. */
  readonly command?: readonly string[];
  readonly outcome: (ended: Ended) => void;
}

export interface Ended {
  /** 128 + signal number if a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The line's folder, removed afterwards. */
  readonly own: string;
  readonly rundir: string;
}

const SMALL = join(FIXTURES, "runs/small");
/** With the reference's waveform and extrinsic samples: 0.3 s. */
const FLAGS = [
  ...["--reference", join(SMALL, "reference.npz"), "--n-phi", "8", "--n-t", "16"],
  ...["--extrinsic-samples", join(SMALL, "extrinsic_samples.feather")],
];
/** Proves that a line does not hang; under an emulator it takes seconds. */
const TIME_LIMIT_S = 120;

const has = (program: string) => Bun.which(program) !== null;
const succeeds = (...command: string[]) => has(command[0]) && Bun.spawnSync(command).exitCode === 0;

/** Root's own mount namespace, else that of a user namespace. */
const NAMESPACE = [
  ["unshare", "-m"],
  ["unshare", "-rm"],
].find((words) =>
  succeeds(...words, "sh", "-c", "mount -t tmpfs none /mnt && mount --bind /dev/null /proc/cpuinfo"),
);
const CGROUPS = ["/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
const cpuFlags = /^flags\s*:(.*)$/m.exec(
  existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "latin1") : "",
)?.[1];

const THERE: Readonly<Record<Need, () => boolean>> = {
  mounts: () => NAMESPACE !== undefined,
  strace: () => succeeds("strace", "-qq", "-o", "/dev/null", "true"),
  faketime: () => succeeds("faketime", "2001-01-01 00:00:00", "true"),
  "qemu-x86_64": () => process.arch === "x64" && has("qemu-x86_64"),
  // Takes half a minute.
  "DOTPE_TEST_EMULATED=1": () => process.env.DOTPE_TEST_EMULATED === "1",
  "cgroup v1": () => process.getuid?.() === 0 && CGROUPS.every((folder) => existsSync(folder)),
  avx2: () => cpuFlags?.includes(" avx2 ") === true,
};
const known = new Map<Need, boolean>();
const isThere = (need: Need) => {
  if (!known.has(need)) known.set(need, THERE[need]());
  return known.get(need) as boolean;
};

/** One test a line; the next line runs meanwhile. @param threads of each run: more than one where threads matter */
export function describeLines(title: string, lines: Readonly<Record<string, Line>>, threads = 1): void {
  describe(title, () => {
    const folder = temporaryFolder();
    const begun: Promise<Ended>[] = [];
    const possible: Line[] = [];
    const begin = (k: number) => {
      if (begun[k] !== undefined || k >= possible.length) return;
      begun[k] = runLine(possible[k], threads, mkdtempSync(join(folder, "line-")));
      // Whether it failed is told by the test that awaits it.
      begun[k].catch(() => {});
    };
    for (const [name, line] of Object.entries(lines)) {
      const missing = (line.needs ?? []).filter((need) => !isThere(need));
      if (missing.length > 0) {
        test.skip(`${name} (needs ${missing.join(", ")})`, () => {});
        continue;
      }
      const k = possible.push(line) - 1;
      const check = async () => {
        begin(k);
        begin(k + 1);
        expectOutcome(name, line, await begun[k]);
      };
      test(name, check, TIME_LIMIT_S * 1000);
    }
  });
}

function expectOutcome(name: string, line: Line, ended: Ended): void {
  try {
    line.outcome(ended);
  } catch (error) {
    const { code, stdout, stderr } = ended;
    throw new Error(`${name}: exit code ${code}\n${stderr}${stdout}`, { cause: error });
  }
}

async function runLine(line: Line, threads: number, own: string): Promise<Ended> {
  const { sh, env, needs, inputs, rundir = "out", flags = ["--quiet"], command } = line;
  const words = command ?? [
    ...["run", ...(inputs ?? [EVENT, BANK]), "--n-procs", `${threads}`, ...FLAGS],
    ...["--rundir", rundir, ...flags],
  ];
  const inside = needs?.includes("mounts") ? (NAMESPACE ?? []) : [];
  const shell = ["bash", "-c", `set -e; ulimit -c 0; ${sh ?? 'exec "$@"'}`, "sh"];
  const child = Bun.spawn([...inside, ...shell, BINARY, ...words], {
    cwd: own,
    env: { ...process.env, XDG_CACHE_HOME: CACHE, OWN: own, EVENT, BANK, ...env },
    ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    ...{ timeout: TIME_LIMIT_S * 1000, killSignal: "SIGKILL" },
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr, own, rundir: join(own, rundir) };
}

const ROWS = "prob_samples.feather";
const SUMMARY = "summary_results.json";
const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

/** What comes of an undisturbed run, by what was given for --kernel. */
const undisturbed = new Map<string, Results>();

interface Results {
  /** Checksum of the rows: the same bytes must come of all other runs. */
  readonly rows: string;
  readonly lnEvidence: number;
}

function resultsOf(rundir: string): Results {
  const { ln_evidence } = JSON.parse(readFileSync(join(rundir, SUMMARY), "utf8"));
  return { rows: sha256(join(rundir, ROWS)), lnEvidence: ln_evidence };
}

function undisturbedResults(kernel: string): Results {
  const known = undisturbed.get(kernel);
  if (known !== undefined) return known;
  const own = mkdtempSync(join(tmpdir(), "dotpe-line-"));
  try {
    const out = join(own, "out");
    const words = ["run", EVENT, BANK, "--quiet", ...FLAGS, "--rundir", out, "--kernel", kernel];
    const { exitCode, stderr } = Bun.spawnSync([BINARY, ...words], {
      env: { ...process.env, XDG_CACHE_HOME: CACHE },
    });
    if (exitCode !== 0) throw new Error(`an undisturbed run ended with ${exitCode}: ${stderr}`);
    const results = resultsOf(out);
    undisturbed.set(kernel, results);
    return results;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** The run is complete, says nothing on standard error, and its rows are those of an undisturbed run. */
export function works({ code, stderr, rundir }: Ended): void {
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expectWhole(rundir);
}

/** As `works`, on this kernel. */
export function worksWith(kernel: string): (ended: Ended) => void {
  return ({ code, stderr, rundir }) => {
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expectWhole(rundir, kernel);
    expect(kernelOf(rundir)).toBe(kernel);
  };
}

/** As `worksWith` on a processor whose C library has other last bits in exp, log, sin and cos: it chooses them by the processor. */
export function worksNearly(kernel: string): (ended: Ended) => void {
  return ({ code, rundir }) => {
    expect(code).toBe(0);
    const { lnEvidence } = undisturbedResults(kernel);
    expect(Math.abs(resultsOf(rundir).lnEvidence / lnEvidence - 1)).toBeLessThan(1e-11);
    expect(kernelOf(rundir)).toBe(kernel);
  };
}

export function expectWhole(rundir: string, kernel = "auto"): void {
  expect(resultsOf(rundir)).toEqual(undisturbedResults(kernel));
}

function kernelOf(rundir: string): string {
  return JSON.parse(readFileSync(join(rundir, "timings.json"), "utf8")).kernel;
}

/** One error and its hint, the exit code, and no results that look complete. */
export function fails(exit: ExitName, ...parts: string[]): (ended: Ended) => void {
  return ({ code, stderr, rundir }) => {
    const [message, hint, ...more] = stderr.trimEnd().split("\n  hint: ");
    expect(message).toStartWith("error: ");
    for (const part of parts) expect(`${message} ${hint}`).toContain(part);
    expect(hint?.length).toBeGreaterThan(10);
    expect(more).toEqual([]);
    expect(code).toBe(EXIT_CODES[exit]);
    expect(existsSync(join(rundir, SUMMARY))).toBe(false);
  };
}

/** As `fails`, and the folder of the run is not there, or as empty as it was. */
export function failsWithoutTrace(exit: ExitName, ...parts: string[]): (ended: Ended) => void {
  return (ended) => {
    fails(exit, ...parts)(ended);
    expect(namesIn(ended.rundir)).toEqual([]);
  };
}

/** The names in a folder, for what must not have been left there; none if there is no such folder. */
export function namesIn(folder: string): string[] {
  return existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder).sort() : [];
}
