/** One call of `dotpe-hpc tune`, from its flags to what it prints. */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { writeSyntheticBank, writeSyntheticEvent } from "../bench/synthetic.ts";
import { readInput } from "../io/input.ts";
import { type Machine, thisMachine } from "../machine/machine.ts";
import { parseRunOptions } from "../options.ts";
import { formatDuration } from "../report/format.ts";
import { formatTuned, tunedJson } from "../report/tune-report.ts";
import { countCandidates, type Inputs, readInputs } from "../stages/setup.ts";
import { readCached, writeCached } from "../tune/cache.ts";
import { settingText } from "../tune/cache-list.ts";
import { placeText, signatureOfRun, tuneRun, usableHere, whereOf } from "../tune/choose.ts";
import { ModuleWorkload } from "../tune/module-workload.ts";
import { inScratch } from "../tune/scratch.ts";
import { DEFAULT_SEARCH, type TuneHow, type TuneOutcome, tuneSession } from "../tune/session.ts";
import { moduleShape } from "../tune/shape.ts";
import { kernelIdentity, type Signature, signatureOf } from "../tune/signature.ts";
import type { Candidate } from "../tune/tune.ts";
import type { TuneCommand } from "./tune.ts";

/** Of the made-up bank: a part of it is measured on, again and again. */
const MADE_UP = { distinct: 1024, n_i: 16_384 };

const MAX_MODULE_BYTES = 2 ** 24;

/** @returns what is to be printed. @throws DotpeError */
export async function runTune(command: TuneCommand, tell: (text: string) => void): Promise<string> {
  const machine = thisMachine();
  const outcome = await (command.benchmark === undefined
    ? tuneLikelihoods(command, machine, tell)
    : tuneModule(command, command.benchmark, machine, tell));
  if (typeof outcome === "string") return outcome;
  const { entry } = outcome;
  const written = writeCached(entry);
  if ("warning" in written) tell(`warning: ${written.warning}\n`);
  const path = "path" in written ? written.path : undefined;
  const used = readCached(entry.signature, usableHere(machine)).found?.path;
  if (path !== undefined && used !== undefined && used !== path)
    tell(`warning: runs use ${used}, which whoever runs this machine has written; it is read first\n`);
  return command.json ? tunedJson(outcome, path) : `\n${formatTuned(outcome, entry.unit, path)}`;
}

function tuneLikelihoods(command: TuneCommand, machine: Machine, tell: (text: string) => void) {
  return inScratch(async (scratch) => {
    const inputs = command.inputs.length > 0 ? command.inputs : makeInputs(scratch);
    const options = parseRunOptions([...inputs, ...command.runFlags]);
    const read = readInputs(options);
    // Made-up data stand for a bank of the usual size.
    const like = command.inputs.length > 0 ? read : ofUsualSize(read);
    const signature = signatureOfRun(options, like, machine);
    const known = alreadyKnown(command, signature, machine);
    if (known !== undefined) return known;
    tell(`tuning for ${signature.parts.workload}, ${countCandidates(read)} bank samples in memory\n`);
    return tuneRun(
      options,
      read,
      countCandidates(like),
      machine,
      signature,
      howOf(command, whereOf(options), tell),
    );
  });
}

function makeInputs(scratch: string): string[] {
  const folder = join(scratch, "made-up");
  mkdirSync(folder);
  return [writeSyntheticEvent(folder), writeSyntheticBank(join(folder, "bank"), MADE_UP.distinct)];
}

function ofUsualSize(inputs: Inputs): Inputs {
  return { ...inputs, candidates: [{ i: new Int32Array(MADE_UP.n_i) }] };
}

async function tuneModule(
  command: TuneCommand,
  file: string,
  machine: Machine,
  tell: (text: string) => void,
): Promise<TuneOutcome | string> {
  const path = resolve(file);
  const options = parseRunOptions(["-", "-", ...command.runFlags]);
  const workload = await ModuleWorkload.open(path, command.given);
  const signature = signatureOfModule(workload, path, command.given, machine, whereOf(options));
  const known = alreadyKnown(command, signature, machine);
  if (known !== undefined) return known;
  tell(`tuning for ${signature.parts.workload}, ${workload.n_units} ${workload.unit}\n`);
  return tuneSession(workload, machine, signature, howOf(command, whereOf(options), tell));
}

export function signatureOfModule(
  { name, n_units }: ModuleWorkload,
  path: string,
  given: Readonly<Record<string, string>>,
  { topology, allowed }: Machine,
  where: ReturnType<typeof whereOf>,
): Signature {
  const { kernel, kernelHash } = kernelIdentity("ref");
  const shape = [
    moduleShape(name, readInput(path, MAX_MODULE_BYTES), n_units, given),
    ...placeText(where),
  ].join(" ");
  return signatureOf(topology, allowed, kernel, kernelHash, shape);
}

/** A remembered setting is not measured again, unless --retune. */
function alreadyKnown({ retune, json }: TuneCommand, signature: Signature, machine: Machine) {
  const { found } = retune || json ? { found: undefined } : readCached(signature, usableHere(machine));
  if (found === undefined) return undefined;
  const { entry, path } = found;
  const gain = `${entry.gain.toFixed(2)}x the built-in setting`;
  return `remembered: ${settingText(entry.setting)}, ${gain}, measured ${entry.created}\nin ${path}; --retune measures again\n`;
}

function howOf(
  { search, seed, budgetSeconds, mostBytes, memoryFraction }: TuneCommand,
  where: TuneHow["where"],
  tell: (text: string) => void,
): TuneHow {
  const onMeasured = ({ setting, effort, timed, failed }: Candidate, spent: number) => {
    const found = timed === undefined ? failed : `${timed.rate.toExponential(3)}/s`;
    tell(
      `${formatDuration(spent).padStart(8)}  ${effort === "quick" ? "quick" : "     "}  ${found}  ${settingText(setting)}\n`,
    );
  };
  return {
    ...{
      search: search ?? DEFAULT_SEARCH,
      seed,
      budgetSeconds,
      where,
      mostBytes,
      memoryFraction,
    },
    // Since the process began: what a user waits for.
    ...{ started: 0, onMeasured },
  };
}
