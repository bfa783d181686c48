/** The kernels of stage 4 of a shared object: see `native.ts`. */
import type { ExtrinsicKernels } from "./extrinsic-table.ts";

const P = "ptr";
const N = "i32";

export const EXTRINSIC_SYMBOLS = {
  dotpe_distance_marginal: { args: [P, P, P, N, P, P], returns: "i32" },
} as const;

// biome-ignore lint/suspicious/noExplicitAny: bun:ffi takes typed arrays as pointers; the types of extrinsic-table.ts check them
export function bindExtrinsic(c: any): ExtrinsicKernels {
  return { distanceMarginal: c.dotpe_distance_marginal };
}
