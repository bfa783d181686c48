/**
 * Arrays for the kernels, aligned to cache lines. Of shared ones, only what the thread contract in `protocol.ts` allows is
 * written after they are shared.
 */
import { ptr } from "bun:ffi";

/** Bytes of a cache line, and of the widest vector. */
const LINE = 64;

/** n numbers that start a cache line: a vector that straddles two costs twice. */
function aligned(n: number, allocate: (bytes: number) => ArrayBuffer | SharedArrayBuffer): Float64Array {
  const buffer = allocate(8 * n + LINE - 8);
  const past = ptr(new Uint8Array(buffer)) % LINE;
  return new Float64Array(buffer, past === 0 ? 0 : LINE - past, n);
}

/** Memory of one thread. */
export function scratchF64(n: number): Float64Array {
  return aligned(n, (bytes) => new ArrayBuffer(bytes));
}

/** As `scratchF64`, in single precision. */
export function scratchF32(n: number): Float32Array {
  const { buffer, byteOffset } = scratchF64(Math.ceil(n / 2));
  return new Float32Array(buffer, byteOffset, n);
}

/** Memory that every thread sees. */
export function sharedF64(n: number): Float64Array {
  return aligned(n, (bytes) => new SharedArrayBuffer(bytes));
}

export function sharedI32(n: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * n));
}

export function sharedU8(n: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(n));
}

/** A shared copy; an array that is shared already is returned as it is. */
export function shareF64(values: Float64Array): Float64Array {
  if (values.buffer instanceof SharedArrayBuffer) return values;
  const copy = sharedF64(values.length);
  copy.set(values);
  return copy;
}

export function shareI32(values: ArrayLike<number>): Int32Array {
  const copy = sharedI32(values.length);
  copy.set(values);
  return copy;
}

/** The largest of numbers >= 0 that any thread has offered: doubles of one sign order as their bits do. */
export class SharedMaximum {
  private readonly bits: BigInt64Array;
  private readonly scratch = new Float64Array(1);
  private readonly scratchBits = new BigInt64Array(this.scratch.buffer);

  constructor(readonly values: Float64Array) {
    this.bits = new BigInt64Array(values.buffer, values.byteOffset, values.length);
  }

  get(k: number): number {
    this.scratchBits[0] = Atomics.load(this.bits, k);
    return this.scratch[0];
  }

  offer(k: number, value: number): void {
    this.scratch[0] = value;
    const offered = this.scratchBits[0];
    let seen = Atomics.load(this.bits, k);
    while (offered > seen) {
      const before = Atomics.compareExchange(this.bits, k, seen, offered);
      if (before === seen) return;
      seen = before;
    }
  }
}
