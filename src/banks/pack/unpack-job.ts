/** Writes waveforms as .npy blocks: a task is a chunk of the packed bank. */
import { type BankFiles, BankReader } from "../../gw/bank-reader.ts";
import type { TaskRunner } from "../../workers/protocol.ts";
import { type BlockPlan, BlockWriter, type MadeBlock } from "../block-writer.ts";

export interface UnpackPlan extends BlockPlan {
  readonly from: BankFiles;
  readonly chunkItems: number;
}

export function openUnpackJob(plan: UnpackPlan): TaskRunner<MadeBlock[]> {
  const { from, chunkItems, blocksize, n_i } = plan;
  const reader = new BankReader(from);
  const writer = new BlockWriter(plan);
  return {
    run(c) {
      const end = Math.min(n_i, (c + 1) * chunkItems);
      for (let i = c * chunkItems; i < end; ) {
        const until = Math.min(end, (Math.floor(i / blocksize) + 1) * blocksize, reader.blockEnd(i));
        reader.load(i, until);
        writer.write(i, until - i, reader.amplitude, reader.phase);
        i = until;
      }
    },
    result: () => writer.made,
    close: () => reader.close(),
  };
}
