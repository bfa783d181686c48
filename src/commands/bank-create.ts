/** `dotpe-hpc bank create OUT`: draws samples and makes their waveforms. */
import type { BankOptions } from "../banks/create.ts";
import { MASS_DRAWS } from "../banks/draws.ts";
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
import { createReporter } from "../report/progress.ts";
import { formatBytes } from "../report/sizes.ts";
import { printOut, printProgress } from "./print.ts";

const PREC_FLAG = "phenomx-prec-version";
const COMMAND = "dotpe-hpc bank create";
const BINS = "Frequencies (one of --event, --band)";
const SAMPLES = "Samples";
const WAVEFORMS = "Waveforms";
const HOW = "How";

const FLAGS: readonly FlagSpec[] = [
  flagOf(BINS, "event", "FILE", "the band and the frequency grid of this event file (.npz)"),
  flagOf(BINS, "band", "LO,HI", "Hz"),
  flagOf(BINS, "df", "HZ", "with --band: frequency step of the events it is for (0.03125)"),
  flagOf(BINS, "phase-tolerance", "RAD", "how much two waveforms' phases may differ from bin to bin (0.05)"),
  flagOf(SAMPLES, "mchirp", "LO,HI", "chirp mass in the detector frame, Msun"),
  flagOf(SAMPLES, "q-min", "Q", "least mass ratio m2/m1 (0.2)"),
  flagOf(SAMPLES, "q-max", "Q", "largest mass ratio (1)"),
  flagOf(SAMPLES, "n", "N", "samples"),
  flagOf(SAMPLES, "seed", "S", "of the draw (0)"),
  flagOf(
    SAMPLES,
    "draw",
    MASS_DRAWS.join("|"),
    "masses uniform in ln mchirp and ln q; from the prior itself; or as mchirp^A. log_prior_weights undo it (log)",
  ),
  flagOf(SAMPLES, "mchirp-power", "A", "the power of --draw power (-1.7)"),
  flagOf(SAMPLES, "inc-faceon-factor", "F", "more systems seen face-on by about this factor (isotropic)"),
  flagOf(WAVEFORMS, "approximant", "NAME", "IMRPhenomD is built in; others are LALSimulation's (IMRPhenomD)"),
  flagOf(WAVEFORMS, "modes", "LM,LM,...", "such as 22,21,33 (those that dot_pe uses)"),
  flagOf(WAVEFORMS, PREC_FLAG, "N", "how LALSimulation's IMRPhenomX models precess (its default)"),
  flagOf(WAVEFORMS, "f-ref", "HZ", "frequency at which spins are given (50)"),
  flagOf(
    WAVEFORMS,
    "lal",
    "PATH",
    "LALSimulation's shared library, or a Python environment that has lalsuite",
  ),
  flagOf(HOW, "blocksize", "N", "samples of a waveform file (4096)"),
  flagOf(HOW, "n-procs", "N", "threads (all that may be used)"),
  flagOf(HOW, "json", "", "print the result as JSON"),
  flagOf(HOW, "quiet", "", "no progress"),
];

const HELP: HelpPage = {
  summary: "Makes a bank of waveforms: a folder that this program and dot_pe read.",
  usage: `${COMMAND} OUT --event EVENT --mchirp LO,HI --n N [options]`,
  positionals: [["OUT", "the folder to make; an interrupted call goes on if it is repeated"]],
  flags: FLAGS,
  examples: [
    [`${COMMAND} bank --event GW170814.npz --mchirp 25,30 --n 32768`, "IMRPhenomD, in seconds"],
    [
      `${COMMAND} bank --event GW170814.npz --mchirp 25,30 --n 32768 --approximant IMRPhenomXPHM --lal ~/venv`,
      "precessing, by the LALSimulation of a Python environment",
    ],
    [`${COMMAND} bank --band 15,1024 --mchirp 5,40 --n 1048576 --draw power`, "for many events"],
  ],
  more: "(in brackets: the default)  docs/banks.md says what is drawn, and how many samples an event needs.",
};

export async function run(args: string[]): Promise<void> {
  if (wantsHelp(args)) return printOut(renderHelp(HELP));
  const line = parseCommandLine(args, FLAGS);
  const options = optionsOf(line);
  const report = createReporter({
    ...{ write: printProgress, isTerminal: process.stderr.isTTY === true },
    ...{ columns: process.stderr.columns || undefined, quiet: line.flags.get("quiet")?.value === true },
  });
  const { createBank } = await import("../banks/create.ts");
  const bank = await createBank(options, report);
  if (line.flags.get("json")?.value === true) return printOut(JSON.stringify(bank, null, 2) + "\n");
  const rate = bank.made > 0 ? `, ${Math.round(bank.made / bank.seconds)} waveforms/s` : "";
  await printOut(
    `${bank.folder}  ${bank.n_i} samples of ${options.approximant} (${bank.maker}), modes m = ${bank.m_arr.join(", ")}, ` +
      `${bank.n_b} bins, ${formatBytes(bank.bytes)}${rate}\n`,
  );
}

