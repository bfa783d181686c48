/** Seeded random numbers (sfc32): the same seed gives the same inputs on every machine. */
export class Random {
  private a: number;
  private b: number;
  private c = 0x9e3779b9;
  private d = 1;

  /** @param words of any kind that make the seed together */
  constructor(...words: readonly (string | number)[]) {
    const hash = BigInt(Bun.hash(words.join("/")));
    this.a = Number(hash & 0xffffffffn) | 0;
    this.b = Number((hash >> 32n) & 0xffffffffn) | 0;
    for (let k = 0; k < 12; k++) this.word();
  }

  /** 32 bits, unsigned. */
  word(): number {
    const sum = (((this.a + this.b) | 0) + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    this.c |= 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to n - 1; 0 if n is 0. */
  below(n: number): number {
    return n <= 0 ? 0 : this.word() % n;
  }

  chance(share: number): boolean {
    return this.word() < share * 2 ** 32;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  bytes(n: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: n }, () => this.word());
  }
}
