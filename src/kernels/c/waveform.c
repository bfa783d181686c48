/* Waveforms of bank samples, their time alignment, and their products with the weights. Twins of src/kernels/ref-waveform.ts. */
#include "vmath.h"

void dotpe_waveform(double *h_mpcb, const double *amplitude, const double *phase, int64_t start, int64_t stride,
                    const double *f_b, double dt, int32_t n_mp, int32_t n_b, int32_t n_bp) {
  const double omega = 2 * M_PI * dt;
  const int whole = n_b / VL * VL;
  for (int row = 0; row < n_mp; row++) {
    const double *a = amplitude + start + row * stride, *p = phase + start + row * stride;
    double *re = h_mpcb + (int64_t)row * 2 * n_bp, *im = re + n_bp;
    for (int b = 0; b < n_bp; b += VL) {
      vd av, pv;
      if (b < whole) {
        av = load(a + b);
        pv = load(p + b);
      } else {
        double at[VL] = {0}, pt[VL] = {0};
        for (int j = 0; j < VL && b + j < n_b; j++) at[j] = a[b + j], pt[j] = p[b + j];
        av = load(at);
        pv = load(pt);
      }
      vd s, c;
      sincos_v(mad(all(omega), load(f_b + b), pv), &s, &c);
      store(re + b, av * c);
      store(im + b, av * s);
    }
  }
}

/* The lanes of b shifted up by n, those of a moved in from below. */
#if VL == 8
#define SHIFT(a, b, n) __builtin_shufflevector(a, b, 8 - n, 9 - n, 10 - n, 11 - n, 12 - n, 13 - n, 14 - n, 15 - n)
#elif VL == 4
#define SHIFT(a, b, n) __builtin_shufflevector(a, b, 4 - n, 5 - n, 6 - n, 7 - n)
#else
#define SHIFT(a, b, n) __builtin_shufflevector(a, b, 2 - n, 3 - n)
#endif

/* Sums over the lanes up to each one. Whole numbers: no order rounds. */
INLINE vd running_sum(vd x) {
  const vd zero = all(0);
  x += SHIFT(zero, x, 1);
#if VL >= 4
  x += SHIFT(zero, x, 2);
#endif
#if VL == 8
  x += SHIFT(zero, x, 4);
#endif
  return x;
}

INLINE vd load_some(const double *x, int n) {
  double some[VL] = {0};
  for (int j = 0; j < VL && j < n; j++) some[j] = x[j];
  return load(some);
}

double dotpe_align(const double *amplitude, const double *phase, int64_t start, const double *f_b,
                   const double *refPhase_b, const double *fitWeight_b, double fMiddle, int32_t n_b) {
  vd sums[5][V8];
  for (int k = 0; k < 5; k++)
    for (int v = 0; v < V8; v++) sums[k][v] = all(0);
  const double *a = amplitude + start, *p = phase + start;
  vd before = all(p[0] - refPhase_b[0]), turns = all(0);
  for (int bin = 0; bin < n_b; bin += 8)
#pragma GCC unroll 4
    for (int v = 0; v < V8; v++) {
      const int b = bin + v * VL, left = n_b - b;
      const int whole = left >= VL;
      vd angle = (whole ? load(p + b) : load_some(p + b, left)) - (whole ? load(refPhase_b + b) : load_some(refPhase_b + b, left));
      vd step = (angle - SHIFT(before, angle, 1)) * (0.5 / M_PI);
      turns = running_sum((step + ROUND) - ROUND) + turns[VL - 1];
      before = angle;
      vd w = (whole ? load(fitWeight_b + b) : load_some(fitWeight_b + b, left)) * (whole ? load(a + b) : load_some(a + b, left));
      vd x = (whole ? load(f_b + b) : load_some(f_b + b, left)) - fMiddle, y = angle - 2 * M_PI * turns;
      vd wx = w * x;
      sums[0][v] += w;
      sums[1][v] += wx;
      sums[2][v] += w * y;
      sums[3][v] += wx * x;
      sums[4][v] += wx * y;
    }
  double s[5];
  for (int k = 0; k < 5; k++) s[k] = sum8(sums[k]);
  return -(s[0] * s[4] - s[1] * s[2]) / (s[0] * s[3] - s[1] * s[1]) / (2 * M_PI);
}

/* A row of h is fetched once for all detectors. */
void dotpe_weighted(double *g_dmpcb, const double *w_dmpcb, const double *h_mpcb, int32_t n_d, int32_t n_mp,
                    int32_t n_bp) {
  for (int row = 0; row < n_mp; row++)
    for (int d = 0; d < n_d; d++) {
      const int64_t at = ((int64_t)d * n_mp + row) * 2 * n_bp;
      const double *u = w_dmpcb + at, *v = u + n_bp, *x = h_mpcb + (int64_t)row * 2 * n_bp, *y = x + n_bp;
      double *re = g_dmpcb + at, *im = re + n_bp;
      for (int b = 0; b < n_bp; b += VL) {
        vd uv = load(u + b), vv = load(v + b), xv = load(x + b), yv = load(y + b);
        store(re + b, mad(uv, xv, vv * yv));
        store(im + b, mad(vv, xv, -uv * yv));
      }
    }
}
