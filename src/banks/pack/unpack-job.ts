/** Writes waveforms as .npy blocks: a task is a chunk of the packed bank. */

import { blockPaths } from "../../gw/bank.ts";
import { type BankFiles, BankReader } from "../../gw/bank-reader.ts";
import { PartFile, writeAt } from "../../io/atomic-write.ts";
import type { TaskRunner } from "../../workers/protocol.ts";

export interface UnpackPlan {
  readonly from: BankFiles;
  readonly chunkItems: number;
  /** The bank that is written. */
  readonly folder: string;
  readonly blocksize: number;
  /** Bytes before the numbers of a block's files: of all but the last block, and of the last. */
  readonly headerBytes: readonly [number, number];
  /** Of the part files. */
  readonly tag: string;
}

/** The unfinished files of a block, open in this thread. */
export function blockParts({ folder, tag }: Pick<UnpackPlan, "folder" | "tag">, block: number): PartFile[] {
  return blockPaths(folder, block).map((path) => PartFile.share(path, tag));
}

export function openUnpackJob(plan: UnpackPlan): TaskRunner<null> {
  const { from, chunkItems, blocksize } = plan;
  const size = 2 * from.n_m * from.n_b;
  const lastBlock = Math.ceil(from.n_i / blocksize) - 1;
  const reader = new BankReader(from);
  let open: { block: number; files: PartFile[] } | null = null;
  const close = () => {
    for (const file of open?.files ?? []) file.close();
    open = null;
  };
  const filesOf = (block: number) => {
    if (open?.block !== block) {
      close();
      open = { block, files: blockParts(plan, block) };
    }
    return (open as { files: PartFile[] }).files;
  };
  return {
    run(c) {
      const end = Math.min(from.n_i, (c + 1) * chunkItems);
      for (let i = c * chunkItems; i < end; ) {
        const block = Math.floor(i / blocksize);
        const until = Math.min(end, (block + 1) * blocksize, reader.blockEnd(i));
        reader.load(i, until);
        const at = plan.headerBytes[block === lastBlock ? 1 : 0] + 8 * (i - block * blocksize) * size;
        filesOf(block).forEach((file, k) => {
          const values = k === 0 ? reader.amplitude : reader.phase;
          writeAt(file, new Uint8Array(values.buffer, values.byteOffset, 8 * (until - i) * size), at);
        });
        i = until;
      }
    },
    result: () => null,
    close() {
      close();
      reader.close();
    },
  };
}
