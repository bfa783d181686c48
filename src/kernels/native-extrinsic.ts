/** The kernels of stage 4 of a shared object: see `native.ts`. */
import type { ExtrinsicKernels } from "./extrinsic-table.ts";

const P = "ptr";
const N = "i32";
const D = "f64";

export const EXTRINSIC_SYMBOLS = {
  dotpe_distance_marginal: { args: [P, P, P, N, P, P], returns: "i32" },
  dotpe_distance_rows: { args: [P, P, P, P, P, P, P, N, N, N], returns: "void" },
  dotpe_spline_filter: { args: [P, P, P, N, N, N], returns: "void" },
  dotpe_by_time: { args: [P, P, N, N, N, N, N], returns: "void" },
  dotpe_point_products: { args: [P, P, P, P, P, P, N, N, N, N, N, N], returns: "void" },
  dotpe_keep_pairs: {
    args: [P, P, P, P, P, P, P, P, P, P, P, N, N, N, N, N, N, N, N, D],
    returns: "i32",
  },
  dotpe_best_positive: { args: [P, P, P, P, P, N, N, N, N, N, N, N, N, D, D], returns: "void" },
  dotpe_worthwhile_pairs: { args: [P, P, P, P, P, P, N, D], returns: "i32" },
  dotpe_sum_exp: { args: [P, P, P, N], returns: "f64" },
  dotpe_incoherent_chi2: { args: [P, P, P, N, N, N], returns: "void" },
  dotpe_sky_block: { args: [P, P, P, P, P, P, P, P, N, N, N, N, N], returns: "void" },
  dotpe_sky_sort: { args: [P, P, P, P, P, N, N], returns: "void" },
  dotpe_draw_points: { args: [P, P, P, P, P, P, P, P, P, P, P, P, N, N, N, N, N, D], returns: "i32" },
  dotpe_place_points: { args: [P, P, P, P, P, P, P, P, P, P, N, N, N, N, N], returns: "void" },
  dotpe_convolve: { args: [P, P, P, P, N, N, N, N], returns: "void" },
  dotpe_delay_prior: { args: [P, P, P, P, N, N, N, N, N, N, N], returns: "void" },
  dotpe_proposal_density: { args: [P, P, P, P, P, D, N, N, N, N, N], returns: "void" },
} as const;

// biome-ignore lint/suspicious/noExplicitAny: bun:ffi takes typed arrays as pointers; the types of extrinsic-table.ts check them
export function bindExtrinsic(c: any): ExtrinsicKernels {
  return {
    distanceMarginal: c.dotpe_distance_marginal,
    distanceRows: c.dotpe_distance_rows,
    splineFilter: (out, values, scratch, n_y, n_x, alongX) =>
      c.dotpe_spline_filter(out, values, scratch, n_y, n_x, alongX ? 1 : 0),
    byTime: c.dotpe_by_time,
    pointProducts: ({ dh_qx, hh_qk, n_x, n_kp }, dh, hh, position, response, ld, n_q, n_d, n_t) =>
      c.dotpe_point_products(dh_qx, hh_qk, dh, hh, position, response, ld, n_q, n_d, n_t, n_x, n_kp),
    keepPairs: (kept, { dh_qx, hh_qk, n_x, n_kp }, n_q, grid, maxDrop) =>
      c.dotpe_keep_pairs(
        ...[kept.point_q, kept.pairStart_q, kept.phase, kept.dh, kept.hh, kept.best, kept.bound_q],
        ...[dh_qx, hh_qk, grid.waves, grid.order, n_q, n_x, n_kp],
        ...[grid.n_m, grid.even_m, grid.n_k, grid.even_k, grid.n_o, maxDrop],
      ),
    bestPositive: (lnl_q, { dh_qx, hh_qk, n_x, n_kp }, n_q, grid, floor, enough) =>
      c.dotpe_best_positive(
        ...[lnl_q, dh_qx, hh_qk, grid.waves, grid.order, n_q, n_x, n_kp],
        ...[grid.n_m, grid.even_m, grid.n_k, grid.even_k, grid.n_o, floor, enough],
      ),
    worthwhilePairs: c.dotpe_worthwhile_pairs,
    sumExp: c.dotpe_sum_exp,
    incoherentChi2: c.dotpe_incoherent_chi2,
    skyBlock: (bin_s, power_s, { low, high, site_dk, maxDelay, n_d }, first, n_s) =>
      c.dotpe_sky_block(
        ...[bin_s, power_s, low[0], high[0], low[1], high[1], site_dk, maxDelay],
        ...[low[0].length, low[1].length, n_d, first, n_s],
      ),
    skySort: c.dotpe_sky_sort,
    drawPoints: (points, prob_dt, u, { binStart, directions, maxDelay }, n_u, n_d, n_t, first, cellPrior) =>
      c.dotpe_draw_points(
        ...[points.index_q, points.bin_dq, points.direction_q, points.prior_q, points.psi_q],
        ...[points.position0_q, points.cumulative_dt, prob_dt, u, binStart, directions, maxDelay],
        ...[points.ld, n_u, n_d, n_t, first, cellPrior],
      ),
    placePoints: (placed, direction_q, psi_q, position0_q, { low, high, site_dk, n_d }, n_q) =>
      c.dotpe_place_points(
        ...[placed.position_dq, placed.response_dpq, direction_q, psi_q, position0_q],
        ...[low[0], high[0], low[1], high[1], site_dk],
        ...[low[0].length, low[1].length, n_d, placed.ld, n_q],
      ),
    convolve: c.dotpe_convolve,
    delayPrior: c.dotpe_delay_prior,
    proposalDensity: c.dotpe_proposal_density,
  };
}
