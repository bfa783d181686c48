/** Writes what is left of the values of a chunk in the exact code: the inverse of what the kernels of `pack-table.ts` read. */
import { encodeChunk } from "../../gw/pack-chunk.ts";
import { LANES, MOST_BITS, type Prediction, WHOLE } from "../../kernels/pack-table.ts";
import { putBits } from "./bits.ts";

/** Of zstd, which gets the widths only. */
const LEVEL = 12;

export class ExactWriter {
  private readonly size: number;
  private readonly widths: Uint8Array;
  private n_widths = 0;
  private digits: Uint8Array;
  private n_digits = 0;
  private readonly digits_g: Int32Array;
  private group = 0;
  /** What is left of the lanes: halves of 64 bits. */
  private readonly low_l = new Int32Array(LANES);
  private readonly high_l = new Int32Array(LANES);

  constructor({ n_b, n_m }: Prediction, chunkItems: number) {
    this.size = 4 * n_m * n_b;
    this.widths = new Uint8Array((this.size * chunkItems) / LANES);
    // As many as there can be.
    this.digits = new Uint8Array(8 * this.size * chunkItems);
    this.digits_g = new Int32Array(chunkItems / LANES);
  }

  begin(_groups: number): void {
    this.digits.fill(0, 0, this.n_digits);
    this.digits_g.fill(0);
    this.n_digits = 0;
    this.n_widths = 0;
  }

  /** What comes belongs to group g of LANES samples. */
  beginGroup(g: number): void {
    this.group = g;
  }

  /** What is left of lane l of a (row, place). */
  set(l: number, low: number, high: number): void {
    this.low_l[l] = low;
    this.high_l[l] = high;
  }

  /** All lanes of a (row, place) are set. @param usual its width, if it is as others are */
  write(usual: number): void {
    const width = this.width();
    this.widths[this.n_widths++] = width - usual;
    for (let l = 0; l < LANES && width > 0; l++) {
      // n + 2^(width - 1)
      let [low, high] = [this.low_l[l], this.high_l[l]];
      if (width > 32) high = (high + 2 ** (width - 33)) | 0;
      else {
        const sum = (low >>> 0) + 2 ** (width - 1);
        high = (high + (sum > 0xffffffff ? 1 : 0)) | 0;
        low = sum | 0;
      }
      putBits(this.digits, this.n_digits, width, l * width, low, high);
    }
    this.n_digits += width;
    this.digits_g[this.group] += width;
  }

  /** Bits that hold every lane's n, its sign too. */
  private width(): number {
    let [low, high, any] = [0, 0, 0];
    for (let l = 0; l < LANES; l++) {
      const sign = this.high_l[l] >> 31;
      low |= this.low_l[l] ^ sign;
      high |= this.high_l[l] ^ sign;
      any |= this.low_l[l] | this.high_l[l];
    }
    if (any === 0) return 0;
    const width = 1 + (high !== 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(low));
    return width > MOST_BITS ? WHOLE : width;
  }

  /** The chunk. */
  finish(): Uint8Array {
    const widths = this.widths.subarray(0, this.n_widths) as Uint8Array<ArrayBuffer>;
    const frame = Bun.zstdCompressSync(widths, { level: LEVEL });
    return encodeChunk(this.digits_g, this.digits.subarray(0, this.n_digits), [frame]);
  }
}
