/** `dotpe-hpc demo [OUT]`: a real event from nothing to the answer, in seconds. */
import { defineCommand } from "citty";
import { type FlagSpec, flagOf, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import type { DemoOptions } from "../demo/demo.ts";
import { FlagValues, whole } from "../flag-values.ts";
import { printOut } from "./print.ts";
import { reporterFor } from "./terminal.ts";

const COMMAND = "dotpe-hpc demo";
const DEFAULT_OUT = "dotpe-hpc-demo";
const FLAGS: readonly FlagSpec[] = [
  flagOf("Options", "n", "N", "samples of the bank (65536: 0.8 GB on disk)"),
  flagOf("Options", "seed", "S", "of the bank's draw and of the run (0)"),
  flagOf("Options", "n-procs", "N", "threads (all that may be used)"),
  flagOf("Options", "json", "", "print the result as JSON"),
  flagOf("Options", "quiet", "", "no progress"),
];

const HELP: HelpPage = {
  summary:
    "The real GW170814: makes a bank, runs the inference, and sets the answer beside the published one. No data, no network.",
  usage: `${COMMAND} [OUT] [options]`,
  positionals: [["OUT", `the folder to make, or that of an earlier demo (./${DEFAULT_OUT})`]],
  flags: FLAGS,
  examples: [
    [COMMAND, `into ./${DEFAULT_OUT}; open report.html there`],
    [`${COMMAND} /tmp/demo --n 32768`, "half the bank, half the disk"],
  ],
  more: "(in brackets: the default)  Leaves OUT/event, OUT/bank, OUT/run and OUT/report.html.",
};

export default defineCommand({
  meta: { name: "demo", description: HELP.summary },
  async run({ rawArgs }) {
    if (wantsHelp(rawArgs)) return printOut(renderHelp(HELP));
    const line = parseCommandLine(rawArgs, FLAGS);
    const flags = new FlagValues(line.flags, COMMAND);
    const { DEFAULT_SAMPLES, runDemo } = await import("../demo/demo.ts");
    const options = optionsOf(line.positionals, flags, DEFAULT_SAMPLES);
    const { demoJson, formatDemo } = await import("../demo/summary.ts");
    const start = performance.now();
    const result = await runDemo(options, reporterFor(flags.isOn("quiet")));
    const seconds = (performance.now() - start) / 1000;
    await printOut(flags.isOn("json") ? demoJson(result, seconds) : formatDemo(result, seconds));
  },
});

/** Fewer find no waveform that fits. */
const LEAST_SAMPLES = 256;
const MOST_SAMPLES = 2 ** 24;

function optionsOf(positionals: readonly string[], flags: FlagValues, samples: number): DemoOptions {
  if (positionals.length > 1)
    throw flags.error(`OUT: found ${positionals.length} folders, expected one at most`);
  return {
    out: positionals[0] ?? DEFAULT_OUT,
    n: flags.number("n", whole(LEAST_SAMPLES, MOST_SAMPLES)) ?? samples,
    seed: flags.number("seed", whole(0)) ?? 0,
    nProcs: flags.threads(),
  };
}
