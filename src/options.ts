/**
 * The options of `run`: the command line, `--config` files and run_kwargs.json all become one frozen `Options`.
 * Names are camelCase here, kebab-case (or snake_case) on the command line and in files.
 */
import * as v from "valibot";
import {
  type CommandLine,
  type FlagSpec,
  type GivenFlag,
  givenTwice,
  parseCommandLine,
  toCamel,
  toKebab,
} from "./cli.ts";
import { type ConfigEntry, configEntries, readConfig } from "./config-file.ts";
import { DotpeError } from "./errors.ts";
import { clipped } from "./io/clipped.ts";
import {
  COMMAND_LINE_ONLY,
  DECISIVE,
  OPTION_NAMES,
  type OptionName,
  type Row,
  RUN_FLAGS,
  TABLE,
} from "./option-table.ts";
import * as value from "./option-values.ts";
import { bankId, isForEveryBank, spreadOverBanks } from "./per-bank.ts";

type Inputs = { readonly event: string; readonly banks: readonly string[] };
type Values = { readonly [Name in OptionName]: v.InferOutput<(typeof TABLE)[Name]["schema"]> };

/**
 * What one run is asked to do. Per-bank lists (nInt, preselectedIndices, bankLogwOverride, indsPath) have one entry
 * for each of `banks`, undefined where nothing was given. undefined elsewhere: not given, the program chooses.
 */
export type Options = Readonly<Inputs & Values & { given: readonly OptionName[] }>;

const SCHEMA = v.strictObject({
  event: value.path("the path of an event file"),
  banks: v.pipe(v.array(value.path("the path of a bank folder")), v.minLength(1, "at least one bank folder")),
  ...(Object.fromEntries(Object.entries(TABLE).map(([name, { schema }]) => [name, schema])) as {
    [Name in OptionName]: (typeof TABLE)[Name]["schema"];
  }),
});

/** Arguments of dot_pe that have no option here, and why. */
const NOT_NEEDED = {
  "mchirp-guess": "Leave it out: the reference waveform comes from the bank, so no chirp mass is guessed.",
  "coherent-posterior-kwargs": "Leave it out: the prior and likelihood are those of the bank.",
  event: "Give the event file first, without a flag: dotpe-hpc run EVENT BANK.",
  "bank-folder": "Give the bank folders after the event, without a flag: dotpe-hpc run EVENT BANK.",
};

/** Of these only one can be given; a flag displaces a configuration file's. */
const PLACES: readonly OptionName[] = ["rundir", "eventDir"];

/** A value as found, and how to name its place in a message. */
interface Found {
  value: unknown;
  where: string;
}

/**
 * The options of one run from its command line (without the word `run`) and its `--config` file.
 * @param optionsOf those that a run directory was begun with, a configuration, for --resume
 * @throws DotpeError usage: unknown option, bad value, contradiction; noInput, badData: the configuration file.
 */
export function parseRunOptions(
  argv: readonly string[],
  optionsOf: (rundir: string) => Readonly<Record<string, unknown>> = () => ({}),
): Options {
  const line = parseCommandLine(argv, RUN_FLAGS, NOT_NEEDED);
  const [config, resume] = ["config", "resume"].map((name) => line.flags.get(name)?.value);
  const entries = typeof config === "string" ? readConfig(config, CONFIG_NAMES, NOT_NEEDED) : [];
  const found = merge(line, entries);
  if (typeof resume === "string") addBegun(found, resume, optionsOf(resume));
  requireInputs(found);
  const options = validate(found);
  checkTogether(options, found);
  return deepFreeze(options);
}

