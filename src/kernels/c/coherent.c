/* Likelihoods of one intrinsic sample with a tile of extrinsic samples on the phase grid. Twin of src/kernels/ref-coherent.ts. */
#include "simd.h"

/* Components of <h|h> that share a load of the responses. */
#define COMPONENTS 7

/* <h|h>_ce: component 0 (equal modes), then re and im of each difference k. c_cdx over detectors and F+F+, F+Fx, FxFx. */
INLINE void hh_tile(double *hh_ce, const double *c_cdx, const double *ff_dxe, int n_c, int n_d, int n_e) {
  const int n_x = 3 * n_d;
  for (int e = 0; e < n_e; e += VL)
    for (int c0 = 0; c0 < n_c; c0 += COMPONENTS) {
      const int n = n_c - c0 < COMPONENTS ? n_c - c0 : COMPONENTS;
      vd sum[COMPONENTS];
      for (int c = 0; c < n; c++) sum[c] = all(0);
      for (int x = 0; x < n_x; x++) {
        vd ff = load(ff_dxe + (int64_t)x * n_e + e);
        for (int c = 0; c < n; c++) sum[c] = mad(all(c_cdx[(c0 + c) * n_x + x]), ff, sum[c]);
      }
      for (int c = 0; c < n; c++) store(hh_ce + (int64_t)(c0 + c) * n_e + e, sum[c]);
    }
}

#define MAX_X 64

/* Rows whose lnL exceeds the threshold, of one extrinsic sample, are written from n_r on; returns their end.
 * amplitude_x: of the waves of each m, then each k; h0: the part of <h|h> that does not depend on the phase. */
INLINE int phases_of(int32_t *o_r, double *dh_r, double *hh_r, int n_r, const double *amplitude_x, double h0,
                     const double *waves_Oxo, int n_m, int n_k, int n_o, double threshold) {
  const int n_x = 2 * (n_m + n_k);
  const vd nearly = all(2 * threshold - 1e-9 * fabs(threshold));
  for (int o64 = 0; o64 < n_o; o64 += 64) {
    /* Which of 64 phases can pass is known without divisions, and one branch disposes of them all. */
    double d_o[64] __attribute__((aligned(64))), h_o[64] __attribute__((aligned(64)));
    uint64_t left = 0;
    const int n = n_o - o64 < 64 ? n_o - o64 : 64;
    for (int o8 = 0; o8 < n; o8 += 8) {
      const double *block = waves_Oxo + (int64_t)(o64 + o8) * n_x;
      vd d[V8], h[V8];
      all8(d, 0);
      all8(h, h0);
      for (int x = 0; x < 2 * n_m; x++) add_wave(d, amplitude_x[x], block, x);
      for (int x = 2 * n_m; x < n_x; x++) add_wave(h, amplitude_x[x], block, x);
#pragma GCC unroll 4
      for (int v = 0; v < V8; v++) {
        vd positive = vmax(d[v], all(0));
        left |= (uint64_t)not_below(positive * positive, nearly * h[v]) << (o8 + v * VL);
        store(d_o + o8 + v * VL, d[v]);
        store(h_o + o8 + v * VL, h[v]);
      }
    }
    for (left &= ~(uint64_t)0 >> (64 - n); left != 0; left &= left - 1) {
      const int o = __builtin_ctzll(left);
      const double d = d_o[o], h = h_o[o];
      if (!((d > 0 ? 0.5 * d * d / h : 0) > threshold)) continue;
      o_r[n_r] = o64 + o;
      dh_r[n_r] = d;
      hh_r[n_r] = h;
      n_r++;
    }
  }
  return n_r;
}

int32_t dotpe_coherent_tile(int32_t *e_r, int32_t *o_r, double *dh_r, double *hh_r, double *hh_ce, const double *dh_mce,
                            const double *c_cdx, const double *ff_dxe, const double *waves_Oxo, int32_t n_m, int32_t n_k, int32_t n_d,
                            int32_t n_e, int32_t n_valid, int32_t n_o, double threshold) {
  const int n_c = 1 + 2 * n_k;
  /* Written out for the common set of modes and detectors. */
  if (n_c == COMPONENTS && n_d == 3) hh_tile(hh_ce, c_cdx, ff_dxe, COMPONENTS, 3, n_e);
  else hh_tile(hh_ce, c_cdx, ff_dxe, n_c, n_d, n_e);
  int32_t n_r = 0;
  for (int e8 = 0; e8 < n_valid; e8 += VL) {
    /* |d| <= sum_m |d_m| and h >= h_0 - sum_k |h_k|: an upper bound of lnL over phases. It only saves work. */
    vd low = load(hh_ce + e8), sum = all(0);
    for (int k = 0; k < n_k; k++) {
      vd re = load(hh_ce + (int64_t)(1 + 2 * k) * n_e + e8), im = load(hh_ce + (int64_t)(2 + 2 * k) * n_e + e8);
      low -= above_sqrt(mad(re, re, im * im));
    }
    for (int m = 0; m < n_m; m++) {
      vd re = load(dh_mce + (int64_t)(2 * m) * n_e + e8), im = load(dh_mce + (int64_t)(2 * m + 1) * n_e + e8);
      sum += above_sqrt(mad(re, re, im * im));
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
