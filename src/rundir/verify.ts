/** Reads a run directory again, all of it, and says of each file whether it is good. Changes nothing. */
import { basename, join } from "node:path";
import { DotpeError } from "../errors.ts";
import { openBank } from "../gw/bank.ts";
import { isPartName } from "../io/atomic-write.ts";
import { readInput } from "../io/input.ts";
import { SUMS_FILE, type Sums, sha256OfFile } from "../io/sha256.ts";
import { parseRunOptions } from "../options.ts";
import { bankId } from "../per-bank.ts";
import { Checks, type FileCheck, filesOf } from "./file-checks.ts";
import { changedInputs, identifyInputs } from "./input-identity.ts";
import { MANIFEST_FILE, type Manifest, readManifest } from "./manifest.ts";
import { isBlank } from "./owner.ts";
import { SUMMARY_FILE } from "./results.ts";
import { CHECKPOINT_FOLDER } from "./rundir.ts";
import { isRundir, notARundir } from "./status.ts";
import { WITHOUT_SUM } from "./sums.ts";
import { checkCheckpoint, isOfCheckpoint } from "./verify-checkpoint.ts";
import { checkTogether, Facts, readerOf, wantedNames } from "./verify-results.ts";

export interface Verified {
  readonly rundir: string;
  readonly isComplete: boolean;
  readonly checks: readonly FileCheck[];
}

type Files = ReadonlyMap<string, number>;

const MOST_SUMS_BYTES = 2 ** 25;
/** Of the 64 digits of a checksum 60 differ where the file has changed: where fewer do, the checksum itself has. */
const FEW_DIGITS = 32;
/** A process that works in the directory may change it meanwhile. */
const MOST_LOOKS = 5;

/**
 * @param withInputs compare the inputs with what the manifest says of them, too
 * @throws DotpeError noInput if it is no run directory, or cannot be read.
 */
export function verifyRun(rundir: string, withInputs = false): Verified {
  if (!isRundir(rundir)) throw notARundir(rundir);
  for (let look = 1; ; look++) {
    const before = stampOf(rundir);
    const found = lookAt(rundir, withInputs);
    const isGood = found.checks.every(({ level }) => level !== "fail");
    if (isGood || look === MOST_LOOKS || stampOf(rundir) === before) return found;
  }
}

/** Changes when files get their names, and when a state is saved. */
function stampOf(rundir: string): string {
  const names = [...filesOf(rundir).keys()].filter((name) => !/(^|\/)\./.test(name));
  const isState = (name: string) => isOfCheckpoint(name) && name.endsWith(".npz");
  return names.map((name) => name + (isState(name) ? sha256OfFile(join(rundir, name)) : "")).join("\n");
}

function lookAt(rundir: string, withInputs: boolean): Verified {
  const files = filesOf(rundir);
  const hasOwner = [...files.keys()].some((name) => name.startsWith(`${CHECKPOINT_FOLDER}/owner-`));
  const isComplete = files.has(SUMMARY_FILE) || (files.has(SUMS_FILE) && !hasOwner);
  const todo = isComplete
    ? "copy it again from where the run was made, or run again in another folder"
    : "nothing: what it held is computed again when the run goes on";
  const checks = new Checks(rundir, todo);
  const manifest = checkManifest(checks, rundir, files, isComplete);
  const sums = files.has(SUMS_FILE) ? readSums(checks) : undefined;
  const facts = new Facts();
  for (const [name, bytes] of files)
    if (name !== MANIFEST_FILE && name !== SUMS_FILE) checkFile(checks, name, bytes, facts, sums, isComplete);
  if (isComplete) {
    const n_banks = Object.keys(manifest?.inputs.waveforms ?? {}).length;
    const wanted = manifest === undefined ? [] : wantedNames(n_banks, manifest);
    for (const name of [SUMS_FILE, SUMMARY_FILE, ...wanted, ...(sums?.keys() ?? [])])
      if (!files.has(name) && !checks.has(name)) checks.fail(name, "is missing");
    checkTogether(checks, facts, manifest);
  } else checkCheckpoint(checks, rundir, files, manifest);
  if (withInputs && manifest !== undefined) checkInputs(checks, rundir, manifest);
  return { rundir, isComplete, checks: checks.list() };
}

