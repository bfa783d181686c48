/** Every option of `run`, once: its value, its default and its line of help. Flags stand in the order of the help. */
import * as v from "valibot";
import { type FlagSpec, toKebab } from "./cli.ts";
import { PLACEMENTS } from "./machine/placement.ts";
import * as value from "./option-values.ts";

const PLACE = "Where results go";
const SAMPLING = "How finely";
const SELECTION = "What is kept";
const BANKS = "Which bank samples (FILE alone: every bank; repeat BANK=FILE: one bank)";
const COMPARISON = "Other inputs, comparison";
const MACHINE = "Machine (speed, not results)";
const RESUME = "Going on with a run that was interrupted (command line only)";
const OUTPUT = "Output (command line only)";
/** Groups of options that say nothing of the run itself. */
export const COMMAND_LINE_ONLY: readonly string[] = [RESUME, OUTPUT];
/** Groups of options that decide the result. */
export const DECISIVE: readonly string[] = [SAMPLING, SELECTION, BANKS, COMPARISON];

export interface Row<S> extends Omit<FlagSpec, "name"> {
  readonly schema: S;
  /** The value is spread over the banks: kind list. */
  readonly perBank?: boolean;
}

type RowExtra = Partial<Omit<FlagSpec, "name" | "group" | "help" | "hint">>;

function row<const S extends v.GenericSchema>(
  group: string,
  hint: string,
  help: string,
  schema: S,
  extra: RowExtra = {},
): Row<S> {
  return { group, hint, help, schema, kind: "value", ...extra };
}

function toggle(group: string, help: string, initial = false) {
  return row(group, "", help, v.optional(value.truth(), initial), { kind: "switch" });
}

function bankRow<const S extends v.GenericSchema<unknown, unknown>>(hint: string, help: string, item: S) {
  const schema = v.optional(value.perBank(item), []);
  return { ...row(BANKS, hint, help, schema, { kind: "list" }), perBank: true as const };
}

