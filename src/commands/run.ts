/** `dotpe-hpc run EVENT BANK [BANK...]`: the posterior and the evidence of one event. */
import { defineCommand } from "citty";
import { type HelpPage, renderHelp, wantsHelp } from "../cli.ts";
import { Interrupt } from "../interrupt.ts";
import { RUN_FLAGS } from "../option-table.ts";
import { type Options, parseRunOptions } from "../options.ts";
import type { Reporter } from "../report/reporter.ts";
import { formatPlan, formatSummary, summaryJson } from "../report/summary.ts";
import type { Inputs } from "../stages/setup.ts";
import { printOut } from "./print.ts";
import { endedBySignals } from "./signals.ts";
import { reporterFor } from "./terminal.ts";

const HELP: HelpPage = {
  summary: "Posterior and evidence of one gravitational-wave event from banks of waveforms.",
  usage: "dotpe-hpc run EVENT BANK [BANK...] [options]",
  positionals: [
    ["EVENT", "event file (.npz) as cogwheel writes it"],
    ["BANK", "bank folder, as bank create, bank pack or dot_pe writes it"],
  ],
  flags: RUN_FLAGS,
  examples: [
    ["dotpe-hpc run GW170814.npz banks/a", "into ./GW170814/run_0, every core that is allowed"],
    ["dotpe-hpc run GW170814.npz banks/a banks/b --rundir out --n-ext 4096 --seed 7", "two banks, finer"],
    ["dotpe-hpc run GW170814.npz banks/a --dry-run", "what it would do, and how much memory it needs"],
    ["dotpe-hpc run --resume out", "go on with a run that was interrupted, as the same command does"],
    ["dotpe-hpc run --config out/run_kwargs.json --rundir again", "the same run once more"],
    ["dotpe-hpc run --benchmark FILE.ts", "a workload of your own: docs/benchmark-modules.md"],
  ],
  more:
    "(in brackets: the default)  snake_case names (--n_ext) work too. Exit codes: docs/exit-codes.md.\n" +
    "Every option, and where each argument of dot_pe's inference.run went: docs/options.md.",
};

export default defineCommand({
  meta: { name: "run", description: HELP.summary },
  async run({ rawArgs }) {
    if (wantsHelp(rawArgs)) return printOut(renderHelp(HELP));
    if (rawArgs.some((word) => /^--benchmark(=|$)/.test(word))) {
      return (await import("./run-module.ts")).runModule(rawArgs);
    }
    const { readManifest } = await import("../rundir/manifest.ts");
    const options = parseRunOptions(rawArgs, (rundir) => readManifest(rundir).options);
    const reporter = reporterFor(options.quiet);
    if (options.dryRun) await showPlan(options, reporter);
    else if (options.autotuneOnly) await showSetting(options, reporter);
    else await showResult(options, reporter);
  },
});

async function showPlan(options: Options, reporter: Reporter): Promise<void> {
  const { planRun } = await import("../pipeline.ts");
  // What a run would use, without measuring anything.
  const known = async (inputs: Inputs) =>
    (await settingOf({ ...options, tune: false }, inputs, reporter)).setting;
  const plan = await planRun(options, known);
  await printOut(options.json ? JSON.stringify(plan, null, 2) + "\n" : formatPlan(plan));
}

async function showResult(options: Options, reporter: Reporter): Promise<void> {
  const { runInference } = await import("../pipeline.ts");
  const interrupt = new Interrupt();
  const settingFor = async (inputs: Inputs) => {
    const { setting, reason, warnings } = await settingOf(options, inputs, reporter);
    if (setting !== undefined) reporter.note(`settings: ${reason}`);
    warnings.forEach(reporter.warn);
    return setting;
  };
  const summary = await endedBySignals(interrupt, reporter, () =>
    Promise.race([runInference(options, reporter, { settingFor, interrupt }), interrupt.early]),
  );
  if ("complete" in summary) await showComplete(summary.complete, options, reporter);
  else if (options.json) await printOut(summaryJson(summary));
  else if (!options.quiet) await printOut("\n" + formatSummary(summary));
}

/** Nothing was left to do. */
async function showComplete(rundir: string, { json }: Options, reporter: Reporter): Promise<void> {
  const { SUMMARY_FILE } = await import("../rundir/results.ts");
  reporter.note(`${rundir} is complete: nothing to do`);
  if (json) await printOut(await Bun.file(`${rundir}/${SUMMARY_FILE}`).text());
}

async function settingOf(options: Options, inputs: Inputs, reporter: Reporter) {
  const { chooseSetting } = await import("../tune/choose.ts");
  return chooseSetting(options, inputs, reporter.note);
}

/** `--autotune-only`. */
async function showSetting(options: Options, reporter: Reporter): Promise<void> {
  const [{ readInputs }, { workThatFits }] = await Promise.all([
    import("../stages/setup.ts"),
    import("../forecast/fit.ts"),
  ]);
  const inputs = readInputs(options);
  const { setting, reason, warnings } = await settingOf(options, inputs, reporter);
  const { work, warning } = workThatFits(options, inputs, setting);
  for (const text of [...warnings, ...(warning === undefined ? [] : [warning])]) reporter.warn(text);
  const used = {
    ...{
      n_procs: work.n_procs,
      i_batch: work.batchItems,
      batches_per_task: work.taskItems / work.batchItems,
    },
    ...{ i_tile: work.iTile, e_tile: work.eTile, kernel: work.kernel },
  };
  const lines = [...Object.entries(used).map(([name, value]) => `${name}: ${value}`), `from: ${reason}`];
  const placed = work.placement.reasons.map((line) => `threads: ${line}`);
  await printOut(
    options.json
      ? JSON.stringify({ ...used, from: reason }, null, 2) + "\n"
      : [...lines, ...placed].join("\n") + "\n",
  );
}
