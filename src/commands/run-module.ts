/** `dotpe-hpc run --benchmark MODULE`: a workload of the user's own, on the same threads. */
import { resolve } from "node:path";
import { type FlagSpec, parseCommandLine } from "../cli.ts";
import { thisMachine } from "../machine/machine.ts";
import { RUN_FLAGS } from "../option-table.ts";
import { parseRunOptions } from "../options.ts";
import { formatDuration, formatRate } from "../report/format.ts";
import { readCached } from "../tune/cache.ts";
import { settingText } from "../tune/cache-list.ts";
import { usableHere, whereOf } from "../tune/choose.ts";
import { optionPairs } from "../tune/module-options.ts";
import { ModuleWorkload } from "../tune/module-workload.ts";
import { place } from "../tune/space.ts";
import { Pool } from "../workers/pool.ts";
import { printOut, printProgress } from "./print.ts";
import { signatureOfModule } from "./tune-run.ts";

const OWN: readonly FlagSpec[] = [
  { name: "benchmark", kind: "value", group: "", hint: "MODULE", help: "" },
  { name: "benchmark-option", kind: "list", group: "", hint: "KEY=VALUE", help: "" },
];
/** Flags of `run` that mean something here. */
const SHARED = ["n-procs", "i-batch", "batches-per-task", "i-tile", "placement", "numa", "reserve", "hpc"];

export async function runModule(rawArgs: readonly string[]): Promise<void> {
  const shared = RUN_FLAGS.filter(({ name }) => SHARED.includes(name));
  const { flags } = parseCommandLine(rawArgs, [...OWN, ...shared]);
  const path = resolve(String(flags.get("benchmark")?.value));
  const given = optionPairs((flags.get("benchmark-option")?.value as string[] | undefined) ?? []);
  const ofRun = SHARED.flatMap((name) =>
    flags.has(name) ? [`--${name}`, String(flags.get(name)?.value)] : [],
  );
  const options = parseRunOptions(["-", "-", ...ofRun]);
  const machine = thisMachine();
  const where = whereOf(options);
  const workload = await ModuleWorkload.open(path, given);
  const signature = signatureOfModule(workload, path, given, machine, where);
  const known = options.hpc === "auto" ? readCached(signature, usableHere(machine)).found : undefined;
  const base = known?.entry.setting ?? { ...workload.builtIn, smt: false, n_procs: undefined };
  const placement = place(machine, where, { smt: base.smt, n_procs: options.nProcs ?? base.n_procs });
  const setting = {
    ...{ ...base, n_procs: placement.seats.length, iBatch: options.iBatch ?? base.iBatch },
    ...{ batchesPerTask: options.batchesPerTask ?? base.batchesPerTask, iTile: options.iTile ?? base.iTile },
  };
  printProgress(`settings: ${settingText(setting)} (${known === undefined ? "built-in" : "tuned"})\n`);
  const pool = new Pool(placement.seats, "ref");
  try {
    pool.start();
    const start = performance.now();
    const result = await workload.solve(pool, setting, workload.n_units);
    const seconds = (performance.now() - start) / 1000;
    const rate = `${workload.n_units} ${workload.unit} in ${formatDuration(seconds)}, ${formatRate(workload.n_units / seconds)}/s`;
    await printOut([...workload.report(result), rate].map((line) => `${line}\n`).join(""));
  } finally {
    pool.close();
  }
}
