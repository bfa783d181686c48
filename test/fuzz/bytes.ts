/** Bytes in other shapes. */
import type { Bytes } from "./mutate.ts";

export function fromBase64(text: string): Bytes {
  return Uint8Array.from(Buffer.from(text, "base64"));
}

export function bytesOf(text: string): Bytes {
  return Uint8Array.from(Buffer.from(text));
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function joined(...parts: readonly Uint8Array[]): Bytes {
  return Uint8Array.from(Buffer.concat(parts));
}
