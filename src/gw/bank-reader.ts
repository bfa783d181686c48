/** Reads the waveforms of bank samples into buffers that are used again. One reader a thread. */
import { closeSync } from "node:fs";
import { DotpeError } from "../errors.ts";
import { type OpenFile, openInput, readInto } from "../io/input.ts";
import { type BankBlock, N_POLARIZATIONS, REMAKE } from "./bank.ts";

/** Blocks whose files stay open: few, because every thread has its own. */
const OPEN_BLOCKS = 2;

interface OpenBlock {
  readonly block: BankBlock;
  readonly amplitude: OpenFile;
  readonly phase: OpenFile;
}

export class BankReader {
  /** h = amplitude exp(i phase) at 1 Mpc of the samples loaded last, (i, m, p, b). */
  amplitude = new Float64Array(0);
  phase = new Float64Array(0);
  private open: OpenBlock[] = [];

  /**
   * Loads `n` samples of a block, the first being sample `i` of the bank.
   * @throws DotpeError noInput, badData if a file is gone or has changed its length since `openBank`.
   */
  load(block: BankBlock, i: number, n: number): void {
    const { amplitude, phase } = this.find(block);
    const size = block.n_m * N_POLARIZATIONS * block.n_b;
    if (this.amplitude.length < n * size) {
      this.amplitude = new Float64Array(n * size);
      this.phase = new Float64Array(n * size);
    }
    const skipped = (i - block.i0) * size * 8;
    const bytes = (values: Float64Array) => new Uint8Array(values.buffer, values.byteOffset, n * size * 8);
    readInto(amplitude, bytes(this.amplitude), block.dataOffset + skipped);
    readInto(phase, bytes(this.phase), block.phaseDataOffset + skipped);
  }

  private find(block: BankBlock): OpenBlock {
    const known = this.open.findIndex((open) => open.block === block);
    const found = known >= 0 ? this.open.splice(known, 1)[0] : openBlock(block);
    this.open.unshift(found);
    for (const unused of this.open.splice(OPEN_BLOCKS)) closeBlock(unused);
    return found;
  }

  close(): void {
    for (const block of this.open.splice(0)) closeBlock(block);
  }
}

function openBlock(block: BankBlock): OpenBlock {
  const { amplitudesPath, phasePath, dataOffset, phaseDataOffset } = block;
  const amplitude = openWaveforms(amplitudesPath, dataOffset, block);
  try {
    return { block, amplitude, phase: openWaveforms(phasePath, phaseDataOffset, block) };
  } catch (error) {
    closeSync(amplitude.fd);
    throw error;
  }
}

function openWaveforms(path: string, offset: number, { n_i, n_m, n_b }: BankBlock): OpenFile {
  const file = openInput(path);
  const expected = offset + 8 * n_i * n_m * N_POLARIZATIONS * n_b;
  if (file.size === expected) return file;
  closeSync(file.fd);
  throw new DotpeError("badData", `${path}: found ${file.size} bytes, expected ${expected}`, REMAKE);
}

function closeBlock({ amplitude, phase }: OpenBlock): void {
  closeSync(amplitude.fd);
  closeSync(phase.fd);
}
