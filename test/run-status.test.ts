/** `dotpe-hpc status`: every state that a run directory can be in. */
import { beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SystemFiles } from "../src/machine/system-files.ts";
import { formatRunList, formatRunStatus } from "../src/report/run-status.ts";
import { type Owner, thisOwner } from "../src/rundir/owner.ts";
import { rundirsOf, runStatus } from "../src/rundir/status.ts";
import { BINARY, CACHE, runBinary } from "./helpers.ts";
import { expectRefusal, temporaryFolder } from "./io-helpers.ts";
import { BANK } from "./make-inputs.ts";
import { argsOf, hasSomeRows, interruptRun, makeRun } from "./small-runs.ts";

const FOLDER = temporaryFolder();
const [DONE, HALF] = ["run_2", "run_10"].map((name) => join(FOLDER, name));
const ME = thisOwner(3);

beforeAll(async () => {
  await makeRun(DONE);
  expect(await interruptRun(HALF, "SIGTERM")).toBe(85);
}, 60_000);

/** The interrupted run, as if such processes had worked on it. */
function workedOn(...owners: (Partial<Owner> & { end?: string })[]): string {
  const rundir = join(FOLDER, "made");
  rmSync(rundir, { recursive: true, force: true });
  cpSync(HALF, rundir, { recursive: true });
  rmSync(join(rundir, "checkpoint/owner-1.end.json"));
  owners.forEach(({ end, ...owner }, k) => {
    const path = join(rundir, `checkpoint/owner-${k + 1}`);
    writeFileSync(`${path}.json`, JSON.stringify({ ...ME, ...owner }));
    const word = { how: end, ended: "2026-11-21T10:00:00.123Z" };
    if (end !== undefined) writeFileSync(`${path}.end.json`, JSON.stringify(word));
  });
  return rundir;
}

const textOf = (rundir: string, me = ME) => formatRunStatus(runStatus(rundir, me));
const GONE = { pid: 4711, start: "1" };

test("complete: when, and the evidence", () => {
  const { state, result, saved, processes } = runStatus(DONE);
  const summary = JSON.parse(readFileSync(join(DONE, "summary_results.json"), "utf8"));
  expect([state, result?.ln_evidence, saved, processes]).toEqual(["complete", summary.ln_evidence, [], []]);
  expect(textOf(DONE)).toContain(`${summary.ln_evidence.toFixed(3)} +- `);
  expect(textOf(DONE)).not.toContain("to go on");
});

test("interrupted: how, how far, what is saved, how to go on, what was asked for", () => {
  const status = runStatus(HALF);
  expect([status.state, status.options]).toEqual([
    "interrupted",
    ["--n-ext 2048", "--n-procs 1", "--no-tune", "--checkpoint-interval 0"],
  ]);
  const text = textOf(HALF);
  expect(text).toContain("interrupted: stopped by SIGTERM; what is done is saved");
  expect(text).toMatch(/progress +coherent: \d+ of \d+ samples/);
  expect(text).toMatch(/incoherent +192 of 192 samples \(100.0%\)/);
  expect(text).toMatch(/coherent +\d of 6 chunks of rows/);
  expect(text).toContain(`dotpe-hpc run --resume ${HALF}\n`);
  // A line each.
  expect(text).toMatch(/processes +1 {2}process \d+ on .*, 1 thread +stopped by SIGTERM/);
});

test("killed: by nobody known, or for lack of memory; also where Slurm has started the job again", () => {
  expect(textOf(workedOn(GONE))).toContain("killed: process 4711 on");
  const root = join(FOLDER, "system");
  mkdirSync(join(root, "sys/fs/cgroup/job"), { recursive: true });
  writeFileSync(join(root, "sys/fs/cgroup/job/memory.events"), "oom 2\noom_kill 2\n");
  const system = new SystemFiles(root);
  const before = [{ folder: "/sys/fs/cgroup/job", kills: 1 }];
  const lacking = formatRunStatus(runStatus(workedOn({ ...GONE, oomKills: before }), ME, system));
  expect(lacking).toContain("lack of memory (oom_kill of /sys/fs/cgroup/job is 2 now)");
  expect(lacking).toContain("fewer --n-procs (it had 3)");
  // What another machine has counted says nothing.
  const slurm = { slurmJob: "9", slurmRestarts: 0, host: "far", oomKills: before };
  const restarted = runStatus(workedOn(slurm), { ...ME, slurmJob: "9", slurmRestarts: 1 }, system);
  expect([restarted.state, restarted.outOfMemory]).toEqual(["killed", undefined]);
});