/** What the run in `rundir` was begun with, where nothing else is given. */
function addBegun(found: Map<string, Found>, rundir: string, begun: Readonly<Record<string, unknown>>): void {
  const given = PLACES.find((name) => found.has(name));
  if (given !== undefined) {
    const message = `--resume and ${found.get(given)!.where}: found both, expected one of them`;
    throw new DotpeError("usage", message, "--resume names the run directory.");
  }
  for (const entry of configEntries(rundir, begun, CONFIG_NAMES, NOT_NEEDED)) {
    const name = toCamel(entry.name);
    if (!found.has(name) && !PLACES.includes(name as OptionName)) addConfigEntry(found, entry);
  }
  found.set("rundir", { value: rundir, where: "--resume" });
}

const CONFIG_NAMES: readonly FlagSpec[] = [
  ...RUN_FLAGS.filter((flag) => !COMMAND_LINE_ONLY.includes(flag.group)),
  { name: "event", kind: "value", group: "", help: "" },
  { name: "banks", kind: "list", aliases: ["bank", "bank-folder"], group: "", help: "" },
];

function merge(line: CommandLine, config: readonly ConfigEntry[]): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const entry of config) addConfigEntry(found, entry);
  const flags = new Map([...line.flags].map(([name, flag]): [string, GivenFlag] => [toCamel(name), flag]));
  if (PLACES.some((name) => flags.has(name))) for (const name of PLACES) found.delete(name);
  for (const [name, flag] of flags) {
    found.set(name, { value: flag.value, where: flag.spelling });
  }
  const [event, ...banks] = line.positionals;
  if (event !== undefined) found.set("event", { value: event, where: "EVENT" });
  if (banks.length > 0) found.set("banks", { value: banks, where: "BANK" });
  return found;
}

function addConfigEntry(found: Map<string, Found>, entry: ConfigEntry): void {
  const name = toCamel(entry.name);
  const before = found.get(name);
  if (before && JSON.stringify(before.value) !== JSON.stringify(entry.value)) {
    throw givenTwice(entry.where, [
      [before.where, before.value],
      [entry.where, entry.value],
    ]);
  }
  const list = name === "banks" && typeof entry.value === "string" ? [entry.value] : entry.value;
  found.set(name, { value: list, where: entry.where });
}

function requireInputs(found: Map<string, Found>): void {
  const missing = ["event", "banks"].filter((name) => !found.has(name));
  if (missing.length === 0) return;
  const what = missing.map((name) => (name === "event" ? "event file" : "bank folder")).join(" and ");
  throw new DotpeError("usage", `no ${what} given`, "Usage: dotpe-hpc run EVENT BANK [BANK...].");
}

function validate(found: Map<string, Found>): Options {
  const banks = found.get("banks")!.value;
  const bankList = Array.isArray(banks) ? banks.map(String) : [];
  const input: Record<string, unknown> = {};
  for (const [name, { value: raw, where }] of found) {
    const isPerBank = (TABLE as Record<string, Partial<Row<unknown>>>)[name]?.perBank;
    input[name] = isPerBank ? spreadOverBanks(raw, bankList, where) : raw;
  }
  const result = v.safeParse(SCHEMA, input);
  if (!result.success) throw badValue(result.issues[0], found);
  const given = OPTION_NAMES.filter((name) => found.has(name));
  const noneGiven = bankList.map(() => undefined);
  const perBank = OPTION_NAMES.filter((name) => (TABLE[name] as Partial<Row<unknown>>).perBank);
  const absent = Object.fromEntries(
    perBank.filter((name) => !found.has(name)).map((name) => [name, noneGiven]),
  );
  return { ...result.output, ...absent, given } as Options;
}

function badValue(issue: v.BaseIssue<unknown>, found: Map<string, Found>): DotpeError {
  const name = String(issue.path?.[0].key);
  const where = found.get(name)?.where ?? name;
  const input = issue.path?.at(-1)?.value;
  const shown = input === "" ? "nothing" : clipped(typeof input === "string" ? input : JSON.stringify(input));
  const message = `${where}: found ${shown}, expected ${issue.message}`;
  return new DotpeError("usage", message, "`dotpe-hpc run --help` lists the options and their values.");
}

