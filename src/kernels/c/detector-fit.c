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

/* H_ox = H00, (H01 + H10) / 2, H11 of each phase. */
static void norms_at(double *H_x, const double *norms_MpPc, const double *turn_mc, int n_m) {
  double H[4] = {0};
  const double *norm = norms_MpPc;
  for (int m = 0; m < n_m; m++)
    for (int m2 = m; m2 < n_m; m2++) {
      const double *a = turn_mc + 2 * m, *b = turn_mc + 2 * m2;
      double c = a[0] * b[0] + a[1] * b[1], s = a[1] * b[0] - a[0] * b[1];
      for (int pP = 0; pP < 4; pP++, norm += 2) H[pP] += norm[0] * c - norm[1] * s;
    }
  H_x[0] = H[0];
  H_x[1] = 0.5 * (H[1] + H[2]);
  H_x[2] = H[3];
}

void dotpe_best_responses(double *best_tx, const double *g_mpcb, const double *f_b, double start, double step,
                          const double *turn_omc, const double *norms_MpPc, int32_t n_t, int32_t n_o, int32_t n_m,
                          int32_t n_bp) {
  double z[4 * n_m], H_ox[3 * n_o];
  for (int o = 0; o < n_o; o++) norms_at(H_ox + 3 * o, norms_MpPc, turn_omc + 2 * (int64_t)o * n_m, n_m);
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
      solve(d0, d1, H_ox + 3 * o, &r0, &r1);
      double lnl = 0.5 * (d0 * r0 + d1 * r1);
      if (o > 0 && !(lnl > best[0])) continue;
      best[0] = lnl;
      best[1] = o;
      best[2] = r0;
      best[3] = r1;
    }
  }
}

/* Below exp of this, what all directions together add is lost in the last bit. */
#define NEGLIGIBLE (-80)

/* lnL of one direction and time; the places in the scans as well. */
INLINE double joint(double *place_d, const double *lnl_dt, const double *delay_de, const double *offset_d, double start,
                    double floor, int n_d, int n_t, int64_t n_e) {
  double lnl = 0;
  for (int d = 0; d < n_d; d++) {
    double place = start + delay_de[d * n_e] + offset_d[d], one = floor;
    const double *lnl_t = lnl_dt + (int64_t)d * n_t;
    place_d[d] = place;
    if (place >= 0 && place <= n_t - 1) {
      int k = place < n_t - 2 ? (int)place : n_t - 2;
      double between = lnl_t[k] + (place - k) * (lnl_t[k + 1] - lnl_t[k]);
      one = between > floor ? between : floor;
    }
    lnl += one;
  }
  return lnl;
}

void dotpe_joint_arrivals(double *out_x, const double *lnl_dt, const double *delay_de, const double *offset_d,
                          const int32_t *place_a, double floor, int32_t anchor, int32_t n_d, int32_t n_t, int32_t n_e,
                          int32_t n_a) {
  const double *anchor_e = delay_de + (int64_t)anchor * n_e;
  double *best_d = out_x + 2, *sum_d = best_d + n_d, place_d[n_d];
  out_x[0] = -INFINITY;
  for (int e = 0; e < n_e; e++)
    for (int a = 0; a < n_a; a++) {
      double lnl = joint(place_d, lnl_dt, delay_de + e, offset_d, place_a[a] - anchor_e[e], floor, n_d, n_t, n_e);
      if (!(lnl > out_x[0])) continue;
      out_x[0] = lnl;
      memcpy(best_d, place_d, n_d * sizeof *best_d);
    }
  out_x[1] = 0;
  memset(sum_d, 0, n_d * sizeof *sum_d);
  for (int e = 0; e < n_e; e++)
    for (int a = 0; a < n_a; a++) {
      double lnl = joint(place_d, lnl_dt, delay_de + e, offset_d, place_a[a] - anchor_e[e], floor, n_d, n_t, n_e) - out_x[0];
      if (lnl < NEGLIGIBLE) continue;
      double weight = exp_v(all(lnl))[0];
      out_x[1] += weight;
      for (int d = 0; d < n_d; d++) sum_d[d] += weight * (place_d[d] - best_d[d]);
    }
}
