/** `dotpe-hpc demo [OUT]`: a real event from nothing to the answer, in seconds. */
import { defineCommand } from "citty";
import {
  type CommandLine,
  type FlagSpec,
  flagOf,
  type HelpPage,
  parseCommandLine,
  renderHelp,
  wantsHelp,
} from "../cli.ts";
import type { DemoOptions, DemoResult } from "../demo/demo.ts";
import { DotpeError } from "../errors.ts";
import { createReporter } from "../report/progress.ts";
import { printOut, printProgress } from "./print.ts";

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
    const { DEFAULT_SAMPLES, runDemo } = await import("../demo/demo.ts");
    const options = optionsOf(line, DEFAULT_SAMPLES);
    const { demoJson, formatDemo } = await import("../demo/summary.ts");
    const isOn = (name: string) => line.flags.get(name)?.value === true;
    const start = performance.now();
    const result: DemoResult = await runDemo(
      options,
      createReporter({
        ...{ write: printProgress, isTerminal: process.stderr.isTTY === true },
        ...{ columns: process.stderr.columns || undefined, quiet: isOn("quiet") },
      }),
    );
    const seconds = (performance.now() - start) / 1000;
    await printOut(isOn("json") ? demoJson(result, seconds) : formatDemo(result, seconds));
  },
});

function optionsOf({ positionals, flags }: CommandLine, samples: number): DemoOptions {
  if (positionals.length > 1) throw usage(`OUT: found ${positionals.length} folders, expected one at most`);
  const whole = (name: string, least: number, most: number) => {
    const text = flags.get(name)?.value;
    if (text === undefined) return undefined;
    const value = /^\d+$/.test(String(text)) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw usage(`--${name}: found ${text || "nothing"}, expected a whole number from ${least} to ${most}`);
  };
  return {
    out: positionals[0] ?? DEFAULT_OUT,
    n: whole("n", LEAST_SAMPLES, MOST_SAMPLES) ?? samples,
    seed: whole("seed", 0, Number.MAX_SAFE_INTEGER) ?? 0,
    nProcs: whole("n-procs", 1, MOST_PROCS),
  };
}

/** Fewer find no waveform that fits. */
const LEAST_SAMPLES = 256;
const MOST_SAMPLES = 2 ** 24;
const MOST_PROCS = 4096;

function usage(message: string): DotpeError {
  return new DotpeError("usage", message, `\`${COMMAND} --help\` lists the options.`);
}
