/** What one core can do at most, measured in the same run as the kernels. */
import { nativeVariants, type Variant } from "../kernels/native.ts";
import { scratchF64 } from "../workers/arena.ts";

export interface Limits {
  readonly variant: string;
  /** Multiply-adds that wait for nothing, two flops each. */
  readonly gflops: number;
  /** a = b + 3 c, 24 bytes each: arrays that the second-level cache holds, and arrays that no cache holds. */
  readonly cacheGbps: number;
  readonly memoryGbps: number;
}

const REPEATS = 7;
/** Numbers of each of three arrays: 128 kB and 64 MB. */
const IN_CACHE = 2 ** 14;
const IN_MEMORY = 2 ** 23;

/** Of C variants that this machine runs; by default all, best first. */
export function measureLimits(variants: readonly Variant[] = nativeVariants()): Limits[] {
  const arrays = [0, 1, 2].map(() => scratchF64(IN_MEMORY).fill(1));
  const [a, b, c] = arrays;
  return variants.map(({ name, loadLimits }) => {
    const { fmaPeak, stream } = loadLimits();
    return {
      variant: name,
      gflops: rate(() => fmaPeak(a, 2_000_000)),
      cacheGbps: rate(() => stream(a, b, c, IN_CACHE, 400)),
      memoryGbps: rate(() => stream(a, b, c, IN_MEMORY, 1)),
    };
  });
}

/** Work per ns of the fastest of a few. */
function rate(work: () => number): number {
  let best = 0;
  for (let k = 0; k < REPEATS; k++) {
    const start = Bun.nanoseconds();
    const done = work();
    best = Math.max(best, done / (Bun.nanoseconds() - start));
  }
  return best;
}
