/** `dotpe-hpc bank unpack PACKED OUT`: a packed bank in dot_pe's folder format again. */
import { type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { FlagValues } from "../flag-values.ts";
import { formatBytes } from "../report/sizes.ts";
import { COMMON_FLAGS, foldersOf, speed } from "./bank-pack.ts";
import { printOut } from "./print.ts";
import { reporterFor } from "./terminal.ts";

const COMMAND = "dotpe-hpc bank unpack";

const HELP: HelpPage = {
  summary: "Writes a packed bank as a folder of .npy files, which dot_pe reads.",
  usage: `${COMMAND} PACKED OUT [options]`,
  positionals: [
    ["PACKED", "a folder made by bank pack"],
    ["OUT", "the folder to make"],
  ],
  flags: COMMON_FLAGS,
  examples: [
    [
      `${COMMAND} packed banks/b`,
      "the .npy files are those that were packed, to the bit or within the tolerance",
    ],
  ],
  more: "(in brackets: the default)",
};

export async function run(args: string[]): Promise<void> {
  if (wantsHelp(args)) return printOut(renderHelp(HELP));
  const { positionals, flags } = parseCommandLine(args, COMMON_FLAGS);
  const values = new FlagValues(flags, COMMAND);
  const options = foldersOf(positionals, values);
  const { unpackBank } = await import("../banks/pack/unpack.ts");
  const bank = await unpackBank(options, reporterFor(values.isOn("quiet")));
  if (values.isOn("json")) return printOut(JSON.stringify(bank, null, 2) + "\n");
  const { folder, samples, blocks, packedBytes, rawBytes, seconds } = bank;
  await printOut(
    `${folder}  ${samples} samples in ${blocks} ${blocks === 1 ? "block" : "blocks"}, ` +
      `${formatBytes(packedBytes)} to ${formatBytes(rawBytes)}, ${speed(rawBytes, seconds)}\n`,
  );
}
