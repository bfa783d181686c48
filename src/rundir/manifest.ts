/** manifest.json: what a run directory was begun with. A run goes on only with the same. */
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { version } from "../../package.json";
import { DotpeError } from "../errors.ts";
import type { Bank } from "../gw/bank.ts";
import { syncFile, writeFileQuickly } from "../io/atomic-write.ts";
import { readChecked } from "../io/checked-json.ts";
import { givenOptions, type Options, resultOptions } from "../options.ts";
import { changedInputs, INPUTS, identifyInputs } from "./input-identity.ts";
import { isBlank } from "./owner.ts";

export const MANIFEST_FILE = "manifest.json";
const FORMAT = 1;

const TEXT = v.pipe(v.string(), v.maxLength(5000));
const MANIFEST = v.object({
  format: v.literal(FORMAT),
  /** Tells what belongs to this run from what does not. */
  run: TEXT,
  program: v.object({ version: TEXT, architecture: TEXT, arithmetic: TEXT }),
  /** The options that decide the result, as run_kwargs.json names them. */
  settings: v.record(v.string(), v.unknown()),
  inputs: INPUTS,
  /** What was given, to give it again: a configuration. */
  options: v.record(v.string(), v.unknown()),
  begun: v.object({ at: TEXT, host: TEXT, threads: v.number(), kernel: TEXT }),
});
export type Manifest = v.InferOutput<typeof MANIFEST>;

/** Kernels that give the same bits: those with fused multiply-add of one architecture are proved to. */
const ARITHMETIC: Readonly<Record<string, string>> = {
  "x86-64-v4": "x86-64 with FMA",
  "x86-64-v3": "x86-64 with FMA",
};

/** @throws DotpeError noInput, badData if an input cannot be read. */
export function describeRun(
  options: Options,
  banks: readonly Bank[],
  { kernel, threads }: { readonly kernel: string; readonly threads: number },
): Manifest {
  return {
    format: FORMAT,
    run: Bun.randomUUIDv7(),
    program: { version, architecture: process.arch, arithmetic: ARITHMETIC[kernel] ?? kernel },
    settings: resultOptions(options),
    inputs: identifyInputs(options, banks),
    options: givenOptions(options),
    begun: { at: new Date().toISOString(), host: hostname(), threads, kernel },
  };
}

/** Whether there is one; an empty file is none. */
export function hasManifest(rundir: string): boolean {
  const path = join(rundir, MANIFEST_FILE);
  return existsSync(path) && !isBlank(path);
}

/** @throws DotpeError noInput, badData. */
export function readManifest(rundir: string): Manifest {
  const path = join(rundir, MANIFEST_FILE);
  if (isBlank(path))
    throw new DotpeError(
      "noInput",
      `${path}: found an empty file: the machine went down before the disk had it, and nothing was saved`,
      "Give the whole command once more, with --rundir: it begins anew.",
    );
  return readChecked(
    MANIFEST,
    path,
    "It was written by another version, or is damaged: begin the run again in another folder.",
  );
}

/** Without waiting for the disk: `syncManifest` does. @throws DotpeError cannotCreate. */
export function writeManifest(rundir: string, manifest: Manifest): void {
  writeFileQuickly(join(rundir, MANIFEST_FILE), `${JSON.stringify(manifest, null, 1)}\n`);
}

/** @throws DotpeError cannotCreate. */
export function syncManifest(rundir: string): void {
  syncFile(join(rundir, MANIFEST_FILE));
}

/** What keeps a run from going on: one line for each difference. */
export function differences(then: Manifest, now: Manifest): string[] {
  const programs = (["version", "architecture", "arithmetic"] as const).map(
    (name) => [name, then.program[name], now.program[name]] as const,
  );
  const names = [...new Set([...Object.keys(then.settings), ...Object.keys(now.settings)])];
  const settings = names.map((name) => [name, then.settings[name], now.settings[name]] as const);
  return [...programs, ...settings]
    .filter(([, was, is]) => JSON.stringify(was) !== JSON.stringify(is))
    .map(([name, was, is]) => `${name}: was ${JSON.stringify(was)}, is ${JSON.stringify(is)}`)
    .concat(changedInputs(then.inputs, now.inputs));
}
