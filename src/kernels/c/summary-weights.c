/* A waveform or the data on the FFT grid, moved in time, and their summary weights. Twins of src/kernels/ref-summary-weights.ts. */
#include "vmath.h"

/* The first n of VL numbers; the others are 0. */
INLINE vd load_some(const double *x, int n) {
  double some[VL] = {0};
  for (int j = 0; j < n; j++) some[j] = x[j];
  return load(some);
}

INLINE void store_some(double *x, vd v, int n) {
  double some[VL];
  store(some, v);
  for (int j = 0; j < n; j++) x[j] = some[j];
}

INLINE void phasor_v(vd f, vd t, vd *sine, vd *cosine) {
  vd turns = f * t;
  sincos_v((turns - ((turns + ROUND) - ROUND)) * (2 * M_PI), sine, cosine);
}

void dotpe_turn(double *out_cf, const double *re_f, const double *im_f, const double *f, double t, int32_t n_f) {
  double *outRe = out_cf, *outIm = out_cf + n_f;
  vd s, c, re, im;
  int k = 0;
  for (; k + VL <= n_f; k += VL) {
    phasor_v(load(f + k), all(t), &s, &c);
    re = load(re_f + k), im = load(im_f + k);
    store(outRe + k, re * c - im * s);
    store(outIm + k, re * s + im * c);
  }
  if (k == n_f) return;
  phasor_v(load_some(f + k, n_f - k), all(t), &s, &c);
  re = load_some(re_f + k, n_f - k), im = load_some(im_f + k, n_f - k);
  store_some(outRe + k, re * c - im * s, n_f - k);
  store_some(outIm + k, re * s + im * c, n_f - k);
}

/* Sums over one interval of g, g t, g t^2, g t^3, g = weight x conj(y): re, then im. */
typedef struct {
  vd re[4][V8], im[4][V8];
} moments;

INLINE void add_moments(moments *sums, int v, vd t, vd weight, vd xRe, vd xIm, vd yRe, vd yIm) {
  vd gRe = weight * mad(xRe, yRe, xIm * yIm), gIm = weight * mad(xIm, yRe, -xRe * yIm);
  vd t2 = t * t, t3 = t2 * t;
  sums->re[0][v] += gRe;
  sums->re[1][v] = mad(gRe, t, sums->re[1][v]);
  sums->re[2][v] = mad(gRe, t2, sums->re[2][v]);
  sums->re[3][v] = mad(gRe, t3, sums->re[3][v]);
  sums->im[0][v] += gIm;
  sums->im[1][v] = mad(gIm, t, sums->im[1][v]);
  sums->im[2][v] = mad(gIm, t2, sums->im[2][v]);
  sums->im[3][v] = mad(gIm, t3, sums->im[3][v]);
}

/* Adds to the values and slopes at both ends of interval j what its moments give them. */
INLINE void spread(double *value, double *slope, int j, double width, double scale, const double *s) {
  double right = scale * (3 * s[2] - 2 * s[3]);
  value[j] += scale * s[0] - right;
  value[j + 1] += right;
  slope[j] += width * scale * (s[1] - 2 * s[2] + s[3]);
  slope[j + 1] += width * scale * (s[3] - s[2]);
}

/* out += R^T T^-T v; v is overwritten. */
INLINE void add_transposed(double *out, double *v, const double *right, const double *lower, const double *pivot,
                           const double *upper, int n) {
  v[0] /= pivot[0];
  for (int j = 1; j < n; j++) v[j] = (v[j] - upper[j - 1] * v[j - 1]) / pivot[j];
  for (int j = n - 2; j >= 0; j--) v[j] -= lower[j + 1] * v[j + 1];
  for (int j = 0; j < n; j++) {
    int c = j == 0 ? 0 : j == n - 1 ? n - 3 : j - 1;
    out[c] += right[3 * j] * v[j];
    out[c + 1] += right[3 * j + 1] * v[j];
    out[c + 2] += right[3 * j + 2] * v[j];
  }
}

/* All lanes for n >= VL, else the first n. */
INLINE vd lanes_below(int n) {
  int64_t lane[VL];
  for (int j = 0; j < VL; j++) lane[j] = j < n ? -1 : 0;
  vi mask;
  memcpy(&mask, lane, sizeof mask);
  return (vd)mask;
}

void dotpe_summary_weights(double *w_cb, const int32_t *edges, const double *place_f, const double *width_j,
                           const double *right, const double *lower, const double *pivot, const double *upper,
                           const double *weight_f, const double *xRe_f, const double *xIm_f, const double *yRe_f,
                           const double *yIm_f, const double *xRe_b, const double *xIm_b, const double *yRe_b,
                           const double *yIm_b, double scale, int32_t n_b, int32_t n_f) {
  double *re = w_cb, *im = re + n_b, *slopeRe = im + n_b, *slopeIm = slopeRe + n_b;
  memset(w_cb, 0, 4 * (size_t)n_b * sizeof *w_cb);
  for (int j = 0; j < n_b - 1; j++) {
    moments sums;
    memset(&sums, 0, sizeof sums);
    int f = edges[j], end = edges[j + 1];
    for (; f + 8 <= end; f += 8)
      for (int v = 0; v < V8; v++) {
        int at = f + v * VL;
        add_moments(&sums, v, load(place_f + at), load(weight_f + at), load(xRe_f + at), load(xIm_f + at),
                    load(yRe_f + at), load(yIm_f + at));
      }
    for (int v = 0; v < V8; v++) {
      int at = f + v * VL, n = end - at < VL ? end - at : VL;
      if (n <= 0) break;
      if (at + VL <= n_f) {
        /* What follows the interval is the grid's, and counts nothing. */
        vd weight = (vd)((vi)load(weight_f + at) & (vi)lanes_below(n));
        add_moments(&sums, v, load(place_f + at), weight, load(xRe_f + at), load(xIm_f + at), load(yRe_f + at),
                    load(yIm_f + at));
      } else {
        add_moments(&sums, v, load_some(place_f + at, n), load_some(weight_f + at, n), load_some(xRe_f + at, n),
                    load_some(xIm_f + at, n), load_some(yRe_f + at, n), load_some(yIm_f + at, n));
      }
    }
    double sRe[4], sIm[4];
    for (int k = 0; k < 4; k++) sRe[k] = sum8(sums.re[k]), sIm[k] = sum8(sums.im[k]);
    spread(re, slopeRe, j, width_j[j], scale, sRe);
    spread(im, slopeIm, j, width_j[j], scale, sIm);
  }
  add_transposed(re, slopeRe, right, lower, pivot, upper, n_b);
  add_transposed(im, slopeIm, right, lower, pivot, upper, n_b);
  for (int b = 0; b < n_b; b++) {
    double dRe = xRe_b[b] * yRe_b[b] + xIm_b[b] * yIm_b[b], dIm = xIm_b[b] * yRe_b[b] - xRe_b[b] * yIm_b[b];
    double square = dRe * dRe + dIm * dIm, a = re[b], c = im[b];
    re[b] = (a * dRe + c * dIm) / square;
    im[b] = (c * dRe - a * dIm) / square;
  }
}
