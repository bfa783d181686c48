/** Reads the waveforms of bank samples into buffers that are used again. One reader a thread and bank. */
import { closeSync } from "node:fs";
import { dirname } from "node:path";
import { DotpeError } from "../errors.ts";
import { type OpenFile, openInput, readInto } from "../io/input.ts";
import { type Bank, blockPaths, N_POLARIZATIONS, REMAKE } from "./bank.ts";

/** Where a bank's waveforms are: small, because every thread gets it with every job. */
export interface BankFiles {
  readonly id: string;
  readonly folder: string;
  readonly n_i: number;
  /** Samples of a block; the last may have fewer. */
  readonly blockSize: number;
  readonly n_m: number;
  readonly n_b: number;
  /** Byte at which the numbers start, of the amplitudes and of the phases of each block. Shared. */
  readonly dataOffset_kc: Int32Array;
}

export function bankFiles({ id, n_i, blocks }: Bank): BankFiles {
  const [{ n_i: blockSize, n_m, n_b, amplitudesPath }] = blocks;
  const dataOffset_kc = new Int32Array(new SharedArrayBuffer(8 * blocks.length));
  blocks.forEach(({ dataOffset, phaseDataOffset }, k) => {
    dataOffset_kc[2 * k] = dataOffset;
    dataOffset_kc[2 * k + 1] = phaseDataOffset;
  });
  return { id, folder: dirname(dirname(amplitudesPath)), n_i, blockSize, n_m, n_b, dataOffset_kc };
}

/** The files of the waveforms of sample i, and its place in them. */
export function placeOf(
  { folder, blockSize }: BankFiles,
  i: number,
): { paths: [string, string]; at: number } {
  return { paths: blockPaths(folder, Math.floor(i / blockSize)), at: i % blockSize };
}

/** Blocks whose files stay open: few, because every thread has its own. */
const OPEN_BLOCKS = 2;

interface OpenBlock {
  readonly k: number;
  /** Amplitudes, phases. */
  readonly files: readonly [OpenFile, OpenFile];
}

export class BankReader {
  /** h = amplitude exp(i phase) at 1 Mpc of the samples first <= i < end, (i, m, p, b). */
  amplitude = new Float64Array(0);
  phase = new Float64Array(0);
  first = 0;
  end = 0;
  private open: OpenBlock[] = [];

  constructor(readonly bank: BankFiles) {}

  /** End of the block that sample i belongs to. */
  blockEnd(i: number): number {
    const { blockSize, n_i } = this.bank;
    return Math.min(n_i, (Math.floor(i / blockSize) + 1) * blockSize);
  }

  /**
   * Loads the samples first <= i < end, all of one block.
   * @throws DotpeError noInput, badData if a file is gone or has changed its length since `openBank`.
   */
  load(first: number, end: number): void {
    const { blockSize, n_m, n_b, dataOffset_kc } = this.bank;
    const k = Math.floor(first / blockSize);
    const { files } = this.find(k);
    const size = n_m * N_POLARIZATIONS * n_b;
    const n = (end - first) * size;
    if (this.amplitude.length < n) {
      this.amplitude = new Float64Array(n);
      this.phase = new Float64Array(n);
    }
    [this.amplitude, this.phase].forEach((values, c) => {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, 8 * n);
      readInto(files[c], bytes, dataOffset_kc[2 * k + c] + (first - k * blockSize) * size * 8);
    });
    this.first = first;
    this.end = end;
  }

  private find(k: number): OpenBlock {
    const known = this.open.findIndex((open) => open.k === k);
    const found = known >= 0 ? this.open.splice(known, 1)[0] : openBlock(this.bank, k);
    this.open.unshift(found);
    for (const unused of this.open.splice(OPEN_BLOCKS)) closeBlock(unused);
    return found;
  }

  close(): void {
    for (const block of this.open.splice(0)) closeBlock(block);
  }
}

function openBlock(bank: BankFiles, k: number): OpenBlock {
  const { folder, blockSize, n_i, n_m, n_b, dataOffset_kc } = bank;
  const bytes = 8 * Math.min(blockSize, n_i - k * blockSize) * n_m * N_POLARIZATIONS * n_b;
  const [amplitudesPath, phasePath] = blockPaths(folder, k);
  const amplitude = openWaveforms(amplitudesPath, dataOffset_kc[2 * k] + bytes);
  try {
    return { k, files: [amplitude, openWaveforms(phasePath, dataOffset_kc[2 * k + 1] + bytes)] };
  } catch (error) {
    closeSync(amplitude.fd);
    throw error;
  }
}

function openWaveforms(path: string, expected: number): OpenFile {
  const file = openInput(path);
  if (file.size === expected) return file;
  closeSync(file.fd);
  throw new DotpeError("badData", `${path}: found ${file.size} bytes, expected ${expected}`, REMAKE);
}

function closeBlock({ files }: OpenBlock): void {
  for (const { fd } of files) closeSync(fd);
}
