/* The smooth reference waveform on the FFT grid, and waveforms that are splines times it. Twins of src/kernels/ref-smooth-waveform.ts. */
#include "vmath.h"

/* A piece of a cubic spline at distance s from its knot. */
INLINE vd piece(const double *c, vd s) { return mad(s, mad(s, mad(s, all(c[3]), all(c[2])), all(c[1])), all(c[0])); }

/* VL numbers, or those before the end of the array and zeros. */
INLINE vd load_to(const double *x, int k, int end) {
  if (k + VL <= end) return load(x + k);
  double some[VL] = {0};
  for (int j = 0; k + j < end; j++) some[j] = x[k + j];
  return load(some);
}

/* VL numbers, or those that fit before the end. What lies beyond an interval is written again with the next one. */
INLINE void store_to(double *x, vd v, int k, int end) {
  if (k + VL <= end) {
    store(x + k, v);
    return;
  }
  double some[VL];
  store(some, v);
  for (int j = 0; k + j < end; j++) x[k + j] = some[j];
}

void dotpe_smooth_mode(double *h_cf, const double *f, const int32_t *edges, const double *knots, const double *pieces,
                       const double *series, int32_t n_b, int64_t stride) {
  double *re = h_cf, *im = h_cf + stride;
  const int last = edges[n_b - 1];
  for (int j = 0; j < n_b - 1; j++) {
    const int end = edges[j + 1];
    for (int k = edges[j]; k < end; k += VL) {
      vd freq = load_to(f, k, last);
      vd logF = log_v(freq);
      vd x = exp_v(logF * (1.0 / 3));
      x = x - (x * x * x - freq) / (x * x * 3.0);
      vd x2 = x * x;
      vd sum = mad(x, all(series[8]), mad(logF, all(series[7]), all(series[6])));
      sum = mad(x, sum, mad(logF, all(series[5]), all(series[4])));
      sum = mad(x, mad(x, sum, all(series[3])), all(series[2]));
      sum = mad(x2, mad(x, sum, all(series[1])), all(1.0));
      vd angle = mad(all(series[0]) / (x2 * x2 * x), sum, piece(pieces + 4 * j, freq - all(knots[j])));
      vd s, c, amplitude = 1.0 / (freq * vsqrt(x));
      sincos_v(angle, &s, &c);
      store_to(re, amplitude * c, k, last);
      store_to(im, amplitude * s, k, last);
    }
  }
}

void dotpe_spline_sum(double *out_cf, const double *hRe_mf, const double *hIm_mf, const double *f, const int32_t *edges,
                      const double *knots, const double *pieces_mpcj, const double *factor_mpc, int32_t n_m, int32_t n_b,
                      int32_t n_f) {
  double *re = out_cf, *im = out_cf + n_f;
  double both[n_m][2][4];
  const int last = edges[n_b - 1];
  const int64_t size = 4 * (n_b - 1);
  for (int j = 0; j < n_b - 1; j++) {
    for (int m = 0; m < n_m; m++) {
      const double *plus = pieces_mpcj + 4 * m * size + 4 * j, *cross = plus + 2 * size, *a = factor_mpc + 4 * m;
      for (int k = 0; k < 4; k++) {
        both[m][0][k] = a[0] * plus[k] - a[1] * plus[size + k] + a[2] * cross[k] - a[3] * cross[size + k];
        both[m][1][k] = a[0] * plus[size + k] + a[1] * plus[k] + a[2] * cross[size + k] + a[3] * cross[k];
      }
    }
    const int end = edges[j + 1];
    for (int k = edges[j]; k < end; k += VL) {
      vd s = load_to(f, k, last) - all(knots[j]);
      vd sumRe = all(0.0), sumIm = all(0.0);
      for (int m = 0; m < n_m; m++) {
        vd a = piece(both[m][0], s), b = piece(both[m][1], s);
        vd hRe = load_to(hRe_mf + (int64_t)m * n_f, k, last), hIm = load_to(hIm_mf + (int64_t)m * n_f, k, last);
        sumRe = mad(hRe, a, mad(-hIm, b, sumRe));
        sumIm = mad(hRe, b, mad(hIm, a, sumIm));
      }
      store_to(re, sumRe, k, last);
      store_to(im, sumIm, k, last);
    }
  }
}

int32_t dotpe_power_index(const double *re_f, const double *im_f, const double *weight_f, double share, int32_t n_f) {
  double total = 0, sum = 0;
  for (int k = 0; k < n_f; k++) total += (re_f[k] * re_f[k] + im_f[k] * im_f[k]) * weight_f[k];
  for (int k = 0; k < n_f; k++) {
    sum += (re_f[k] * re_f[k] + im_f[k] * im_f[k]) * weight_f[k];
    if (sum / total >= share) return k;
  }
  return -1;
}
