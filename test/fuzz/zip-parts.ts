/** Zip archives with any lie in them: the checksums are right where nothing else is said, so that the entries are reached. */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Bytes, changeField, type Field, MAX_INPUT_BYTES, writeInteger } from "./mutate.ts";
import type { Random } from "./random.ts";

export interface ZipPart {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly deflate?: boolean;
  /** Lengths and place in a zip64 extra field. */
  readonly zip64?: boolean;
  /** What the headers say in place of the truth. */
  readonly claim?: { readonly bytes?: number; readonly packedBytes?: number; readonly crc32?: number };
  /** The local header of that part in place of one of its own: the two overlap. */
  readonly sharedWith?: number;
}

export interface BuiltZip {
  readonly bytes: Bytes;
  /** Every number of the records. */
  readonly fields: Field[];
}

const FULL32 = 0xffffffff;

/** @param zip64End whether the end record is a zip64 one too */
export function buildZip(parts: readonly ZipPart[], zip64End = false): BuiltZip {
  const out: number[] = [];
  const chunks: Uint8Array[] = [];
  const fields: Field[] = [];
  let at = 0;
  const flush = () => {
    chunks.push(Uint8Array.from(out.splice(0)));
  };
  const number = (size: 1 | 2 | 4 | 8, value: number | bigint) => {
    fields.push([at, size]);
    const bytes = new Uint8Array(size);
    writeInteger(bytes, 0, size, BigInt(value));
    out.push(...bytes);
    at += size;
  };
  const raw = (bytes: Uint8Array) => {
    flush();
    chunks.push(bytes);
    at += bytes.length;
  };
  const described = parts.map((part) => {
    const packed = part.deflate ? deflateRawSync(part.bytes) : part.bytes;
    const {
      bytes = part.bytes.length,
      packedBytes = packed.length,
      crc32 = Bun.hash.crc32(part.bytes),
    } = part.claim ?? {};
    return { ...part, name: new TextEncoder().encode(part.name), packed, size: bytes, packedBytes, crc32 };
  });
  type Described = (typeof described)[number];
  const common = (part: Described) => {
    for (const value of [45, 0x800, part.deflate ? 8 : 0, 0, 0x21]) number(2, value);
    number(4, part.crc32);
    number(4, part.zip64 ? FULL32 : part.packedBytes);
    number(4, part.zip64 ? FULL32 : part.size);
    number(2, part.name.length);
  };
  const extra = (part: Described, place?: number) => {
    if (!part.zip64) return;
    const words = [part.size, part.packedBytes, ...(place === undefined ? [] : [place])];
    number(2, 1);
    number(2, 8 * words.length);
    for (const word of words) number(8, word);
  };
  const places = described.map((part, k) => {
    if (part.sharedWith !== undefined && part.sharedWith < k) return -1;
    const place = at;
    number(4, 0x04034b50);
    common(part);
    number(2, part.zip64 ? 20 : 0);
    raw(part.name);
    extra(part);
    raw(part.packed);
    return place;
  });
  const directory = at;
  described.forEach((part, k) => {
    const place = places[k] === -1 ? Math.max(0, places[part.sharedWith!]) : places[k];
    number(4, 0x02014b50);
    number(2, 45);
    common(part);
    number(2, part.zip64 ? 28 : 0);
    for (const value of [0, 0, 0]) number(2, value);
    number(4, 0);
    number(4, part.zip64 ? FULL32 : place);
    raw(part.name);
    extra(part, place);
  });
  const directoryBytes = at - directory;
  const end = at;
  if (zip64End) {
    number(4, 0x06064b50);
    number(8, 44);
    for (const value of [45, 45]) number(2, value);
    for (const value of [0, 0]) number(4, value);
    for (const value of [parts.length, parts.length, directoryBytes, directory]) number(8, value);
    for (const [size, value] of [
      [4, 0x07064b50],
      [4, 0],
      [8, end],
      [4, 1],
    ] as const)
      number(size, value);
  }
  number(4, 0x06054b50);
  for (const value of [0, 0]) number(2, value);
  for (const value of [parts.length, parts.length]) number(2, zip64End ? 0xffff : value);
  for (const value of [directoryBytes, directory]) number(4, zip64End ? FULL32 : value);
  number(2, 0);
  flush();
  return { bytes: Uint8Array.from(Buffer.concat(chunks)), fields };
}

/** Parts built with strange choices. @param honesty share of the archives in which all numbers are right */
export function hostileZip(random: Random, parts: readonly ZipPart[], honesty: number): Bytes {
  const honest = random.chance(honesty);
  const twisted = parts.map((part, k): ZipPart => {
    const sharedWith = !honest && random.chance(0.04) ? random.below(k) : undefined;
    const claim =
      !honest && random.chance(0.08)
        ? { bytes: random.pick([0, 1, part.bytes.length + 1, 2 ** 31, 4e9]) }
        : {};
    return { ...part, deflate: random.chance(0.5), zip64: random.chance(0.2), sharedWith, claim };
  });
  const { bytes, fields } = buildZip(twisted, random.chance(0.1));
  if (!honest && random.chance(0.6)) {
    for (let n = 1 + random.below(3); n > 0; n--) changeField(random, bytes, random.pick(fields), fields);
  }
  return bytes;
}

/** The entries of an archive as far as they can be found, without looking at any checksum. */
export function partsOf(archive: Bytes): ZipPart[] {
  const view = new DataView(archive.buffer);
  const parts: ZipPart[] = [];
  for (let at = 0; at + 46 <= archive.length && parts.length < 64; at++) {
    if (archive[at] !== 0x50 || view.getUint32(at, true) !== 0x02014b50) continue;
    try {
      parts.push(partAt(archive, view, at));
    } catch {
      // Not an entry.
    }
  }
  return parts;
}

function partAt(archive: Bytes, view: DataView, at: number): ZipPart {
  const nameEnd = at + 46 + view.getUint16(at + 28, true);
  const name = new TextDecoder().decode(archive.subarray(at + 46, nameEnd));
  const isZip64 = view.getUint32(at + 20, true) === FULL32;
  const packedBytes = isZip64 ? Number(view.getBigUint64(nameEnd + 12, true)) : view.getUint32(at + 20, true);
  const place = isZip64 ? Number(view.getBigUint64(nameEnd + 20, true)) : view.getUint32(at + 42, true);
  const start = place + 30 + view.getUint16(place + 26, true) + view.getUint16(place + 28, true);
  const packed = archive.slice(start, start + packedBytes);
  if (view.getUint16(at + 10, true) === 0) return { name, bytes: packed };
  return { name, bytes: inflateRawSync(packed, { maxOutputLength: MAX_INPUT_BYTES }) };
}
