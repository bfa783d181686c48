/** SHA256SUMS of a bank that is written here. `check-sums.ts` reads it. */
import { join } from "node:path";
import { blockPaths } from "../gw/bank.ts";
import { sha256OfFile } from "../io/sha256.ts";
import { type BankShape, blocksOf, type MadeBlock } from "./block-writer.ts";

/** Of the waveforms, in the order of the blocks; those that `made` does not have are read. */
export function sumsOfBlocks(folder: string, shape: BankShape, made: readonly MadeBlock[]) {
  const known = new Map(made.map(({ block, sha256 }) => [block, sha256]));
  const sums = new Map<string, string>();
  for (let block = 0; block < blocksOf(shape); block++) {
    blockPaths("", block).forEach((name, c) => {
      sums.set(name, known.get(block)?.[c] ?? sha256OfFile(join(folder, name)));
    });
  }
  return sums;
}
