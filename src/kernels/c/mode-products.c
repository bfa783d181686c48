/* <h|h> of a few samples, summed over the pairs of modes that share a difference m - m'. Twin of src/kernels/ref-mode-products.ts. */
#include "simd.h"

/* Samples that share a load of the weights. */
#define SHARE (VL == 8 ? 4 : 1)
#define MAX_D 3

enum { SQUARE = 0, REAL_PART = 1, COMPLEX = 2 };

/* terms: 3 numbers each (row a, row b, kind); w: for each term, detector: re then im, n_bp each. */
INLINE void group(double *hh, const double *h, const double *w, const int32_t *term, int n_terms, int n_d, int share,
                  int64_t h_stride, int64_t hh_stride, int64_t hh_d, int n_bp) {
  vd re[SHARE][MAX_D][V8], im[SHARE][MAX_D][V8];
  for (int s = 0; s < share; s++)
    for (int d = 0; d < n_d; d++)
      for (int v = 0; v < V8; v++) re[s][d][v] = im[s][d][v] = all(0);
  for (int t = 0; t < n_terms; t++, term += 3, w += (int64_t)n_d * 2 * n_bp) {
    const double *a = h + (int64_t)term[0] * 2 * n_bp, *b = h + (int64_t)term[1] * 2 * n_bp;
    const int kind = term[2];
    for (int bin = 0; bin < n_bp; bin += 8)
#pragma GCC unroll 4
      for (int v = 0; v < V8; v++) {
        const int at = bin + v * VL;
        vd wr[MAX_D], wi[MAX_D];
#pragma GCC unroll 3
        for (int d = 0; d < n_d; d++) {
          wr[d] = load(w + (2 * d) * (int64_t)n_bp + at);
          if (kind != SQUARE) wi[d] = load(w + (2 * d + 1) * (int64_t)n_bp + at);
        }
#pragma GCC unroll 4
        for (int s = 0; s < share; s++) {
          const double *as = a + s * h_stride + at, *bs = b + s * h_stride + at;
          vd ar = load(as), ai = load(as + n_bp), br = load(bs), bi = load(bs + n_bp);
          vd xr = mad(ai, bi, ar * br);
          if (kind == SQUARE) {
#pragma GCC unroll 3
            for (int d = 0; d < n_d; d++) re[s][d][v] = mad(wr[d], xr, re[s][d][v]);
            continue;
          }
          vd xi = mad(-ar, bi, ai * br);
#pragma GCC unroll 3
          for (int d = 0; d < n_d; d++) {
            re[s][d][v] = mad(wr[d], xr, re[s][d][v]);
            re[s][d][v] = mad(-wi[d], xi, re[s][d][v]);
            if (kind == COMPLEX) {
              im[s][d][v] = mad(wr[d], xi, im[s][d][v]);
              im[s][d][v] = mad(wi[d], xr, im[s][d][v]);
            }
          }
        }
      }
  }
  for (int s = 0; s < share; s++)
    for (int d = 0; d < n_d; d++) {
      hh[s * hh_stride + d * hh_d] = sum8(re[s][d]);
      hh[s * hh_stride + d * hh_d + 1] = sum8(im[s][d]);
    }
}

#define GROUP(N_D, N_S) group(out, h, w, terms, n, N_D, N_S, h_stride, hh_stride, hh_d, n_bp)

void dotpe_mode_products(double *hh_sdgc, const double *h_smpcb, const double *w, const int32_t *terms,
                         const int32_t *groupSize_g, int32_t n_g, int32_t n_s, int32_t n_d, int32_t n_mp,
                         int32_t n_bp) {
  const int64_t h_stride = (int64_t)n_mp * 2 * n_bp, hh_d = 2 * n_g, hh_stride = n_d * hh_d;
  for (int g = 0; g < n_g; g++) {
    const int n = groupSize_g[g];
    for (int s = 0; s < n_s;) {
      const int share = n_s - s >= SHARE ? SHARE : 1;
      const double *h = h_smpcb + s * h_stride;
      double *out = hh_sdgc + s * hh_stride + 2 * g;
      if (share == 1) {
        if (n_d == 1) GROUP(1, 1);
        else if (n_d == 2) GROUP(2, 1);
        else GROUP(3, 1);
      } else {
        if (n_d == 1) GROUP(1, SHARE);
        else if (n_d == 2) GROUP(2, SHARE);
        else GROUP(3, SHARE);
      }
      s += share;
    }
    terms += 3 * n;
    w += (int64_t)n * n_d * 2 * n_bp;
  }
}
