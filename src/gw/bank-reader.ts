/** Reads the waveforms of bank samples into buffers that are used again. One reader a thread and bank. */
import { closeSync } from "node:fs";
import { dirname } from "node:path";
import { DotpeError } from "../errors.ts";
import { type OpenFile, openInput, readInto } from "../io/input.ts";
import { fileHint } from "../kernels/native.ts";
import type { PackKernels } from "../kernels/pack-table.ts";
import { loadKernels } from "../kernels/table.ts";
import { type Bank, blockPaths, N_POLARIZATIONS, REMAKE } from "./bank.ts";
import { ChunkReader } from "./pack-chunk.ts";
import type { PackedWaveforms } from "./pack-file.ts";

/** Where a bank's waveforms are: small, because every thread gets it with every job. */
export interface BankFiles {
  readonly id: string;
  readonly folder: string;
  readonly n_i: number;
  /** Samples of a block, or of a chunk of packed ones; the last may have fewer. */
  readonly blockSize: number;
  readonly n_m: number;
  readonly n_b: number;
  /** Byte at which the numbers start, of the amplitudes and of the phases of each block. Shared. */
  readonly dataOffset_kc: Int32Array;
  readonly packed: PackedWaveforms | null;
}

export function bankFiles({ id, folder, config, n_i, blocks, packed }: Bank): BankFiles {
  if (packed !== null) {
    const [n_m, n_b] = [config.m_arr.length, config.fbin.length];
    const dataOffset_kc = new Int32Array(0);
    return { id, folder, n_i, blockSize: packed.chunkItems, n_m, n_b, dataOffset_kc, packed };
  }
  const [{ n_i: blockSize, n_m, n_b, amplitudesPath }] = blocks;
  const dataOffset_kc = new Int32Array(new SharedArrayBuffer(8 * blocks.length));
  blocks.forEach(({ dataOffset, phaseDataOffset }, k) => {
    dataOffset_kc[2 * k] = dataOffset;
    dataOffset_kc[2 * k + 1] = phaseDataOffset;
  });
  const waveforms = dirname(dirname(amplitudesPath));
  return { id, folder: waveforms, n_i, blockSize, n_m, n_b, dataOffset_kc, packed };
}

/** The files of the waveforms of sample i, and its place in them. */
export function placeOf(
  { folder, blockSize, packed }: BankFiles,
  i: number,
): { paths: readonly string[]; at: number } {
  if (packed !== null) return { paths: [packed.path], at: i };
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
  amplitude: Float64Array = new Float64Array(0);
  phase: Float64Array = new Float64Array(0);
  first = 0;
  end = 0;
  private open: OpenBlock[] = [];
  private readonly packed: PackReader | null;

  /** @param kernels that decode packed waveforms; all give the same numbers */
  constructor(
    readonly bank: BankFiles,
    kernels?: PackKernels,
  ) {
    this.packed = bank.packed === null ? null : new PackReader(bank.packed, kernels ?? loadKernels("auto"));
  }

  /** End of the block (or chunk) that sample i belongs to. */
  blockEnd(i: number): number {
    const { blockSize, n_i } = this.bank;
    return Math.min(n_i, (Math.floor(i / blockSize) + 1) * blockSize);
  }

  /**
   * Loads the samples first <= i < end, all of one block.
   * @throws DotpeError noInput, badData if a file is gone or has changed since `openBank`.
   */
  load(first: number, end: number): void {
    if (this.packed !== null) {
      [this.amplitude, this.phase] = this.packed.load(first, end);
      this.first = first;
      this.end = end;
      return;
    }
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

  /** Lets the system read the samples first <= i < end, all of one block, while the thread does something else. @throws as `load` */
  prefetch(first: number, end: number): void {
    if (this.packed !== null) {
      this.packed.prefetch(first, end);
      return;
    }
    const { blockSize, n_m, n_b, dataOffset_kc } = this.bank;
    const k = Math.floor(first / blockSize);
    const { files } = this.find(k);
    const bytes = 8 * n_m * N_POLARIZATIONS * n_b;
    for (let c = 0; c < 2; c++)
      fileHint(
        files[c].fd,
        dataOffset_kc[2 * k + c] + (first - k * blockSize) * bytes,
        (end - first) * bytes,
      );
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
    this.packed?.close();
  }
}

/** Of packed waveforms; keeps the chunk that was decoded last. */
class PackReader {
  private readonly chunks: ChunkReader;
  private file: OpenFile | null = null;

  constructor(
    private readonly pack: PackedWaveforms,
    kernels: PackKernels,
  ) {
    this.chunks = new ChunkReader(pack, kernels);
  }

  /** Amplitudes and phases of samples of one chunk: views, good until the next call. */
  load(first: number, end: number): [Float64Array, Float64Array] {
    this.file ??= openWaveforms(this.pack.path, this.pack.size);
    const { chunkItems, header } = this.pack;
    const c = Math.floor(first / chunkItems);
    const [l0, l1] = [first - c * chunkItems, end - c * chunkItems];
    this.chunks.load(this.file, c, l0, l1);
    const size = 2 * header.modes.length * header.bins;
    const { amplitude, phase } = this.chunks;
    return [amplitude.subarray(l0 * size, l1 * size), phase.subarray(l0 * size, l1 * size)];
  }

  prefetch(first: number, end: number): void {
    const { path, size, chunkItems, start_c } = this.pack;
    this.file ??= openWaveforms(path, size);
    const start = start_c[Math.floor(first / chunkItems)];
    fileHint(this.file.fd, start, start_c[Math.ceil(end / chunkItems)] - start);
  }

  close(): void {
    if (this.file !== null) closeSync(this.file.fd);
    this.file = null;
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
