/** The setup kernels of a shared object: see `native.ts`. */
import { FFIType } from "bun:ffi";
import type { SetupKernels } from "./setup-table.ts";

const P = "ptr";
const N = "i32";
const L = FFIType.i64_fast;
const D = "f64";

export const SETUP_SYMBOLS = {
  dotpe_turn: { args: [P, P, P, P, D, N], returns: "void" },
  dotpe_summary_weights: {
    args: [P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, D, N, N],
    returns: "void",
  },
  dotpe_smooth_mode: { args: [P, P, P, P, P, P, N, L], returns: "void" },
  dotpe_spline_sum: { args: [P, P, P, P, P, P, P, P, N, N, N], returns: "void" },
  dotpe_power_index: { args: [P, P, P, D, N], returns: "i32" },
  dotpe_fft: { args: [P, P, P, P, P, N], returns: "void" },
  dotpe_twiddles: { args: [P, P, N, N], returns: "void" },
  dotpe_power_sums: { args: [P, P, P, P, P, N], returns: "void" },
  dotpe_matched: { args: [P, P, P, P, P, P, D, L, N], returns: "void" },
  dotpe_without_holes: { args: [P, P, P, D, N, N], returns: "i32" },
  dotpe_median_deviation: { args: [P, N], returns: "f64" },
  dotpe_spread: { args: [P, P, D, N, N], returns: "f64" },
  dotpe_best_responses: { args: [P, P, P, D, D, P, P, N, N, N, N], returns: "void" },
  dotpe_fit_basis: { args: [P, P, P, P, P, N, D, N, N], returns: "i32" },
  dotpe_joint_arrivals: { args: [P, P, P, P, P, D, N, N, N, N, N], returns: "void" },
} as const;

// biome-ignore lint/suspicious/noExplicitAny: bun:ffi takes typed arrays as pointers; the types of setup-table.ts check them
export function bindSetup(c: any): SetupKernels {
  return {
    turn: c.dotpe_turn,
    summaryWeights: (w_cb, g, weight_f, x, y, scale) =>
      c.dotpe_summary_weights(
        ...[w_cb, g.edges, g.place_f, g.width_j, g.right, g.lower, g.pivot, g.upper, weight_f],
        ...[x.re_f, x.im_f, y.re_f, y.im_f, x.re_b, x.im_b, y.re_b, y.im_b, scale, g.n_b, g.place_f.length],
      ),
    smoothMode: (h_cf, f, { edges, knots, n_b }, pieces, series, stride) =>
      c.dotpe_smooth_mode(h_cf, f, edges, knots, pieces, series, n_b, stride),
    splineSum: (out_cf, hRe_mf, hIm_mf, f, { edges, knots, n_b }, pieces_mpcj, factor_mpc, n_m, n_f) =>
      c.dotpe_spline_sum(out_cf, hRe_mf, hIm_mf, f, edges, knots, pieces_mpcj, factor_mpc, n_m, n_b, n_f),
    powerIndex: c.dotpe_power_index,
    fft: c.dotpe_fft,
    twiddles: c.dotpe_twiddles,
    powerSums: c.dotpe_power_sums,
    matched: c.dotpe_matched,
    withoutHoles: c.dotpe_without_holes,
    medianDeviation: c.dotpe_median_deviation,
    spread: c.dotpe_spread,
    bestResponses: c.dotpe_best_responses,
    jointArrivals: c.dotpe_joint_arrivals,
    fitBasis: (q_rb, e_rh, work, offset_b, tau_h, sine, smallest, n_b, n_h) =>
      c.dotpe_fit_basis(q_rb, e_rh, work, offset_b, tau_h, sine ? 1 : 0, smallest, n_b, n_h),
  };
}
