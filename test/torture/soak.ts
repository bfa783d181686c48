/**
 * Many small runs: `make soak`, or `bun test/torture/soak.ts [--runs N] [--processes N]`.
 * First all in one process, which must hold no more descriptors, mappings, threads and memory in the end than after the first tenth, and a tenth of them
 * with workers; then each in a process of its own, in one process group, which must leave no file and no process behind. Ends with 1 if anything
 * grows or stays.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { residentMB } from "../../src/machine/memory.ts";
import { parseRunOptions } from "../../src/options.ts";
import { runInference } from "../../src/pipeline.ts";
import { SILENT_REPORTER } from "../../src/report/reporter.ts";
import { BINARY } from "../helpers.ts";
import { BANK, EVENT } from "../make-inputs.ts";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "1000" }, processes: { type: "string", default: "1000" } },
});

const scratch = mkdtempSync(join(tmpdir(), "dotpe-soak-"));
/** Small, and with everything: stage 4, several checkpoints. */
const RUN = [
  EVENT,
  BANK,
  "--n-ext",
  "64",
  "--n-phi",
  "16",
  "--n-t",
  "16",
  "--no-tune",
  "--checkpoint-interval",
  "0.05",
];

interface Held {
  readonly run: number;
  readonly megabytes: number;
  readonly descriptors: number;
  readonly mappings: number;
  readonly threads: number;
}

function held(run: number): Held {
  Bun.gc(true);
  return {
    ...{ run, megabytes: residentMB(), descriptors: readdirSync("/proc/self/fd").length },
    mappings: readFileSync("/proc/self/maps", "latin1").split("\n").length,
    threads: readdirSync("/proc/self/task").length,
  };
}

function show({ run, megabytes, descriptors, mappings, threads }: Held): void {
  const numbers = [run, megabytes.toFixed(0), descriptors, mappings, threads];
  console.log(numbers.map((value) => String(value).padStart(12)).join(""));
}

/** @param perRun megabytes that a run may leave: the runtime keeps about 25 kB of every worker that has ended */
async function inOneProcess(n: number, threads: number, perRun: number): Promise<string[]> {
  console.log(`${n} runs with ${threads} ${threads === 1 ? "thread" : "threads"} in one process`);
  console.log(["run", "MB", "descriptors", "mappings", "threads"].map((name) => name.padStart(12)).join(""));
  const rundir = join(scratch, "run");
  const options = parseRunOptions([...RUN, "--n-procs", `${threads}`, "--rundir", rundir]);
  const all: Held[] = [];
  for (let run = 1; run <= n; run++) {
    await runInference(options, SILENT_REPORTER);
    rmSync(rundir, { recursive: true });
    if (run % Math.ceil(n / 10) !== 0) continue;
    // Threads end by themselves.
    await Bun.sleep(500);
    all.push(held(run));
    show(all[all.length - 1]);
  }
  const [first, last] = [all[0], all[all.length - 1]];
  const grown = (["descriptors", "threads"] as const).filter((name) => last[name] > first[name]);
  // The collector and the allocator come and go.
  if (last.megabytes > first.megabytes + perRun * n + 20) return [...grown, "memory"];
  return last.mappings > first.mappings + 0.05 * n + 20 ? [...grown, "mappings"] : grown;
}

async function inProcesses(n: number): Promise<string[]> {
  const own = (name: string) => {
    const folder = join(scratch, name);
    mkdirSync(folder);
    return folder;
  };
  const [home, temporary, results] = [own("home"), own("tmp"), own("results")];
  const env = { PATH: process.env.PATH ?? "", HOME: home, TMPDIR: temporary };
  const before = readdirSync("/dev/shm");
  const begun = performance.now();
  for (let run = 0; run < n; run++) {
    const args = [
      "run",
      ...RUN,
      "--rundir",
      join(results, `${run}`),
      "--quiet",
      "--n-procs",
      `${1 + (run % 3)}`,
    ];
    const child = Bun.spawn([BINARY, ...args], { env, stdin: "ignore", stdout: "ignore", stderr: "inherit" });
    if ((await child.exited) !== 0) return [`run ${run} ended with ${child.exitCode}`];
    rmSync(join(results, `${run}`), { recursive: true });
  }
  console.log(`${n} processes in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  const left = [home, temporary, results].flatMap((folder) =>
    readdirSync(folder).map((name) => join(folder, name)),
  );
  const shared = readdirSync("/dev/shm").filter((name) => !before.includes(name));
  return [...left, ...shared, ...childrenOf(process.pid)];
}

function childrenOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  return text === "" ? [] : text.split(" ").map((child) => `process ${child}`);
}

const runs = Number(values.runs);
const found = [
  ...(await inOneProcess(runs, 1, 0.01)),
  ...(await inOneProcess(Math.ceil(runs / 10), 2, 0.1)),
  ...(await inProcesses(Number(values.processes))),
];
rmSync(scratch, { recursive: true });
console.log(found.length === 0 ? "nothing grows, nothing stays" : `grows or stays: ${found.join(", ")}`);
process.exit(found.length === 0 ? 0 : 1);
