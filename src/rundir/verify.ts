/** Reads a run directory again, all of it, and says of each file whether it is good. Changes nothing. */
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import { openBank } from "../gw/bank.ts";
import { isPartName } from "../io/atomic-write.ts";
import { readInput } from "../io/input.ts";
import { sha256OfFile } from "../io/sha256.ts";
import { parseRunOptions } from "../options.ts";
import { bankId } from "../per-bank.ts";
import { changedInputs, identifyInputs } from "./input-identity.ts";
import { MANIFEST_FILE, type Manifest, readManifest } from "./manifest.ts";
import { isBlank } from "./owner.ts";
import { SUMMARY_FILE } from "./results.ts";
import { CHECKPOINT_FOLDER } from "./rundir.ts";
import { isRundir, notARundir } from "./status.ts";
import { SUMS_FILE } from "./sums.ts";
import { checkCheckpoint, checkParts, isRowsPart } from "./verify-checkpoint.ts";
import { Checks, type FileCheck, filesOf } from "./verify-checks.ts";
import { checkTogether, type Facts, readerOf, wantedNames } from "./verify-results.ts";

export interface Verified {
  readonly rundir: string;
  readonly isComplete: boolean;
  readonly checks: readonly FileCheck[];
}

const MOST_SUMS_BYTES = 2 ** 25;
/** Files of which no other says what should be in them. */
const WITHOUT_SUM = ["run_kwargs.json", "timings.json"];
/** Of 64 digits of a checksum, 60 differ where the file has changed: with fewer the checksum itself has. */
const FEW_DIGITS = 32;
/** A process that works in the directory may change it meanwhile. */
const MOST_LOOKS = 3;

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
  const names = [...filesOf(rundir)].filter(([name]) => !/(^|\/)\./.test(name));
  const states = names.filter(([name]) => name.endsWith(".npz") && name.startsWith(CHECKPOINT_FOLDER));
  return JSON.stringify([names, states.map(([name]) => sha256OfFile(join(rundir, name)))]);
}

function lookAt(rundir: string, withInputs: boolean): Verified {
  const files = filesOf(rundir);
  const hasOwner = [...files.keys()].some((name) => name.startsWith(`${CHECKPOINT_FOLDER}/owner-`));
  const isComplete = files.has(SUMMARY_FILE) || (files.has(SUMS_FILE) && !hasOwner);
  const todo = isComplete
    ? "copy it again from where the run was made, or run it again in another folder"
    : "none: what it held is computed again when the run goes on";
  const checks = new Checks(rundir, todo);
  const manifest = checkManifest(checks, rundir, files, isComplete);
  const facts: Facts = { rows: new Map(), n: new Map() };
  const sums = files.has(SUMS_FILE) ? readSums(checks) : new Map<string, string>();
  for (const [name, bytes] of files) {
    if (name === MANIFEST_FILE || name === SUMS_FILE || isRowsPart(name)) continue;
    if (name.startsWith(`${CHECKPOINT_FOLDER}/`)) {
      if (isComplete) checks.skip(CHECKPOINT_FOLDER, "left over: the same command removes it");
    } else checkFile(checks, facts, sums, name, bytes);
  }
  if (isComplete) {
    const n_banks = facts.summary?.n_banks ?? banksOf(manifest);
    const wanted = manifest === undefined ? [] : wantedNames(n_banks, manifest);
    for (const name of new Set([SUMS_FILE, SUMMARY_FILE, ...wanted, ...sums.keys()]))
      if (!files.has(name)) checks.fail(name, "is missing");
    for (const name of files.keys()) if (isRowsPart(name)) checks.skip(name, LEFT);
    checkTogether(checks, facts, manifest);
  } else {
    const saved = checkCheckpoint(checks, rundir, files, manifest);
    checkParts(checks, files, saved);
  }
  if (withInputs && manifest !== undefined) checkInputs(checks, rundir, manifest);
  return { rundir, isComplete, checks: checks.list() };
}

const LEFT = "left by a process that was killed, or being written";

function banksOf(manifest: Manifest | undefined): number {
  return manifest === undefined ? 0 : Object.keys(manifest.inputs.waveforms).length;
}

