/**
 * Decompression of the LZ4 frame format (lz4 doc/lz4_Frame_format.md) into a buffer of known length.
 * Input that is not trusted cannot read or write beyond either buffer, nor run longer than their lengths allow.
 */

const MAGIC = 0x184d2204;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const DICTIONARY_ID = 0x01;
const IS_STORED = 0x80000000;
const MIN_MATCH = 4;
/** No byte of a frame stands for more (a length of 255 more in a match). */
const MAX_RATIO = 255;
/** Longer runs are copied by the engine, shorter ones by a loop. */
const LONG_RUN = 32;

/** @throws RangeError if `source` is not a frame of exactly `length` bytes. */
export function decompressLz4Frame(source: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const flags = view.getUint8(4);
  if (view.getUint32(0, true) !== MAGIC || flags >> 6 !== 1) throw new RangeError("not an LZ4 frame");
  if (length > MAX_RATIO * source.length) throw new RangeError(`an LZ4 frame of ${source.length} bytes`);
  let at = 7 + (flags & CONTENT_SIZE ? 8 : 0) + (flags & DICTIONARY_ID ? 4 : 0);
  const out = new Uint8Array(length);
  let done = 0;
  for (;;) {
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) break;
    const end = at + (word & ~IS_STORED);
    if (end > source.length) throw new RangeError("an LZ4 block lies beyond the end");
    if (word & IS_STORED) {
      out.set(source.subarray(at, end), done);
      done += end - at;
    } else {
      done = decompressBlock(source, at, end, out, done);
    }
    at = end + (flags & BLOCK_CHECKSUM ? 4 : 0);
  }
  if (done !== length) throw new RangeError(`LZ4 data hold ${done} bytes, expected ${length}`);
  return out;
}

/** One block of source[at, end) to out from `done` on; returns the new `done`. */
function decompressBlock(
  source: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  done: number,
): number {
  let at = start;
  let to = done;
  /** A length of 15 in the token continues in bytes, up to the first that is not 255. */
  const extend = (nibble: number): number => {
    let total = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; total += byte) {
      if (at >= end) throw new RangeError("an LZ4 block is truncated");
      byte = source[at++];
    }
    return total;
  };
  while (at < end) {
    const token = source[at++];
    const n_literals = extend(token >> 4);
    if (at + n_literals > end || to + n_literals > out.length) throw new RangeError("LZ4 literals overflow");
    if (n_literals > LONG_RUN) out.set(source.subarray(at, at + n_literals), to);
    else for (let k = 0; k < n_literals; k++) out[to + k] = source[at + k];
    at += n_literals;
    to += n_literals;
    if (at === end) break;
    if (at + 2 > end) throw new RangeError("an LZ4 block is truncated");
    const distance = source[at] | (source[at + 1] << 8);
    at += 2;
    const n_match = extend(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > to || to + n_match > out.length)
      throw new RangeError("LZ4 match overflow");
    if (n_match > LONG_RUN && distance >= n_match) out.copyWithin(to, to - distance, to - distance + n_match);
    else for (let k = 0; k < n_match; k++) out[to + k] = out[to + k - distance];
    to += n_match;
  }
  return to;
}
