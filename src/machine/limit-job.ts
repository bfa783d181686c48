/** What all threads can do at most together: a job in which each measures at the same time. */
import { nativeVariants } from "../kernels/native.ts";
import { scratchF64, sharedI32 } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";

export interface LimitPlan {
  /** multiply-adds (flops), or a = b + 3 c on arrays that no cache holds (bytes). */
  readonly what: "flops" | "bytes";
  /** Variant of the kernels. */
  readonly variant: string;
  readonly seconds: number;
  readonly n_threads: number;
  /** Numbers of each of a thread's three arrays. */
  readonly n_numbers: number;
  /** How many threads are ready: they start together. With Atomics. */
  readonly ready: Int32Array;
}

/** Flops or bytes a second of one thread; 0 if it had no turn. */
export interface LimitRate {
  readonly rate: number;
}

export function limitPlan(settings: Omit<LimitPlan, "ready">): LimitPlan {
  return { ...settings, ready: sharedI32(1) };
}

/** Threads that do not come within this time (ms) are not waited for. */
const PATIENCE = 500;
/** Work between two looks at the clock. */
const CHUNK = { flops: 100_000, bytes: 1 };

/** One task a thread: it begins when all others have begun. */
export function openLimits(plan: LimitPlan): TaskRunner<LimitRate> {
  const variant = nativeVariants().find(({ name }) => name === plan.variant);
  if (variant === undefined) throw new Error(`no kernels ${plan.variant}`);
  const { fmaPeak, stream } = variant.loadLimits();
  const [a, b, c] = [0, 1, 2].map(() => scratchF64(plan.what === "flops" ? 8 : plan.n_numbers).fill(1));
  const work = {
    flops: () => fmaPeak(a, CHUNK.flops),
    bytes: () => stream(a, b, c, plan.n_numbers, CHUNK.bytes),
  }[plan.what];
  let rate = 0;
  return {
    run() {
      work();
      Atomics.add(plan.ready, 0, 1);
      const called = performance.now();
      while (Atomics.load(plan.ready, 0) < plan.n_threads && performance.now() - called < PATIENCE);
      const start = performance.now();
      let done = 0;
      let now = start;
      for (; now - start < 1000 * plan.seconds; now = performance.now()) done += work();
      rate = done / ((now - start) / 1000);
    },
    result: () => ({ rate }),
  };
}
