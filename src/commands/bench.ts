/** `dotpe-hpc bench [EVENT BANK...]`: how fast the program is on this machine. */
import { defineCommand } from "citty";
import { type FlagSpec, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { DotpeError } from "../errors.ts";
import { printOut } from "./print.ts";

const GROUP = "Options";
const FLAGS: readonly FlagSpec[] = [
  {
    ...{ name: "size", kind: "value", group: GROUP, hint: "micro|small|full" },
    help: "how much is measured, and how often (small)",
  },
  {
    ...{ name: "only", kind: "value", group: GROUP, hint: "PART,..." },
    help: "only these parts: kernels, stages, run, scaling, crossover (all)",
  },
  {
    ...{ name: "json", kind: "value", group: GROUP, hint: "FILE" },
    help: "write every number to this file",
  },
  {
    ...{ name: "against", kind: "value", group: GROUP, hint: "FILE" },
    help: "print the change of every number since this file was written",
  },
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
    const size = oneOf("--size", text("size") ?? "small", Object.keys(SIZES) as (keyof typeof SIZES)[]);
    const parts = text("only")
      ?.split(",")
      .map((part) => oneOf("--only", part, PART_NAMES));
    const against = text("against");
    const before = against === undefined ? undefined : compare.readRecorded(against);
    const measured = await runSuite({ size, parts: parts ?? PART_NAMES, inputs: positionals }, printOut);
    const json = text("json");
    if (json !== undefined) writeFileAtomic(json, JSON.stringify(measured, null, 1) + "\n");
    if (before !== undefined) await printOut(compare.formatComparison(before, measured));
  },
});

function oneOf<Name extends string>(flag: string, found: string, known: readonly Name[]): Name {
  const name = known.find((one) => one === found);
  if (name !== undefined) return name;
  throw new DotpeError(
    "usage",
    `${flag}: found ${found}, expected ${known.join(", ")}`,
    "`dotpe-hpc bench --help` lists the options.",
  );
}
