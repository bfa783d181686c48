/** The kernels of stage 4, and the marginalization over distance that stage 5 shares. What each computes: ref-extrinsic.ts. */

/**
 * Sizes: n_x entries (m, re/im) and n_kp entries (k, cos/sin), k from 0 on, both padded with zeros to a multiple of 8;
 * arrays over points q have room for `ld` of them in every row.
 */
export interface ExtrinsicKernels {
  /**
   * ln of the likelihood marginalized over distance of n rows (<d|h>, <h|h> at 1 Mpc), by the spline of src/gw/distance.ts.
   * @param header see `distanceTableHeader` @returns how many rows lie outside the table: their lnl is NaN
   */
  distanceMarginal(
    lnl_j: Float64Array,
    dh_j: Float64Array,
    hh_j: Float64Array,
    n: number,
    coefficients: Float64Array,
    header: Float64Array,
  ): number;

  /**
   * Values of the distance table's function at its nodes, from the node of largest x downwards.
   * @param logA_y,shape_y ln a and the function at the last node of each row @param node,weight quadrature of a cell
   */
  distanceRows(
    values_yx: Float64Array,
    z_y: Float64Array,
    logA_y: Float64Array,
    shape_y: Float64Array,
    header: Float64Array,
    node: Float64Array,
    weight: Float64Array,
    n_node: number,
    n_y: number,
    n_x: number,
  ): void;

  /** Values at nodes to coefficients of quintic B-splines along one axis. @param scratch 8 n_y + 2 n_x */
  splineFilter(
    out_yx: Float64Array,
    values_yx: Float64Array,
    scratch: Float64Array,
    n_y: number,
    n_x: number,
    alongX: boolean,
  ): void;

  /** dh_dtx (d, t, p, x) from the rows (d, m, p) of a `GridTransform`; n_h times of half the grid of n_hp. */
  byTime(
    dh_dtx: Float64Array,
    z_rct: Float64Array,
    n_d: number,
    n_m: number,
    n_h: number,
    n_hp: number,
    n_x: number,
  ): void;

  /**
   * dh_qx = sum_dp F_dp(q) dh_dpx(t_d(q)), by the polynomial through 8 neighbouring times; hh_qk = sum_d F+F+ hh_d0k +
   * F+Fx hh_d1k + FxFx hh_d2k.
   * @param position_dq arrival times in bins of the time grid
   */
  pointProducts(
    out: PointProducts,
    dh_dtx: Float64Array,
    hh_dck: Float64Array,
    position_dq: Float64Array,
    response_dpq: Float64Array,
    ld: number,
    n_q: number,
    n_d: number,
    n_t: number,
  ): void;

  /**
   * The pairs (point, phase) whose lnL = <d|h>^2/(2 <h|h>), of either sign of <d|h>, is within maxDrop of the best of
   * them all. @returns how many points have a pair
   */
  keepPairs(
    kept: PairBuffers,
    products: PointProducts,
    n_q: number,
    grid: PhaseGrid,
    maxDrop: number,
  ): number;

  /**
   * The best lnL over phases with <d|h> > 0 (0 if there are none), at each point, or, where it exceeds `enough`, an lnL that
   * does; -Infinity where it is certainly not above `floor`.
   */
  bestPositive(
    lnl_q: Float64Array,
    products: PointProducts,
    n_q: number,
    grid: PhaseGrid,
    floor: number,
    enough: number,
  ): void;

  /**
   * The pairs with <d|h> > least sqrt(<h|h>), in order; those of point q are start_q[q] ... start_q[q + 1] - 1 of the
   * outputs, which have room for all. @returns how many
   */
  worthwhilePairs(
    dhOut: Float64Array,
    hhOut: Float64Array,
    start_q: Int32Array,
    dh: Float64Array,
    hh: Float64Array,
    pairStart_q: Int32Array,
    n_q: number,
    least: number,
  ): number;

  /** sum_q = sum over the pairs of q of exp(lnl - largest). @returns the largest lnl, -Infinity without pairs */
  sumExp(sum_q: Float64Array, lnl: Float64Array, start_q: Int32Array, n_q: number): number;

  /** (sum over modes and polarizations of |<d|h>|)^2 / hh_d, at every time. */
  incoherentChi2(
    chi2_dt: Float64Array,
    dh_dtx: Float64Array,
    hh_d: Float64Array,
    n_d: number,
    n_t: number,
    n_x: number,
  ): void;

  /** Bin of delays, and |F|^3, of n_s directions from number `first` on. */
  skyBlock(bin_s: Int32Array, power_s: Float64Array, sky: SkyTables, first: number, n_s: number): void;

  /** Counting sort of the directions by their bins, and each bin's share of the sum of power_s. */
  skySort(
    binStart: Int32Array,
    directions: Int32Array,
    detectable: Float64Array,
    bin_s: Int32Array,
    power_s: Float64Array,
    n_s: number,
    n_bin: number,
  ): void;

