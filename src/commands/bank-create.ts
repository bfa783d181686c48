/** `dotpe-hpc bank create OUT`: draws samples and makes their waveforms. */
import { MASS_DRAWS } from "../banks/draws.ts";
import { BANK_DEFAULTS, type BankOptions } from "../banks/options.ts";
import {
  type FlagSpec,
  flagOf,
  type HelpPage,
  oneOf,
  parseCommandLine,
  renderHelp,
  wantsHelp,
} from "../cli.ts";
import { FINITE, FlagValues, POSITIVE, SHARE, whole } from "../flag-values.ts";
import { formatRate } from "../report/format.ts";
import { formatBytes } from "../report/sizes.ts";
import { printOut } from "./print.ts";
import { reporterFor } from "./terminal.ts";

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
  flagOf(
    SAMPLES,
    "inc-faceon-factor",
    "F",
    "inclination drawn with F times the density at 0 that it has at 90 degrees, weighted back (isotropic)",
  ),
  flagOf(WAVEFORMS, "approximant", "NAME", "IMRPhenomD is built in; others are LALSimulation's (IMRPhenomD)"),
  flagOf(WAVEFORMS, "modes", "LM,LM,...", "such as 22,21,33 (those that dot_pe uses)"),
  flagOf(
    WAVEFORMS,
    "phenomx-prec-version",
    "N",
    "how LALSimulation's IMRPhenomX models precess (its default)",
  ),
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
  const flags = new FlagValues(line.flags, COMMAND);
  const options = optionsOf(line.positionals, flags);
  const { createBank } = await import("../banks/create.ts");
  const bank = await createBank(options, reporterFor(flags.isOn("quiet")));
  if (flags.isOn("json")) return printOut(JSON.stringify(bank, null, 2) + "\n");
  const rate = bank.made > 0 ? `, ${formatRate(bank.made / bank.seconds)} waveforms/s` : "";
  await printOut(
    `${bank.folder}  ${bank.n_i} samples of ${options.approximant} (${bank.maker}), modes m = ${bank.m_arr.join(", ")}, ` +
      `${bank.n_b} bins, ${formatBytes(bank.bytes)}${rate}\n`,
  );
}

const MOST_SAMPLES = 2 ** 31 - 1;

function optionsOf(positionals: readonly string[], flags: FlagValues): BankOptions {
  if (positionals.length !== 1) throw flags.error(`OUT: found ${positionals.length} folders, expected one`);
  const event = flags.text("event") ?? null;
  const band = flags.pair("band", POSITIVE);
  if ((event === null) === (band === undefined))
    throw flags.error(`--event, --band: found ${event === null ? "neither" : "both"}, expected one of them`);
  const mchirp = flags.pair("mchirp", POSITIVE);
  if (mchirp === undefined) throw flags.error("--mchirp: found nothing, expected two numbers, such as 25,30");
  const usual = BANK_DEFAULTS;
  const q = [flags.number("q-min", SHARE) ?? usual.q[0], flags.number("q-max", SHARE) ?? usual.q[1]] as const;
  if (!(q[0] < q[1])) throw flags.error(`--q-min: found ${q[0]}, expected less than --q-max (${q[1]})`);
  return {
    ...{ out: positionals[0], event, mchirp, q },
    band: band === undefined ? null : bandOf(band, flags.number("df", POSITIVE) ?? 2 ** -5),
    phaseTolerance: flags.number("phase-tolerance", POSITIVE) ?? usual.phaseTolerance,
    n: flags.required("n", whole(1, MOST_SAMPLES)),
    seed: flags.number("seed", whole(0)) ?? usual.seed,
    draw: oneOf("--draw", flags.text("draw") ?? usual.draw, MASS_DRAWS, COMMAND),
    mchirpPower: flags.number("mchirp-power", FINITE) ?? usual.mchirpPower,
    incFaceonFactor: flags.number("inc-faceon-factor", POSITIVE) ?? null,
    approximant: flags.text("approximant") ?? usual.approximant,
    harmonicModes: modesOf(flags),
    phenomXPrecVersion: flags.number("phenomx-prec-version", whole(0)) ?? null,
    fRef: flags.number("f-ref", POSITIVE) ?? usual.fRef,
    lal: flags.text("lal") ?? null,
    blocksize: flags.number("blocksize", whole(1, MOST_SAMPLES)) ?? usual.blocksize,
    nProcs: flags.threads(),
  };
}

/** The first and the last bin lie on the grid and within the band. */
const bandOf = ([f0, f1]: readonly [number, number], df: number) => {
  return { f0: Math.ceil(f0 / df) * df, f1: Math.floor(f1 / df) * df, df };
};

function modesOf(flags: FlagValues): (readonly [number, number])[] | null {
  const words = flags.text("modes")?.split(",");
  if (words === undefined) return null;
  return words.map((word) => {
    const [, l, m] = /^(\d)(\d)$/.exec(word.trim()) ?? [];
    if (l === undefined || Number(m) > Number(l) || Number(l) < 2)
      throw flags.error(`--modes: found ${word}, expected l and m in two digits, such as 22,21,33`);
    return [Number(l), Number(m)] as const;
  });
}
