/* The transform of stage 2 in single precision, twice as many lanes a vector: for a first look at every sample, with the
 * best looked at again in double precision. Twins of src/kernels/ref-single.ts. As in project.c each output is one chain of
 * multiply-adds in the order of its index. */
#include "simd.h"

#define VF (2 * VL)

typedef float vf __attribute__((vector_size(4 * VF)));
typedef float vf_unaligned __attribute__((vector_size(4 * VF), aligned(4)));
typedef float vh __attribute__((vector_size(4 * VL)));
typedef float vh_unaligned __attribute__((vector_size(4 * VL), aligned(4)));

INLINE vf load_f(const float *x) { return *(const vf_unaligned *)x; }
INLINE void store_f(float *x, vf v) { *(vf_unaligned *)x = v; }
INLINE vf all_f(float x) { return x - (vf){0}; }

INLINE vf mad_f(vf a, vf b, vf c) {
#if VL == 8
  return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif VL == 4
  return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
  return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}

void dotpe_weighted_single(float *g_dmpcb, const double *w_dmpcb, const double *h_mpcb, int32_t n_d, int32_t n_mp,
                           int32_t n_bp) {
  for (int d = 0; d < n_d; d++)
    for (int row = 0; row < n_mp; row++) {
      int64_t at = ((int64_t)d * n_mp + row) * 2 * n_bp;
      const double *u = w_dmpcb + at, *v = u + n_bp, *x = h_mpcb + (int64_t)row * 2 * n_bp, *y = x + n_bp;
      float *re = g_dmpcb + at, *im = re + n_bp;
      for (int b = 0; b < n_bp; b += VL) {
        vd uv = load(u + b), vv = load(v + b), xv = load(x + b), yv = load(y + b);
        *(vh_unaligned *)(re + b) = __builtin_convertvector(mad(uv, xv, vv * yv), vh);
        *(vh_unaligned *)(im + b) = __builtin_convertvector(mad(vv, xv, -uv * yv), vh);
      }
    }
}

