/** Checksums as sha256sum prints them. */
import { closeSync } from "node:fs";
import { openInput, readInto } from "./input.ts";

const PIECE = 2 ** 22;

export function sha256Of(bytes: Uint8Array | string): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

/** Of a whole file, read piece by piece. @throws DotpeError noInput, badData as `openInput` and `readInto`. */
export function sha256OfFile(path: string): string {
  const file = openInput(path);
  try {
    const hasher = new Bun.CryptoHasher("sha256");
    const piece = new Uint8Array(Math.min(PIECE, file.size));
    for (let at = 0; at < file.size; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, file.size - at));
      readInto(file, part, at);
      hasher.update(part);
    }
    return hasher.digest("hex");
  } finally {
    closeSync(file.fd);
  }
}
