/** As much of an assembler for WebAssembly with 128-bit vectors as min-sum-kernel.ts needs. */

/** Instructions as bytes. */
export type Code = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;

function unsigned(n: number): number[] {
  return n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...unsigned(n >>> 7)];
}

function signed(n: number): number[] {
  return n >= -64 && n < 64 ? [n & 0x7f] : [(n & 0x7f) | 0x80, ...signed(n >> 7)];
}

const vector = (opcode: number) => [0xfd, ...unsigned(opcode)];
const block = (items: readonly Code[]) => [...unsigned(items.length), ...items.flat()];
const section = (id: number, bytes: Code) => [id, ...unsigned(bytes.length), ...bytes];
const text = (name: string) => [name.length, ...Buffer.from(name)];

/** Vector operations on eight lanes of 16 bits; loads and stores of unaligned 16 bytes. */
export const V = {
  load: [...vector(0x00), 0, 0],
  store: [...vector(0x0b), 0, 0],
  splat: vector(0x10),
  equal: vector(0x2d),
  select: vector(0x52),
  xor: vector(0x51),
  or: vector(0x50),
  abs: vector(0x80),
  shiftRight: vector(0x8c),
  add: vector(0x8e),
  sub: vector(0x91),
  min: vector(0x96),
  max: vector(0x98),
} as const;

export const I = { load: [0x28, 2, 0], add: [0x6a], mul: [0x6c], less: [0x48] } as const;

export const constant = (n: number): Code => [0x41, ...signed(n)];

/** The parameters and locals of one function by name, as instructions that read and write them. */
export class Locals {
  private readonly indices = new Map<string, number>();
  constructor(
    readonly parameters: readonly string[],
    readonly integers: readonly string[],
    readonly vectors: readonly string[],
  ) {
    for (const name of [...parameters, ...integers, ...vectors]) this.indices.set(name, this.indices.size);
  }

  get(name: string): Code {
    return [0x20, ...unsigned(this.index(name))];
  }

  /** Pops the value. */
  set(name: string): Code {
    return [0x21, ...unsigned(this.index(name))];
  }

  /** for (name = from; name < end; name += step) body; the body runs once at least. */
  loop(name: string, from: Code, end: Code, step: number, body: readonly Code[]): Code {
    const next = [...this.get(name), ...constant(step), ...I.add, ...this.set(name)];
    const again = [...this.get(name), ...end, ...I.less, 0x0d, 0];
    return [...from, ...this.set(name), 0x03, 0x40, ...body.flat(), ...next, ...again, 0x0b];
  }

  private index(name: string): number {
    const index = this.indices.get(name);
    if (index === undefined) throw new Error(`no local ${name}`);
    return index;
  }
}

/** A module with one function, `run`, that takes integers and returns nothing, on the memory `env.memory`. */
export function assemble(locals: Locals, body: readonly Code[]): Uint8Array<ArrayBuffer> {
  const { parameters, integers, vectors } = locals;
  const declared = [
    [...unsigned(integers.length), I32],
    [...unsigned(vectors.length), V128],
  ];
  const code = [...block(declared), ...body.flat(), 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, block([[0x60, ...block(parameters.map(() => [I32])), 0]])),
    ...section(2, block([[...text("env"), ...text("memory"), 2, 0, 1]])),
    ...section(3, block([[0]])),
    ...section(7, block([[...text("run"), 0, 0]])),
    ...section(10, block([[...unsigned(code.length), ...code]])),
  ]);
}
