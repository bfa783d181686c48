/** `--sysfs DIR`: a machine that is elsewhere. */
import { existsSync } from "node:fs";
import { DotpeError } from "../errors.ts";
import { type Machine, readMachine } from "../machine/machine.ts";
import { SystemFiles } from "../machine/system-files.ts";

/** @throws DotpeError noInput: the folder holds no captured tree. */
export function checkCaptured(folder: string): void {
  if (existsSync(`${folder}/sys`) || existsSync(`${folder}/proc`)) return;
  throw new DotpeError(
    "noInput",
    `--sysfs ${folder}: found no ${folder}/sys or ${folder}/proc, expected a captured tree`,
    "Give the folder in which `sys` and `proc` are.",
  );
}

export interface Opened {
  readonly files: SystemFiles;
  readonly machine: Machine;
  /** Empty for a captured machine: the variables here say nothing of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** This machine or, given a folder, the captured one. @throws DotpeError noInput. */
export function openMachine(folder: string | undefined): Opened {
  if (folder !== undefined) checkCaptured(folder);
  const files = new SystemFiles(folder);
  const environment = files.isLive ? process.env : {};
  return { files, environment, machine: readMachine(files, environment) };
}
