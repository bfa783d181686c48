/** `dotpe-hpc bank check BANK...`: reads banks as a whole and says what is wrong with them. */
import { type FlagSpec, flagOf, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { DotpeError, EXIT_CODES } from "../errors.ts";
import { createReporter } from "../report/progress.ts";
import { printOut, printProgress } from "./print.ts";

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
  const { positionals, flags } = parseCommandLine(args, FLAGS);
  if (positionals.length === 0)
    throw new DotpeError("usage", "no bank folder given", `Write \`${COMMAND} BANK\`.`);
  const text = (name: string) => flags.get(name)?.value as string | undefined;
  const nProcs = threadsOf(text("n-procs"));
  const reporter = createReporter({
    ...{ write: printProgress, isTerminal: process.stderr.isTTY === true },
    ...{ columns: process.stderr.columns || undefined, quiet: flags.get("quiet")?.value === true },
  });
  const [{ checkBank }, { readEvent }, { withPool }, { formatBankReport }] = await Promise.all([
    import("../banks/check.ts"),
    import("../gw/event.ts"),
    import("../banks/threads.ts"),
    import("../report/bank-check.ts"),
  ]);
  const path = text("event");
  const event = path === undefined ? undefined : readEvent(path);
  const options = { lal: text("lal") ?? null, ...(event && { event }) };
  const reports = await withPool(nProcs, async (pool) => {
    const all = [];
    for (const folder of positionals) all.push(await checkBank(folder, options, pool, reporter));
    return all;
  });
  await printOut(
    flags.get("json")?.value === true
      ? JSON.stringify({ banks: reports }, null, 1) + "\n"
      : reports.map(formatBankReport).join("\n"),
  );
  if (reports.some(({ checks }) => checks.some(({ level }) => level === "fail")))
    process.exitCode = EXIT_CODES.badData;
}

const MOST_THREADS = 4096;

function threadsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1 && n <= MOST_THREADS && text.trim() !== "") return n;
  throw new DotpeError(
    "usage",
    `--n-procs: found ${text || "nothing"}, expected a whole number of at least 1`,
    `\`${COMMAND} --help\` lists the options.`,
  );
}
