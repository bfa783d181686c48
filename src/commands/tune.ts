/** `dotpe-hpc tune [EVENT BANK...]`: finds the fastest setting for this machine, and remembers it. */
import { defineCommand } from "citty";
import {
  type CommandLine,
  type FlagSpec,
  flagOf,
  type HelpPage,
  oneOf,
  parseCommandLine,
  renderHelp,
  wantsHelp,
} from "../cli.ts";
import { DotpeError } from "../errors.ts";
import { FlagValues, type NumberRange, SHARE, whole } from "../flag-values.ts";
import type { SearchName } from "../tune/search.ts";
import { printOut, printProgress } from "./print.ts";

const COMMAND = "dotpe-hpc tune";
const WHAT = "What is tuned for (without EVENT and BANK: made-up data of the usual sizes)";
const HOW = "How";
const MEMORY = "What is remembered";

const list = (spec: FlagSpec): FlagSpec => ({ ...spec, kind: "list" });

const FLAGS: readonly FlagSpec[] = [
  flagOf(WHAT, "event", "FILE", "the same as EVENT"),
  list(flagOf(WHAT, "bank", "DIR", "the same as BANK; may be repeated")),
  flagOf(WHAT, "n-ext", "N", "as for run (1024)"),
  flagOf(WHAT, "n-phi", "N", "as for run (50)"),
  flagOf(WHAT, "n-t", "N", "as for run (128)"),
  flagOf(WHAT, "benchmark", "MODULE", "a workload of your own (.ts or .js): docs/benchmark-modules.md"),
  list(flagOf(WHAT, "benchmark-option", "KEY=VALUE", "given to the module; may be repeated")),
  flagOf(HOW, "budget", "TIME", "for everything, such as 20s or 5min (20s)"),
  flagOf(HOW, "search", "grid|halving|surrogate", "how candidates are chosen (surrogate)"),
  flagOf(HOW, "seed", "S", "of the search (0)"),
  flagOf(HOW, "kernel", "auto|NAME", "kernels that are tried (auto: all with the same results)"),
  flagOf(HOW, "placement", "auto|spread|pack|none", "as for run (auto)"),
  flagOf(HOW, "numa", "NODE", "tune for this NUMA node alone, as run --numa uses it"),
  flagOf(HOW, "reserve", "N", "as for run"),
  flagOf(
    HOW,
    "max-memory-per-worker",
    "MB",
    "leave out what needs more (allowed memory / workers, less 15%)",
  ),
  flagOf(HOW, "memory-fraction", "X", "share of the allowed memory to count with (0.8)"),
  flagOf(HOW, "json", "", "print everything that was measured as JSON"),
  flagOf(HOW, "quiet", "", "no progress"),
  flagOf(MEMORY, "retune", "", "measure even if a setting is remembered"),
  flagOf(MEMORY, "list", "", "print the remembered settings, and end"),
  flagOf(MEMORY, "clear", "", "forget them, and end"),
  flagOf(MEMORY, "export", "FILE", "write them to one file, and end"),
  flagOf(MEMORY, "import", "FILE", "take them from such a file, and end"),
];

const HELP: HelpPage = {
  summary:
    "Measures what is fastest on this machine: threads, batches, tiles, kernels. Every run after that uses it.",
  usage: "dotpe-hpc tune [EVENT BANK...] [options]",
  positionals: [
    ["EVENT", "event file (.npz), as for run"],
    ["BANK", "bank folder, as for run: a slice of it is measured on, in memory"],
  ],
  flags: FLAGS,
  examples: [
    ["dotpe-hpc tune", "once on a new node, 20 seconds"],
    ["dotpe-hpc tune GW170814.npz banks/a --budget 60s", "for runs on your bank"],
    ["dotpe-hpc tune --export node.json", "to --import on other nodes of the same kind"],
    ["dotpe-hpc tune --benchmark examples/ldpc/ldpc.ts", "a workload of your own"],
  ],
  more: "(in brackets: the default)  docs/tuning.md says what is measured and where it is remembered.",
};

