/** The kernels of the setup stage: sums and series over the whole FFT grid, for the reference waveform and its weights. */

/** Bins (knots) on an FFT grid, and the slopes of not-a-knot splines through them: see src/gw/spline.ts. */
export interface SummaryGrid {
  readonly n_b: number;
  /** Interval j holds the grid's indices edges[j] <= f < edges[j + 1] (n_b). */
  readonly edges: Int32Array;
  /** Where a frequency of the grid lies in its interval, 0 to 1 (f). */
  readonly place_f: Float64Array;
  /** Hz (n_b). */
  readonly knots: Float64Array;
  /** Hz (n_b - 1). */
  readonly width_j: Float64Array;
  /** T m = R y for the slopes m: rows of R (n_b, 3), and T = L U. */
  readonly right: Float64Array;
  readonly lower: Float64Array;
  readonly pivot: Float64Array;
  readonly upper: Float64Array;
}

/** A complex function on the FFT grid (f) and on the bins (b). */
export interface GridFunction {
  readonly re_f: Float64Array;
  readonly im_f: Float64Array;
  readonly re_b: Float64Array;
  readonly im_b: Float64Array;
}

/** As in `Kernels`, only the first argument is written, unless it says otherwise. (c) is re, im. */
export interface SetupKernels {
  /** out_cf = (re + i im) exp(2 pi i f t); whole turns are taken out first, so that long times keep their digits. */
  turn(
    out_cf: Float64Array,
    re_f: Float64Array,
    im_f: Float64Array,
    f: Float64Array,
    t: number,
    n_f: number,
  ): void;

  /**
   * The weights for which sum_b w_b r(f_b) x_b conj(y_b) = scale sum_f weight_f x_f conj(y_f) r(f), for every spline r.
   * @param w_cb (4, b): re, im, then room for the slopes
   */
  summaryWeights(
    w_cb: Float64Array,
    grid: SummaryGrid,
    weight_f: Float64Array,
    x: GridFunction,
    y: GridFunction,
    scale: number,
  ): void;

  /**
   * h_cf = f^(-7/6) exp(i (spline + inspiral)) on the grid between the first and the last bin; other values are left.
   * inspiral = s0 f^(-5/3) (1 + s1 x^2 + s2 x^3 + s3 x^4 + (s4 + s5 ln f) x^5 + (s6 + s7 ln f) x^6 + s8 x^7), x = f^(1/3).
   * @param pieces of the spline (j, 4), see `CubicSpline` @param stride where im begins
   */
  smoothMode(
    h_cf: Float64Array,
    f: Float64Array,
    grid: SummaryGrid,
    pieces: Float64Array,
    series: Float64Array,
    stride: number,
  ): void;

  /**
   * out_cf = sum_mp factor_mp h_mf spline_mp, between the first and the last bin; other values are left.
   * @param pieces_mpcj of the splines, (m, p, c, j, 4)
   */
  splineSum(
    out_cf: Float64Array,
    hRe_mf: Float64Array,
    hIm_mf: Float64Array,
    f: Float64Array,
    grid: SummaryGrid,
    pieces_mpcj: Float64Array,
    factor_mpc: Float64Array,
    n_m: number,
    n_f: number,
  ): void;

  /** First f at which sum weight |h|^2 has reached this share of its total, or -1. Writes nothing. */
  powerIndex(
    re_f: Float64Array,
    im_f: Float64Array,
    weight_f: Float64Array,
    share: number,
    n_f: number,
  ): number;

  /**
   * out_cj = sum_k (re + i im)_k exp(-2 pi i j k / n).
   * @param factors of n, each 2, 3, 4 or 5 @param twiddles see below
   */
  fft(
    out_cj: Float64Array,
    re_j: Float64Array,
    im_j: Float64Array,
    factors: Int32Array,
    twiddles: Float64Array,
    n: number,
  ): void;

