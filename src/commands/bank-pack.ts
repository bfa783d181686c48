/** `dotpe-hpc bank pack BANK OUT`: the bank with its waveforms compressed. */
import type { PackedBank, PackOptions } from "../banks/pack/pack.ts";
import { type FlagSpec, flagOf, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { FlagValues, POSITIVE } from "../flag-values.ts";
import { formatBytes } from "../report/sizes.ts";
import { printOut } from "./print.ts";
import { reporterFor } from "./terminal.ts";

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
  const { positionals, flags } = parseCommandLine(args, FLAGS);
  const values = new FlagValues(flags, COMMAND);
  const options: PackOptions = { ...foldersOf(positionals, values), rounding: roundingOf(values) };
  const { packBank } = await import("../banks/pack/pack.ts");
  const packed = await packBank(options, reporterFor(values.isOn("quiet")));
  await printOut(values.isOn("json") ? JSON.stringify(packed, null, 2) + "\n" : describe(packed));
}

function roundingOf(values: FlagValues): PackOptions["rounding"] {
  const tolerance = values.number("tolerance", POSITIVE);
  const snr = values.number("snr", POSITIVE);
  if (tolerance === undefined && snr !== undefined)
    throw values.error("--snr: found without --tolerance, expected both or neither (every bit is kept then)");
  return tolerance === undefined ? null : { tolerance, snr: snr ?? DEFAULT_SNR };
}

/** Bank, output folder and threads of pack and unpack. @throws DotpeError usage */
export function foldersOf(positionals: readonly string[], values: FlagValues) {
  if (positionals.length !== 2)
    throw values.error(`found ${positionals.length} folders, expected BANK and OUT`);
  const [bank, out] = positionals;
  return { bank, out, nProcs: values.threads() };
}

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
