/** Makes the waveforms of a bank, a few samples a task. */
import { openWaveforms } from "../approximants/open.ts";
import type { WaveformParameters, WaveformRequest } from "../approximants/source.ts";
import type { BankSamples } from "../gw/bank.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import { type BlockPlan, BlockWriter, bytesOfSample, itemsOfBlock, type MadeBlock } from "./block-writer.ts";

export interface WaveformPlan extends BlockPlan {
  readonly request: WaveformRequest;
  /** Shared. */
  readonly samples: BankSamples;
  /** Blocks to make, ascending. */
  readonly blocks: readonly number[];
  /** Samples of a task, all of one block. */
  readonly taskItems: number;
  readonly n_tasks: number;
}

/** Bytes of amplitudes that a task makes, about. */
const TASK_BYTES = 2 ** 19;

export function waveformPlan(plan: Omit<WaveformPlan, "taskItems" | "n_tasks">): WaveformPlan {
  const taskItems = Math.max(1, Math.min(plan.blocksize, Math.floor(TASK_BYTES / bytesOfSample(plan))));
  const tasksOf = (block: number) => Math.ceil(itemsOfBlock(plan, block) / taskItems);
  return { ...plan, taskItems, n_tasks: plan.blocks.reduce((sum, block) => sum + tasksOf(block), 0) };
}

export async function openWaveformJob(plan: WaveformPlan): Promise<TaskRunner<MadeBlock[]>> {
  const { samples, taskItems, blocksize, blocks } = plan;
  const source = await openWaveforms(plan.request);
  const size = bytesOfSample(plan) / 8;
  const [amplitude_impb, phase_impb] = [0, 1].map(() => new Float64Array(taskItems * size));
  // Of each sample of a task; made once.
  const [amplitude_k, phase_k] = [amplitude_impb, phase_impb].map((values) =>
    Array.from({ length: taskItems }, (_, k) => values.subarray(k * size, (k + 1) * size)),
  );
  const tasksOfBlock = Math.ceil(blocksize / taskItems);
  const writer = new BlockWriter(plan);
  return {
    run(task) {
      // Only the last block of a bank is shorter, and it stands last.
      const block = blocks[Math.floor(task / tasksOfBlock)];
      const first = (task % tasksOfBlock) * taskItems;
      const n = Math.min(taskItems, itemsOfBlock(plan, block) - first);
      const i = block * blocksize + first;
      for (let k = 0; k < n; k++) source.fill(parametersOf(samples, i + k), amplitude_k[k], phase_k[k]);
      writer.write(i, n, amplitude_impb, phase_impb);
    },
    result: () => writer.made,
  };
}

/** Sample i, as a waveform takes it. */
export function parametersOf(samples: BankSamples, i: number): WaveformParameters {
  const { m1, m2, s1z, s1x_n, s1y_n, s2z, s2x_n, s2y_n, iota, l1, l2 } = samples;
  return {
    ...{ m1: m1[i], m2: m2[i], s1z: s1z[i], s1x_n: s1x_n[i], s1y_n: s1y_n[i] },
    ...{ s2z: s2z[i], s2x_n: s2x_n[i], s2y_n: s2y_n[i], iota: iota[i], l1: l1[i], l2: l2[i] },
  };
}
