/** Writing .npy version 1.0, byte for byte as numpy.save does. */

/** What can be written, by dtype; items in C order, c16 interleaved re, im. */
export type NpyData =
  | { dtype: "f8"; data: Float64Array }
  | { dtype: "i8"; data: Int32Array | Float64Array | BigInt64Array }
  | { dtype: "u1"; data: Uint8Array }
  | { dtype: "c16"; data: Float64Array }
  | { dtype: "U"; data: readonly string[] };

const ALIGNMENT = 64;
/** NumPy leaves room for the growing axis to reach this many digits. */
const GROWTH_DIGITS = 21;

/**
 * The bytes of a .npy file. Integers given as doubles must be integers below 2^53 (RangeError otherwise).
 * @param shape axis lengths, [] for a scalar; their product must be the number of items (RangeError otherwise).
 */
export function encodeNpy(shape: readonly number[], content: NpyData): Uint8Array<ArrayBuffer> {
  const n_items = shape.reduce((product, n) => product * n, 1);
  const found = content.dtype === "c16" ? content.data.length / 2 : content.data.length;
  if (found !== n_items) throw new RangeError(`${found} items do not fill the shape (${shape.join(", ")})`);
  const { descr, bytes } = encodeItems(content);
  const header = encodeHeader(descr, shape);
  const out = new Uint8Array(header.length + bytes.length);
  out.set(header);
  out.set(bytes, header.length);
  return out;
}

function encodeItems(content: NpyData): { descr: string; bytes: Uint8Array } {
  if (content.dtype === "U") return encodeText(content.data);
  const data = content.dtype === "i8" ? toBigInt64(content.data) : content.data;
  // One byte has no order.
  const order = content.dtype === "u1" ? "|" : "<";
  return {
    descr: `${order}${content.dtype}`,
    bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** Integers as 64-bit ones, without a BigInt for each item. */
export function toBigInt64(data: Int32Array | Float64Array | BigInt64Array): BigInt64Array<ArrayBufferLike> {
  if (data instanceof BigInt64Array) return data;
  const words = new Int32Array(2 * data.length);
  if (data instanceof Int32Array) {
    for (let k = 0; k < data.length; k++) {
      words[2 * k] = data[k];
      words[2 * k + 1] = data[k] >> 31;
    }
    return new BigInt64Array(words.buffer);
  }
  for (let k = 0; k < data.length; k++) {
    if (!Number.isSafeInteger(data[k]))
      throw new RangeError(`${data[k]} at position ${k} is not a 64-bit integer`);
    words[2 * k] = data[k];
    words[2 * k + 1] = Math.floor(data[k] / 2 ** 32);
  }
  return new BigInt64Array(words.buffer);
}

function encodeText(items: readonly string[]): { descr: string; bytes: Uint8Array } {
  const codePoints = items.map((item) => Array.from(item, (c) => c.codePointAt(0)!));
  const n_chars = codePoints.reduce((longest, item) => Math.max(longest, item.length), 1);
  const words = new Uint32Array(n_chars * items.length);
  for (const [k, item] of codePoints.entries()) words.set(item, k * n_chars);
  return { descr: `<U${n_chars}`, bytes: new Uint8Array(words.buffer) };
}

/** What stands in front of the numbers. @param descr e.g. `<f8` */
export function encodeHeader(descr: string, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const axes = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  let text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${axes}, }`;
  if (shape.length > 0) text += " ".repeat(GROWTH_DIGITS - String(shape[0]).length);
  const unpadded = 10 + text.length + 1;
  text += `${" ".repeat(ALIGNMENT - (unpadded % ALIGNMENT))}\n`;
  const header = new Uint8Array(10 + text.length);
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 0xff, text.length >> 8]);
  header.set(new TextEncoder().encode(text), 10);
  return header;
}
