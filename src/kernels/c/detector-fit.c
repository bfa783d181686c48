/* The best response of one detector to a waveform at many times. Twin of src/kernels/ref-detector-fit.ts. */
#include "vmath.h"

/* Bins whose phasors are held at a time. */
#define BLOCK 128
/* Below this share of the product of its diagonal, the determinant of H means that one polarization is redundant. */
#define SINGULAR 1e-10

/* H^-1 d; where the polarizations cannot be told apart, the louder one alone. */
INLINE void solve(double d0, double d1, const double *H, double *r0, double *r1) {
  double determinant = H[0] * H[2] - H[1] * H[1];
  *r0 = *r1 = 0;
  if (determinant > SINGULAR * H[0] * H[2]) {
    *r0 = (H[2] * d0 - H[1] * d1) / determinant;
    *r1 = (H[0] * d1 - H[1] * d0) / determinant;
  } else if (H[0] > 0 || H[2] > 0) {
    if (H[0] >= H[2]) *r0 = d0 / H[0];
    else *r1 = d1 / H[2];
  }
}

/* z_mpc = sum_b g_mpcb exp(2 pi i f_b t), in eight partial sums. */
static void at_time(double *z_rc, const double *g_rcb, const double *f_b, double t, int n_r, int n_bp) {
  vd sums[2 * n_r][V8];
  memset(sums, 0, sizeof sums);
  for (int b0 = 0; b0 < n_bp; b0 += BLOCK) {
    double cosine[BLOCK], sine[BLOCK];
    const int n = n_bp - b0 < BLOCK ? n_bp - b0 : BLOCK;
    for (int b = 0; b < n; b += VL) {
      vd turns = load(f_b + b0 + b) * all(t), s, c;
      sincos_v((turns - ((turns + ROUND) - ROUND)) * (2 * M_PI), &s, &c);
      store(cosine + b, c);
      store(sine + b, s);
    }
    for (int r = 0; r < n_r; r++) {
      const double *re = g_rcb + (int64_t)r * 2 * n_bp + b0, *im = re + n_bp;
      for (int b = 0; b < n; b += 8)
        for (int v = 0; v < V8; v++) {
          int k = b + v * VL;
          vd gRe = load(re + k), gIm = load(im + k), c = load(cosine + k), s = load(sine + k);
          sums[2 * r][v] = mad(gRe, c, mad(-gIm, s, sums[2 * r][v]));
          sums[2 * r + 1][v] = mad(gRe, s, mad(gIm, c, sums[2 * r + 1][v]));
        }
    }
  }
  for (int k = 0; k < 2 * n_r; k++) z_rc[k] = sum8(sums[k]);
}

void dotpe_best_responses(double *best_tx, const double *g_mpcb, const double *f_b, double start, double step,
                          const double *turn_omc, const double *H_ox, int32_t n_t, int32_t n_o, int32_t n_m,
                          int32_t n_bp) {
  double z[4 * n_m];
  for (int t = 0; t < n_t; t++) {
    double *best = best_tx + 4 * (int64_t)t;
    at_time(z, g_mpcb, f_b, start + t * step, 2 * n_m, n_bp);
    for (int o = 0; o < n_o; o++) {
      const double *turn = turn_omc + 2 * (int64_t)o * n_m;
      double d0 = 0, d1 = 0, r0, r1;
      for (int m = 0; m < n_m; m++) {
        d0 += z[4 * m] * turn[2 * m] + z[4 * m + 1] * turn[2 * m + 1];
        d1 += z[4 * m + 2] * turn[2 * m] + z[4 * m + 3] * turn[2 * m + 1];
      }
      solve(d0, d1, H_ox + 3 * (int64_t)o, &r0, &r1);
      double lnl = 0.5 * (d0 * r0 + d1 * r1);
      if (o > 0 && !(lnl > best[0])) continue;
      best[0] = lnl;
      best[1] = o;
      best[2] = r0;
      best[3] = r1;
    }
  }
}