  /**
   * What `fft` multiplies its inputs by, level by level, in the order in which it reads them: where a factor p combines
   * transforms of length m, exp(-2 pi i q k / (p m)) as (q, c, k) with 1 <= q < p, k < m. The first factor has m = n / p.
   */
  twiddles(w: Float64Array, factors: Int32Array, n_factors: number, n: number): void;

  /** sums = sum_f of p, p^2, p f, with p = weight |h|^2. */
  powerSums(
    sums: Float64Array,
    re_f: Float64Array,
    im_f: Float64Array,
    weight_f: Float64Array,
    f: Float64Array,
    n_f: number,
  ): void;

  /** z_cf = scale weight d conj(h); im begins at `stride`. */
  matched(
    z_cf: Float64Array,
    dRe_f: Float64Array,
    dIm_f: Float64Array,
    hRe_f: Float64Array,
    hIm_f: Float64Array,
    weight_f: Float64Array,
    scale: number,
    stride: number,
    n_f: number,
  ): void;

  /**
   * Copies to `kept` the values outside of holes: runs of more than maxRun values with |x| <= limit.
   * @param good_j written: 1 for what was kept, else 0 @returns how many were kept
   */
  withoutHoles(
    kept: Float64Array,
    good_j: Uint8Array,
    x_j: Float64Array,
    limit: number,
    maxRun: number,
    n: number,
  ): number;

  /** Median of |x - median x|; x is overwritten. */
  medianDeviation(x_j: Float64Array, n: number): number;

  /**
   * Standard deviation of the good values with |x| <= limit that are more than `margin` places from any other; NaN if none
   * is left.
   * @param good_j overwritten
   */
  spread(good_j: Uint8Array, x_j: Float64Array, limit: number, margin: number, n: number): number;

  /**
   * Of one detector at the times t = start + k step, and over the phases o: the best 1/2 d^T H^-1 d, its o, and H^-1 d,
   * with d_p = Re sum_mb g_mpb exp(2 pi i f_b t) exp(-i m phi_o) and H the symmetric part of
   * H_pP = Re sum_M norms_MpP exp(i (m - m') phi_o), M = (m, m') in the order of `modePairs`.
   * @param g_mpcb w conj(h), b padded to n_bp (a multiple of 8) @param turn_omc exp(i m phi_o)
   */
  bestResponses(
    best_tx: Float64Array,
    g_mpcb: Float64Array,
    f_b: Float64Array,
    start: number,
    step: number,
    turn_omc: Float64Array,
    norms_MpPc: Float64Array,
    n_t: number,
    n_o: number,
    n_m: number,
    n_bp: number,
  ): void;

  /**
   * lnL_ea = sum_d max(lnl_d(place_d), floor) of directions e and times a, place_d = place_a + delay_de - delay_(anchor e) +
   * offset_d, lnl_d linear between its n_t places.
   * @param out_x the largest lnL; the sum of exp(lnL - largest), over all that are not negligible; by detector the largest's
   * place; by detector the sum of exp(lnL - largest) (place - the largest's place): 2 + 2 n_d numbers
   */
  jointArrivals(
    out_x: Float64Array,
    lnl_dt: Float64Array,
    delay_de: Float64Array,
    offset_d: Float64Array,
    place_a: Int32Array,
    floor: number,
    anchor: number,
    n_d: number,
    n_t: number,
    n_e: number,
    n_a: number,
  ): void;

  /**
   * Orthonormal basis q_rb of the columns cos or sin(2 pi offset_b tau_h), and e = q columns, by pivoted modified
   * Gram-Schmidt with reorthogonalization, until no column has a residual of norm above `smallest`.
   * @param q_rb min(n_b, n_h) rows of n_b @param e_rh written: as many rows of n_h @param work 2 n_b n_h + n_h, overwritten
   * @returns the rank
   */
  fitBasis(
    q_rb: Float64Array,
    e_rh: Float64Array,
    work: Float64Array,
    offset_b: Float64Array,
    tau_h: Float64Array,
    sine: boolean,
    smallest: number,
    n_b: number,
    n_h: number,
  ): number;
}
