/* Largest single-detector likelihood over phase and time. Twin of src/kernels/ref-incoherent.ts, where the formulas stand. */
#include "simd.h"

#define MAX_O 4096
#define MAX_T 16384

/* H_pP(o) = the part of equal modes + sum_k Re(hh_k e^{-ik phi}) at eight phases: component c of the groups 3 + 4k + c. */
INLINE void h_component(vd *sum, const double *hh, double equal, int c, const double *block, int n_m, int n_k) {
  all8(sum, equal);
  for (int k = 0; k < n_k; k++) {
    const double *x = hh + 2 * (3 + 4 * k + c);
    add_wave(sum, x[0], block, 2 * (n_m + k));
    add_wave(sum, x[1], block, 2 * (n_m + k) + 1);
  }
}

/* For each t, a bound of lnL over all phases: kappa / 2 (sum_m largest singular value of the whitened z_m)^2, where L L^T
 * is the part of H of equal modes and kappa the largest eigenvalue of L^T H^-1 L over phases. Returns a t that has nearly
 * the largest bound. */
INLINE int bound_times(double *bound_t, const double *z_mpct, const double *l, double kappa, int n_m, int n_t) {
  const double i00 = 1 / l[0], i10 = -l[1] / (l[0] * l[2]), i11 = 1 / l[2];
  vd top = all(-1);
  vi at = {0};
  for (int t = 0; t < n_t; t += VL) {
    vd sum = all(0);
    for (int m = 0; m < n_m; m++) {
      const double *z = z_mpct + (int64_t)m * 4 * n_t + t;
      vd r0 = load(z), j0 = load(z + n_t), r1 = load(z + 2 * n_t), j1 = load(z + 3 * n_t);
      vd a = r0 * i00, b = j0 * i00, c = mad(r1, all(i11), r0 * i10), d = mad(j1, all(i11), j0 * i10);
      vd re = mad(a, a, c * c), im = mad(b, b, d * d), xr = re - im, xi = 2.0 * mad(a, b, c * d);
      sum += above_sqrt(0.5 * (re + im + above_sqrt(mad(xr, xr, xi * xi))));
    }
    vd bound = 0.5 * (1 + 1e-9) * kappa * sum * sum;
    store(bound_t + t, bound);
    vi more = (vi)(bound > top);
    top = vmax(bound, top);
    at = (at & ~more) | (((vi){0} + t) & more);
  }
  int best = 0;
  for (int j = 1; j < VL; j++)
    if (top[j] > top[best]) best = j;
  return (int)at[best] + best;
}

/* max over o of d^T H^-1 d at one t. */
INLINE double largest_phase(const double *z_mpc, int n_t, const double (*inverse)[MAX_O], const double *waves_Oxo, int n_m,
                            int n_k, int n_o) {
  const int n_x = 2 * (n_m + n_k);
  vd top = all(0);
  for (int o8 = 0; o8 < n_o; o8 += 8) {
    const double *block = waves_Oxo + (int64_t)o8 * n_x;
    vd d0[V8], d1[V8];
    all8(d0, 0);
    all8(d1, 0);
    for (int m = 0; m < n_m; m++) {
      const double *z = z_mpc + (int64_t)m * 4 * n_t;
      add_wave(d0, z[0], block, 2 * m);
      add_wave(d1, z[2 * n_t], block, 2 * m);
      add_wave(d0, z[n_t], block, 2 * m + 1);
      add_wave(d1, z[3 * n_t], block, 2 * m + 1);
    }
#pragma GCC unroll 4
    for (int v = 0; v < V8; v++) {
      const int o = o8 + v * VL;
      vd k0 = load(inverse[0] + o), k1 = load(inverse[1] + o), k2 = load(inverse[2] + o);
      top = vmax(top, mad(d0[v], mad(k0, d0[v], k1 * d1[v]), k2 * d1[v] * d1[v]));
    }
  }
  return largest(top);
}

