/** The kernels of the rows of a shared object: see `native.ts`. */
import type { RowKernels } from "./row-table.ts";

const P = "ptr";
const N = "i32";
const D = "f64";

export const ROW_SYMBOLS = {
  dotpe_probe_tile: { args: [P, P, P, P, P, P, P, P, P, P, N, N, N, N, N, N, P], returns: "i32" },
  dotpe_part_sums: { args: [P, P, P, P, P, P, P, P, P, N, N, D, P], returns: "i32" },
} as const;

// biome-ignore lint/suspicious/noExplicitAny: bun:ffi takes typed arrays as pointers; the types of row-table.ts check them
export function bindRows(c: any): RowKernels {
  return {
    probeTile: ({ e, o, dh, hh }, dh_mce, hh_ce, p, n_m, n_e, n_valid, key) =>
      c.dotpe_probe_tile(
        ...[e, o, dh, hh, dh_mce, hh_ce, p.cosM_mo, p.sinM_mo, p.cosK_ko, p.sinK_ko],
        ...[n_m, p.n_k, p.n_o, p.n_op, n_e, n_valid, key],
      ),
    partSums: (out, pairs, { e, dh, hh, bestfit, lnl, lnPosterior }, start, end, weight, weight_e) =>
      c.dotpe_part_sums(
        ...[out, pairs.e, pairs.sum, e, dh, hh, bestfit, lnl, lnPosterior],
        ...[start, end, weight, weight_e],
      ),
  };
}
