/** The kernels of stage 4, and the marginalization over distance that stage 5 shares. What each computes: ref-extrinsic.ts. */

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
}