  /**
   * Points from the proposal prob_dt and n_u rows of coordinates u in [0, 1): arrival bin in each detector, place within
   * the first's bin, psi, direction. @param first index of the first point @param cellPrior prior of one direction
   * @returns how many points fit a direction
   */
  drawPoints(
    points: PointBuffers,
    prob_dt: Float64Array,
    u: Float64Array,
    bins: SkyBins,
    n_u: number,
    n_d: number,
    n_t: number,
    first: number,
    cellPrior: number,
  ): number;

  /** Arrival times (bins) and responses of points, from their directions, psi and position0, the arrival in detector 0. */
  placePoints(
    placed: PlacedPoints,
    direction_q: Int32Array,
    psi_q: Float64Array,
    position0_q: Float64Array,
    sky: SkyTables,
    n_q: number,
  ): void;

  /**
   * out_t = sum_s w_s kernel[t - s + centre], the kernel being 0 outside 0 .. n_k - 1.
   * @param padded scratch, n_k + 64
   */
  convolve(
    out_t: Float64Array,
    padded: Float64Array,
    w_s: Float64Array,
    kernel_k: Float64Array,
    n_t: number,
    n_s: number,
    n_k: number,
    centre: number,
  ): void;

  /**
   * Sum of detectable[delay1, delay2] weight[by1 delay1 + by2 delay2] by to1 delay1 + to2 delay2, all delays that are
   * possible; index 0 of prior and weight is -reach.
   * @param scratch 2 (2 reach + 1)
   */
  delayPrior(
    prior_k: Float64Array,
    scratch: Float64Array,
    detectable: Float64Array,
    weight_k: Float64Array,
    max1: number,
    max2: number,
    reach: number,
    to1: number,
    to2: number,
    by1: number,
    by2: number,
  ): void;

  /** density_q += scale prod_d prob_cdt[bin_dq], over the proposals c with threshold_c < lnl_q. */
  proposalDensity(
    density_q: Float64Array,
    bin_dq: Int32Array,
    lnl_q: Float64Array,
    prob_cdt: Float64Array,
    threshold_c: Float64Array,
    scale: number,
    ld: number,
    n_q: number,
    n_c: number,
    n_d: number,
    n_t: number,
  ): void;
}

/** By point: <d|h> of each mode as (re, im); <h|h> as (cos, sin) coefficients of each |m - m'|, 0 first. */
export interface PointProducts {
  readonly n_x: number;
  readonly n_kp: number;
  readonly dh_qx: Float64Array;
  readonly hh_qk: Float64Array;
}

/**
 * A grid of an even number of phases, for n_m modes and n_k differences > 0 of modes. Half a turn changes the sign of the odd
 * ones, so that the waves on the first half of the grid suffice.
 */
export interface PhaseGrid {
  readonly n_o: number;
  readonly n_m: number;
  readonly n_k: number;
  /** How many are even. */
  readonly even_m: number;
  readonly even_k: number;
  /** Positions of the modes, then of the differences, even ones first. */
  readonly order: Int32Array;
  /** cos and sin of each mode and difference, in this order, by blocks of eight phases: (o div 8; wave; o mod 8). */
  readonly waves: Float64Array;
}

/** Pairs by point, phases ascending: those of kept point k are pairStart_q[k] ... pairStart_q[k + 1] - 1. */
export interface PairBuffers {
  /** Index among the points given, ascending. */
  readonly point_q: Int32Array;
  /** One more than points. */
  readonly pairStart_q: Int32Array;
  readonly phase: Uint16Array;
  readonly dh: Float64Array;
  readonly hh: Float64Array;
  /** The best lnL; -Infinity without points. */
  readonly best: Float64Array;
  /** Scratch, one a point given. */
  readonly bound_q: Float64Array;
}

/** What the places of directions and detectors are computed from. */
export interface SkyTables {
  /** Scrambled Halton sequences of latitude and longitude: sums over low digits and over high digits. */
  readonly low: readonly [Float64Array, Float64Array];
  readonly high: readonly [Float64Array, Float64Array];
  /** By detector: location in units of c/f_sampling (3), response tensor (9). */
  readonly site_dk: Float64Array;
  /** Largest |delay| to detector 0, in bins, of detectors 1, 2. */
  readonly maxDelay: Int32Array;
  readonly n_d: number;
}

/** Directions of bin k: directions[binStart[k]] ... directions[binStart[k + 1] - 1]; the last detector's delay is fastest. */
export interface SkyBins {
  readonly binStart: Int32Array;
  readonly directions: Int32Array;
  readonly maxDelay: Int32Array;
}

export interface PointBuffers {
  readonly ld: number;
  /** Index in the sequence. */
  readonly index_q: Int32Array;
  /** Bin of the arrival time that was drawn in each detector. */
  readonly bin_dq: Int32Array;
  /** Of the sky sample. */
  readonly direction_q: Int32Array;
  readonly prior_q: Float64Array;
  readonly psi_q: Float64Array;
  /** Arrival time in detector 0, in bins. */
  readonly position0_q: Float64Array;
  /** Scratch, n_d n_t. */
  readonly cumulative_dt: Float64Array;
}

export interface PlacedPoints {
  readonly ld: number;
  /** Arrival times in bins. */
  readonly position_dq: Float64Array;
  /** F+ and Fx at the point's psi. */
  readonly response_dpq: Float64Array;
}