export const TABLE = {
  rundir: row(
    PLACE,
    "DIR",
    "exactly this folder: new, or with the beginning of the same run",
    v.optional(value.path("a folder")),
  ),
  eventDir: row(
    PLACE,
    "DIR",
    "a new run_N in this folder, or one that was interrupted (default ./EVENTNAME)",
    v.optional(value.path("a folder")),
  ),
  saveTimeshifts: toggle(PLACE, "also write timeshift_dbe.npy, which is large"),

  nExt: row(
    SAMPLING,
    "N",
    "extrinsic samples: sky, polarization, time (1024)",
    v.optional(value.wholeNumber(1, 2 ** 31 - 1), 1024),
  ),
  nPhi: row(
    SAMPLING,
    "N",
    "orbital phases of the coherent stage (50)",
    v.optional(value.wholeNumber(1, 4096), 50),
  ),
  nT: row(SAMPLING, "N", "times tried in each detector (128)", v.optional(value.wholeNumber(1, 8192), 128)),
  nPhiIncoherent: row(
    SAMPLING,
    "N",
    "orbital phases of the incoherent stage (--n-phi)",
    v.optional(value.wholeNumber(1, 4096)),
  ),
  coherentScoreMinNEffectivePrior: row(
    SAMPLING,
    "N",
    "effective prior samples each marginalization over the sky must reach (100)",
    v.optional(value.wholeNumber(1), 100),
  ),
  seed: row(SAMPLING, "S", "seed of every random number (0)", v.optional(value.wholeNumber(0), 0)),

  maxIncoherentLnlikeDrop: row(
    SELECTION,
    "X",
    "bank samples within X of the best ln likelihood go on (20)",
    v.optional(value.positiveNumber(), 20),
  ),
  maxBestfitLnlikeDiff: row(
    SELECTION,
    "X",
    "rows within X of the best ln likelihood are kept (20)",
    v.optional(value.positiveNumber(), 20),
  ),
  sizeLimit: row(
    SELECTION,
    "N",
    "at most N rows, the best ones (1e7)",
    v.optional(value.wholeNumber(1), 10_000_000),
  ),
  drawSubset: toggle(SELECTION, "draw samples of equal weight; --no-draw-subset keeps every row (on)", true),
  nDraws: row(
    SELECTION,
    "N",
    "how many to draw (half the effective samples, at most 10000)",
    v.optional(value.wholeNumber(1)),
  ),

  nInt: bankRow("N|BANK=N", "use the first N samples of the bank (all)", value.wholeNumber(1)),
  iIntStart: row(
    BANKS,
    "N",
    "use no bank sample with an index below N (0)",
    v.optional(value.wholeNumber(0), 0),
  ),
  preselectedIndices: bankRow(
    "FILE|BANK=FILE",
    "use only the samples whose indices are in this .npy",
    value.pathEnding(".npy"),
  ),
  bankLogwOverride: bankRow(
    "FILE|BANK=FILE",
    "log prior weights (.npy) instead of the bank's own",
    value.pathEnding(".npy"),
  ),
  loadInds: toggle(BANKS, "skip the incoherent stage: the samples to use come from --inds-path"),
  indsPath: bankRow(
    "FILE|BANK=FILE",
    "intrinsic_samples.npz of an earlier run, or indices as .npy",
    value.pathEnding(".npz", ".npy"),
  ),

  extrinsicSamples: row(
    COMPARISON,
    "FILE",
    "use these extrinsic samples (.feather), with the weights they carry",
    v.optional(value.pathEnding(".feather")),
  ),
  reference: row(
    COMPARISON,
    "native|FILE",
    "reference waveform: from the bank (native), or an earlier run's reference.npz",
    v.optional(value.nameOrPath("native", ".npz"), "native"),
  ),
  compat: row(
    COMPARISON,
    "none|dot_pe",
    "dot_pe: repeat three of dot_pe's errors, to compare like with like (none)",
    v.optional(value.oneOf("none", "dot_pe"), "none"),
  ),
  truth: row(
    COMPARISON,
    "FILE",
    "parameters of an injection (.json), shown beside the result",
    v.optional(value.pathEnding(".json")),
  ),

  hpc: row(
    MACHINE,
    "auto|manual",
    "what is not given below: tuned to this machine (auto), or fixed values and one thread",
    v.optional(value.oneOf("auto", "manual"), "auto"),
  ),
  nProcs: row(MACHINE, "N", "threads (as many as are allowed)", v.optional(value.wholeNumber(1, 4096))),
  iBatch: row(
    MACHINE,
    "N",
    "bank samples that a thread reads at once (16); also --blocksize, --single-detector-blocksize",
    v.optional(value.wholeNumber(1, 2 ** 24)),
    { aliases: ["blocksize", "single-detector-blocksize"] },
  ),
  batchesPerTask: row(
    MACHINE,
    "N",
    "batches that a thread takes at a time (4)",
    v.optional(value.wholeNumber(1, 2 ** 24)),
  ),
  iTile: row(
    MACHINE,
    "N",
    "intrinsic samples in one tile of a kernel (16)",
    v.optional(value.wholeNumber(1, 1024)),
  ),
  eTile: row(
    MACHINE,
    "N",
    "extrinsic samples in one tile of a kernel (128)",
    v.optional(value.wholeNumber(1, 4096)),
  ),
  kernel: row(
    MACHINE,
    "auto|ref|NAME",
    "implementation of the kernels: best for this processor, plain, or by name",
    v.optional(value.text("auto, ref or the name of a kernel"), "auto"),
  ),
  smt: toggle(MACHINE, "threads on every hardware thread, not one a core"),
  placement: row(
    MACHINE,
    PLACEMENTS.join("|"),
    "bind threads to cores: over all caches, one cache after the other, or not at all (auto: bound if they fill the machine)",
    v.optional(value.oneOf(...PLACEMENTS), "auto"),
  ),
  numa: row(MACHINE, "NODE", "use this NUMA node alone", v.optional(value.wholeNumber(0, 4095))),
  reserve: row(
    MACHINE,
    "N",
    "physical cores left free (1 from 32 cores on, else 0)",
    v.optional(value.wholeNumber(0, 4095)),
  ),
  memoryFraction: row(
    MACHINE,
    "X",
    "use at most this share of the allowed memory (0.8)",
    v.optional(value.share(), 0.8),
  ),
  tune: toggle(MACHINE, "measure what is fastest if nothing is known of this machine (on)", true),
  checkpointInterval: row(
    MACHINE,
    "S",
    "seconds between two times that what is done is saved (60)",
    v.optional(value.nonNegativeNumber(), 60),
  ),
  recycle: row(MACHINE, "N", "renew a thread after N tasks (never)", v.optional(value.wholeNumber(1))),
  autotuneOnly: toggle(MACHINE, "print the settings that a run would use, and end"),

  resume: row(
    RESUME,
    "DIR",
    "go on with this run directory, with the options it was begun with",
    v.optional(value.path("a folder")),
  ),
  unlock: toggle(RESUME, "the process that holds the directory has ended, though nothing here says so"),

  config: row(
    OUTPUT,
    "FILE",
    "read options from a YAML or JSON file; flags win",
    v.optional(value.path("a path")),
  ),
  dryRun: toggle(OUTPUT, "check the inputs, print the plan and a memory forecast, compute nothing"),
  trace: row(
    OUTPUT,
    "FILE",
    "write what every thread did when, for ui.perfetto.dev (.json)",
    v.optional(value.pathEnding(".json")),
  ),
  json: toggle(OUTPUT, "print the summary (or the error) as JSON on standard output"),
  quiet: toggle(OUTPUT, "print warnings and errors only"),
} as const;

export type OptionName = keyof typeof TABLE;
export const OPTION_NAMES = Object.keys(TABLE) as OptionName[];

/** The flags of `run`, in the order of its help. */
export const RUN_FLAGS: readonly FlagSpec[] = OPTION_NAMES.map((name) => {
  const { schema: _, ...spec } = TABLE[name] as Row<unknown>;
  return { name: toKebab(name), ...spec };
});
