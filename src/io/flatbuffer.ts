/**
 * Reading FlatBuffers (google.github.io/flatbuffers/internals) that are not trusted: every access goes through a DataView,
 * which throws RangeError beyond the end, and every vector's length is checked before anyone loops over it.
 */

export class FlatTable {
  readonly #view: DataView;
  readonly #at: number;
  readonly #vtable: number;

  private constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
    this.#vtable = at - view.getInt32(at, true);
  }

  /** The root table. @throws RangeError, as all methods here, if the bytes are not a FlatBuffer. */
  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  int8(slot: number, missing = 0): number {
    const at = this.#field(slot);
    return at === 0 ? missing : this.#view.getInt8(at);
  }

  int16(slot: number, missing = 0): number {
    const at = this.#field(slot);
    return at === 0 ? missing : this.#view.getInt16(at, true);
  }

  int32(slot: number, missing = 0): number {
    const at = this.#field(slot);
    return at === 0 ? missing : this.#view.getInt32(at, true);
  }

  int64(slot: number, missing = 0): number {
    const at = this.#field(slot);
    return at === 0 ? missing : readInt64(this.#view, at);
  }

  /** Of at most `most` bytes: nothing keeps many tables from having one and the same long text. */
  text(slot: number, most: number): string {
    const start = this.#target(slot);
    if (start === 0) return "";
    const length = this.#view.getUint32(start, true);
    if (length > most) throw new RangeError(`found a text of ${length} bytes, expected at most ${most}`);
    this.#check(start + 4, length);
    return new TextDecoder().decode(
      new Uint8Array(this.#view.buffer, this.#view.byteOffset + start + 4, length),
    );
  }

  table(slot: number): FlatTable | null {
    const at = this.#target(slot);
    return at === 0 ? null : new FlatTable(this.#view, at);
  }

  /** At most `most` tables. */
  tables(slot: number, most: number): FlatTable[] {
    const { start, length } = this.#vector(slot, 4);
    if (length > most) throw new RangeError(`found ${length} tables, expected at most ${most}`);
    return Array.from({ length }, (_, k) => {
      const at = start + 4 * k;
      return new FlatTable(this.#view, at + this.#view.getUint32(at, true));
    });
  }

  /** A vector of structs of `structBytes` each, one after the other. */
  structs(slot: number, structBytes: number): DataView {
    const { start, length } = this.#vector(slot, structBytes);
    return new DataView(this.#view.buffer, this.#view.byteOffset + start, length * structBytes);
  }

  /** Where the field stands, 0 if it is absent. */
  #field(slot: number): number {
    const entry = 4 + 2 * slot;
    if (entry >= this.#view.getUint16(this.#vtable, true)) return 0;
    const offset = this.#view.getUint16(this.#vtable + entry, true);
    return offset === 0 ? 0 : this.#at + offset;
  }

  #target(slot: number): number {
    const at = this.#field(slot);
    return at === 0 ? 0 : at + this.#view.getUint32(at, true);
  }

  #vector(slot: number, itemBytes: number): { start: number; length: number } {
    const at = this.#target(slot);
    if (at === 0) return { start: 0, length: 0 };
    const length = this.#view.getUint32(at, true);
    this.#check(at + 4, length * itemBytes);
    return { start: at + 4, length };
  }

  #check(start: number, bytes: number): void {
    if (start + bytes > this.#view.byteLength)
      throw new RangeError("a FlatBuffer vector lies beyond its end");
  }
}

/** A 64-bit integer as a number. @throws RangeError beyond 2^53. */
export function readInt64(view: DataView, at: number): number {
  const value = Number(view.getBigInt64(at, true));
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no length`);
  return value;
}
