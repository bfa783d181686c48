/** Reading one chunk of a packed bank at a time: decompressed as a whole, decoded LANES samples at a time when they are asked for. */
import { DotpeError } from "../errors.ts";
import { type OpenFile, readInto } from "../io/input.ts";
import { decompressAll } from "../io/zstd.ts";
import { LANES, N_CLASSES, PADDING, type PackKernels } from "../kernels/pack-table.ts";
import { scratchF64 } from "../workers/arena.ts";
import type { PackedWaveforms } from "./pack-file.ts";
import { streamBytes } from "./pack-model.ts";

/**
 * A chunk is
 *   header: a count for every group of LANES samples, the length of what is not compressed, those of the frames
 *   what is not compressed: digits (exact), rests (rounded)
 *   zstd frames: the widths (exact); the streams of CLASSES_OF_FRAME and the planes of the others' bytes (rounded); of no bytes
 *     if empty
 * Counts are bytes of digits (exact), numbers of others (rounded). Header numbers have 4 bytes.
 */
const nFrames = (isExact: boolean) => (isExact ? 1 : CLASSES_OF_FRAME.length + 1);

/** Classes whose streams go into one frame, one after another: fewer frames cost less, these are alike. */
export const CLASSES_OF_FRAME: readonly (readonly number[])[] = [[0, 1, 2, 3], [4], [5, 6]];

/** Bytes of a double. */
const N_PLANES = 8;

/** Puts a chunk together. @param count_g as many as a full chunk has groups */
export function encodeChunk(
  count_g: Int32Array,
  plain: Uint8Array,
  frames: readonly Uint8Array[],
): Uint8Array {
  const header = Int32Array.of(...count_g, plain.length, ...frames.map(({ length }) => length));
  return Buffer.concat([new Uint8Array(header.buffer), plain, ...frames]);
}

/** One thread's reader of chunks. */
export class ChunkReader {
  /** h = amplitude exp(i phase) of the chunk's samples (l, m, p, b), as far as they are decoded. */
  readonly amplitude: Float64Array;
  readonly phase: Float64Array;
  private chunk = -1;
  private readonly isDecoded_g: boolean[];
  private readonly x_brl: Float64Array;
  private readonly scratch: Float64Array;
  private readonly streamBytes_s: Int32Array;
  private readonly n_groups: number;
  private compressed = new Uint8Array(1);
  /** What the frames hold. */
  private content: Uint8Array = new Uint8Array(0);
  private readonly length_k: Int32Array;
  private readonly expected_k: Float64Array;
  /** Where what is not compressed begins in `compressed`. */
  private plainAt = 0;
  private others = new Float64Array(1);
  /** Sums of the counts of the groups before each; one more than there are groups. */
  private readonly first_g: Int32Array;

  constructor(
    private readonly pack: PackedWaveforms,
    private readonly kernels: PackKernels,
  ) {
    const { prediction, steps } = pack.model;
    const { n_m, n_b } = prediction;
    const n_x = 2 * n_m * n_b;
    this.n_groups = pack.chunkItems / LANES;
    this.amplitude = scratchF64(pack.chunkItems * n_x);
    this.phase = scratchF64(pack.chunkItems * n_x);
    this.x_brl = scratchF64(2 * n_x * LANES);
    this.scratch = scratchF64(2 * n_b * LANES);
    this.streamBytes_s = streamBytes(prediction);
    this.isDecoded_g = new Array<boolean>(this.n_groups).fill(false);
    this.first_g = new Int32Array(this.n_groups + 1);
    this.length_k = new Int32Array(nFrames(steps === null));
    this.expected_k = new Float64Array(this.length_k.length);
  }

  /**
   * Decodes the samples l0 <= l < l1 of chunk c.
   * @throws DotpeError badData naming the chunk, noInput.
   */
  load(file: OpenFile, c: number, l0: number, l1: number): void {
    if (c !== this.chunk) {
      // Nothing of the chunk before is left if this one is damaged.
      this.chunk = -1;
      this.isDecoded_g.fill(false);
      this.read(file, c);
      this.chunk = c;
    }
    for (let g = Math.floor(l0 / LANES); g * LANES < l1; g++) if (!this.isDecoded_g[g]) this.decode(c, g);
  }

  private samplesOf(c: number): number {
    const { header, chunkItems } = this.pack;
    return Math.min(chunkItems, header.samples - c * chunkItems);
  }

  private where(c: number): string {
    const { path, chunkItems } = this.pack;
    const first = c * chunkItems;
    return `${path}: chunk ${c} (samples ${first} to ${first + this.samplesOf(c) - 1})`;
  }

