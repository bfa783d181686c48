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

/* Rows (pairs of re and im) and vectors of times that an expansion holds in registers: eight chains of multiply-adds or
 * more hide their latency. */
#if VL == 8
#define PAIRS 2
#define WIDE 2
#define MODES 2
#define WIDE_SET 4
#else
#define PAIRS (VL == 4 ? 3 : 2)
#define WIDE 2
#define MODES 2
#define WIDE_SET (VL == 4 ? 3 : 2)
#endif

/* sum[2 i + c][j] += y[row i, c] times the basis, over n_k functions. */
INLINE void rows_times_basis(vd (*sum)[WIDE], const double *y, int64_t ldy, const double *basis, int64_t ld, int n_k,
                             int pairs, int wide) {
  for (int k = 0; k < n_k; k++) {
    vd x[WIDE];
#pragma GCC unroll 4
    for (int j = 0; j < wide; j++) x[j] = load(basis + k * ld + j * VL);
#pragma GCC unroll 4
    for (int i = 0; i < pairs; i++)
#pragma GCC unroll 2
      for (int c = 0; c < 2; c++) {
        vd s = all(y[(2 * i + c) * ldy + k]);
#pragma GCC unroll 4
        for (int j = 0; j < wide; j++) sum[2 * i + c][j] = mad(s, x[j], sum[2 * i + c][j]);
      }
  }
}

INLINE void zero(vd (*sum)[WIDE], int rows, int wide) {
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < wide; j++) sum[i][j] = all(0);
}

INLINE void grid_block(double *z, const double *y, int64_t ldy, const double *ec, const double *es, const double *cosFc,
                       const double *sinFc, int rc, int rs, int64_t n_h, int h, int first, int pairs, int wide) {
  vd even[2 * PAIRS][WIDE], odd[2 * PAIRS][WIDE];
  zero(even, 2 * pairs, wide);
  rows_times_basis(even, y, ldy, ec + h, n_h, rc, pairs, wide);
  zero(odd, 2 * pairs, wide);
  rows_times_basis(odd, y + rc, ldy, es + h, n_h, rs, pairs, wide);
#pragma GCC unroll 4
  for (int i = 0; i < pairs; i++)
#pragma GCC unroll 4
    for (int j = 0; j < wide; j++) {
      vd c = load(cosFc + h + j * VL), s = load(sinFc + h + j * VL);
      vd pr = even[2 * i][j] - odd[2 * i + 1][j], pi = even[2 * i + 1][j] + odd[2 * i][j];
      vd mr = even[2 * i][j] + odd[2 * i + 1][j], mi = even[2 * i + 1][j] - odd[2 * i][j];
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

INLINE void set_block(double *dh, const double *a, const double *x, const double *cosFc, const double *sinFc, int n_k,
                      int64_t n_e, int first, int modes, int wide) {
  vd sum[2 * MODES][WIDE_SET];
#pragma GCC unroll 4
  for (int i = 0; i < 2 * modes; i++)
#pragma GCC unroll 4
    for (int j = 0; j < wide; j++) sum[i][j] = all(0);
  for (int k = 0; k < n_k; k++) {
    vd f[WIDE_SET];
#pragma GCC unroll 4
    for (int j = 0; j < wide; j++) f[j] = load(x + k * n_e + j * VL);
#pragma GCC unroll 4
    for (int i = 0; i < 2 * modes; i++) {
      vd s = all(a[i * n_k + k]);
#pragma GCC unroll 4
      for (int j = 0; j < wide; j++) sum[i][j] = mad(s, f[j], sum[i][j]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < modes; i++)
#pragma GCC unroll 4
    for (int j = 0; j < wide; j++) {
      vd c = load(cosFc + j * VL), s = load(sinFc + j * VL);
      double *re = dh + (int64_t)i * 2 * n_e + j * VL, *im = re + n_e;
      vd u = mad(sum[2 * i][j], c, -sum[2 * i + 1][j] * s), v = mad(sum[2 * i + 1][j], c, sum[2 * i][j] * s);
      store(re, first ? u : load(re) + u);
      store(im, first ? v : load(im) + v);
    }
}

/* dh_mce += exp(2 pi i f_c tau_e) sum_k a_mck x_ke, of one detector. The modes go round inside: the columns of x, more than
 * a first-level cache holds, are fetched once. */
void dotpe_expand_set(double *dh_mce, const double *a_mck, int64_t start, const double *x_ke, const double *cosFc_e,
                      const double *sinFc_e, int32_t n_m, int32_t n_k, int32_t n_e, int32_t first) {
  for (int e = 0; e < n_e;) {
    const int left = (n_e - e) / VL, wide = left >= WIDE_SET ? WIDE_SET : left >= 2 ? 2 : 1;
    for (int m = 0; m < n_m;) {
      const int modes = n_m - m >= MODES ? MODES : 1;
      double *dh = dh_mce + (int64_t)m * 2 * n_e + e;
      const double *a = a_mck + start + (int64_t)m * 2 * n_k;
#define SET(M, W) set_block(dh, a, x_ke + e, cosFc_e + e, sinFc_e + e, n_k, n_e, first, M, W)
      if (modes == MODES) {
        if (wide == WIDE_SET) SET(MODES, WIDE_SET);
        else if (wide == 2) SET(MODES, 2);
        else SET(MODES, 1);
      } else {
        if (wide == WIDE_SET) SET(1, WIDE_SET);
        else if (wide == 2) SET(1, 2);
        else SET(1, 1);
      }
      m += modes;
    }
    e += wide * VL;
  }
}
