/** Makes the waveforms of a bank block by block: a task is a few samples, the thread that ends a block gives its files their names. */
import { openWaveforms } from "../approximants/open.ts";
import type { WaveformParameters, WaveformRequest } from "../approximants/source.ts";
import { type BankSamples, blockPaths, N_POLARIZATIONS } from "../gw/bank.ts";
import { PartFile, writeAt } from "../io/atomic-write.ts";
import { encodeHeader } from "../io/npy-write.ts";
import { sha256OfPart } from "../io/sha256.ts";
import { sharedI32 } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";

/** A bank's shape. */
export interface BankShape {
  readonly n_i: number;
  /** Samples of every block but the last. */
  readonly blocksize: number;
  readonly n_m: number;
  readonly n_b: number;
}

export interface WaveformPlan extends BankShape {
  /** The bank. */
  readonly folder: string;
  readonly request: WaveformRequest;
  /** Shared. */
  readonly samples: BankSamples;
  /** Blocks to make, ascending. */
  readonly blocks: readonly number[];
  /** Samples of a task, all of one block. */
  readonly taskItems: number;
  /** Tasks that each of `blocks` still needs. With Atomics. */
  readonly left_j: Int32Array;
  /** Of the part files of this attempt. */
  readonly tag: string;
}

/** Checksums of the finished files of a block: amplitudes, phases. */
export interface MadeBlock {
  readonly block: number;
  readonly sha256: readonly [string, string];
}

/** Bytes of amplitudes that a task makes, about. */
const TASK_BYTES = 2 ** 19;

export function waveformPlan(
  plan: Omit<WaveformPlan, "taskItems" | "left_j" | "tag">,
): WaveformPlan & { readonly n_tasks: number } {
  const taskItems = Math.max(1, Math.min(plan.blocksize, Math.floor(TASK_BYTES / bytesOfSample(plan))));
  const left_j = sharedI32(plan.blocks.length);
  plan.blocks.forEach((block, j) => {
    left_j[j] = Math.ceil(itemsOfBlock(plan, block) / taskItems);
  });
  const n_tasks = left_j.reduce((sum, n) => sum + n, 0);
  return { ...plan, taskItems, left_j, n_tasks, tag: `${process.pid}-${Bun.randomUUIDv7()}` };
}

export function itemsOfBlock({ n_i, blocksize }: BankShape, block: number): number {
  return Math.min(blocksize, n_i - block * blocksize);
}

/** Of the amplitudes, or of the phases. */
const bytesOfSample = ({ n_m, n_b }: BankShape) => 8 * n_m * N_POLARIZATIONS * n_b;

export async function openWaveformJob(plan: WaveformPlan): Promise<TaskRunner<MadeBlock[]>> {
  const source = await openWaveforms(plan.request);
  const size = bytesOfSample(plan) / 8;
  const [amplitude_impb, phase_impb] = [0, 1].map(() => new Float64Array(plan.taskItems * size));
  const tasksOfBlock = Math.ceil(plan.blocksize / plan.taskItems);
  const made: MadeBlock[] = [];
  return {
    run(task) {
      // Only the last block of a bank is shorter, and it stands last.
      const j = Math.floor(task / tasksOfBlock);
      const block = plan.blocks[j];
      const first = (task % tasksOfBlock) * plan.taskItems;
      const n = Math.min(plan.taskItems, itemsOfBlock(plan, block) - first);
      for (let k = 0; k < n; k++) {
        const parameters = parametersOf(plan.samples, block * plan.blocksize + first + k);
        const of = (values: Float64Array) => values.subarray(k * size, (k + 1) * size);
        source.fill(parameters, of(amplitude_impb), of(phase_impb));
      }
      const files = blockFiles(plan, block);
      const header = headerOf(plan, block);
      [amplitude_impb, phase_impb].forEach((values, c) => {
        const bytes = new Uint8Array(values.buffer, 0, 8 * n * size);
        writeAt(files[c], bytes, header.length + 8 * first * size);
      });
      if (Atomics.sub(plan.left_j, j, 1) === 1) made.push({ block, sha256: finish(plan, block, files) });
      else for (const file of files) file.close();
    },
    result: () => made,
  };
}

function blockFiles(plan: WaveformPlan, block: number): [PartFile, PartFile] {
  const [amplitudes, phases] = blockPaths(plan.folder, block);
  return [PartFile.share(amplitudes, plan.tag), PartFile.share(phases, plan.tag)];
}

function headerOf(plan: BankShape, block: number): Uint8Array {
  return encodeHeader("<f8", [itemsOfBlock(plan, block), plan.n_m, N_POLARIZATIONS, plan.n_b]);
}

/** Bytes of one file of a block. */
export function blockBytes(shape: BankShape, block: number): number {
  return headerOf(shape, block).length + itemsOfBlock(shape, block) * bytesOfSample(shape);
}

function finish(plan: WaveformPlan, block: number, files: readonly PartFile[]): [string, string] {
  const header = headerOf(plan, block);
  const bytes = blockBytes(plan, block);
  const [amplitudes, phases] = files.map((file) => {
    writeAt(file, header, 0);
    const sum = sha256OfPart(file, bytes);
    file.commit(bytes);
    return sum;
  });
  return [amplitudes, phases];
}

/** Sample i, as a waveform takes it. */
export function parametersOf(samples: BankSamples, i: number): WaveformParameters {
  const { m1, m2, s1z, s1x_n, s1y_n, s2z, s2x_n, s2y_n, iota, l1, l2 } = samples;
  return {
    ...{ m1: m1[i], m2: m2[i], s1z: s1z[i], s1x_n: s1x_n[i], s1y_n: s1y_n[i] },
    ...{ s2z: s2z[i], s2x_n: s2x_n[i], s2y_n: s2y_n[i], iota: iota[i], l1: l1[i], l2: l2[i] },
  };
}
