/* Likelihoods of one intrinsic sample with a tile of extrinsic samples on the phase grid. Twin of src/kernels/ref-coherent.ts. */
#include "simd.h"

#define MAX_M 8
#define MAX_K 8
#define MAX_TILE 4096
#define MAX_O 4096

/* <h|h>_ce: component 0 (equal modes), then re and im of each difference k. c_cdx over detectors and F+F+, F+Fx, FxFx. */
static void hh_tile(double *hh_ce, const double *c_cdx, const double *ff_dxe, int n_c, int n_d, int n_e) {
  for (int e = 0; e < n_e; e += VL)
    for (int c = 0; c < n_c; c++) {
      vd sum = all(0);
      for (int x = 0; x < 3 * n_d; x++) sum = mad(all(c_cdx[c * 3 * n_d + x]), load(ff_dxe + (int64_t)x * n_e + e), sum);
      store(hh_ce + (int64_t)c * n_e + e, sum);
    }
}

int32_t dotpe_coherent_tile(int32_t *e_r, int32_t *o_r, double *dh_r, double *hh_r, double *hh_ce, const double *dh_mce,
                            const double *c_cdx, const double *ff_dxe, const double *cosM_mo, const double *sinM_mo,
                            const double *cosK_ko, const double *sinK_ko, int32_t n_m, int32_t n_k, int32_t n_d,
                            int32_t n_e, int32_t n_valid, int32_t n_o, int32_t n_op, double threshold) {
  static _Thread_local double may_pass[MAX_TILE] __attribute__((aligned(64)));
  double dh_o[MAX_O] __attribute__((aligned(64))), hh_o[MAX_O] __attribute__((aligned(64)));
  hh_tile(hh_ce, c_cdx, ff_dxe, 1 + 2 * n_k, n_d, n_e);
  for (int e = 0; e < n_e; e += VL) {
    vd low = load(hh_ce + e), sum = all(0);
    for (int k = 0; k < n_k; k++) {
      vd re = load(hh_ce + (int64_t)(1 + 2 * k) * n_e + e), im = load(hh_ce + (int64_t)(2 + 2 * k) * n_e + e);
      low -= vsqrt(mad(re, re, im * im));
    }
    for (int m = 0; m < n_m; m++) {
      vd re = load(dh_mce + (int64_t)(2 * m) * n_e + e), im = load(dh_mce + (int64_t)(2 * m + 1) * n_e + e);
      sum += vsqrt(mad(re, re, im * im));
    }
    store(may_pass + e, sum * sum * (1 + 1e-9) - 2 * threshold * low);
  }
  int32_t n_r = 0;
  for (int e = 0; e < n_valid; e++) {
    if (threshold > 0 && !(may_pass[e] >= 0)) continue;
    vd any = all(-1);
    for (int o = 0; o < n_op; o += VL) {
      vd d = all(0), h = all(hh_ce[e]);
      for (int m = 0; m < n_m; m++) {
        d = mad(all(dh_mce[(int64_t)(2 * m) * n_e + e]), load(cosM_mo + m * n_op + o), d);
        d = mad(all(dh_mce[(int64_t)(2 * m + 1) * n_e + e]), load(sinM_mo + m * n_op + o), d);
      }
      for (int k = 0; k < n_k; k++) {
        h = mad(all(hh_ce[(int64_t)(1 + 2 * k) * n_e + e]), load(cosK_ko + k * n_op + o), h);
        h = mad(all(hh_ce[(int64_t)(2 + 2 * k) * n_e + e]), load(sinK_ko + k * n_op + o), h);
      }
      vd positive = vmax(d, all(0));
      any = vmax(any, mad(positive, positive, all(-2 * threshold) * h));
      store(dh_o + o, d);
      store(hh_o + o, h);
    }
    if (!(largest(any) > 0)) continue;
    for (int o = 0; o < n_o; o++) {
      double d = dh_o[o], h = hh_o[o];
      double lnl = d > 0 ? 0.5 * d * d / h : 0;
      if (!(lnl > threshold)) continue;
      e_r[n_r] = e;
      o_r[n_r] = o;
      dh_r[n_r] = d;
      hh_r[n_r] = h;
      n_r++;
    }
  }
  return n_r;
}