test("held: by a process of another host or container, or by one that cannot be read", () => {
  for (const owner of [{ host: "far" }, { pidNamespace: "pid:[1]" }]) {
    const rundir = workedOn({ end: "stopped by SIGUSR1" }, { ...owner, slurmJob: "17" });
    // What the process before has said is past.
    expect(textOf(rundir)).toMatch(/last sign of life by its own clock: none/);
    const path = join(rundir, "checkpoint/progress.json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), process: 2 }));
    const text = textOf(rundir);
    expect(text).toContain("held by process");
    expect(text).toContain("(Slurm job 17)");
    expect(text).toMatch(/last sign of life by its own clock: \d{4}-\d\d-\d\dT/);
    expect(text).toContain("--unlock");
    expect(text).toMatch(
      /1 {2}process .*stopped by SIGUSR1, 2026-11-21T10:00:00Z\n +2 {2}process .* no word/,
    );
  }
  const rundir = workedOn(ME);
  writeFileSync(join(rundir, "checkpoint/owner-1.json"), "{");
  expect(textOf(rundir)).toContain("held by a process whose file cannot be read");
});

test("running: this process lives; the rate, and how long the stage takes, from what it has done itself", () => {
  const rundir = workedOn(ME);
  const progress = {
    process: 1,
    stage: "incoherent",
    unit: "samples",
    done: 3000,
    total: 9000,
    before: 1000,
  };
  const rest = { stageSeconds: 10, seconds: 20, memoryMB: 1, at: "2026-11-21T10:00:00Z" };
  writeFileSync(join(rundir, "checkpoint/progress.json"), JSON.stringify({ ...progress, ...rest }));
  const text = textOf(rundir);
  expect(text).toContain(`running: process ${process.pid} on`);
  expect(text).toContain("incoherent: 3,000 of 9,000 samples (33.3%), 200/s, 30.0 s to go in this stage");
  expect(text).not.toContain("to go on");
});

test("what cannot be believed is said, and what a terminal would obey is not shown", () => {
  const rundir = workedOn({ ...GONE, host: "h\u001b[2J" });
  expect(textOf(rundir)).not.toContain("\u001b");
  truncateSync(join(rundir, "checkpoint/incoherent.npz"), 100);
  expect(textOf(rundir)).toMatch(/incoherent +damaged: computed again/);
  writeFileSync(join(rundir, "manifest.json"), "{");
  expect(textOf(rundir)).toContain("cannot be believed: ");
  rmSync(join(rundir, "manifest.json"));
  expect(textOf(rundir)).toContain("give the same command again");
  rmSync(join(rundir, "checkpoint"), { recursive: true });
  expectRefusal(() => runStatus(rundir), "noInput", "expected a run directory");
});

test("a folder of runs: a line each, the last one first", () => {
  mkdirSync(join(FOLDER, "run_11"));
  const rundirs = rundirsOf(FOLDER);
  expect(rundirs).toEqual([HALF, DONE]);
  const lines = formatRunList(rundirs.map((rundir) => runStatus(rundir))).split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/run_10 +interrupted +coherent: .*; stopped by SIGTERM/);
  expect(lines[1]).toMatch(/run_2 +complete +ln evidence \d+\.\d{3} \+- /);
  expectRefusal(() => rundirsOf(BANK), "noInput", "found no manifest.json");
});

test("the command, while a run runs, changes nothing; JSON; a folder that is none", async () => {
  const rundir = join(FOLDER, "alive");
  const env = { ...process.env, XDG_CACHE_HOME: CACHE };
  const child = Bun.spawn([BINARY, ...argsOf(rundir, 2048)], { env, stdout: "ignore", stderr: "ignore" });
  while (child.exitCode === null && !hasSomeRows(rundir)) await Bun.sleep(5);
  child.kill("SIGSTOP");
  const [alive, json, none, missing, near] = await Promise.all([
    runBinary(["status", rundir]),
    runBinary(["status", FOLDER, "--json"]),
    runBinary(["status", BANK]),
    runBinary(["status", join(FOLDER, "missing")]),
    runBinary(["status", FOLDER, "--jsn"]),
  ]);
  child.kill("SIGCONT");
  child.kill("SIGKILL");
  await child.exited;
  expect(alive.stdout).toContain(`running: process ${child.pid} on`);
  expect(JSON.parse(json.stdout).map(({ state }: { state: string }) => state)).toEqual([
    "interrupted",
    "complete",
  ]);
  expect([alive.code, json.code, none.code, missing.code, near.code]).toEqual([0, 0, 66, 66, 64]);
  expect(missing.stderr).toContain("no such folder");
  expect(near.stderr).toContain("Did you mean --json?");
  expect(runStatus(rundir).state).toBe("killed");
}, 30_000);
