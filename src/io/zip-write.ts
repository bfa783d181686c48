/** Writing zip archives (PKWARE APPNOTE 6.3.10) of less than 4 GiB, without zip64. */
import { deflateRawSync } from "node:zlib";

export interface ZipContent {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const [LOCAL_BYTES, CENTRAL_BYTES, END_BYTES] = [30, 46, 22];
/** Version 2.0 is needed to extract: deflate. */
const VERSION = 20;
const DEFLATED = 8;
/** The earliest date that zip can hold, 1980-01-01, so that the bytes depend on the content only. */
const FIXED_DATE = 0x0021;
/** Bit 11: names are UTF-8. */
const UTF8_NAMES = 0x0800;

/** @param level of deflate, 1 to 9; 0 stores. */
export function zipBytes(entries: readonly ZipContent[], level: number): Uint8Array<ArrayBuffer> {
  const packed = entries.map(({ name, bytes }) => ({
    name: new TextEncoder().encode(name),
    crc32: Bun.hash.crc32(bytes),
    bytes,
    data: level === 0 ? bytes : deflateRawSync(bytes, { level }),
  }));
  const bodyBytes = packed.reduce((sum, { name, data }) => sum + LOCAL_BYTES + name.length + data.length, 0);
  const directoryBytes = packed.reduce((sum, { name }) => sum + CENTRAL_BYTES + name.length, 0);
  const out = new Uint8Array(bodyBytes + directoryBytes + END_BYTES);
  const view = new DataView(out.buffer);
  let at = 0;
  let directory = bodyBytes;
  for (const { name, crc32, bytes, data } of packed) {
    /** What both headers say of the entry. */
    const describe = (place: number) => {
      view.setUint16(place, VERSION, true);
      view.setUint16(place + 2, UTF8_NAMES, true);
      view.setUint16(place + 4, level === 0 ? 0 : DEFLATED, true);
      view.setUint16(place + 8, FIXED_DATE, true);
      view.setUint32(place + 10, crc32, true);
      view.setUint32(place + 14, data.length, true);
      view.setUint32(place + 18, bytes.length, true);
      view.setUint16(place + 22, name.length, true);
    };
    view.setUint32(directory, CENTRAL, true);
    view.setUint16(directory + 4, VERSION, true);
    describe(directory + 6);
    view.setUint32(directory + 42, at, true);
    out.set(name, directory + CENTRAL_BYTES);
    directory += CENTRAL_BYTES + name.length;
    view.setUint32(at, LOCAL, true);
    describe(at + 4);
    out.set(name, at + LOCAL_BYTES);
    out.set(data, at + LOCAL_BYTES + name.length);
    at += LOCAL_BYTES + name.length + data.length;
  }
  view.setUint32(directory, END, true);
  view.setUint16(directory + 8, packed.length, true);
  view.setUint16(directory + 10, packed.length, true);
  view.setUint32(directory + 12, directoryBytes, true);
  view.setUint32(directory + 16, bodyBytes, true);
  return out;
}
