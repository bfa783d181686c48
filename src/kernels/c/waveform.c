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

double dotpe_align(const double *amplitude, const double *phase, int64_t start, const double *f_b,
                   const double *refPhase_b, const double *fitWeight_b, double fMiddle, int32_t n_b) {
  double sums[5][8] = {{0}};
  double turns = 0, before = 0;
  const double *a = amplitude + start, *p = phase + start;
  for (int b = 0; b < n_b; b++) {
    double angle = p[b] - refPhase_b[b];
    if (b > 0) turns += rint((angle - before) * (0.5 / M_PI));
    before = angle;
    double w = fitWeight_b[b] * a[b], x = f_b[b] - fMiddle, y = angle - 2 * M_PI * turns;
    double wx = w * x;
    int lane = b & 7;
    sums[0][lane] += w;
    sums[1][lane] += wx;
    sums[2][lane] += w * y;
    sums[3][lane] += wx * x;
    sums[4][lane] += wx * y;
  }
  double s[5];
  for (int k = 0; k < 5; k++) {
    const double *x = sums[k];
    s[k] = ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
  }
  return -(s[0] * s[4] - s[1] * s[2]) / (s[0] * s[3] - s[1] * s[1]) / (2 * M_PI);
}

void dotpe_weighted(double *g_dmpcb, const double *w_dmpcb, const double *h_mpcb, int32_t n_d, int32_t n_mp,
                    int32_t n_bp) {
  for (int d = 0; d < n_d; d++)
    for (int row = 0; row < n_mp; row++) {
      int64_t at = ((int64_t)d * n_mp + row) * 2 * n_bp;
      const double *u = w_dmpcb + at, *v = u + n_bp, *x = h_mpcb + (int64_t)row * 2 * n_bp, *y = x + n_bp;
      double *re = g_dmpcb + at, *im = re + n_bp;
      for (int b = 0; b < n_bp; b += VL) {
        vd uv = load(u + b), vv = load(v + b), xv = load(x + b), yv = load(y + b);
        store(re + b, mad(uv, xv, vv * yv));
        store(im + b, mad(vv, xv, -uv * yv));
      }
    }
}
