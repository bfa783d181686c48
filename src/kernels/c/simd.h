/* Vectors of doubles as wide as the instruction set has. Lanes run over independent outputs, so a result does not
 * depend on the width; the sums over bins keep eight partial sums in a fixed order for the same reason. */
#ifndef DOTPE_SIMD_H
#define DOTPE_SIMD_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define VL 8
#elif defined(__AVX__)
#include <immintrin.h>
#define VL 4
#else
#define VL 2
#if defined(__aarch64__)
#include <arm_neon.h>
#else
#include <emmintrin.h>
#endif
#endif

/* Eight partial sums take this many vectors. */
#define V8 (8 / VL)

typedef double vd __attribute__((vector_size(8 * VL)));
typedef int64_t vi __attribute__((vector_size(8 * VL)));
typedef uint64_t vu __attribute__((vector_size(8 * VL)));
typedef double vd_unaligned __attribute__((vector_size(8 * VL), aligned(8)));

#define INLINE static inline __attribute__((always_inline))

INLINE vd load(const double *x) { return *(const vd_unaligned *)x; }
INLINE void store(double *x, vd v) { *(vd_unaligned *)x = v; }
/* x - 0 is x for every x, so nothing is left of the subtraction; x + 0 would turn -0 into 0. */
INLINE vd all(double x) { return x - (vd){0}; }

/* a b + c, rounded once where the processor can. Written out, because a compiler that is left to fuse chooses which of two
 * products it fuses, and chooses differently in each copy of an inlined function: build.sh forbids it to. */
INLINE vd mad(vd a, vd b, vd c) {
#if VL == 8
  return (vd)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif VL == 4
  return (vd)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__aarch64__)
  return (vd)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
  return a * b + c;
#endif
}

INLINE vd vmax(vd a, vd b) {
#if VL == 8
  return (vd)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif VL == 4
  return (vd)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif defined(__aarch64__)
  return (vd)vmaxq_f64((float64x2_t)a, (float64x2_t)b);
#else
  return (vd)_mm_max_pd((__m128d)a, (__m128d)b);
#endif
}

INLINE vd vsqrt(vd a) {
#if VL == 8
  return (vd)_mm512_sqrt_pd((__m512d)a);
#elif VL == 4
  return (vd)_mm256_sqrt_pd((__m256d)a);
#elif defined(__aarch64__)
  return (vd)vsqrtq_f64((float64x2_t)a);
#else
  return (vd)_mm_sqrt_pd((__m128d)a);
#endif
}

/* sqrt(a) or up to 0.4% more, for a >= 0: one Newton step from below on a guess of 1/sqrt(a) that is good to 3.5%. */
INLINE vd above_sqrt(vd a) {
  vd y = (vd)(0x5fe6eb50c7b537a9LL - (vi)((vu)a >> 1));
  return a * y * mad((-0.5 * a) * y, y, all(1.5)) * 1.002;
}

/* a in the lanes where the mask is negative, b in the others. */
INLINE vd where_negative(vi mask, vd a, vd b) {
#if VL == 8
  return (vd)_mm512_mask_blend_pd(_mm512_movepi64_mask((__m512i)mask), (__m512d)b, (__m512d)a);
#elif VL == 4
  return (vd)_mm256_blendv_pd((__m256d)b, (__m256d)a, (__m256d)mask);
#else
  vi chosen = mask < 0;
  return (vd)(((vi)a & chosen) | ((vi)b & ~chosen));
#endif
}

/* One bit for each lane in which a is not less than b, lane 0 the lowest: also where either is not a number. */
INLINE unsigned not_below(vd a, vd b) {
#if VL == 8
  return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_NLT_UQ);
#elif VL == 4
  return _mm256_movemask_pd(_mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_NLT_UQ));
#else
  return (a[0] < b[0] ? 0 : 1) | (a[1] < b[1] ? 0 : 2);
#endif
}

/* sum[v] += amplitude times a wave of `PhaseTables.waves_Oxo` at eight phases: row x of the block of n_x rows. */
INLINE void add_wave(vd *sum, double amplitude, const double *block_xo, int x) {
#pragma GCC unroll 4
  for (int v = 0; v < V8; v++) sum[v] = mad(all(amplitude), load(block_xo + 8 * x + v * VL), sum[v]);
}

INLINE void all8(vd *sum, double value) {
#pragma GCC unroll 4
  for (int v = 0; v < V8; v++) sum[v] = all(value);
}

INLINE double largest(vd a) {
  double best = a[0];
  for (int j = 1; j < VL; j++) best = a[j] > best ? a[j] : best;
  return best;
}

/* The sum of eight partial sums, always in the same order. */
INLINE double sum8(const vd *partial) {
  double x[8];
  for (int v = 0; v < V8; v++) store(x + v * VL, partial[v]);
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

#endif
