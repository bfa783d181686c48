/** `dotpe-hpc bank pack BANK OUT`: the bank with its waveforms compressed. */
import type { PackedBank, PackOptions } from "../banks/pack/pack.ts";
import {
  type CommandLine,
  type FlagSpec,
  flagOf,
  type HelpPage,
  parseCommandLine,
  renderHelp,
  wantsHelp,
} from "../cli.ts";
import { DotpeError } from "../errors.ts";
import { createReporter } from "../report/progress.ts";
import { formatBytes } from "../report/sizes.ts";
import { printOut, printProgress } from "./print.ts";

const COMMAND = "dotpe-hpc bank pack";
const GROUP = "Options";
const DEFAULT_SNR = 30;

/** Of pack and unpack. */
export const COMMON_FLAGS: readonly FlagSpec[] = [
  flagOf(GROUP, "n-procs", "N", "threads (all that may be used)"),
  flagOf(GROUP, "json", "", "print the result as JSON"),
  flagOf(GROUP, "quiet", "", "no progress"),
];

const FLAGS: readonly FlagSpec[] = [
  flagOf(
    GROUP,
    "tolerance",
    "T",
    "smaller: ln likelihoods may change by T, such as 0.01 (every bit is kept)",
  ),
  flagOf(GROUP, "snr", "RHO", `with --tolerance: at signal-to-noise ratios up to RHO (${DEFAULT_SNR})`),
  ...COMMON_FLAGS,
];

const HELP: HelpPage = {
  summary: "Writes a bank with its waveforms compressed; run and the other commands read it as it is.",
  usage: `${COMMAND} BANK OUT [options]`,
  positionals: [
    ["BANK", "bank folder, as for run"],
    ["OUT", "the folder to make"],
  ],
  flags: FLAGS,
  examples: [
    [`${COMMAND} banks/a packed`, "1.6 to 6 times smaller, the same results to the bit"],
    [`${COMMAND} banks/a packed --tolerance 0.01`, "10 to 70 times smaller"],
    ["dotpe-hpc bank unpack packed banks/b", "back to .npy files"],
  ],
  more: "(in brackets: the default)  docs/banks.md says what the tolerance means.",
};

export async function run(args: string[]): Promise<void> {
  if (wantsHelp(args)) return printOut(renderHelp(HELP));
  const line = parseCommandLine(args, FLAGS);
  const { bank, out, nProcs } = commonOptions(line);
  const options: PackOptions = { bank, out, nProcs, rounding: roundingOf(line) };
  const { packBank } = await import("../banks/pack/pack.ts");
  const packed = await packBank(options, reporterOf(line));
  await printOut(isJson(line) ? JSON.stringify(packed, null, 2) + "\n" : describe(packed));
}

function roundingOf({ flags }: CommandLine): PackOptions["rounding"] {
  const tolerance = positive(flags, "tolerance");
  const snr = positive(flags, "snr");
  if (tolerance === undefined && snr !== undefined)
    throw new DotpeError(
      "usage",
      "--snr: found without --tolerance",
      "Give both, or neither: every bit is kept then.",
    );
  return tolerance === undefined ? null : { tolerance, snr: snr ?? DEFAULT_SNR };
}

function positive(flags: CommandLine["flags"], name: string): number | undefined {
  const text = flags.get(name)?.value as string | undefined;
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && Number.isFinite(value)) return value;
  throw new DotpeError(
    "usage",
    `--${name}: found ${text}, expected a number above 0`,
    `Write --${name} 0.01, for example.`,
  );
}

/** Bank, output folder and threads of pack and unpack. @throws DotpeError usage */
export function commonOptions({ positionals, flags }: CommandLine): {
  bank: string;
  out: string;
  nProcs: number | undefined;
} {
  if (positionals.length !== 2)
    throw new DotpeError("usage", `found ${positionals.length} folders, expected BANK and OUT`, "Give both.");
  const nProcs = positive(flags, "n-procs");
  if (nProcs !== undefined && !(Number.isInteger(nProcs) && nProcs <= 4096))
    throw new DotpeError(
      "usage",
      `--n-procs: found ${nProcs}, expected a whole number of 1 to 4096`,
      "Leave it out.",
    );
  const [bank, out] = positionals;
  return { bank, out, nProcs };
}

export function reporterOf({ flags }: CommandLine) {
  return createReporter({
    ...{ write: printProgress, isTerminal: process.stderr.isTTY === true },
    ...{ columns: process.stderr.columns || undefined, quiet: flags.get("quiet")?.value === true },
  });
}

export const isJson = ({ flags }: CommandLine) => flags.get("json")?.value === true;

function describe({ folder, samples, rawBytes, packedBytes, seconds, rounding }: PackedBank): string {
  const sizes = `${formatBytes(rawBytes)} to ${formatBytes(packedBytes)}`;
  const ratio = (rawBytes / packedBytes).toPrecision(3);
  const line = `${folder}  ${samples} samples, ${sizes}: ${ratio} times smaller, ${speed(rawBytes, seconds)}\n`;
  if (rounding === null) return line + "every bit kept\n";
  const { amplitudeError, phaseError, relativeError, tolerance, snr } = rounding;
  const [a, p, r] = [amplitudeError, phaseError, relativeError].map((x) => x.toExponential(2));
  return (
    line +
    `largest errors: amplitudes ${a} and phases ${p} of the waveform; ${r} (rms) of one waveform, ` +
    `at signal-to-noise ratio ${snr} ${(relativeError * snr).toPrecision(2)} in ln L (one sigma; tolerance ${tolerance})\n`
  );
}

/** Of raw data. */
export function speed(bytes: number, seconds: number): string {
  return `${formatBytes(bytes / seconds)}/s`;
}