/** Contradictions between options that are each good. */
function checkTogether(options: Options, found: Map<string, Found>): void {
  const has = (name: OptionName) => found.has(name);
  const where = (name: OptionName) => found.get(name)!.where;
  const clash = (a: OptionName, b: OptionName, hint: string) => {
    throw new DotpeError("usage", `${where(a)} and ${where(b)}: found both, expected one of them`, hint);
  };
  if (has("rundir") && has("eventDir")) clash("rundir", "eventDir", "Give --rundir for exactly that folder.");
  if (has("nDraws") && !options.drawSubset) {
    clash("drawSubset", "nDraws", "With --no-draw-subset every row is kept and none is drawn.");
  }
  if (options.loadInds !== has("indsPath")) {
    const [one, other] = options.loadInds ? ["--load-inds", "--inds-path"] : ["--inds-path", "--load-inds"];
    throw new DotpeError("usage", `${one}: found without ${other}`, `Give ${one} together with ${other}.`);
  }
  if (options.loadInds && has("preselectedIndices")) {
    clash("preselectedIndices", "loadInds", "Both choose the bank samples.");
  }
  const logw = found.get("bankLogwOverride");
  if (logw && options.banks.length > 1 && isForEveryBank(logw.value, options.banks)) {
    throw new DotpeError(
      "usage",
      `${logw.where}: found one file for ${options.banks.length} banks, expected BANK=FILE`,
      "Log prior weights belong to one bank: repeat --bank-logw-override BANK=FILE.",
    );
  }
}

function deepFreeze<T>(object: T): T {
  for (const item of Object.values(object as object)) if (typeof item === "object") Object.freeze(item);
  return Object.freeze(object);
}

/**
 * The content of run_kwargs.json: snake_case names, the reference's where it has them; null where not given.
 * A file of it is itself a `--config`. `decided` replaces values that the run settled (rundir, n_ext).
 */
export function toRunKwargs(options: Options, decided: Partial<Values> = {}): Record<string, unknown> {
  const values = named({ ...options, ...decided }, OPTION_NAMES);
  const { i_batch } = values;
  return { ...inputsOf(options), ...values, blocksize: i_batch, single_detector_blocksize: i_batch };
}

/** The options that were given, as run_kwargs.json names them: a configuration that gives them again. */
export function givenOptions(options: Options): Record<string, unknown> {
  return { ...inputsOf(options), ...named(options, options.given) };
}

/** The options that decide the result, but for the files: what matters is in them. */
export function resultOptions(options: Options): Record<string, unknown> {
  const names = OPTION_NAMES.filter(
    (name) => name === "saveTimeshifts" || (DECISIVE.includes(TABLE[name].group) && !FILES.includes(name)),
  );
  return named(options, names);
}

const FILES: readonly OptionName[] = [
  ...(["preselectedIndices", "bankLogwOverride", "indsPath"] as const),
  ...(["extrinsicSamples", "reference", "truth"] as const),
];

function inputsOf({ event, banks }: Inputs) {
  return { event, bank_folder: banks.length === 1 ? banks[0] : [...banks] };
}

function named(values: Values, names: readonly OptionName[]): Record<string, unknown> {
  const entries = names.flatMap((name) => {
    const { group, perBank } = TABLE[name] as Row<unknown>;
    if (COMMAND_LINE_ONLY.includes(group)) return [];
    const value = perBank ? fromPerBank(values[name] as unknown[]) : (values[name] ?? null);
    return [[toKebab(name).replaceAll("-", "_"), value] as const];
  });
  return Object.fromEntries(entries);
}

function fromPerBank(list: readonly unknown[]): unknown {
  const entries = list.flatMap((item, k) => (item === undefined ? [] : [[bankId(k), item]]));
  if (entries.length === 0) return null;
  return list.length === 1 ? list[0] : Object.fromEntries(entries);
}
