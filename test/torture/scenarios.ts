/** The small runs that are tortured, and what each may leave behind. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const FIXTURES = join(import.meta.dir, "../fixtures");
const EVENT = join(FIXTURES, "events/GW170814.npz");
const BANK = join(FIXTURES, "banks/s");

export interface Scenario {
  readonly name: string;
  /** Of the first call. Later calls take 1 or 2. */
  readonly threads: number;
  /** Arguments that begin the work in this folder, and that go on with it. */
  begin(folder: string, threads: number): string[];
  goOn(folder: string, threads: number, random: () => number): string[];
  /** Written last: with it, all is there. */
  readonly last: string;
  /** Files that a finished folder has, but with other bytes each time. */
  readonly changing: readonly string[];
  /** Whether an unfinished folder may hold this, besides whole results and hidden part files. */
  isState(name: string): boolean;
  /** Exit code after a signal that it notices. */
  readonly stopped: number | null;
  /** Exit code of a call on a folder that is complete. */
  readonly complete: number;
  /** Commands that say what a folder holds. They change nothing, and end with one of these codes. */
  inspect(folder: string): { readonly args: string[]; readonly codes: readonly number[] }[];
}

function bankScenario(name: string, threads: number, more: readonly string[]): Scenario {
  const args = (folder: string, n: number) => [
    ...["bank", "create", folder, "--event", EVENT, "--mchirp", "26,29", "--quiet"],
    ...["--n-procs", `${n}`, ...more],
  ];
  return {
    name,
    threads,
    begin: args,
    goOn: args,
    last: "bank_config.json",
    changing: [],
    isState: (file) => file === "bank_config.unfinished.json",
    stopped: null,
    complete: 73,
    inspect: (folder) => [{ args: ["bank", "check", folder, "--quiet"], codes: [65, 66] }],
  };
}

function runScenario(name: string, threads: number, more: readonly string[], banks = [BANK]): Scenario {
  const args = (folder: string, n: number) => [
    ...["run", EVENT, ...banks, "--rundir", folder, "--n-procs", `${n}`, "--no-tune", "--quiet"],
    ...["--checkpoint-interval", "0", ...more],
  ];
  return {
    name,
    threads,
    begin: args,
    goOn: (folder, n, random) => {
      // Killed at its very beginning, it has nothing to resume.
      const canResume = existsSync(join(folder, "manifest.json"));
      return canResume && random() < 0.5
        ? ["run", "--resume", folder, "--n-procs", `${n}`, "--quiet"]
        : args(folder, n);
    },
    last: "summary_results.json",
    changing: ["run_kwargs.json", "manifest.json", "timings.json"],
    isState: (file) => file === "manifest.json" || file === "checkpoint" || file.startsWith("checkpoint/"),
    stopped: 85,
    complete: 0,
    inspect: (folder) => [
      { args: ["status", folder], codes: [0, 65, 66] },
      { args: ["verify", folder], codes: [0, 65, 66] },
    ],
  };
}

export function allScenarios(): Scenario[] {
  return [
    bankScenario("bank", 1, ["--n", "250", "--blocksize", "64"]),
    bankScenario("bank-threads", 2, ["--n", "600", "--blocksize", "100"]),
    runScenario("run", 1, ["--n-ext", "128"]),
    runScenario("run-threads", 2, ["--n-ext", "256"]),
    runScenario("run-limit", 2, ["--n-ext", "256", "--size-limit", "1000"]),
    runScenario("run-banks", 2, ["--n-ext", "128"], [BANK, BANK]),
    runScenario("run-all-draws", 1, ["--n-ext", "128", "--no-draw-subset"]),
  ];
}