/* Rows that share a load of the basis: with NV vectors of it, enough chains to hide the latency of a multiply-add. */
INLINE void tile(float *y, int64_t ldy, const float *a, int64_t lda, const float *q, int64_t ldq, int n_b, int rows,
                 int nv) {
  vf c[8][4];
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < nv; j++) c[i][j] = all_f(0);
  for (int b = 0; b < n_b; b++) {
    vf x[4];
#pragma GCC unroll 4
    for (int j = 0; j < nv; j++) x[j] = load_f(q + b * ldq + j * VF);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
      vf s = all_f(a[i * lda + b]);
#pragma GCC unroll 4
      for (int j = 0; j < nv; j++) c[i][j] = mad_f(s, x[j], c[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < nv; j++) store_f(y + i * ldy + j * VF, c[i][j]);
}

/* y_rk = sum_b a_rb q_bk for n_r rows (a multiple of 4) and n_k columns (a multiple of 16). */
void dotpe_project_single(float *y, int32_t ldy, const float *a, int64_t start, int32_t lda, const float *q, int32_t n_r,
                          int32_t n_b, int32_t n_k) {
  a += start;
  for (int k = 0; k < n_k;) {
    const int left = (n_k - k) / VF;
    const int nv = left >= 3 ? 3 : left;
    for (int r = 0; r < n_r;) {
      const int rows = VL == 8 && n_r - r >= 8 ? 8 : 4;
#define RUN(R, NV) tile(y + (int64_t)r * ldy + k, ldy, a + (int64_t)r * lda, lda, q + k, n_k, n_b, R, NV)
      if (rows == 8) {
        if (nv == 3) RUN(8, 3);
        else if (nv == 2) RUN(8, 2);
        else RUN(8, 1);
      } else {
        if (nv == 3) RUN(4, 3);
        else if (nv == 2) RUN(4, 2);
        else RUN(4, 1);
      }
      r += rows;
    }
    k += nv * VF;
  }
}

/* Rows (pairs of re and im) of an expansion that share a load of the basis. */
#define PAIRS (VL == 8 ? 4 : 3)

INLINE void rows_times_basis(vf (*sum)[2], const float *y, int64_t ldy, const float *basis, int64_t ld, int n_k, int pairs,
                             int wide) {
#pragma GCC unroll 8
  for (int i = 0; i < 2 * pairs; i++)
#pragma GCC unroll 2
    for (int j = 0; j < wide; j++) sum[i][j] = all_f(0);
  for (int k = 0; k < n_k; k++) {
    vf x[2];
#pragma GCC unroll 2
    for (int j = 0; j < wide; j++) x[j] = load_f(basis + k * ld + j * VF);
#pragma GCC unroll 8
    for (int i = 0; i < 2 * pairs; i++) {
      vf s = all_f(y[i * ldy + k]);
#pragma GCC unroll 2
      for (int j = 0; j < wide; j++) sum[i][j] = mad_f(s, x[j], sum[i][j]);
    }
  }
}

INLINE void put(float *out, vf v, int first) { store_f(out, first ? v : load_f(out) + v); }

INLINE void grid_block(float *z, const float *y, int64_t ldy, const float *ec, const float *es, const float *cosFc,
                       const float *sinFc, int rc, int rs, int64_t n_h, int first, int pairs, int wide) {
  vf even[2 * PAIRS][2], odd[2 * PAIRS][2];
  rows_times_basis(even, y, ldy, ec, n_h, rc, pairs, wide);
  rows_times_basis(odd, y + rc, ldy, es, n_h, rs, pairs, wide);
#pragma GCC unroll 4
  for (int i = 0; i < pairs; i++)
#pragma GCC unroll 2
    for (int j = 0; j < wide; j++) {
      vf c = load_f(cosFc + j * VF), s = load_f(sinFc + j * VF);
      vf pr = even[2 * i][j] - odd[2 * i + 1][j], pi = even[2 * i + 1][j] + odd[2 * i][j];
      vf mr = even[2 * i][j] + odd[2 * i + 1][j], mi = even[2 * i + 1][j] - odd[2 * i][j];
      float *out = z + (int64_t)i * 4 * n_h + j * VF;
      put(out, mad_f(pr, c, -pi * s), first);
      put(out + n_h, mad_f(mr, c, mi * s), first);
      put(out + 2 * n_h, mad_f(pi, c, pr * s), first);
      put(out + 3 * n_h, mad_f(mi, c, -mr * s), first);
    }
}

/* As dotpe_expand_grid; n_h is a multiple of 16. */
void dotpe_expand_grid_single(float *z_rct, const float *y, int32_t ldy, const float *ec, const float *es,
                              const float *cosFc_h, const float *sinFc_h, int32_t n_r, int32_t rc, int32_t rs,
                              int32_t n_h, int32_t first) {
  for (int r = 0; r < n_r;) {
    const int pairs = n_r - r >= PAIRS ? PAIRS : 1;
    float *z = z_rct + (int64_t)r * 4 * n_h;
    const float *row = y + (int64_t)r * 2 * ldy;
    for (int h = 0; h < n_h;) {
      const int wide = n_h - h >= 2 * VF ? 2 : 1;
#define GRID(P, W) grid_block(z + h, row, ldy, ec + h, es + h, cosFc_h + h, sinFc_h + h, rc, rs, n_h, first, P, W)
      if (pairs == PAIRS) {
        if (wide == 2) GRID(PAIRS, 2);
        else GRID(PAIRS, 1);
      } else {
        if (wide == 2) GRID(1, 2);
        else GRID(1, 1);
      }
      h += wide * VF;
    }
    r += pairs;
  }
}

void dotpe_widen(double *out, const float *x, int64_t n) {
  for (int64_t k = 0; k < n; k += VL) store(out + k, __builtin_convertvector(*(const vh_unaligned *)(x + k), vd));
}