/* Visits the times in order of need: those whose bound is below what was found are passed over. */
INLINE double largest_lnl(const double *z_mpct, const double *hh_gc, const double *waves_Oxo, int n_m, int n_k, int n_t,
                          int n_o, int symmetric) {
  static _Thread_local double inverse[3][MAX_O] __attribute__((aligned(64)));
  static _Thread_local double bound[MAX_T] __attribute__((aligned(64)));
  const double h00 = hh_gc[0], h11 = hh_gc[2], h01 = hh_gc[4];
  const double l00 = sqrt(h00), l10 = h01 / l00, l11 = sqrt(h11 - l10 * l10);
  vd kappa_v = all(0), least = all(1);
  for (int o8 = 0; o8 < n_o; o8 += 8) {
    const double *block = waves_Oxo + (int64_t)o8 * 2 * (n_m + n_k);
    vd h_c[4][V8];
    for (int p = 0; p < 4; p++) h_component(h_c[p], hh_gc, p == 0 ? h00 : p == 3 ? h11 : h01, p, block, n_m, n_k);
#pragma GCC unroll 4
    for (int v = 0; v < V8; v++) {
      const int o = o8 + v * VL;
      vd a = h_c[0][v], b = h_c[1][v], c = h_c[2][v], e = h_c[3][v];
      if (symmetric) b = c = 0.5 * (b + c);
      vd det = mad(a, e, -b * c);
      vd id = 1.0 / det;
      vd k0 = e * id, k1 = -(b + c) * id, k2 = a * id;
      store(inverse[0] + o, k0);
      store(inverse[1] + o, k1);
      store(inverse[2] + o, k2);
      least = -vmax(-least, -det);
      vd half = 0.5 * k1;
      vd m00 = l00 * (k0 * l00 + half * l10) + l10 * (half * l00 + k2 * l10);
      vd m01 = (l00 * half + l10 * k2) * l11, m11 = k2 * l11 * l11;
      vd difference = 0.5 * (m00 - m11);
      kappa_v = vmax(kappa_v, 0.5 * (m00 + m11) + vsqrt(difference * difference + m01 * m01));
    }
  }
  const double kappa = largest(kappa_v);
  const int prune = -largest(-least) > 0 && kappa < 1e300 && l11 > 0;

  if (!prune) {
    double best = 0;
    for (int t = 0; t < n_t; t++) {
      double value = largest_phase(z_mpct + t, n_t, inverse, waves_Oxo, n_m, n_k, n_o);
      if (value > best) best = value;
    }
    return 0.5 * best;
  }
  const double l[3] = {l00, l10, l11};
  const int start = bound_times(bound, z_mpct, l, 2 * kappa, n_m, n_t);
  const double first = largest_phase(z_mpct + start, n_t, inverse, waves_Oxo, n_m, n_k, n_o);
  double best = first > 0 ? first : 0;
  bound[start] = -1;
  for (int t8 = 0; t8 < n_t; t8 += VL)
    for (unsigned left = not_below(load(bound + t8), all(best)); left != 0; left &= left - 1) {
      const int t = t8 + __builtin_ctz(left);
      if (bound[t] < best) continue;
      double value = largest_phase(z_mpct + t, n_t, inverse, waves_Oxo, n_m, n_k, n_o);
      if (value > best) best = value;
    }
  return 0.5 * best;
}

double dotpe_incoherent_max(const double *z_mpct, int64_t z_start, const double *hh_gc, int64_t hh_start,
                            const double *waves_Oxo, int32_t n_m, int32_t n_k, int32_t n_t, int32_t n_o,
                            int32_t symmetric) {
  const double *z = z_mpct + z_start, *hh = hh_gc + hh_start;
  const double h00 = hh[0], h11 = hh[2];
  if (!(h00 > 0 && h11 > 0 && isfinite(h00) && isfinite(h11))) return NAN;
#define RUN(N_M, N_K) largest_lnl(z, hh, waves_Oxo, N_M, N_K, n_t, n_o, symmetric)
  /* Written out for the common set of modes. */
  return n_m == 4 && n_k == 3 ? RUN(4, 3) : RUN(n_m, n_k);
}
