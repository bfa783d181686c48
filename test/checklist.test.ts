/** The checks before a long run, on made-up machines and on real folders. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findBusyProcesses, parseStat } from "../src/machine/busy-processes.ts";
import { type Check, checkMachine, type Looked } from "../src/machine/checklist.ts";
import { folderCheck } from "../src/machine/folder-checks.ts";
import { type FolderProbe, probeFolder } from "../src/machine/folder-probe.ts";
import { readMachine } from "../src/machine/machine.ts";
import { SystemFiles } from "../src/machine/system-files.ts";
import { formatChecklist } from "../src/report/checklist.ts";
import { runBinary } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";

const folder = temporaryFolder();
let n_trees = 0;

const GB = 2 ** 20; // in kB, as /proc/meminfo counts
const meminfo = (fields: Record<string, number>) =>
  Object.entries(fields)
    .map(([name, kB]) => `${name}: ${Math.round(kB)} kB\n`)
    .join("");

/** As /proc/self/limits writes them: soft, hard. */
function limitsText(changed: Record<string, readonly [string, string]> = {}): string {
  const limits: Record<string, readonly [string, string]> = {
    ...{ "Max cpu time": ["unlimited", "unlimited"], "Max file size": ["unlimited", "unlimited"] },
    ...{ "Max processes": ["96365", "96365"], "Max open files": ["1024", "524288"] },
    ...{ "Max locked memory": ["8388608", "8388608"], "Max address space": ["unlimited", "unlimited"] },
    ...changed,
  };
  return Object.entries(limits)
    .map(([name, [soft, hard]]) => `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} units`)
    .join("\n");
}

/** A machine of 8 cores and 16 GB, 12 of them free, with nothing wrong. */
const GOOD: Record<string, string> = {
  "sys/devices/system/cpu/online": "0-7",
  "proc/meminfo": meminfo({ MemTotal: 16 * GB, MemAvailable: 12 * GB, SwapTotal: 4 * GB, SwapFree: 4 * GB }),
  "proc/loadavg": "0.10 0.20 0.30 1/100 12345",
  "proc/self/status": "Cpus_allowed_list:\t0-3\n",
  "proc/self/cgroup": "0::/job/step\n",
  "proc/self/mountinfo": "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
  "proc/self/limits": limitsText(),
  "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
};