function checkManifest(
  checks: Checks,
  rundir: string,
  files: Files,
  isComplete: boolean,
): Manifest | undefined {
  const isThere = files.has(MANIFEST_FILE) && !isBlank(join(rundir, MANIFEST_FILE));
  const isNew = [...files.keys()].every((name) => /(^|\/)\.|\/owner-|\/progress|^manifest/.test(name));
  const manifest = isThere ? checks.read(MANIFEST_FILE, () => readManifest(rundir), AGAIN) : undefined;
  if (manifest !== undefined) checks.say(MANIFEST_FILE, "pass", "has no checksum");
  else if (!isThere && isNew && !isComplete)
    checks.say(MANIFEST_FILE, "skip", "was not written yet: the same command begins the run");
  else if (!isThere) checks.fail(MANIFEST_FILE, "is missing", AGAIN);
  return manifest;
}

const AGAIN = "begin the run again in another folder";

/** By name in the directory. A name that no result has is an error, and nothing else is done with it. */
function readSums(checks: Checks): Sums {
  const sums = new Map<string, string>();
  const bytes = checks.read(SUMS_FILE, (path) => readInput(path, MOST_SUMS_BYTES));
  const lines = new TextDecoder().decode(bytes ?? new Uint8Array(0)).split("\n");
  if (lines.pop() !== "") checks.fail(SUMS_FILE, "truncated: its last line has no end");
  lines.forEach((line, k) => {
    const [, sum, name = ""] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    const isResult = readerOf(name) !== undefined && !WITHOUT_SUM.includes(name) && !sums.has(name);
    if (isResult) sums.set(name, sum);
    else checks.fail(SUMS_FILE, `line ${k + 1}: expected the checksum of a result, each once`);
  });
  checks.say(SUMS_FILE, "pass", `${lines.length} files`);
  return sums;
}

function checkFile(
  checks: Checks,
  name: string,
  bytes: number,
  facts: Facts,
  sums: Sums | undefined,
  isComplete: boolean,
): void {
  const read = readerOf(name);
  if (read === undefined) {
    const isOwn = isOfCheckpoint(name);
    if (isOwn && isComplete) checks.say(name, "skip", "left over: the same command removes it");
    else if (isPartName(basename(name)) && !isOwn)
      checks.say(name, "skip", "left by a process that was killed, or being written");
    else if (!isOwn) checks.say(name, "warn", "is no file of a run", "nothing: it is not used");
    return;
  }
  const set = (what: string, value: number) => facts.numbers.set(`${name} ${what}`, value);
  const text = bytes < 0 ? "" : checks.read(name, (path) => read(path, set, facts));
  const stated = sums?.get(name);
  if (bytes < 0) checks.fail(name, "is no regular file");
  else if (stated !== undefined) checkSum(checks, name, stated);
  else if (sums !== undefined && !WITHOUT_SUM.includes(name))
    checks.fail(SUMS_FILE, `says nothing of ${name}`);
  checks.say(name, "pass", text ?? "");
}

function checkSum(checks: Checks, name: string, stated: string): void {
  const sum = checks.hasFailed(name) ? stated : (checks.read(name, sha256OfFile) ?? stated);
  const n = [...sum].filter((digit, k) => digit !== stated[k]).length;
  if (n > FEW_DIGITS)
    checks.fail(name, `its SHA-256 is ${sum.slice(0, 12)}..., expected ${stated.slice(0, 12)}...`);
  else if (n > 0) checks.fail(SUMS_FILE, `${n} digits of the checksum of ${name} are wrong`);
}

function checkInputs(checks: Checks, rundir: string, { options, inputs }: Manifest): void {
  const name = "inputs";
  try {
    const given = parseRunOptions(["--resume", rundir], () => options);
    const banks = given.banks.map((folder, k) => openBank(folder, bankId(k)));
    const changed = changedInputs(inputs, identifyInputs(given, banks));
    for (const text of changed) checks.fail(name, text, "give the run what it was begun with");
    checks.say(name, "pass", "are those that the run was begun with");
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
    checks.fail(name, error.message, "relative paths begin at the folder where the run was begun: go there");
  }
}
