/** The small runs that are tortured, and what each may leave behind. */
import { copyFileSync, cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const FIXTURES = join(import.meta.dir, "../fixtures");
/** What the runs read. */
export interface Inputs {
  readonly event: string;
  readonly bank: string;
}

/** Copies of the fixtures in this folder: no run here depends on what happens to those. */
export function copyInputs(folder: string): Inputs {
  const [event, bank] = [join(folder, "event.npz"), join(folder, "bank")];
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(FIXTURES, "events/GW170814.npz"), event);
  cpSync(join(FIXTURES, "banks/s"), bank, { recursive: true });
  return { event, bank };
}

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
  /** Whether this is work that was done, which no fault may take away. */
  isWork(name: string): boolean;
  /** Exit code after a signal that it notices. */
  readonly stopped: number | null;
  /** Exit code of a call on a folder that is complete. */
  readonly complete: number;
  /** Commands that say what a folder holds. They change nothing, and end with one of these codes. */
  inspect(
    folder: string,
    powerCut: boolean,
  ): { readonly args: string[]; readonly codes: readonly number[] }[];
}

function bankScenario(name: string, { event }: Inputs, threads: number, more: readonly string[]): Scenario {
  const args = (folder: string, n: number) => [
    ...["bank", "create", folder, "--event", event, "--mchirp", "26,29", "--quiet"],
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
    isWork: (file) => /^waveforms\/[^.].*\.npy$/.test(file),
    stopped: null,
    complete: 73,
    inspect: (folder) => [{ args: ["bank", "check", folder, "--quiet"], codes: [65, 66] }],
  };
}

function runScenario(
  name: string,
  { event, bank }: Inputs,
  threads: number,
  more: readonly string[],
): Scenario {
  const args = (folder: string, n: number) => [
    ...["run", event, bank, ...more, "--rundir", folder, "--n-procs", `${n}`],
    ...["--checkpoint-interval", "0", "--no-tune", "--quiet"],
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
    isWork: (file) => /^checkpoint\/[^.].*\.npz$|\.rows\.part$/.test(file),
    stopped: 85,
    complete: 0,
    inspect: (folder, powerCut) => [
      { args: ["status", folder], codes: [0, 66] },
      // What a file has lost with the power, verify should find.
      { args: ["verify", folder], codes: [0, 66, ...(powerCut ? [65] : [])] },
    ],
  };
}

export function allScenarios(inputs: Inputs): Scenario[] {
  return [
    bankScenario("bank", inputs, 1, ["--n", "250", "--blocksize", "64"]),
    bankScenario("bank-threads", inputs, 2, ["--n", "600", "--blocksize", "100"]),
    runScenario("run", inputs, 1, ["--n-ext", "128"]),
    runScenario("run-threads", inputs, 2, ["--n-ext", "256"]),
    // More rows than may be kept: they are made twice.
    runScenario("run-limit", inputs, 2, ["--n-ext", "256", "--size-limit", "1000"]),
    // Twice the same, which is no inference, but two banks.
    runScenario("run-banks", inputs, 2, [inputs.bank, "--n-ext", "128"]),
    runScenario("run-all-draws", inputs, 1, ["--n-ext", "128", "--no-draw-subset"]),
  ];
}