export default defineCommand({
  meta: { name: "tune", description: HELP.summary },
  async run({ rawArgs }) {
    if (wantsHelp(rawArgs)) return printOut(renderHelp(HELP));
    const line = parseCommandLine(rawArgs, FLAGS);
    const values = new FlagValues(line.flags, COMMAND);
    const memory = ["list", "clear", "export", "import"].filter((name) => line.flags.has(name));
    if (memory.length > 1)
      throw new DotpeError(
        "usage",
        `found --${memory.join(" and --")}, expected one of them`,
        "Call them one by one.",
      );
    if (memory.length === 1)
      return (await import("./tune-memory.ts")).remembered(memory[0], values.text(memory[0]));
    const { runTune } = await import("./tune-run.ts");
    const tell = values.isOn("quiet") ? () => {} : printProgress;
    await printOut(await runTune(await requestOf(line, values), tell));
  },
});

export interface TuneCommand {
  readonly inputs: readonly string[];
  readonly runFlags: readonly string[];
  readonly benchmark: string | undefined;
  readonly given: Readonly<Record<string, string>>;
  readonly budgetSeconds: number;
  readonly search: SearchName | undefined;
  readonly seed: number;
  readonly mostBytes: number | undefined;
  readonly memoryFraction: number;
  readonly json: boolean;
  readonly retune: boolean;
}

/** Flags that mean what they mean for `run`, and are checked as there. */
const AS_FOR_RUN = ["n-ext", "n-phi", "n-t", "kernel", "placement", "numa", "reserve", "memory-fraction"];

async function requestOf({ flags, positionals }: CommandLine, values: FlagValues): Promise<TuneCommand> {
  const listOf = (name: string) => (flags.get(name)?.value as string[] | undefined) ?? [];
  const event = values.text("event");
  const inputs = [...(event === undefined ? [] : [event]), ...positionals, ...listOf("bank")];
  if (inputs.length === 1)
    throw new DotpeError("usage", "no bank folder given", "Give EVENT and BANK, or neither.");
  if (inputs.length > 0 && flags.has("benchmark"))
    throw new DotpeError(
      "usage",
      "--benchmark and EVENT: found both, expected one of them",
      "A module brings its own work.",
    );
  const [{ optionPairs }, { SEARCHES }] = await Promise.all([
    import("../tune/module-options.ts"),
    import("../tune/search.ts"),
  ]);
  const search = values.text("search");
  return {
    ...{ inputs, benchmark: values.text("benchmark"), given: optionPairs(listOf("benchmark-option")) },
    runFlags: AS_FOR_RUN.flatMap((name) => (flags.has(name) ? [`--${name}`, values.text(name) ?? ""] : [])),
    budgetSeconds: seconds(values),
    search: search === undefined ? undefined : oneOf("--search", search, SEARCHES, COMMAND),
    seed: values.number("seed", whole(0, 2 ** 31 - 1)) ?? 0,
    mostBytes: megabytes(values),
    memoryFraction: values.number("memory-fraction", SHARE) ?? 0.8,
    ...{ json: values.isOn("json"), retune: values.isOn("retune") },
  };
}

const UNITS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600 };
const BUDGET: NumberRange = { holds: (x) => x >= 1 && x <= 86_400, expected: "1s to 24h" };
const MEGABYTES: NumberRange = { holds: (x) => x >= 1 && x <= 1e9, expected: "megabytes, at least 1" };

function seconds(values: FlagValues): number {
  const text = values.text("budget") ?? "20s";
  const [, found = "", unit = "s"] = /^([\d.]+)(s|min|h)?$/.exec(text) ?? [];
  return values.parse("budget", found && `${Number(found) * UNITS[unit]}`, BUDGET, text);
}

function megabytes(values: FlagValues): number | undefined {
  const text = values.text("max-memory-per-worker");
  if (text === undefined) return undefined;
  return 1e6 * values.parse("max-memory-per-worker", text.replace(/MB$/i, ""), MEGABYTES, text);
}
