/** Writes waveforms into a bank's .npy blocks, by many threads at once: the one that completes a block gives its files their names. */
import { blockPaths, N_POLARIZATIONS } from "../gw/bank.ts";
import { PartFile, writeAt } from "../io/atomic-write.ts";
import { encodeHeader } from "../io/npy-write.ts";
import { sha256OfPart } from "../io/sha256.ts";
import { sharedI32 } from "../workers/arena.ts";

/** A bank's shape. */
export interface BankShape {
  readonly n_i: number;
  /** Samples of every block but the last. */
  readonly blocksize: number;
  readonly n_m: number;
  readonly n_b: number;
}

export interface BlockPlan extends BankShape {
  /** The bank. */
  readonly folder: string;
  /** Of the part files of this attempt. */
  readonly tag: string;
  /** Samples that each block still needs. With Atomics. */
  readonly left_k: Int32Array;
}

/** A finished block and the checksums of its files: amplitudes, phases. */
export interface MadeBlock {
  readonly block: number;
  readonly sha256: readonly [string, string];
}

export function blockPlan(folder: string, shape: BankShape): BlockPlan {
  const left_k = sharedI32(blocksOf(shape));
  left_k.forEach((_, block) => {
    left_k[block] = itemsOfBlock(shape, block);
  });
  const { n_i, blocksize, n_m, n_b } = shape;
  return { n_i, blocksize, n_m, n_b, folder, left_k, tag: `${process.pid}-${Bun.randomUUIDv7()}` };
}

export const blocksOf = ({ n_i, blocksize }: BankShape) => Math.ceil(n_i / blocksize);

export function itemsOfBlock({ n_i, blocksize }: BankShape, block: number): number {
  return Math.min(blocksize, n_i - block * blocksize);
}

/** Of the amplitudes, or of the phases. */
export const bytesOfSample = ({ n_m, n_b }: BankShape) => 8 * n_m * N_POLARIZATIONS * n_b;

/** Bytes of one file of a block. */
export function blockBytes(shape: BankShape, block: number): number {
  return headerOf(shape, block).length + itemsOfBlock(shape, block) * bytesOfSample(shape);
}

function headerOf(shape: BankShape, block: number): Uint8Array {
  return encodeHeader("<f8", [itemsOfBlock(shape, block), shape.n_m, N_POLARIZATIONS, shape.n_b]);
}

/** One thread's writer. */
export class BlockWriter {
  /** Blocks that this thread has completed. */
  readonly made: MadeBlock[] = [];

  constructor(private readonly plan: BlockPlan) {}

  /**
   * Writes the samples i ... i + n - 1, all of one block and never written before.
   * @param amplitude @param phase (n, m, p, b), at the beginning of the arrays
   * @throws DotpeError cannotCreate.
   */
  write(i: number, n: number, amplitude: Float64Array, phase: Float64Array): void {
    const { plan } = this;
    const block = Math.floor(i / plan.blocksize);
    const size = bytesOfSample(plan);
    const at = headerOf(plan, block).length + (i - block * plan.blocksize) * size;
    const files = blockPaths(plan.folder, block).map((path) => PartFile.share(path, plan.tag));
    const bytesOf = (values: Float64Array) => new Uint8Array(values.buffer, values.byteOffset, n * size);
    writeAt(files[0], bytesOf(amplitude), at);
    writeAt(files[1], bytesOf(phase), at);
    if (Atomics.sub(plan.left_k, block, n) === n) this.finish(block, files);
    else for (const file of files) file.close();
  }

  private finish(block: number, files: readonly PartFile[]): void {
    const header = headerOf(this.plan, block);
    const bytes = blockBytes(this.plan, block);
    const [amplitudes, phases] = files.map((file) => {
      writeAt(file, header, 0);
      const sum = sha256OfPart(file, bytes);
      file.commit(bytes);
      return sum;
    });
    this.made.push({ block, sha256: [amplitudes, phases] });
  }
}
