/** The kernels that decode packed banks, of a shared object: see `native.ts`. */
import { FFIType } from "bun:ffi";
import type { CodedExact, CodedSteps, PackKernels, Prediction } from "./pack-table.ts";

const P = "ptr";
const N = "i32";
const L = FFIType.i64_fast;
const D = "f64";

export const PACK_SYMBOLS = {
  dotpe_unpack_exact: { args: [P, P, L, P, L, N, P, P, P, P, P, P, N, N, N], returns: "i32" },
  dotpe_unpack_steps: {
    args: [P, P, P, P, P, P, L, N, P, P, P, P, P, P, N, N, N, P, D, D, D, N],
    returns: "i32",
  },
  dotpe_spread_lanes: { args: [P, P, L, P, P, N, N, N], returns: "void" },
} as const;

// biome-ignore lint/suspicious/noExplicitAny: bun:ffi takes typed arrays as pointers; the types of pack-table.ts check them
export function bindPack(c: any): PackKernels {
  const exact = (x: CodedExact) => [x.widths, x.firstWidth, x.digits, x.firstDigit, x.n_digits];
  const coded = (x: CodedSteps) => [x.codes, x.at, x.rests, x.others, x.firstOther, x.n_others];
  const predicted = (p: Prediction) => [
    ...[p.bin_t, p.tap_tk, p.weight_trk, p.kind_r, p.class_tr, p.shift_tr],
    ...[p.n_k, p.n_b, p.n_m],
  ];
  return {
    unpackExact: (x, from, p) => c.dotpe_unpack_exact(x, ...exact(from), ...predicted(p)),
    unpackSteps: (x, scratch, from, p, s) =>
      c.dotpe_unpack_steps(
        ...[x, scratch, ...coded(from), ...predicted(p)],
        ...[s.near_tc, s.step, s.floor, s.least, s.n_roots],
      ),
    spreadLanes: c.dotpe_spread_lanes,
  };
}
