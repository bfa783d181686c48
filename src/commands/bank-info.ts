/** `dotpe-hpc bank info BANK...`: what banks are, from all but their waveforms. */
import { flagOf, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { DotpeError } from "../errors.ts";
import { printOut } from "./print.ts";

const FLAGS = [flagOf("Options", "json", "", "print it as JSON: an array, an object a bank")];

const HELP: HelpPage = {
  summary: "Says what a bank is: size, bins, who made it, what its samples cover.",
  usage: "dotpe-hpc bank info BANK [BANK...] [--json]",
  positionals: [["BANK", "bank folder, packed or not"]],
  flags: FLAGS,
  examples: [
    ["dotpe-hpc bank info banks/a", "on one screen"],
    ["dotpe-hpc bank info banks/* --json", "of many, for a script"],
  ],
  more: "No waveform is read: `dotpe-hpc bank check` does. Exit codes: docs/exit-codes.md.",
};

export async function run(args: string[]): Promise<void> {
  if (wantsHelp(args)) return printOut(renderHelp(HELP));
  const { positionals, flags } = parseCommandLine(args, FLAGS);
  if (positionals.length === 0)
    throw new DotpeError("usage", "no bank folder given", "Write `dotpe-hpc bank info BANK`.");
  const [{ bankInfo }, { formatBankInfo }] = await Promise.all([
    import("../banks/info.ts"),
    import("../report/bank-info.ts"),
  ]);
  const infos = positionals.map(bankInfo);
  if (flags.get("json")?.value === true) return printOut(JSON.stringify(infos, jsonNumber, 1) + "\n");
  await printOut(infos.map(formatBankInfo).join("\n"));
}

/** JSON has no infinity: a weight of zero has the logarithm "-Infinity". */
function jsonNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
