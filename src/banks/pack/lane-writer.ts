/** Writes what is left of the values of a chunk in the rounded code into its streams: the inverse of what the kernels of `pack-table.ts` read. */
import { CLASSES_OF_FRAME, encodeChunk, splitPlanes } from "../../gw/pack-chunk.ts";
import { streamBytes } from "../../gw/pack-model.ts";
import { FIRST_BYTES, LANES, N_CLASSES, type Prediction } from "../../kernels/pack-table.ts";
import { putBits } from "./bits.ts";

/** Of zstd. Higher ones gain a percent and are slower. */
const LEVEL = 12;

export class LaneWriter {
  private readonly bytes_s: Int32Array;
  private streams: Uint8Array[] = [];
  private readonly at_s = new Int32Array(N_CLASSES + 1);
  private others = new Float64Array(1024);
  private n_others = 0;
  private readonly others_g: Int32Array;
  private group = 0;

  constructor(prediction: Prediction, chunkItems: number) {
    this.bytes_s = streamBytes(prediction);
    this.others_g = new Int32Array(chunkItems / LANES);
  }

  begin(n_groups: number): void {
    this.streams = Array.from(this.bytes_s, (n) => new Uint8Array(n_groups * n));
    this.at_s.fill(0);
    this.others_g.fill(0);
    this.n_others = 0;
  }

  /** What comes belongs to group g of LANES samples. */
  beginGroup(g: number): void {
    this.group = g;
  }

  other(x: number): void {
    if (this.n_others === this.others.length) {
      const longer = new Float64Array(2 * this.n_others);
      longer.set(this.others);
      this.others = longer;
    }
    this.others[this.n_others++] = x;
    this.others_g[this.group]++;
  }

  /**
   * Writes lane l of a (row, place): n, or the sign that it is among the others.
   * @param low @param high halves of n as an integer of 64 bits
   * @returns whether n can be said; if not, the caller adds the value to the others
   */
  write(kind: number, shift: number, l: number, low: number, high: number): boolean {
    const most = kind < FIRST_BYTES ? 7 : 127;
    let symbol: number;
    if (shift === 0) symbol = high === low >> 31 ? low : most + 1;
    else if (shift < 32) {
      const above = high >> shift;
      symbol = above === 0 || above === -1 ? (low >>> shift) | (high << (32 - shift)) : most + 1;
      if (symbol >> 31 !== above) symbol = most + 1;
    } else symbol = high >> (shift - 32);
    const isSaid = symbol >= -most && symbol <= most;
    if (!isSaid) symbol = -most - 1;
    const { streams, at_s } = this;
    if (kind < FIRST_BYTES) streams[kind][at_s[kind] + (l >> 1)] |= (symbol & 15) << ((l & 1) * 4);
    else streams[kind][at_s[kind] + l] = symbol;
    if (isSaid && shift > 0) putBits(streams[N_CLASSES], at_s[N_CLASSES], shift, l * shift, low, high);
    return isSaid;
  }

  /** All lanes of a (row, place) are written. */
  next(kind: number, shift: number): void {
    this.at_s[kind] += kind < FIRST_BYTES ? LANES / 2 : LANES;
    this.at_s[N_CLASSES] += shift;
  }

  /** The chunk. */
  finish(): Uint8Array {
    const compress = (part: Uint8Array) =>
      part.length === 0 ? part : Bun.zstdCompressSync(part as Uint8Array<ArrayBuffer>, { level: LEVEL });
    const frames = CLASSES_OF_FRAME.map((classes) =>
      compress(Buffer.concat(classes.map((s) => this.streams[s]))),
    );
    frames.push(compress(splitPlanes(this.others, this.n_others)));
    return encodeChunk(this.others_g, this.streams[N_CLASSES], frames);
  }
}
