/** `dotpe-hpc bench [EVENT BANK...]`: how fast the program is on this machine. */
import { defineCommand } from "citty";
import {
  type FlagSpec,
  flagOf,
  type HelpPage,
  oneOf,
  parseCommandLine,
  renderHelp,
  wantsHelp,
} from "../cli.ts";
import { DotpeError } from "../errors.ts";
import { printOut } from "./print.ts";

const COMMAND = "dotpe-hpc bench";
const GROUP = "Options";
const FLAGS: readonly FlagSpec[] = [
  flagOf(GROUP, "size", "micro|small|full", "how much is measured, and how often (small)"),
  flagOf(GROUP, "only", "PART,...", "only these parts: kernels, stages, run, scaling, crossover (all)"),
  flagOf(GROUP, "json", "FILE", "write every number to this file"),
  flagOf(GROUP, "against", "FILE", "print the change of every number since this file was written"),
];

const HELP: HelpPage = {
  summary: "Times the program on this machine, as processes of their own: nothing else should run meanwhile.",
  usage: "dotpe-hpc bench [EVENT BANK...] [options]",
  positionals: [
    ["EVENT", "event file (.npz), as for run; without it a made-up event and bank are used"],
    ["BANK", "bank folder, as for run"],
  ],
  flags: FLAGS,
  examples: [
    ["dotpe-hpc bench --json before.json", "all parts on made-up data, minutes"],
    ["dotpe-hpc bench --against before.json", "the same again, with what has changed"],
    ["dotpe-hpc bench GW170814.npz banks/a --only scaling", "threads against processes, on your bank"],
  ],
  more: "(in brackets: the default)  CONTRIBUTING.md says what each part measures.",
};

export default defineCommand({
  meta: { name: "bench", description: HELP.summary },
  async run({ rawArgs }) {
    if (wantsHelp(rawArgs)) return printOut(renderHelp(HELP));
    const { positionals, flags } = parseCommandLine(rawArgs, FLAGS);
    if (positionals.length === 1)
      throw new DotpeError("usage", "no bank folder given", "Give EVENT and BANK, or neither.");
    const [{ PART_NAMES, runSuite }, { SIZES }, compare, { writeFileAtomic }] = await Promise.all([
      ...[import("../bench/suite.ts"), import("../bench/problem.ts")],
      ...[import("../bench/compare.ts"), import("../io/atomic-write.ts")],
    ] as const);
    const text = (name: string) => flags.get(name)?.value as string | undefined;
    const size = oneOf(
      "--size",
      text("size") ?? "small",
      Object.keys(SIZES) as (keyof typeof SIZES)[],
      COMMAND,
    );
    const parts = text("only")
      ?.split(",")
      .map((part) => oneOf("--only", part, PART_NAMES, COMMAND));
    const against = text("against");
    const before = against === undefined ? undefined : compare.readRecorded(against);
    const measured = await runSuite({ size, parts: parts ?? PART_NAMES, inputs: positionals }, printOut);
    const json = text("json");
    if (json !== undefined) writeFileAtomic(json, JSON.stringify(measured, null, 1) + "\n");
    if (before !== undefined) await printOut(compare.formatComparison(before, measured));
  },
});
