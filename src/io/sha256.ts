/** Checksums as sha256sum prints them. */
import { type OpenFile, readInto, withInput } from "./input.ts";

/** In the folder of the files whose checksums it holds. */
export const SUMS_FILE = "SHA256SUMS";

/** Checksums by name in that folder. */
export type Sums = ReadonlyMap<string, string>;

/** Lines as sha256sum writes them. */
export function formatSums(sums: Sums): string {
  return [...sums].map(([name, sum]) => `${sum}  ${name}\n`).join("");
}

/** What is read at once; used again, file after file. */
let piece = new Uint8Array(0);
const PIECE = 2 ** 20;

export function sha256Of(bytes: Uint8Array | string): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

/** Of a whole file, read piece by piece. @throws DotpeError noInput, badData as `withInput` and `readInto`. */
export function sha256OfFile(path: string): string {
  return withInput(path, (file) => sha256OfPart(file, file.size));
}

/** Of the first `size` bytes of an open file. @throws DotpeError badData, noInput as `readInto`. */
export function sha256OfPart(file: Pick<OpenFile, "path" | "fd">, size: number): string {
  const hasher = new Bun.CryptoHasher("sha256");
  if (piece.length === 0) piece = new Uint8Array(PIECE);
  for (let at = 0; at < size; at += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, size - at));
    readInto(file, part, at);
    hasher.update(part);
  }
  return hasher.digest("hex");
}
