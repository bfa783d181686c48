/* Projection on a low-rank basis and expansion to the times. Twins of src/kernels/ref-project.ts. Each output is one chain of
 * multiply-adds in the order of its index, so tiles and vector widths give the same bits. */
#include "simd.h"

#define TILE(MR, NV)                                                                                       \
  static void tile_##MR##_##NV(double *y, int64_t ldy, const double *a, int64_t lda, const double *q, int64_t ldq, \
                               int n_k) {                                                                  \
    vd c[MR][NV];                                                                                          \
    for (int i = 0; i < MR; i++)                                                                           \
      for (int j = 0; j < NV; j++) c[i][j] = all(0);                                                       \
    for (int k = 0; k < n_k; k++) {                                                                        \
      vd x[NV];                                                                                            \
      _Pragma("GCC unroll 8") for (int j = 0; j < NV; j++) x[j] = load(q + k * ldq + j * VL);              \
      _Pragma("GCC unroll 12") for (int i = 0; i < MR; i++) {                                              \
        vd s = all(a[i * lda + k]);                                                                        \
        _Pragma("GCC unroll 8") for (int j = 0; j < NV; j++) c[i][j] = mad(s, x[j], c[i][j]);              \
      }                                                                                                    \
    }                                                                                                      \
    for (int i = 0; i < MR; i++)                                                                           \
      for (int j = 0; j < NV; j++) store(y + i * ldy + j * VL, c[i][j]);                                   \
  }

TILE(4, 1)
TILE(4, 2)
#if VL == 8
TILE(8, 1)
TILE(8, 2)
TILE(8, 3)
TILE(4, 3)
TILE(4, 4)
TILE(4, 5)
#elif VL == 4
TILE(4, 3)
#endif

/* y_rk = sum_b a_rb q_bk for n_r rows (a multiple of 4) and n_k columns (a multiple of 8). */
void dotpe_project(double *y, int32_t ldy, const double *a, int64_t start, int32_t lda, const double *q, int32_t n_r,
                   int32_t n_b, int32_t n_k) {
  a += start;
  for (int k = 0; k < n_k;) {
    const int left = (n_k - k) / VL;
#if VL == 8
    const int nv = left > 6 ? 4 : left == 6 ? 3 : left;
#elif VL == 4
    const int nv = left == 4 ? 2 : left > 3 ? 3 : left;
#else
    const int nv = left >= 2 ? 2 : 1;
#endif
    int r = 0;
#define RUN(MR, NV)                                                                        \
  for (; r + MR <= n_r; r += MR)                                                           \
  tile_##MR##_##NV(y + (int64_t)r * ldy + k, ldy, a + (int64_t)r * lda, lda, q + k, n_k, n_b)
    switch (nv) {
#if VL == 8
      case 5: RUN(4, 5); break;
      case 4: RUN(4, 4); break;
      case 3: RUN(8, 3); RUN(4, 3); break;
      case 2: RUN(8, 2); RUN(4, 2); break;
      default: RUN(8, 1); RUN(4, 1); break;
#else
#if VL == 4
      case 3: RUN(4, 3); break;
#endif
      case 2: RUN(4, 2); break;
      default: RUN(4, 1); break;
#endif
    }
    k += nv * VL;
  }
}

/* Independent accumulators of the expansions: PAIRS rows (re, im) x WIDE vectors of times. */
#define PAIRS (VL == 8 ? 2 : 1)
#define WIDE 2

INLINE void rows_times_basis(vd (*sum)[2][WIDE], const double *y, int64_t ldy, const double *basis, int64_t ld, int n_k,
                             int pairs, int wide) {
  for (int k = 0; k < n_k; k++) {
    vd x[WIDE];
#pragma GCC unroll 2
    for (int j = 0; j < wide; j++) x[j] = load(basis + k * ld + j * VL);
#pragma GCC unroll 2
    for (int i = 0; i < pairs; i++)
#pragma GCC unroll 2
      for (int c = 0; c < 2; c++) {
        vd s = all(y[(2 * i + c) * ldy + k]);
#pragma GCC unroll 2
        for (int j = 0; j < wide; j++) sum[i][c][j] = mad(s, x[j], sum[i][c][j]);
      }
  }
}

INLINE void zero(vd (*sum)[2][WIDE], int pairs, int wide) {
  for (int i = 0; i < pairs; i++)
    for (int c = 0; c < 2; c++)
      for (int j = 0; j < wide; j++) sum[i][c][j] = all(0);
}

