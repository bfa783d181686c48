/**
 * Writing FlatBuffers (google.github.io/flatbuffers/internals), front to back: a table, then what it refers to. Equal content
 * gives equal bytes, and tables of one shape are equally long.
 */

/** One field of a table, by slot; undefined where it is left at its default. */
export type Slot =
  | undefined
  | { readonly bytes: 1 | 2 | 4 | 8; readonly value: number }
  | { readonly text: string }
  | { readonly table: readonly Slot[] }
  | { readonly tables: readonly (readonly Slot[])[] }
  /** Structs of 8-byte words, one after the other; `n` of them. */
  | { readonly words: Float64Array; readonly n: number };

export const int8 = (value: number): Slot => ({ bytes: 1, value });
export const int16 = (value: number): Slot => ({ bytes: 2, value });
export const int32 = (value: number): Slot => ({ bytes: 4, value });
export const int64 = (value: number): Slot => ({ bytes: 8, value });

/** A buffer whose root is this table, padded to a multiple of 8 bytes. */
export function flatBuffer(root: readonly Slot[]): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.skip(4);
  writer.point(0, writer.table(root));
  return writer.finished();
}

const sizeOf = (slot: Slot): number => (slot === undefined ? 0 : "bytes" in slot ? slot.bytes : 4);

class Writer {
  private bytes = new Uint8Array(1024);
  private view = new DataView(this.bytes.buffer);
  private length = 0;

  finished(): Uint8Array<ArrayBuffer> {
    this.align(8);
    return this.bytes.slice(0, this.length);
  }

  /** Room of n zero bytes; where it begins. */
  skip(n: number): number {
    const at = this.length;
    this.length += n;
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    return at;
  }

  private align(n: number): void {
    this.skip((n - (this.length % n)) % n);
  }

  /** Makes the reference at `at` one to `target`. */
  point(at: number, target: number): void {
    this.view.setUint32(at, target - at, true);
  }

  table(slots: readonly Slot[]): number {
    this.align(2);
    const vtable = this.skip(4 + 2 * slots.length);
    this.align(8);
    const at = this.skip(4);
    this.view.setInt32(at, at - vtable, true);
    const places = slots.map((slot) => {
      const size = sizeOf(slot);
      if (size === 0) return 0;
      this.align(size);
      return this.skip(size);
    });
    this.view.setUint16(vtable, 4 + 2 * slots.length, true);
    this.view.setUint16(vtable + 2, this.length - at, true);
    slots.forEach((slot, k) => {
      if (slot === undefined) return;
      this.view.setUint16(vtable + 4 + 2 * k, places[k] - at, true);
      if ("bytes" in slot) this.scalar(places[k], slot.bytes, slot.value);
      else this.point(places[k], this.child(slot));
    });
    return at;
  }

  private scalar(at: number, bytes: number, value: number): void {
    if (bytes === 1) this.view.setInt8(at, value);
    else if (bytes === 2) this.view.setInt16(at, value, true);
    else if (bytes === 4) this.view.setInt32(at, value, true);
    else this.view.setBigInt64(at, BigInt(value), true);
  }

  private child(slot: Exclude<Slot, undefined | { bytes: number }>): number {
    if ("table" in slot) return this.table(slot.table);
    if ("text" in slot) return this.text(slot.text);
    if ("words" in slot) return this.structs(slot.words, slot.n);
    this.align(4);
    const at = this.skip(4 + 4 * slot.tables.length);
    this.view.setUint32(at, slot.tables.length, true);
    slot.tables.forEach((table, k) => {
      this.point(at + 4 + 4 * k, this.table(table));
    });
    return at;
  }

  private text(text: string): number {
    const encoded = new TextEncoder().encode(text);
    this.align(4);
    const at = this.skip(4 + encoded.length + 1);
    this.view.setUint32(at, encoded.length, true);
    this.bytes.set(encoded, at + 4);
    return at;
  }

  private structs(words: Float64Array, n: number): number {
    // The length stands right before the structs, which begin at a multiple of 8.
    this.align(8);
    this.skip(4);
    const at = this.skip(4 + 8 * words.length);
    this.view.setUint32(at, n, true);
    for (let k = 0; k < words.length; k++) this.scalar(at + 4 + 8 * k, 8, words[k]);
    return at;
  }
}