function checkManifest(
  checks: Checks,
  rundir: string,
  files: ReadonlyMap<string, number>,
  isComplete: boolean,
): Manifest | undefined {
  const isThere = files.has(MANIFEST_FILE);
  if (!isComplete && (!isThere || isBlank(join(rundir, MANIFEST_FILE)))) {
    const others = [...files.keys()].filter((name) => !/(^|\/)\.|^checkpoint\/owner-|progress/.test(name));
    if (others.every((name) => name === MANIFEST_FILE))
      checks.skip(MANIFEST_FILE, "was not written yet: the run begins when the same command is given again");
    else checks.fail(MANIFEST_FILE, "is missing", "begin the run again in another folder");
    return undefined;
  }
  if (!isThere) checks.fail(MANIFEST_FILE, "is missing");
  const manifest = isThere ? checks.read(MANIFEST_FILE, () => readManifest(rundir)) : undefined;
  if (manifest !== undefined) checks.pass(MANIFEST_FILE, "has no checksum");
  return manifest;
}

/** By name in the directory; a name that no result has is an error, and nothing else is done with it. */
function readSums(checks: Checks): Map<string, string> {
  const sums = new Map<string, string>();
  const bytes = checks.read(SUMS_FILE, (path) => readInput(path, MOST_SUMS_BYTES));
  if (bytes === undefined) return sums;
  const lines = new TextDecoder().decode(bytes).split("\n");
  if (lines.pop() !== "") checks.fail(SUMS_FILE, "truncated: its last line has no end");
  lines.forEach((line, k) => {
    const [, sum, name] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    if (name === undefined) checks.fail(SUMS_FILE, `line ${k + 1}: not a line of sha256sum`);
    else if (readerOf(name) === undefined || WITHOUT_SUM.includes(name))
      checks.fail(SUMS_FILE, `line ${k + 1}: names no result of a run`);
    else if (sums.has(name)) checks.fail(SUMS_FILE, `line ${k + 1}: names ${name} twice`);
    else sums.set(name, sum);
  });
  checks.pass(SUMS_FILE, `${lines.length} files`);
  return sums;
}

function checkFile(
  checks: Checks,
  facts: Facts,
  sums: ReadonlyMap<string, string>,
  name: string,
  bytes: number,
): void {
  const read = readerOf(name);
  if (read === undefined) {
    if (isPartName(name.slice(name.lastIndexOf("/") + 1))) checks.skip(name, LEFT);
    else checks.warn(name, "is no file of a run", "none: it is not used");
    return;
  }
  if (bytes < 0) {
    checks.fail(name, "is no regular file");
    return;
  }
  const text = checks.read(name, (path) => read(path, facts, name));
  const stated = sums.get(name);
  if (stated !== undefined) checkSum(checks, name, stated);
  else if (!WITHOUT_SUM.includes(name) && sums.size > 0) checks.fail(SUMS_FILE, `says nothing of ${name}`);
  if (text !== undefined) checks.pass(name, text);
}

function checkSum(checks: Checks, name: string, stated: string): void {
  const sum = checks.hasFailed(name) ? undefined : checks.read(name, sha256OfFile);
  if (sum === undefined || sum === stated) return;
  const differing = [...sum].filter((digit, k) => digit !== stated[k]).length;
  if (differing <= FEW_DIGITS)
    checks.fail(SUMS_FILE, `the checksum of ${name} is damaged: ${differing} of its digits are wrong`);
  else
    checks.fail(name, `its SHA-256 is ${sum.slice(0, 12)}..., ${SUMS_FILE} says ${stated.slice(0, 12)}...`);
}

function checkInputs(checks: Checks, rundir: string, { options, inputs }: Manifest): void {
  const name = "inputs";
  try {
    const given = parseRunOptions(["--resume", rundir], () => options);
    const banks = given.banks.map((folder, k) => openBank(folder, bankId(k)));
    const changed = changedInputs(inputs, identifyInputs(given, banks));
    for (const text of changed) checks.fail(name, text, "give the run what it was begun with");
    if (changed.length === 0) checks.pass(name, "are those that the run was begun with");
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
    checks.fail(name, error.message, "relative paths begin at the folder where the run was begun: go there");
  }
}
