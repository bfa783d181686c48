/* Proposals of arrival times: sums over times and delays, and the density of points in them. Twins of ../ref-proposal.ts. */
#include "simd.h"

/* out_t (+)= sum over s with w_s != 0, ascending, of w_s kernel[t - s + centre], the kernel being 0 outside. */
void dotpe_convolve(double *out_t, double *padded, const double *w_s, const double *kernel_k, int32_t n_t, int32_t n_s,
                    int32_t n_k, int32_t centre) {
  enum { BLOCK = 4 * 8 };
  /* Room for a block on either side, so that no vector has to stop at the kernel's ends. */
  memset(padded, 0, sizeof(double) * BLOCK);
  memcpy(padded + BLOCK, kernel_k, sizeof(double) * n_k);
  memset(padded + BLOCK + n_k, 0, sizeof(double) * BLOCK);
  for (int t0 = 0; t0 < n_t; t0 += BLOCK) {
    vd sum[BLOCK / VL];
    for (int v = 0; v < BLOCK / VL; v++) sum[v] = all(0);
    /* 0 <= t - s + centre < n_k for some t of the block. */
    int s0 = t0 + centre - n_k + 1, s1 = t0 + BLOCK + centre;
    if (s0 < 0) s0 = 0;
    if (s1 > n_s) s1 = n_s;
    for (int s = s0; s < s1; s++) {
      if (w_s[s] == 0) continue;
      const double *k = padded + BLOCK + t0 - s + centre;
      for (int v = 0; v < BLOCK / VL; v++) sum[v] = mad(all(w_s[s]), load(k + v * VL), sum[v]);
    }
    double block[BLOCK];
    for (int v = 0; v < BLOCK / VL; v++) store(block + v * VL, sum[v]);
    memcpy(out_t + t0, block, sizeof(double) * (n_t - t0 < BLOCK ? n_t - t0 : BLOCK));
  }
}

/* n values read backwards. */
INLINE void reverse(double *out, const double *in, int n) {
  for (int k = 0; k < n; k++) out[k] = in[n - 1 - k];
}

/* prior[to1 delay1 + to2 delay2 + reach] += detectable weight[by1 delay1 + by2 delay2 + reach], over all cells. A delay2
 * that counts backwards in either is made to count forwards in the same array reversed. */
void dotpe_delay_prior(double *prior_k, double *scratch, const double *detectable, const double *weight_k,
                       int32_t max1, int32_t max2, int32_t reach, int32_t to1, int32_t to2, int32_t by1, int32_t by2) {
  const int n_k = 2 * reach + 1, n_2 = 2 * max2 + 1, whole = n_2 / 8 * 8;
  double *sum_k = to2 < 0 ? scratch : prior_k;
  if (to2 < 0) to1 = -to1;
  if (by2 < 0) {
    reverse(scratch + n_k, weight_k, n_k);
    weight_k = scratch + n_k;
    by1 = -by1;
  }
  const int backwards = to2 < 0;
  memset(sum_k, 0, sizeof(double) * n_k);
  for (int delay1 = -max1; delay1 <= max1; delay1++) {
    const double *cell = detectable + (int64_t)(delay1 + max1) * n_2;
    const double *by = weight_k + by1 * delay1 + reach - (by2 == 0 ? 0 : max2);
    double *to = sum_k + to1 * delay1 + reach - (to2 == 0 ? 0 : max2);
    vd partial[V8] = {{0}};
    double tail[8] = {0};
    for (int k = 0; k < whole; k += 8)
      for (int v = 0; v < V8; v++) {
        const int at = k + v * VL;
        vd w = by2 == 0 ? all(by[0]) : load(by + at);
        if (to2 == 0) partial[v] = mad(load(cell + at), w, partial[v]);
        else store(to + at, mad(load(cell + at), w, load(to + at)));
      }
    for (int k = whole; k < n_2; k++) {
      double product = cell[k] * (by2 == 0 ? by[0] : by[k]);
      if (to2 == 0) tail[k - whole] = product;
      else to[k] += product;
    }
    if (to2 != 0) continue;
    for (int v = 0; v < V8; v++) partial[v] += load(tail + v * VL);
    to[0] += sum8(partial);
  }
  if (backwards) reverse(prior_k, scratch, n_k);
}

/* density_q += scale prod_d prob_cdt[bin_dq], over the proposals c whose threshold lies below lnl_q. */
void dotpe_proposal_density(double *density_q, const int32_t *bin_dq, const double *lnl_q, const double *prob_cdt,
                            const double *threshold_c, double scale, int32_t ld, int32_t n_q, int32_t n_c, int32_t n_d,
                            int32_t n_t) {
  for (int c = 0; c < n_c; c++) {
    const double *prob_dt = prob_cdt + (int64_t)c * n_d * n_t;
    for (int q = 0; q < n_q; q++) {
      if (!(lnl_q[q] > threshold_c[c])) continue;
      double probability = scale;
      for (int d = 0; d < n_d; d++) probability *= prob_dt[(int64_t)d * n_t + bin_dq[(int64_t)d * ld + q]];
      density_q[q] += probability;
    }
  }
}

/* Rows of a grid transform, halves of positive and of negative times, to (d, t, p, (m, re/im)) padded with zeros. */
void dotpe_by_time(double *dh_dtx, const double *z_rct, int32_t n_d, int32_t n_m, int32_t n_h, int32_t n_hp,
                   int32_t n_x) {
  const int64_t n_t = 2 * (int64_t)n_h;
  if (2 * n_m < n_x) memset(dh_dtx, 0, sizeof(double) * n_d * n_t * 2 * n_x);
  for (int d = 0; d < n_d; d++)
    for (int m = 0; m < n_m; m++)
      for (int p = 0; p < 2; p++) {
        const double *z = z_rct + ((int64_t)(d * n_m + m) * 2 + p) * 4 * n_hp;
        double *later = dh_dtx + ((d * n_t + n_h) * 2 + p) * n_x + 2 * m, *earlier = later - 2 * n_x;
        for (int64_t h = 0; h < n_h; h++, later += 2 * n_x, earlier -= 2 * n_x) {
          later[0] = z[h], later[1] = z[2 * n_hp + h];
          earlier[0] = z[n_hp + h], earlier[1] = z[3 * n_hp + h];
        }
      }
}

/* chi2_dt = (sum over polarizations and modes of |dh|)^2 / hh_d. */
void dotpe_incoherent_chi2(double *chi2_dt, const double *dh_dtx, const double *hh_d, int32_t n_d, int32_t n_t,
                           int32_t n_x) {
  for (int d = 0; d < n_d; d++)
    for (int64_t t = 0; t < n_t; t++) {
      const double *z = dh_dtx + (d * (int64_t)n_t + t) * 2 * n_x;
      double sum = 0;
      for (int x = 0; x < 2 * n_x; x += 2) sum += sqrt(z[x] * z[x] + z[x + 1] * z[x + 1]);
      chi2_dt[d * (int64_t)n_t + t] = sum * sum / hh_d[d];
    }
}
