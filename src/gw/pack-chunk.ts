/** Reading one chunk of a packed bank at a time: decompressed as a whole, decoded LANES samples at a time when they are asked for. */
import { DotpeError } from "../errors.ts";
import { type OpenFile, readInto } from "../io/input.ts";
import { decompress } from "../io/zstd.ts";
import { LANES, N_CLASSES, type PackKernels } from "../kernels/pack-table.ts";
import { scratchF64 } from "../workers/arena.ts";
import type { PackedWaveforms } from "./pack-file.ts";
import { streamBytes } from "./pack-model.ts";

/** Parts of a chunk: the classes' streams (zstd), the rests (as they are), the others (the planes of their bytes, zstd). */
export const N_PARTS = N_CLASSES + 2;

/** Bytes before the parts: how many others each group of LANES has, and the length of every part (0: no content). */
export const chunkHeaderBytes = (chunkItems: number) => 4 * (chunkItems / LANES + N_PARTS);

/** Beyond the rests, for kernels that read whole words. */
const REST_PADDING = 8;
/** Bytes of a double. */
const N_PLANES = 8;

/** One thread's reader of chunks. */
export class ChunkReader {
  /** h = amplitude exp(i phase) of the chunk's samples (l, m, p, b), as far as they are decoded. */
  readonly amplitude: Float64Array;
  readonly phase: Float64Array;
  private chunk = -1;
  private readonly isDecoded_g: boolean[];
  private readonly x_rbl: Float64Array;
  private readonly scratch: Float64Array;
  private readonly streamBytes_s: Int32Array;
  private compressed = new Uint8Array(1);
  private codes = new Uint8Array(1);
  /** Where the streams of the classes begin in `codes`, and the rests in `compressed`. */
  private readonly at_s = new Int32Array(N_CLASSES + 1);
  private others = new Float64Array(1);
  /** Where the others of each group begin; one more than there are groups. */
  private readonly firstOther_g: Int32Array;

  constructor(
    private readonly pack: PackedWaveforms,
    private readonly kernels: PackKernels,
  ) {
    const { prediction } = pack.model;
    const { n_m, n_b } = prediction;
    const n_x = 2 * n_m * n_b;
    this.amplitude = scratchF64(pack.chunkItems * n_x);
    this.phase = scratchF64(pack.chunkItems * n_x);
    this.x_rbl = scratchF64(2 * n_x * LANES);
    this.scratch = scratchF64(2 * n_b * LANES);
    this.streamBytes_s = streamBytes(prediction);
    this.isDecoded_g = new Array<boolean>(pack.chunkItems / LANES).fill(false);
    this.firstOther_g = new Int32Array(pack.chunkItems / LANES + 1);
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
    const { start_c, crc_c, model, chunkItems } = this.pack;
    const length = start_c[c + 1] - start_c[c];
    if (this.compressed.length < length + REST_PADDING)
      this.compressed = new Uint8Array(2 * length + REST_PADDING);
    const bytes = this.compressed.subarray(0, length);
    readInto(file, bytes, start_c[c]);
    if ((Bun.hash.crc32(bytes) | 0) !== crc_c[c]) throw this.bad(c, "wrong checksum");
    const headerBytes = chunkHeaderBytes(chunkItems);
    if (length < headerBytes) throw this.bad(c, "too short");
    const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
    const n_groups = Math.ceil(this.samplesOf(c) / LANES);
    const { n_m, n_b } = model.prediction;
    const n_values = 4 * n_m * n_b * n_groups * LANES;
    let n_others = 0;
    for (let g = 0; g < chunkItems / LANES; g++) {
      n_others += view.getUint32(4 * g, true);
      if (n_others > n_values)
        throw this.bad(c, `found ${n_others} single values, expected at most ${n_values}`);
      this.firstOther_g[g + 1] = n_others;
    }
    let at = headerBytes;
    let codesEnd = 0;
    for (let k = 0; k < N_PARTS; k++) {
      const part = bytes.subarray(at, at + view.getUint32(headerBytes - 4 * (N_PARTS - k), true));
      const expected = k <= N_CLASSES ? n_groups * this.streamBytes_s[k] : 8 * n_others;
      if (k === N_CLASSES) {
        if (part.length !== expected) throw this.bad(c, "damaged rests");
        this.at_s[k] = at;
      } else if (expected > 0) {
        const content = decompress(part, expected, this.where(c));
        if (k > N_CLASSES) this.keepOthers(content, n_others);
        else codesEnd = this.keepCodes(k, content, codesEnd);
      }
      at += part.length;
    }
    if (at !== length) throw this.bad(c, "another length than it says");
  }

  private keepCodes(k: number, content: Uint8Array, at: number): number {
    const end = at + content.length;
    if (this.codes.length < end) {
      const longer = new Uint8Array(2 * end);
      longer.set(this.codes.subarray(0, at));
      this.codes = longer;
    }
    this.codes.set(content, at);
    this.at_s[k] = at;
    return end;
  }

  private keepOthers(planes: Uint8Array, n: number): void {
    if (this.others.length < n) this.others = new Float64Array(2 * n);
    joinPlanes(this.others, planes, n);
  }

  private decode(c: number, g: number): void {
    const { prediction, steps, scale_b, ones_b } = this.pack.model;
    const { n_m, n_b } = prediction;
    const n_x = 2 * n_m * n_b;
    const firstOther = this.firstOther_g[g];
    const coded = {
      codes: this.codes,
      at: this.at_s.map((start, s) => start + g * this.streamBytes_s[s]),
      rests: this.compressed,
      others: this.others,
      firstOther,
      n_others: this.firstOther_g[g + 1] - firstOther,
    };
    const taken =
      steps === null
        ? this.kernels.unpackExact(this.x_rbl, coded, prediction)
        : this.kernels.unpackSteps(this.x_rbl, this.scratch, coded, prediction, steps);
    if (taken !== coded.n_others) throw this.bad(c, "wrong number of single values");
    const n = Math.min(LANES, this.samplesOf(c) - g * LANES);
    const to = g * LANES * n_x;
    this.kernels.spreadLanes(this.amplitude, to, this.x_rbl, 0, scale_b, n_b, 2 * n_m, n);
    this.kernels.spreadLanes(this.phase, to, this.x_rbl, n_x * LANES, ones_b, n_b, 2 * n_m, n);
    this.isDecoded_g[g] = true;
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
  const bytes = new Uint8Array(out.buffer);
  for (let k = 0; k < N_PLANES; k++) {
    for (let j = 0; j < n; j++) bytes[8 * j + k] = planes[k * n + j];
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
