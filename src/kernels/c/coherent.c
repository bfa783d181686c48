/* Likelihoods of one intrinsic sample with a tile of extrinsic samples on the phase grid. Twin of src/kernels/ref-coherent.ts. */
#include "simd.h"

/* <h|h>_ce: component 0 (equal modes), then re and im of each difference k. c_cdx over detectors and F+F+, F+Fx, FxFx. */
static void hh_tile(double *hh_ce, const double *c_cdx, const double *ff_dxe, int n_c, int n_d, int n_e) {
  for (int e = 0; e < n_e; e += VL)
    for (int c = 0; c < n_c; c++) {
      vd sum = all(0);
      for (int x = 0; x < 3 * n_d; x++) sum = mad(all(c_cdx[c * 3 * n_d + x]), load(ff_dxe + (int64_t)x * n_e + e), sum);
      store(hh_ce + (int64_t)c * n_e + e, sum);
    }
}

#define MAX_X 64

/* Rows whose lnL exceeds the threshold, of one extrinsic sample, are written from n_r on; returns their end.
 * amplitude_x: of the waves of each m, then each k; h0: the part of <h|h> that does not depend on the phase. */
INLINE int phases_of(int32_t *o_r, double *dh_r, double *hh_r, int n_r, const double *amplitude_x, double h0,
                     const double *waves_Oxo, int n_m, int n_k, int n_o, double threshold) {
  const int n_x = 2 * (n_m + n_k);
  const vd nearly = all(2 * threshold - 1e-9 * fabs(threshold));
  for (int o = 0; o < n_o; o += VL) {
    vd d = all(0), h = all(h0);
    for (int x = 0; x < 2 * n_m; x++) d = mad(all(amplitude_x[x]), wave(waves_Oxo, n_x, o, x), d);
    for (int x = 2 * n_m; x < n_x; x++) h = mad(all(amplitude_x[x]), wave(waves_Oxo, n_x, o, x), h);
    vd square = vmax(d, all(0)) * vmax(d, all(0));
    /* Whether any phase can pass is known before the division. */
    if (not_below(square, nearly * h) == 0) continue;
    unsigned above = ~not_below(all(threshold), 0.5 * square / h) & ((1u << VL) - 1);
    double dh[VL], hh[VL];
    store(dh, d);
    store(hh, h);
    for (; above != 0; above &= above - 1) {
      const int j = __builtin_ctz(above);
      if (o + j >= n_o) break;
      o_r[n_r] = o + j;
      dh_r[n_r] = dh[j];
      hh_r[n_r] = hh[j];
      n_r++;
    }
  }
  return n_r;
}

int32_t dotpe_coherent_tile(int32_t *e_r, int32_t *o_r, double *dh_r, double *hh_r, double *hh_ce, const double *dh_mce,
                            const double *c_cdx, const double *ff_dxe, const double *waves_Oxo, int32_t n_m, int32_t n_k, int32_t n_d,
                            int32_t n_e, int32_t n_valid, int32_t n_o, double threshold) {
  hh_tile(hh_ce, c_cdx, ff_dxe, 1 + 2 * n_k, n_d, n_e);
  int32_t n_r = 0;
  for (int e8 = 0; e8 < n_valid; e8 += VL) {
    /* |d| <= sum_m |d_m| and h >= h_0 - sum_k |h_k|: an upper bound of lnL over phases. */
    vd low = load(hh_ce + e8), sum = all(0);
    for (int k = 0; k < n_k; k++) {
      vd re = load(hh_ce + (int64_t)(1 + 2 * k) * n_e + e8), im = load(hh_ce + (int64_t)(2 + 2 * k) * n_e + e8);
      low -= vsqrt(mad(re, re, im * im));
    }
    for (int m = 0; m < n_m; m++) {
      vd re = load(dh_mce + (int64_t)(2 * m) * n_e + e8), im = load(dh_mce + (int64_t)(2 * m + 1) * n_e + e8);
      sum += vsqrt(mad(re, re, im * im));
    }
    unsigned left = threshold > 0 ? not_below(sum * sum * (1 + 1e-9), (2 * threshold) * low) : (1u << VL) - 1;
    for (; left != 0; left &= left - 1) {
      const int e = e8 + __builtin_ctz(left);
      if (e >= n_valid) break;
      const int before = n_r;
      double amplitude_x[MAX_X];
      for (int x = 0; x < 2 * n_m; x++) amplitude_x[x] = dh_mce[(int64_t)x * n_e + e];
      for (int x = 0; x < 2 * n_k; x++) amplitude_x[2 * n_m + x] = hh_ce[(int64_t)(1 + x) * n_e + e];
#define RUN(N_M, N_K) phases_of(o_r, dh_r, hh_r, n_r, amplitude_x, hh_ce[e], waves_Oxo, N_M, N_K, n_o, threshold)
      /* Written out for the common set of modes. */
      n_r = n_m == 4 && n_k == 3 ? RUN(4, 3) : RUN(n_m, n_k);
      for (int r = before; r < n_r; r++) e_r[r] = e;
    }
  }
  return n_r;
}
