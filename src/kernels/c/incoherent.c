/* Largest single-detector likelihood over phase and time. Twin of src/kernels/ref-incoherent.ts, where the formulas stand. */
#include "simd.h"

#define MAX_M 8
#define MAX_O 4096
#define MAX_T 16384

/* H_pP(o) = the part of equal modes + sum_k Re(hh_k e^{-ik phi}): component c of the groups 3 + 4k + c. */
INLINE vd h_component(const double *hh, double equal, int c, const double *cosK, const double *sinK, int n_k, int n_o,
                      int o) {
  vd sum = all(equal);
  for (int k = 0; k < n_k; k++) {
    const double *x = hh + 2 * (3 + 4 * k + c);
    sum = mad(all(x[0]), load(cosK + k * n_o + o), sum);
    sum = mad(all(x[1]), load(sinK + k * n_o + o), sum);
  }
  return sum;
}

double dotpe_incoherent_max(const double *z_mpct, int64_t z_start, const double *hh_gc, int64_t hh_start,
                            const double *cosM_mo, const double *sinM_mo, const double *cosK_ko, const double *sinK_ko,
                            int32_t n_m, int32_t n_k, int32_t n_t, int32_t n_o, int32_t symmetric) {
  static _Thread_local double inverse[3][MAX_O] __attribute__((aligned(64)));
  static _Thread_local double bound[MAX_T] __attribute__((aligned(64)));
  z_mpct += z_start;
  hh_gc += hh_start;
  const double h00 = hh_gc[0], h11 = hh_gc[2], h01 = hh_gc[4];
  const double l00 = sqrt(h00), l10 = h01 / l00, l11 = sqrt(h11 - l10 * l10);
  vd kappa_v = all(0);
  int positive = 1;
  for (int o = 0; o < n_o; o += VL) {
    vd a = h_component(hh_gc, h00, 0, cosK_ko, sinK_ko, n_k, n_o, o);
    vd b = h_component(hh_gc, h01, 1, cosK_ko, sinK_ko, n_k, n_o, o);
    vd c = h_component(hh_gc, h01, 2, cosK_ko, sinK_ko, n_k, n_o, o);
    vd e = h_component(hh_gc, h11, 3, cosK_ko, sinK_ko, n_k, n_o, o);
    if (symmetric) b = c = 0.5 * (b + c);
    vd det = mad(a, e, -b * c);
    vd id = 1.0 / det;
    vd k0 = e * id, k1 = -(b + c) * id, k2 = a * id;
    store(inverse[0] + o, k0);
    store(inverse[1] + o, k1);
    store(inverse[2] + o, k2);
    for (int j = 0; j < VL; j++) positive &= det[j] > 0;
    vd half = 0.5 * k1;
    vd m00 = l00 * (k0 * l00 + half * l10) + l10 * (half * l00 + k2 * l10);
    vd m01 = (l00 * half + l10 * k2) * l11, m11 = k2 * l11 * l11;
    vd difference = 0.5 * (m00 - m11);
    kappa_v = vmax(kappa_v, 0.5 * (m00 + m11) + vsqrt(difference * difference + m01 * m01));
  }
  const double kappa = largest(kappa_v);
  const int prune = positive && kappa < 1e300 && l11 > 0;

  int start = 0;
  if (prune) {
    const double i00 = 1 / l00, i10 = -l10 / (l00 * l11), i11 = 1 / l11;
    for (int t = 0; t < n_t; t += VL) {
      vd sum = all(0);
      for (int m = 0; m < n_m; m++) {
        const double *z = z_mpct + (int64_t)m * 4 * n_t + t;
        vd r0 = load(z), j0 = load(z + n_t), r1 = load(z + 2 * n_t), j1 = load(z + 3 * n_t);
        vd a = r0 * i00, b = j0 * i00, c = mad(r1, all(i11), r0 * i10), d = mad(j1, all(i11), j0 * i10);
        vd re = mad(a, a, c * c), im = mad(b, b, d * d), xr = re - im, xi = 2.0 * mad(a, b, c * d);
        sum += vsqrt(0.5 * (re + im + vsqrt(mad(xr, xr, xi * xi))));
      }
      store(bound + t, 0.5 * (1 + 1e-9) * kappa * sum * sum);
    }
    for (int t = 1; t < n_t; t++)
      if (bound[t] > bound[start]) start = t;
  }

  double best = 0;
  for (int step = -1; step < n_t; step++) {
    const int t = step < 0 ? start : step;
    if (step == start || (prune && step >= 0 && bound[t] < best)) continue;
    vd top = all(0);
    for (int o = 0; o < n_o; o += VL) {
      vd d0 = all(0), d1 = all(0);
      for (int m = 0; m < n_m; m++) {
        const double *z = z_mpct + (int64_t)m * 4 * n_t + t;
        vd c = load(cosM_mo + m * n_o + o), s = load(sinM_mo + m * n_o + o);
        d0 = mad(all(z[n_t]), s, mad(all(z[0]), c, d0));
        d1 = mad(all(z[3 * n_t]), s, mad(all(z[2 * n_t]), c, d1));
      }
      vd l = mad(d0, mad(load(inverse[0] + o), d0, load(inverse[1] + o) * d1), load(inverse[2] + o) * d1 * d1);
      top = vmax(top, l);
    }
    double value = 0.5 * largest(top);
    if (value > best) best = value;
  }
  return h00 > 0 && h11 > 0 && isfinite(h00) && isfinite(h11) ? best : NAN;
}