INLINE void grid_block(double *z, const double *y, int64_t ldy, const double *ec, const double *es, const double *cosFc,
                       const double *sinFc, int rc, int rs, int64_t n_h, int h, int first, int pairs, int wide) {
  vd even[PAIRS][2][WIDE], odd[PAIRS][2][WIDE];
  zero(even, pairs, wide);
  zero(odd, pairs, wide);
  rows_times_basis(even, y, ldy, ec + h, n_h, rc, pairs, wide);
  rows_times_basis(odd, y + rc, ldy, es + h, n_h, rs, pairs, wide);
  for (int i = 0; i < pairs; i++)
    for (int j = 0; j < wide; j++) {
      vd c = load(cosFc + h + j * VL), s = load(sinFc + h + j * VL);
      vd pr = even[i][0][j] - odd[i][1][j], pi = even[i][1][j] + odd[i][0][j];
      vd mr = even[i][0][j] + odd[i][1][j], mi = even[i][1][j] - odd[i][0][j];
      vd result[4] = {mad(pr, c, -pi * s), mad(mr, c, mi * s), mad(pi, c, pr * s), mad(mi, c, -mr * s)};
      double *out = z + (int64_t)i * 4 * n_h + h + j * VL;
      for (int part = 0; part < 4; part++, out += n_h) store(out, first ? result[part] : load(out) + result[part]);
    }
}

/* z_rct (n_r rows (d, m, p); re, im; positive then negative half of the times) of one band, added unless first. */
void dotpe_expand_grid(double *z_rct, const double *y, int32_t ldy, const double *ec, const double *es,
                       const double *cosFc_h, const double *sinFc_h, int32_t n_r, int32_t rc, int32_t rs, int32_t n_h,
                       int32_t first) {
  for (int r = 0; r < n_r;) {
    const int pairs = n_r - r >= PAIRS ? PAIRS : 1;
    double *z = z_rct + (int64_t)r * 4 * n_h;
    const double *row = y + (int64_t)r * 2 * ldy;
    for (int h = 0; h < n_h;) {
      const int wide = n_h - h >= WIDE * VL ? WIDE : 1;
#define GRID(P, W) grid_block(z, row, ldy, ec, es, cosFc_h, sinFc_h, rc, rs, n_h, h, first, P, W)
      if (pairs == PAIRS) {
        if (wide == WIDE) GRID(PAIRS, WIDE);
        else GRID(PAIRS, 1);
      } else {
        if (wide == WIDE) GRID(1, WIDE);
        else GRID(1, 1);
      }
      h += wide * VL;
    }
    r += pairs;
  }
}

/* Vectors of extrinsic samples that share a load of y: eight chains of multiply-adds, with re and im. */
#define WIDE_SET 4

INLINE void row_times_set(vd (*sum)[WIDE_SET], const double *y, int64_t ldy, const double *basis, int64_t ld, int n_k,
                          int wide) {
  for (int k = 0; k < n_k; k++) {
    vd x[WIDE_SET];
#pragma GCC unroll 4
    for (int j = 0; j < wide; j++) x[j] = load(basis + k * ld + j * VL);
#pragma GCC unroll 2
    for (int c = 0; c < 2; c++) {
      vd s = all(y[c * ldy + k]);
#pragma GCC unroll 4
      for (int j = 0; j < wide; j++) sum[c][j] = mad(s, x[j], sum[c][j]);
    }
  }
}

INLINE void set_block(double *dh, const double *y, int64_t ldy, const double *x, const double *cosFc,
                      const double *sinFc, int rc, int rs, int64_t n_e, int e, int first, int wide) {
  vd even[2][WIDE_SET], odd[2][WIDE_SET];
  for (int c = 0; c < 2; c++)
    for (int j = 0; j < wide; j++) even[c][j] = odd[c][j] = all(0);
  for (int p = 0; p < 2; p++) {
    const double *basis = x + (int64_t)p * (rc + rs) * n_e + e, *row = y + p * 2 * ldy;
    row_times_set(even, row, ldy, basis, n_e, rc, wide);
    row_times_set(odd, row + rc, ldy, basis + rc * n_e, n_e, rs, wide);
  }
  for (int j = 0; j < wide; j++) {
    vd c = load(cosFc + e + j * VL), s = load(sinFc + e + j * VL);
    vd pr = even[0][j] - odd[1][j], pi = even[1][j] + odd[0][j];
    double *re = dh + e + j * VL, *im = re + n_e;
    vd a = mad(pr, c, -pi * s), b = mad(pi, c, pr * s);
    store(re, first ? a : load(re) + a);
    store(im, first ? b : load(im) + b);
  }
}

/* dh_mce += the contribution of one detector: sum_p F_pe z_mp(t_e); x_pke = F_pe times the basis at t_e. */
void dotpe_expand_set(double *dh_mce, const double *y, int64_t start, int32_t ldy, const double *x_pke,
                      const double *cosFc_e, const double *sinFc_e, int32_t n_m, int32_t rc, int32_t rs, int32_t n_e,
                      int32_t first) {
  for (int m = 0; m < n_m; m++) {
    double *dh = dh_mce + (int64_t)m * 2 * n_e;
    const double *row = y + start + (int64_t)m * 4 * ldy;
    for (int e = 0; e < n_e;) {
      const int wide = n_e - e >= WIDE_SET * VL ? WIDE_SET : 1;
      if (wide == WIDE_SET) set_block(dh, row, ldy, x_pke, cosFc_e, sinFc_e, rc, rs, n_e, e, first, WIDE_SET);
      else set_block(dh, row, ldy, x_pke, cosFc_e, sinFc_e, rc, rs, n_e, e, first, 1);
      e += wide * VL;
    }
  }
}