function optionsOf({ positionals, flags }: CommandLine): BankOptions {
  const text = (name: string) => flags.get(name)?.value as string | undefined;
  const number = (name: string, fallback: number | undefined, check: Check) =>
    numberOf(`--${name}`, text(name), fallback, check);
  if (positionals.length !== 1) throw usage(`OUT: found ${positionals.length} folders, expected one`);
  const [event, band] = [text("event"), text("band")];
  if ((event === undefined) === (band === undefined))
    throw usage(`--event, --band: found ${event === undefined ? "neither" : "both"}, expected one of them`);
  const mchirp = pair("--mchirp", text("mchirp"), POSITIVE);
  const q = [number("q-min", 0.2, FRACTION), number("q-max", 1, FRACTION)] as const;
  if (!(q[0] < q[1])) throw usage(`--q-min: found ${q[0]}, expected less than --q-max (${q[1]})`);
  return {
    out: positionals[0],
    event: event ?? null,
    band: band === undefined ? null : bandOf(pair("--band", band, POSITIVE), number("df", 2 ** -5, POSITIVE)),
    phaseTolerance: number("phase-tolerance", 0.05, POSITIVE),
    ...{ mchirp, q },
    n: number("n", undefined, COUNT),
    seed: number("seed", 0, WHOLE),
    draw: oneOf("--draw", text("draw") ?? "log", MASS_DRAWS, COMMAND),
    mchirpPower: number("mchirp-power", -1.7, FINITE),
    incFaceonFactor:
      text("inc-faceon-factor") === undefined ? null : number("inc-faceon-factor", 1, POSITIVE),
    approximant: text("approximant") ?? "IMRPhenomD",
    harmonicModes: modesOf(text("modes")),
    phenomXPrecVersion: text(PREC_FLAG) === undefined ? null : number(PREC_FLAG, 0, WHOLE),
    fRef: number("f-ref", 50, POSITIVE),
    lal: text("lal") ?? null,
    blocksize: number("blocksize", 4096, COUNT),
    nProcs: text("n-procs") === undefined ? undefined : number("n-procs", 1, COUNT),
  };
}

interface Check {
  readonly is: (x: number) => boolean;
  readonly expected: string;
}

const MOST_SAMPLES = 2 ** 31 - 1;
const POSITIVE: Check = { is: (x) => x > 0 && Number.isFinite(x), expected: "a number above 0" };
const FINITE: Check = { is: Number.isFinite, expected: "a number" };
const FRACTION: Check = { is: (x) => x > 0 && x <= 1, expected: "a number above 0 and at most 1" };
const WHOLE: Check = {
  is: (x) => Number.isSafeInteger(x) && x >= 0,
  expected: "a whole number of at least 0",
};
const COUNT: Check = {
  is: (x) => Number.isInteger(x) && x >= 1 && x <= MOST_SAMPLES,
  expected: "a whole number of at least 1",
};

function numberOf(
  name: string,
  text: string | undefined,
  fallback: number | undefined,
  check: Check,
): number {
  if (text === undefined && fallback !== undefined) return fallback;
  const value = (text ?? "").trim() === "" ? Number.NaN : Number(text);
  if (check.is(value)) return value;
  throw usage(`${name}: found ${text || "nothing"}, expected ${check.expected}`);
}

function pair(name: string, text: string | undefined, check: Check): readonly [number, number] {
  const parts = (text ?? "").split(",");
  if (parts.length !== 2)
    throw usage(`${name}: found ${text || "nothing"}, expected two numbers, such as 25,30`);
  const [low, high] = parts.map((part) => numberOf(name, part, undefined, check));
  if (!(low < high)) throw usage(`${name}: found ${text}, expected the smaller number first`);
  return [low, high];
}

const bandOf = ([f0, f1]: readonly [number, number], df: number) => {
  // The first and the last bin lie on the grid and within the band.
  return { f0: Math.ceil(f0 / df) * df, f1: Math.floor(f1 / df) * df, df };
};

function modesOf(text: string | undefined): (readonly [number, number])[] | null {
  if (text === undefined) return null;
  return text.split(",").map((word) => {
    const [, l, m] = /^(\d)(\d)$/.exec(word.trim()) ?? [];
    if (l === undefined || Number(m) > Number(l) || Number(l) < 2)
      throw usage(`--modes: found ${word}, expected l and m in two digits, such as 22,21,33`);
    return [Number(l), Number(m)] as const;
  });
}

function usage(message: string): DotpeError {
  return new DotpeError("usage", message, `\`${COMMAND} --help\` lists the options.`);
}
