/** Zstandard frames (RFC 8878) of which the decompressed length is known beforehand: input that lies about it is refused. */
import { DotpeError } from "../errors.ts";

const MAGIC = 0xfd2fb528;
/** Bytes of the content size, by the two highest bits of the descriptor. */
const SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const CHECKSUM_BYTES = 4;
const RLE = 1;
const RESERVED = 3;

/**
 * The content of one frame.
 * @param expected bytes; no more than this is ever allocated
 * @param where names the data in errors
 * @throws DotpeError badData unless `frame` is exactly one frame of so much content
 */
export function decompress(frame: Uint8Array, expected: number, where: string): Uint8Array {
  return decompressAll(frame, [frame.length], [expected], where);
}

/**
 * The contents, one after another, of frames that follow one another: one call costs less than many.
 * @param length_k bytes of each frame
 * @param expected_k bytes of its content; where it is 0 there is no frame
 * @throws DotpeError badData as `decompress`
 */
export function decompressAll(
  frames: Uint8Array,
  length_k: ArrayLike<number>,
  expected_k: ArrayLike<number>,
  where: string,
): Uint8Array {
  let [at, expected] = [0, 0];
  for (let k = 0; k < length_k.length; k++) {
    const end = at + length_k[k];
    if (end > frames.length) throw damaged(where);
    const found = end === at ? 0 : contentSize(frames.subarray(at, end));
    if (found !== expected_k[k]) throw damaged(where);
    expected += expected_k[k];
    at = end;
  }
  if (at !== frames.length) throw damaged(where);
  let content: Uint8Array;
  try {
    content = Bun.zstdDecompressSync(frames as Uint8Array<ArrayBuffer>);
  } catch {
    throw damaged(where);
  }
  if (content.length !== expected) throw damaged(where);
  return content;
}

/** What one frame that fills `bytes` says its content is long; undefined if it is not one. */
function contentSize(bytes: Uint8Array): number | undefined {
  if (bytes.length < 6) return undefined;
  if (uint32(bytes, 0) !== MAGIC) return undefined;
  const descriptor = bytes[4];
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeBytes = descriptor >> 6 === 0 && isSingle ? 1 : SIZE_BYTES[descriptor >> 6];
  const at = 5 + (isSingle ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3];
  if (sizeBytes === 0 || at + sizeBytes > bytes.length) return undefined;
  const size =
    sizeBytes === 1
      ? bytes[at]
      : sizeBytes === 2
        ? 256 + bytes[at] + 256 * bytes[at + 1]
        : uint32(bytes, at) + (sizeBytes === 4 ? 0 : 2 ** 32 * uint32(bytes, at + 4));
  const end = endOfBlocks(bytes, at + sizeBytes);
  return end + ((descriptor & 4) !== 0 ? CHECKSUM_BYTES : 0) === bytes.length ? size : undefined;
}

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Where the blocks that begin at `at` end; NaN if they do not. */
function endOfBlocks(bytes: Uint8Array, at: number): number {
  while (at + 3 <= bytes.length) {
    const header = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
    const type = (header >> 1) & 3;
    if (type === RESERVED) return NaN;
    at += 3 + (type === RLE ? 1 : header >> 3);
    if ((header & 1) !== 0) return at;
  }
  return NaN;
}

function damaged(where: string): DotpeError {
  return new DotpeError("badData", `${where}: damaged compressed data`, "Copy or make the file again.");
}
