/** An array read from .npy bytes, converted on request to the types that the program computes with. */
import { DotpeError } from "../errors.ts";
import type { NpyDtype, NpyHeader } from "./npy.ts";

type ItemReader = (view: DataView, byte: number) => number;

const READ_NUMBER: Partial<Record<NpyDtype, ItemReader>> = {
  f8: (view, byte) => view.getFloat64(byte, true),
  f4: (view, byte) => view.getFloat32(byte, true),
  i8: (view, byte) => Number(view.getBigInt64(byte, true)),
  i4: (view, byte) => view.getInt32(byte, true),
  i2: (view, byte) => view.getInt16(byte, true),
  i1: (view, byte) => view.getInt8(byte),
  u8: (view, byte) => Number(view.getBigUint64(byte, true)),
  u4: (view, byte) => view.getUint32(byte, true),
  u2: (view, byte) => view.getUint16(byte, true),
  u1: (view, byte) => view.getUint8(byte),
  b1: (view, byte) => (view.getUint8(byte) === 0 ? 0 : 1),
};

/** Code points made into text at once. */
const PIECE = 4096;

export class NpyArray {
  readonly dtype: NpyDtype;
  readonly shape: readonly number[];
  readonly n_items: number;
  readonly #fortranOrder: boolean;
  readonly #itemBytes: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #where: string;

  /** @param bytes exactly the items; `where` names the array in errors. */
  constructor(header: NpyHeader, bytes: Uint8Array<ArrayBuffer>, where: string) {
    this.dtype = header.dtype;
    this.shape = header.shape;
    this.n_items = header.shape.reduce((product, n) => product * n, 1);
    this.#fortranOrder = header.fortranOrder && header.shape.length > 1;
    this.#itemBytes = header.itemBytes;
    this.#bytes = bytes;
    this.#where = where;
  }

  /**
   * The numbers in C order; f8 in C order is a view of the file's bytes, anything else a copy.
   * @throws DotpeError badData if they are not real numbers, or integers beyond 2^53.
   */
  toFloat64(): Float64Array<ArrayBuffer> {
    if (this.dtype === "f8" && !this.#fortranOrder) return this.#viewFloat64(this.n_items);
    const out = new Float64Array(this.n_items);
    const isInteger = this.dtype === "i8" || this.dtype === "u8";
    this.#eachNumber("real numbers", (value, k) => {
      if (isInteger && !Number.isSafeInteger(value)) throw this.#outOfRange(value, k);
      out[k] = value;
    });
    return out;
  }

  /** The integers or booleans in C order. @throws DotpeError badData if they are others, or beyond 32 bits. */
  toInt32(): Int32Array<ArrayBuffer> {
    if (!/^[iub]/.test(this.dtype)) throw this.#wrongDtype("integers");
    const out = new Int32Array(this.n_items);
    this.#eachNumber("integers", (value, k) => {
      if ((value | 0) !== value) throw this.#outOfRange(value, k);
      out[k] = value;
    });
    return out;
  }

  /** c16 or c8 in C order as interleaved re, im (2 n_items). @throws DotpeError badData for other dtypes. */
  toComplex(): Float64Array<ArrayBuffer> {
    if (this.dtype !== "c16" && this.dtype !== "c8") throw this.#wrongDtype("complex numbers");
    if (this.dtype === "c16" && !this.#fortranOrder) return this.#viewFloat64(2 * this.n_items);
    const read = READ_NUMBER[this.dtype === "c16" ? "f8" : "f4"]!;
    const view = this.#dataView();
    const out = new Float64Array(2 * this.n_items);
    this.#eachByteOffset((byte, k) => {
      out[2 * k] = read(view, byte);
      out[2 * k + 1] = read(view, byte + this.#itemBytes / 2);
    });
    return out;
  }

  /** Text in C order, without numpy's trailing zeros. @throws DotpeError badData for other dtypes. */
  toStrings(): string[] {
    if (this.dtype !== "U") throw this.#wrongDtype("text");
    const view = this.#dataView();
    const out = new Array<string>(this.n_items);
    this.#eachByteOffset((byte, k) => {
      out[k] = this.#readText(view, byte);
    });
    return out;
  }

  #readText(view: DataView, byte: number): string {
    const codePoints: number[] = [];
    let [n, at] = [0, byte];
    for (; at < byte + this.#itemBytes; at += 4) {
      const codePoint = view.getUint32(at, true);
      if (codePoint > 0x10ffff) throw this.#bad(`found code point ${codePoint}, expected Unicode text`);
      codePoints.push(codePoint);
      if (codePoint !== 0) n = codePoints.length;
    }
    let text = "";
    for (let k = 0; k < n; k += PIECE)
      text += String.fromCodePoint(...codePoints.slice(k, Math.min(k + PIECE, n)));
    return text;
  }

  /** A view of the items as doubles; a copy where the bytes are not aligned to 8. */
  #viewFloat64(length: number): Float64Array<ArrayBuffer> {
    const aligned = this.#bytes.byteOffset % 8 === 0 ? this.#bytes : this.#bytes.slice();
    return new Float64Array(aligned.buffer, aligned.byteOffset, length);
  }

  #dataView(): DataView {
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
  }

  #eachNumber(expected: string, visit: (value: number, k: number) => void): void {
    const read = READ_NUMBER[this.dtype];
    if (read === undefined) throw this.#wrongDtype(expected);
    const view = this.#dataView();
    this.#eachByteOffset((byte, k) => visit(read(view, byte), k));
  }

  /** Visits the items in C order: k counts up, byte is where item k stands. */
  #eachByteOffset(visit: (byte: number, k: number) => void): void {
    if (!this.#fortranOrder) {
      for (let k = 0; k < this.n_items; k++) visit(k * this.#itemBytes, k);
      return;
    }
    const strides = this.shape.map((_, axis) =>
      this.shape.slice(0, axis).reduce((a, n) => a * n, this.#itemBytes),
    );
    const index = new Array<number>(this.shape.length).fill(0);
    for (let k = 0, byte = 0; k < this.n_items; k++) {
      visit(byte, k);
      for (let axis = index.length - 1; axis >= 0; axis--) {
        byte += strides[axis];
        if (++index[axis] < this.shape[axis]) break;
        byte -= strides[axis] * index[axis];
        index[axis] = 0;
      }
    }
  }

  #wrongDtype(expected: string): DotpeError {
    return this.#bad(`found dtype ${this.dtype}, expected ${expected}`);
  }

  #outOfRange(value: number, k: number): DotpeError {
    return this.#bad(`found ${value} at position ${k}, expected an integer that fits`);
  }

  #bad(message: string): DotpeError {
    return new DotpeError(
      "badData",
      `${this.#where}: ${message}`,
      "Check the file, or save it again with numpy.",
    );
  }
}
