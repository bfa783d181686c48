/* What follows the phase grid: probes, and sums over rows. Twins in src/kernels/ref-rows.ts, contracts in row-table.ts. */
#include "vmath.h"

static uint32_t mix32(uint32_t h) {
  h = (h ^ (h >> 16)) * 0x85ebca6bu;
  h = (h ^ (h >> 13)) * 0xc2b2ae35u;
  return h ^ (h >> 16);
}

static uint32_t hash_on(uint32_t half, uint32_t c, uint32_t d) {
  return mix32((mix32((half + 0x7f4a7c15u) ^ c) + 0x7f4a7c15u) ^ d);
}

static uint32_t hash_of(uint32_t a, uint32_t b) { return mix32((mix32(a ^ 0x9e3779b9u) + 0x7f4a7c15u) ^ b); }

int32_t dotpe_probe_tile(int32_t *e_r, int32_t *o_r, double *dh_r, double *hh_r, const double *dh_mce, const double *hh_ce,
                         const double *cosM_mo, const double *sinM_mo, const double *cosK_ko, const double *sinK_ko,
                         int32_t n_m, int32_t n_k, int32_t n_o, int32_t n_op, int32_t n_e, int32_t n_valid, const int32_t *key) {
  const uint32_t half = key[0], bank = key[1], i = key[2], e0 = key[3], every = key[4];
  int32_t n = 0;
  for (int32_t e = 0; e < n_valid; e++) {
    const uint32_t hash = hash_on(half, e0 + e, 0x9e3779b9u);
    if (hash % every != 0) continue;
    const int64_t o = hash_on(hash_of(hash, i), e0 + e, bank) % (uint32_t)n_o;
    double dh = 0, hh = hh_ce[e];
    for (int64_t m = 0; m < n_m; m++)
      dh += dh_mce[2 * m * n_e + e] * cosM_mo[m * n_op + o] + dh_mce[(2 * m + 1) * n_e + e] * sinM_mo[m * n_op + o];
    for (int64_t k = 0; k < n_k; k++)
      hh += hh_ce[(1 + 2 * k) * n_e + e] * cosK_ko[k * n_op + o] + hh_ce[(2 + 2 * k) * n_e + e] * sinK_ko[k * n_op + o];
    e_r[n] = e;
    o_r[n] = (int32_t)o;
    dh_r[n] = dh;
    hh_r[n] = hh;
    n++;
  }
  return n;
}

/* exp(x - scale) of eight numbers, 0 where it is below e^-700; `n` of them count, the others are 0. */
static void terms8(double *term, const double *x, double scale, int n) {
  double in[8] = {0}, out[8];
  for (int j = 0; j < n; j++) in[j] = x[j] - scale;
  for (int v = 0; v < 8; v += VL) store(out + v, exp_v(vmax(load(in + v), all(-700))));
  for (int j = 0; j < 8; j++) term[j] = j < n && in[j] > -700 ? out[j] : 0;
}

int32_t dotpe_part_sums(double *out, int32_t *pair_e, double *pair_sum, const int32_t *e_r, const double *dh_r,
                        const double *hh_r, const double *bestfit_r, const double *lnl_r, double *posterior_r,
                        int32_t start, int32_t end, double weight, const double *weight_e) {
  double scale = -INFINITY, bestfit = -INFINITY, lnl = -INFINITY, not_finite = 0;
  for (int32_t r = start; r < end; r++) {
    const double posterior = lnl_r[r] + weight + weight_e[e_r[r]];
    posterior_r[r] = posterior;
    scale = posterior > scale ? posterior : scale;
    bestfit = bestfit_r[r] > bestfit ? bestfit_r[r] : bestfit;
    lnl = lnl_r[r] > lnl ? lnl_r[r] : lnl;
    not_finite += !isfinite(dh_r[r] + hh_r[r] + lnl_r[r]);
  }
  double total[8] = {0}, squares[8] = {0}, pair_squares = 0;
  int32_t n = 0;
  if (scale > -INFINITY && scale < INFINITY) {
    for (int32_t r = start; r < end; r += 8) {
      const int count = end - r < 8 ? end - r : 8;
      double term[8];
      terms8(term, posterior_r + r, scale, count);
      for (int j = 0; j < 8; j++) {
        total[j] += term[j];
        squares[j] += term[j] * term[j];
      }
      for (int j = 0; j < count; j++) {
        if (n == 0 || pair_e[n - 1] != e_r[r + j]) {
          pair_e[n] = e_r[r + j];
          pair_sum[n++] = 0;
        }
        pair_sum[n - 1] += term[j];
      }
    }
    for (int32_t k = 0; k < n; k++) pair_squares += pair_sum[k] * pair_sum[k];
  }
#define SUM8(x) (((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7])))
  out[0] = scale;
  out[1] = SUM8(total);
  out[2] = SUM8(squares);
  out[3] = pair_squares;
  out[4] = bestfit;
  out[5] = lnl;
  out[6] = not_finite;
  return n;
}
