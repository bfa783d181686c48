/** The demo: a real event, a bank made for it, the inference, and a page that has the answer beside the published one. */
import { existsSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../package.json";
import { createBank } from "../banks/create.ts";
import { BANK_DEFAULTS, type BankOptions } from "../banks/options.ts";
import { DotpeError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../io/atomic-write.ts";
import { parseRunOptions } from "../options.ts";
import { runInference } from "../pipeline.ts";
import { formatCount } from "../report/format.ts";
import { type Step, writeReport } from "../report/page.ts";
import type { Reporter } from "../report/reporter.ts";
import type { RunReport } from "../report/run-report.ts";
import type { RunSummary } from "../report/summary.ts";
import eventFile from "./GW170814.npz" with { type: "file" };
import { GW170814_PUBLISHED } from "./gw170814.ts";

export interface DemoOptions {
  readonly out: string;
  /** Samples of the bank. */
  readonly n: number;
  readonly seed: number;
  /** undefined: as many as may be used. */
  readonly nProcs: number | undefined;
}

export interface DemoResult {
  /** The page. */
  readonly page: string;
  readonly report: RunReport;
  readonly summary: RunSummary;
  readonly steps: readonly Step[];
  /** The two commands that did the work, as they would be typed. */
  readonly commands: readonly string[];
}

export const DEFAULT_SAMPLES = 65_536;
const EVENT = "GW170814";
const APPROXIMANT = "IMRPhenomD";
/** Detector frame, Msun: the posterior ends well inside. */
const MCHIRP = [24, 29] as const;
const Q_MIN = 0.35;
/** Most of the posterior is seen nearly face-on. */
const FACE_ON = 3;
/** Rows this far below the best hold 0.4% of the evidence together: with fewer of them the demo is done sooner. */
const MAX_DROP = 12;
const N_EXT = 2048;
const N_DRAWS = 10_000;
/** Says that a folder is a demo's; what the demo leaves beside it. */
const MARK = "dotpe-hpc-demo.json";
const PARTS = ["event", "bank", "run", "report.html"];

/**
 * Makes OUT/event, OUT/bank, OUT/run and OUT/report.html; those of an earlier demo are replaced.
 * @throws DotpeError cannotCreate (a folder that is not a demo's, no space), and what a bank and a run throw.
 */
export async function runDemo(options: DemoOptions, report: Reporter): Promise<DemoResult> {
  const { out, n, seed, nProcs } = options;
  prepareFolder(out, { n, seed, version });
  const [bank, rundir, page] = ["bank", "run", "report.html"].map((name) => join(out, name));
  const event = join(out, "event", `${EVENT}.npz`);
  makeFolder(join(out, "event"));
  writeFileAtomic(event, await Bun.file(eventFile).bytes());
  const bankOptions: BankOptions = {
    ...{ ...BANK_DEFAULTS, out: bank, event, mchirp: MCHIRP, q: [Q_MIN, 1], n, seed },
    ...{ incFaceonFactor: FACE_ON, approximant: APPROXIMANT, nProcs },
  };
  const steps: Step[] = [];
  const timed = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work();
    steps.push({ name, seconds: (performance.now() - start) / 1000 });
    return result;
  };
  await timed("bank", () => createBank(bankOptions, report));
  const runFlags = [
    ...[
      `--n-ext ${N_EXT}`,
      `--max-bestfit-lnlike-diff ${MAX_DROP}`,
      `--n-draws ${N_DRAWS}`,
      `--seed ${seed}`,
    ],
    ...(nProcs === undefined ? [] : [`--n-procs ${nProcs}`]),
  ].flatMap((flag) => flag.split(" "));
  const runArguments = [event, bank, "--rundir", rundir, ...runFlags];
  const summary = await timed("run", () => runInference(parseRunOptions(runArguments), report));
  if ("complete" in summary) throw new Error(`${rundir} is complete before the run`);
  const commands = [
    `dotpe-hpc bank create ${bank} --event ${event} --mchirp ${MCHIRP.join(",")} --q-min ${Q_MIN} --n ${n} ` +
      `--inc-faceon-factor ${FACE_ON} --seed ${seed}`,
    `dotpe-hpc run ${runArguments.join(" ")}`,
  ];
  const read = await timed("page", () =>
    writeReport(rundir, page, {
      ...{ published: GW170814_PUBLISHED, warnings: summary.warnings, commands, waveforms: APPROXIMANT },
      steps: pageSteps(steps, summary, n),
    }),
  );
  return { page, report: read, summary, steps, commands };
}

/** The run's first stage counts from the start of the process, which made the bank before. */
function pageSteps(steps: readonly Step[], { stages }: RunSummary, n: number): Step[] {
  const seconds = (name: string) => steps.find((step) => step.name === name)?.seconds ?? 0;
  const [, ...later] = stages;
  const first = seconds("run") - later.reduce((sum, stage) => sum + stage.seconds, 0);
  return [
    { name: `bank of ${formatCount(n)} waveforms`, seconds: seconds("bank") },
    { name: "run: start", seconds: Math.max(0, first) },
    ...later.map((stage) => ({ name: `run: ${stage.name}`, seconds: stage.seconds })),
  ];
}

/** New, empty, or a demo's: then what that left is removed. */
function prepareFolder(out: string, made: object): void {
  if (existsSync(out)) {
    const names = lstatSync(out).isDirectory() ? readdirSync(out) : [""];
    if (names.length > 0 && !names.includes(MARK)) {
      throw new DotpeError(
        "cannotCreate",
        `${out}: found something that is not a demo, expected a new or empty folder, or that of an earlier demo`,
        "Give another folder: dotpe-hpc demo OUT.",
      );
    }
    for (const part of PARTS) rmSync(join(out, part), { recursive: true, force: true });
  } else {
    makeFolder(out);
  }
  writeFileAtomic(join(out, MARK), JSON.stringify(made, null, 2) + "\n");
}
