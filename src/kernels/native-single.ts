/** The single-precision kernels of a shared object: see `native.ts`. */
import { FFIType } from "bun:ffi";
import type { SingleKernels } from "./single-table.ts";

const P = "ptr";
const N = "i32";
const L = FFIType.i64_fast;

export const SINGLE_SYMBOLS = {
  dotpe_weighted_single: { args: [P, P, P, N, N, N], returns: "void" },
  dotpe_project_single: { args: [P, N, P, L, N, P, N, N, N], returns: "void" },
  dotpe_expand_grid_single: { args: [P, P, N, P, P, P, P, N, N, N, N, N], returns: "void" },
  dotpe_widen: { args: [P, P, L], returns: "void" },
} as const;

// biome-ignore lint/suspicious/noExplicitAny: bun:ffi takes typed arrays as pointers; the types of single-table.ts check them
export function bindSingle(c: any): SingleKernels {
  return {
    weightedSingle: c.dotpe_weighted_single,
    projectSingle: c.dotpe_project_single,
    expandGridSingle: (z, y, ldy, ec, es, cosFc, sinFc, n_r, rc, rs, n_h, first) =>
      c.dotpe_expand_grid_single(z, y, ldy, ec, es, cosFc, sinFc, n_r, rc, rs, n_h, first ? 1 : 0),
    widen: c.dotpe_widen,
  };
}
