/** `dotpe-hpc bank check BANK...`: reads banks as a whole and says what is wrong with them. */
import { type FlagSpec, flagOf, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { DotpeError, EXIT_CODES } from "../errors.ts";
import { FlagValues } from "../flag-values.ts";
import { printOut } from "./print.ts";
import { reporterFor } from "./terminal.ts";

const COMMAND = "dotpe-hpc bank check";
const GROUP = "Options";
const FLAGS: readonly FlagSpec[] = [
  flagOf(
    GROUP,
    "event",
    "FILE",
    "event file (.npz): check the bins against its band and grid, count the samples near it, and measure the error of relative binning",
  ),
  flagOf(
    GROUP,
    "lal",
    "PATH",
    "LALSimulation's shared library, or a Python environment that has lalsuite: to make waveforms again",
  ),
  flagOf(GROUP, "n-procs", "N", "threads (all that may be used)"),
  flagOf(GROUP, "json", "", "every check, as JSON"),
  flagOf(GROUP, "quiet", "", "no progress"),
];

const HELP: HelpPage = {
  summary: "Reads a bank as a whole: shapes, numbers, phases, parameters, checksums.",
  usage: `${COMMAND} BANK [BANK...] [--event EVENT] [options]`,
  positionals: [["BANK", "bank folder, packed or not"]],
  flags: FLAGS,
  examples: [
    [`${COMMAND} banks/a`, "after a copy, or before a long run"],
    [`${COMMAND} banks/a --event GW170814.npz`, "is it good for this event?"],
    [`${COMMAND} banks/a --lal ~/venv --event GW170814.npz`, "of an approximant of LALSimulation"],
  ],
  more: "Ends with 65 if a check fails, with 0 if not, warnings or not. docs/banks.md says what is checked.",
};

export async function run(args: string[]): Promise<void> {
  if (wantsHelp(args)) return printOut(renderHelp(HELP));
  const line = parseCommandLine(args, FLAGS);
  const { positionals } = line;
  const flags = new FlagValues(line.flags, COMMAND);
  if (positionals.length === 0)
    throw new DotpeError("usage", "no bank folder given", `Write \`${COMMAND} BANK\`.`);
  const nProcs = flags.threads();
  const reporter = reporterFor(flags.isOn("quiet"));
  const [{ checkBank }, { readEvent }, { withPool }, { formatBankReport }] = await Promise.all([
    import("../banks/check.ts"),
    import("../gw/event.ts"),
    import("../banks/threads.ts"),
    import("../report/bank-check.ts"),
  ]);
  const path = flags.text("event");
  const event = path === undefined ? undefined : readEvent(path);
  const options = { lal: flags.text("lal") ?? null, ...(event && { event }) };
  const reports = await withPool(nProcs, async (pool) => {
    const all = [];
    for (const folder of positionals) all.push(await checkBank(folder, options, pool, reporter));
    return all;
  });
  await printOut(
    flags.isOn("json")
      ? JSON.stringify({ banks: reports }, null, 1) + "\n"
      : reports.map(formatBankReport).join("\n"),
  );
  if (reports.some(({ checks }) => checks.some(({ level }) => level === "fail")))
    process.exitCode = EXIT_CODES.badData;
}
