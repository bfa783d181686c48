/** The folder of a bank that is being made: who may go on with it, and what of it is done. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import { blockPaths, CONFIG_FILE } from "../gw/bank.ts";
import { isPartName, makeFolder, remove, removeParts, writeFileAtomic } from "../io/atomic-write.ts";
import { readJson } from "../io/json.ts";
import { type BankShape, blockBytes, blocksOf } from "./block-writer.ts";

/** Holds the configuration until the bank is finished. */
const MARK = "bank_config.unfinished.json";

/**
 * Makes the folder, or finds that it holds the beginning of the same bank; removes what is half-written there.
 * @param config what will be bank_config.json
 * @throws DotpeError cannotCreate for a folder with anything else in it.
 */
export function prepareFolder(folder: string, config: object): void {
  const mark = join(folder, MARK);
  if (existsSync(mark)) {
    const differing = firstDifference(readJson(mark), config);
    if (differing !== null)
      throw occupied(
        folder,
        `found the beginning of another bank: ${differing}`,
        "Give the same options to go on with it, or remove the folder.",
      );
    removeAllParts(folder);
    return;
  }
  if (existsSync(join(folder, CONFIG_FILE)))
    throw occupied(folder, "found a finished bank", "Give another folder, or remove this one.");
  if (existsSync(folder) && (!statSync(folder).isDirectory() || !isUnused(folder)))
    throw occupied(folder, "found something that is not a bank", "Give a folder that does not exist yet.");
  makeFolder(folder);
  removeParts(folder);
  writeFileAtomic(mark, JSON.stringify(config, null, 1) + "\n");
}

/** Empty, or left by a call that was killed before it had written its mark. */
function isUnused(folder: string): boolean {
  return readdirSync(folder).every((name) => isPartName(name) && name.startsWith(`.${MARK}.`));
}

/** The bank is complete. @throws DotpeError cannotCreate. */
export function finishFolder(folder: string): void {
  remove(join(folder, MARK));
}

/** Files that a call has left half-written. @throws DotpeError cannotCreate. */
export function removeAllParts(folder: string): void {
  removeParts(folder);
  removeParts(join(folder, "waveforms"));
}

/** Blocks of which a file is not there: a file has its name only when it is whole. */
export function missingBlocks(folder: string, shape: BankShape): number[] {
  const missing: number[] = [];
  for (let block = 0; block < blocksOf(shape); block++) {
    const bytes = blockBytes(shape, block);
    const isWhole = (path: string) => existsSync(path) && statSync(path).size === bytes;
    if (!blockPaths(folder, block).every(isWhole)) missing.push(block);
  }
  return missing;
}

function firstDifference(found: unknown, wanted: object): string | null {
  const other = (found ?? {}) as Record<string, unknown>;
  for (const [name, value] of Object.entries(JSON.parse(JSON.stringify(wanted)))) {
    const [was, is] = [other[name], value].map((x) => JSON.stringify(x) ?? "nothing");
    if (was !== is) return name === "fbin" ? "its bins differ" : `its ${name} is ${was}, not ${is}`;
  }
  return null;
}

function occupied(folder: string, found: string, hint: string): DotpeError {
  return new DotpeError("cannotCreate", `${folder}: ${found}`, hint);
}