function check(changed: Record<string, string> = {}, looked: Partial<Looked> = {}): Record<string, Check> {
  const root = join(folder, `tree${n_trees++}`);
  for (const [path, text] of Object.entries({ ...GOOD, ...changed })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const files = new SystemFiles(root);
  const { environment = {}, ...others } = looked;
  const checks = checkMachine({
    ...{ files, machine: readMachine(files, environment), environment, folders: [] },
    ...{ needs: { memoryBytes: 1e9, threads: 4 }, now: Date.UTC(2026, 5, 1), ...others },
  });
  return Object.fromEntries(checks.map((one) => [one.name, one]));
}

const levelsOf = (checks: Record<string, Check>) => new Set(Object.values(checks).map(({ level }) => level));

describe("a machine", () => {
  test("with nothing wrong passes", () => {
    const checks = check({}, { kernels: { used: "x86-64-v4", best: "x86-64-v4" }, busy: [], clockDrift: 0 });
    expect(levelsOf(checks)).toEqual(new Set(["pass", "skip"]));
    expect(Object.keys(checks).length).toBeGreaterThan(12);
    expect(checks["transparent huge pages"].level).toBe("skip");
  });

  test("that says nothing of itself fails nothing", () => {
    const empty = Object.fromEntries(Object.keys(GOOD).map((path) => [path, ""]));
    for (const nonsense of [empty, Object.fromEntries(Object.keys(GOOD).map((path) => [path, "\0x -1 (9"]))])
      expect(levelsOf(check(nonsense))).toEqual(new Set(["pass", "skip"]));
  });

  test("without enough memory fails, with little more warns", () => {
    const left = (kB: number) => ({ "proc/meminfo": meminfo({ MemTotal: 16 * GB, MemAvailable: kB }) });
    expect(check(left(0.5 * GB)).memory).toMatchObject({ level: "fail", exit: "tryAgain" });
    expect(check(left(1.1 * GB)).memory.level).toBe("warn");
    expect(check(left(3 * GB)).memory.level).toBe("pass");
  });

  test("in a control group: what its limit, or that of one above, leaves; files that can be dropped do not count", () => {
    const group = (name: string, max: number, current: number, inactive: number) => ({
      [`sys/fs/cgroup/${name}memory.max`]: `${max}`,
      [`sys/fs/cgroup/${name}memory.current`]: `${current}`,
      [`sys/fs/cgroup/${name}memory.stat`]: `anon 1\ninactive_file ${inactive}\n`,
    });
    const full = check(group("job/", 4e9, 3.5e9, 0)).memory;
    expect(full).toMatchObject({ level: "fail" });
    expect(full.found).toContain("0.500 GB (left by memory.max of /job)");
    expect(check(group("job/", 4e9, 3.5e9, 2e9)).memory.level).toBe("pass");
    expect(check({ ...group("job/step/", 2e9, 0, 0), ...group("job/", 4e9, 3.9e9, 0) }).memory.level).toBe(
      "fail",
    );
  });

  test("under Slurm: memory granted, and time left", () => {
    const environment = { SLURM_JOB_ID: "1", SLURM_MEM_PER_NODE: "500", SLURM_JOB_END_TIME: "1780272300" };
    const checks = check({}, { environment });
    expect(checks.memory).toMatchObject({ level: "fail" });
    expect(checks.memory.found).toContain("SLURM_MEM_PER_NODE");
    // 2026-06-01 00:05 UTC, five minutes from then.
    expect(checks["Slurm's time"]).toMatchObject({ level: "warn", found: "the job ends in 5 minutes" });
  });

  test("that others use is crowded; one with other CPUs free is not", () => {
    expect(check({ "proc/loadavg": "3.9 1 1 1/1 1" }).load.level).toBe("pass");
    expect(check({ "proc/loadavg": "5.1 1 1 1/1 1" }).load.level).toBe("warn");
    const busy = [{ pid: 7, command: "\x1b]0;evil\x07", user: 1000, cores: 3.5 }];
    const checks = check({}, { busy });
    expect(checks["other programs"].level).toBe("warn");
    expect(formatChecklist(Object.values(checks))).not.toContain("\x1b");
  });

  test("with a slow governor, a throttled quota, used swap, old kernels", () => {
    const cpufreq = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    expect(check({ [cpufreq]: "powersave" })["clock governor"].level).toBe("warn");
    const stat = (throttled: number) => ({
      "sys/fs/cgroup/job/cpu.stat": `usage_usec 1\nnr_periods 1000\nnr_throttled ${throttled}\n`,
    });
    expect(check(stat(1)).quota.level).toBe("pass");
    expect(check(stat(400)).quota).toMatchObject({
      level: "warn",
      found: "40.0% of the periods throttled in /job",
    });
    const swap = meminfo({ MemTotal: 16 * GB, MemAvailable: 12 * GB, SwapTotal: 4 * GB, SwapFree: GB });
    expect(check({ "proc/meminfo": swap }).swap.level).toBe("warn");
    expect(check({}, { kernels: { used: "x86-64-v2", best: "x86-64-v2" } }).kernels.level).toBe("warn");
    expect(check({}, { kernels: { used: "ref", best: "x86-64-v3" } }).kernels.todo).toContain("noexec");
  });

  test("with limits: what the threads need fails, what may end a run warns", () => {
    const limits = (changed: Parameters<typeof limitsText>[0]) =>
      check({ "proc/self/limits": limitsText(changed) });
    expect(limits({ "Max open files": ["32", "80"] })["open files (nofile)"]).toMatchObject({
      level: "fail",
    });
    // The soft one is raised.
    expect(limits({ "Max open files": ["32", "4096"] })["open files (nofile)"].level).toBe("pass");
    expect(limits({ "Max processes": ["20", "20"] })["threads (nproc)"].exit).toBe("tryAgain");
    expect(limits({ "Max address space": ["4000000000", "4000000000"] })["address space"].level).toBe("warn");
    expect(limits({ "Max cpu time": ["600", "unlimited"] })["processor time"].level).toBe("warn");
    const pids = { "sys/fs/cgroup/job/pids.max": "40", "sys/fs/cgroup/job/pids.current": "20" };
    expect(check(pids)["threads of the control group"].level).toBe("fail");
  });

  test("with a clock that is wrong, or being set", () => {
    expect(check({}, { now: Date.UTC(1970, 0, 2) }).clock.level).toBe("warn");
    expect(check({}, { clockDrift: -0.3 }).clock.level).toBe("warn");
    expect(check({}, { clockDrift: 0.001 }).clock.level).toBe("pass");
  });
});

describe("a folder", () => {
  const GOOD_PROBE: FolderProbe = {
    ...{ folder: "/x", error: undefined, freeBytes: 1e12, freeFiles: 1e6, seconds: 0.001, skew: 0 },
  };
  const levels = (changed: Partial<FolderProbe>, isNeeded = true) =>
    folderCheck(
      { name: "run folder", path: "/x", needBytes: 1e9, isNeeded },
      { ...GOOD_PROBE, ...changed },
    ).map(({ level }) => level);

  test("is written to and left as it was", () => {
    const found = probeFolder(folder);
    expect(found).toMatchObject({ folder, error: undefined, skew: 0 });
    expect(found.freeBytes).toBeGreaterThan(0);
    expect(readdirSync(folder).filter((name) => name.includes("check"))).toEqual([]);
  });

  test("that does not exist yet: the one that it would be made in", () => {
    expect(probeFolder(join(folder, "a/b/c"))).toMatchObject({ folder, error: undefined });
  });

  test("below a file, or where nothing can be written", () => {
    writeFileSync(join(folder, "file"), "");
    expect(probeFolder(join(folder, "file/a")).error).toBe("ENOTDIR");
    expect(probeFolder("/proc").error).toBeDefined();
  });

  test("graded: only one that a run needs fails; each doubt has its line", () => {
    expect(levels({})).toEqual(["pass"]);
    expect(levels({ error: "EROFS" })).toEqual(["fail"]);
    expect(levels({ error: "EROFS" }, false)).toEqual(["warn"]);
    expect(levels({ freeBytes: 1e6 })).toEqual(["warn"]);
    expect(levels({ freeFiles: 3, skew: -60, seconds: 4 })).toEqual(["warn", "warn", "warn"]);
    expect(levels({ freeBytes: NaN, freeFiles: NaN, skew: NaN })).toEqual(["pass"]);
  });
});

describe("processes", () => {
  test("are read whatever they call themselves", () => {
    const fields = "S 1 2 3 4 5 6 7 8 9 10 250 50 0 0";
    expect(parseStat(`12 (a) b (c)) ${fields}`)).toEqual({ ticks: 300, command: "a) b (c)" });
    expect(parseStat("")).toBeUndefined();
    expect(parseStat("12 (sh) R")).toBeUndefined();
  });

  test("that are busy are found, this one is not", async () => {
    const child = Bun.spawn(["sh", "-c", "while :; do :; done"]);
    try {
      const found = await findBusyProcesses(1);
      expect(found.map(({ pid }) => pid)).toContain(child.pid);
      expect(found.find(({ pid }) => pid === child.pid)?.user).toBe(process.getuid!());
      expect(found.map(({ pid }) => pid)).not.toContain(process.pid);
    } finally {
      child.kill();
    }
  });
});

describe("the command", () => {
  test("exits with 73 for a folder that cannot be written, whatever is printed", async () => {
    writeFileSync(join(folder, "file"), "");
    const dir = join(folder, "file/runs");
    const text = await runBinary(["machine", "check", "--dir", dir]);
    expect(text.code).toBe(73);
    expect(text.stdout).toContain("FAIL  run folder");
    const json = await runBinary(["machine", "check", `--dir=${dir}`, "--json"]);
    expect(json.code).toBe(73);
    const { checks } = JSON.parse(json.stdout) as { checks: Check[] };
    expect(checks.find(({ level }) => level === "fail")).toMatchObject({ exit: "cannotCreate" });
  });

  test("exits with 75 where memory is short, by what a given tree says", async () => {
    const root = join(folder, "short");
    for (const [path, text] of Object.entries({
      ...GOOD,
      "proc/meminfo": meminfo({ MemTotal: GB, MemAvailable: 1000 }),
    })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const { code, stdout } = await runBinary(["machine", "check", "--sysfs", root, "--dir", folder]);
    expect(stdout).toContain("FAIL  memory");
    expect(code).toBe(75);
  });
});