  private read(file: OpenFile, c: number): void {
    const { start_c, crc_c, model } = this.pack;
    const { length_k, expected_k, first_g } = this;
    const length = start_c[c + 1] - start_c[c];
    if (this.compressed.length < length + PADDING) this.compressed = new Uint8Array(2 * length + PADDING);
    const bytes = this.compressed.subarray(0, length);
    readInto(file, bytes, start_c[c]);
    if ((Bun.hash.crc32(bytes) | 0) !== crc_c[c]) throw this.bad(c, "wrong checksum");
    this.plainAt = 4 * (this.n_groups + 1 + length_k.length);
    if (length < this.plainAt) throw this.bad(c, "too short");
    const view = new DataView(bytes.buffer, bytes.byteOffset, this.plainAt);
    let n_read = 0;
    const next = () => view.getUint32(4 * n_read++, true);
    const { n_m, n_b } = model.prediction;
    // More bytes of digits, or others, cannot be.
    const most = (model.steps === null ? 8 : 1) * 4 * n_m * n_b * LANES * this.n_groups;
    for (let g = 0; g < this.n_groups; g++) {
      const sum = first_g[g] + next();
      if (sum > most) throw this.bad(c, `found a count of ${sum}, expected at most ${most}`);
      first_g[g + 1] = sum;
    }
    const plain = next();
    for (let k = 0; k < length_k.length; k++) length_k[k] = Math.min(next(), length);
    if (plain !== this.expect(c)) throw this.bad(c, "damaged digits");
    const framesAt = this.plainAt + plain;
    if (framesAt > length) throw this.bad(c, "another length than it says");
    this.content = decompressAll(bytes.subarray(framesAt), length_k, expected_k, this.where(c));
    if (model.steps === null) return;
    const n_others = first_g[this.n_groups];
    if (this.others.length < n_others) this.others = new Float64Array(2 * n_others);
    joinPlanes(this.others, this.content.subarray(this.content.length - N_PLANES * n_others), n_others);
  }

  /** Writes what the counts say about the frames; returns what they say of the rest. */
  private expect(c: number): number {
    const { expected_k, first_g, streamBytes_s } = this;
    const { n_m, n_b } = this.pack.model.prediction;
    const n_groups = Math.ceil(this.samplesOf(c) / LANES);
    const total = first_g[this.n_groups];
    if (this.pack.model.steps === null) {
      expected_k[0] = 4 * n_m * n_b * n_groups;
      return total;
    }
    for (let g = 0; g < n_groups; g++) {
      if (first_g[g + 1] - first_g[g] < 4 * n_m * LANES) throw this.bad(c, "too few single values");
    }
    for (const [k, classes] of CLASSES_OF_FRAME.entries())
      expected_k[k] = classes.reduce((sum, s) => sum + n_groups * streamBytes_s[s], 0);
    expected_k[CLASSES_OF_FRAME.length] = N_PLANES * total;
    return n_groups * streamBytes_s[N_CLASSES];
  }

  private decode(c: number, g: number): void {
    const { prediction, scale_b } = this.pack.model;
    const { n_m, n_b } = prediction;
    const [first, count] = [this.first_g[g], this.first_g[g + 1] - this.first_g[g]];
    if (!this.unpack(c, g, first, count)) throw this.bad(c, "its counts do not fit its content");
    const n = Math.min(LANES, this.samplesOf(c) - g * LANES);
    const to = g * LANES * 2 * n_m * n_b;
    this.kernels.spreadLanes(this.amplitude, this.phase, to, this.x_brl, scale_b, n_b, n_m, n);
    this.isDecoded_g[g] = true;
  }

  /** Whether the group is as it says. */
  private unpack(c: number, g: number, first: number, count: number): boolean {
    const { content, compressed, others, plainAt, streamBytes_s } = this;
    const { prediction, steps } = this.pack.model;
    const { n_m, n_b } = prediction;
    if (steps === null) {
      const coded = { widths: content, firstWidth: 4 * n_m * n_b * g, digits: compressed };
      const where = { firstDigit: plainAt + first, n_digits: count };
      return this.kernels.unpackExact(this.x_brl, { ...coded, ...where }, prediction) === 0;
    }
    const at = new Int32Array(N_CLASSES + 1);
    const n_groups = Math.ceil(this.samplesOf(c) / LANES);
    let start = 0;
    for (let k = 0; k < N_CLASSES; k++) {
      at[k] = start + g * streamBytes_s[k];
      start += n_groups * streamBytes_s[k];
    }
    at[N_CLASSES] = plainAt + g * streamBytes_s[N_CLASSES];
    const coded = { codes: content, at, rests: compressed, others, firstOther: first, n_others: count };
    return this.kernels.unpackSteps(this.x_brl, this.scratch, coded, prediction, steps) === count;
  }

  private bad(c: number, message: string): DotpeError {
    return new DotpeError(
      "badData",
      `${this.where(c)}: ${message}`,
      "Copy the file again, or pack the bank again.",
    );
  }
}

/** Doubles from their bytes: all first bytes, then all second bytes, and so on. */
function joinPlanes(out: Float64Array, planes: Uint8Array, n: number): void {
  const words = new Int32Array(out.buffer);
  for (let j = 0; j < 2 * n; j++) {
    const at = (j & 1) * 4 * n + (j >> 1);
    words[j] = planes[at] | (planes[at + n] << 8) | (planes[at + 2 * n] << 16) | (planes[at + 3 * n] << 24);
  }
}

/** The inverse of `joinPlanes`. */
export function splitPlanes(values: Float64Array, n: number): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, 8 * n);
  const planes = new Uint8Array(8 * n);
  for (let k = 0; k < N_PLANES; k++) {
    for (let j = 0; j < n; j++) planes[k * n + j] = bytes[8 * j + k];
  }
  return planes;
}
