/* <h|h> of a few samples, summed over the pairs of modes that share a difference m - m'. Twin of
 * src/kernels/ref-mode-products.ts. */
#include "simd.h"

/* Samples that share a fetch of a term's weights into the first-level cache, and into registers. */
#define BATCH 4
#define SHARE (VL == 8 ? 4 : 1)
#define MAX_D 3

enum { SQUARE = 0, REAL_PART = 1, COMPLEX = 2 };

/* Eight partial sums for each sample and detector. */
typedef struct {
  vd re[BATCH][MAX_D][V8], im[BATCH][MAX_D][V8];
} sums;

/* One term of `share` samples: w for each detector re then im, n_bp each; b in steps of eight partial sums. */
INLINE void term(sums *sum, int s0, const double *a, const double *b, const double *w, int kind, int n_d, int share,
                 int64_t stride, int n_bp) {
  vd re[SHARE][MAX_D][V8], im[SHARE][MAX_D][V8];
#pragma GCC unroll 4
  for (int s = 0; s < share; s++)
#pragma GCC unroll 3
    for (int d = 0; d < n_d; d++)
#pragma GCC unroll 4
      for (int v = 0; v < V8; v++) {
        re[s][d][v] = sum->re[s0 + s][d][v];
        if (kind == COMPLEX) im[s][d][v] = sum->im[s0 + s][d][v];
      }
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
        const double *as = a + s * stride + at, *bs = b + s * stride + at;
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
          if (kind == COMPLEX) im[s][d][v] = mad(wr[d], xi, im[s][d][v]);
          re[s][d][v] = mad(-wi[d], xi, re[s][d][v]);
          if (kind == COMPLEX) im[s][d][v] = mad(wi[d], xr, im[s][d][v]);
        }
      }
    }
#pragma GCC unroll 4
  for (int s = 0; s < share; s++)
#pragma GCC unroll 3
    for (int d = 0; d < n_d; d++)
#pragma GCC unroll 4
      for (int v = 0; v < V8; v++) {
        sum->re[s0 + s][d][v] = re[s][d][v];
        if (kind == COMPLEX) sum->im[s0 + s][d][v] = im[s][d][v];
      }
}

/* One group of terms (row a, row b, kind) for n_s <= BATCH samples. */
INLINE void group(double *hh, const double *h, const double *w, const int32_t *terms, int n_terms, int n_d, int n_s,
                  int64_t h_stride, int64_t hh_stride, int64_t hh_d, int n_bp) {
  sums sum;
  for (int s = 0; s < n_s; s++)
    for (int d = 0; d < n_d; d++)
      for (int v = 0; v < V8; v++) sum.re[s][d][v] = sum.im[s][d][v] = all(0);
  for (int t = 0; t < n_terms; t++, terms += 3, w += (int64_t)n_d * 2 * n_bp)
    for (int s = 0; s < n_s;) {
      const int share = n_s - s >= SHARE ? SHARE : 1;
      const double *a = h + s * h_stride + (int64_t)terms[0] * 2 * n_bp;
      const double *b = h + s * h_stride + (int64_t)terms[1] * 2 * n_bp;
#define TERM(KIND)                                                                  \
  do {                                                                              \
    if (share == SHARE) term(&sum, s, a, b, w, KIND, n_d, SHARE, h_stride, n_bp);    \
    else term(&sum, s, a, b, w, KIND, n_d, 1, h_stride, n_bp);                       \
  } while (0)
      if (terms[2] == SQUARE) TERM(SQUARE);
      else if (terms[2] == REAL_PART) TERM(REAL_PART);
      else TERM(COMPLEX);
      s += share;
    }
  for (int s = 0; s < n_s; s++)
    for (int d = 0; d < n_d; d++) {
      hh[s * hh_stride + d * hh_d] = sum8(sum.re[s][d]);
      hh[s * hh_stride + d * hh_d + 1] = sum8(sum.im[s][d]);
    }
}

void dotpe_mode_products(double *hh_sdgc, const double *h_smpcb, const double *w, const int32_t *terms,
                         const int32_t *groupSize_g, int32_t n_g, int32_t n_s, int32_t n_d, int32_t n_mp,
                         int32_t n_bp) {
  const int64_t h_stride = (int64_t)n_mp * 2 * n_bp, hh_d = 2 * n_g, hh_stride = n_d * hh_d;
  for (int g = 0; g < n_g; g++) {
    const int n = groupSize_g[g];
    for (int s = 0; s < n_s; s += BATCH) {
      const int batch = n_s - s < BATCH ? n_s - s : BATCH;
      const double *h = h_smpcb + s * h_stride;
      double *hh = hh_sdgc + s * hh_stride + 2 * g;
#define GROUP(N_D) group(hh, h, w, terms, n, N_D, batch, h_stride, hh_stride, hh_d, n_bp)
      if (n_d == 1) GROUP(1);
      else if (n_d == 2) GROUP(2);
      else GROUP(3);
    }
    terms += 3 * n;
    w += (int64_t)n * n_d * 2 * n_bp;
  }
}
