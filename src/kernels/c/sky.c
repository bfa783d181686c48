/* Directions of the sky sample: their bins of delays, points drawn among them, arrival times and responses. Twins of
 * ../ref-sky.ts. */
#include "vmath.h"

static const double BELOW_ONE = 1 - 0x1p-53;

/* A scrambled Halton coordinate as sums over low and over high digits. */
typedef struct {
  const double *low, *high;
  int64_t n_low;
} Halton;

INLINE double coordinate(const Halton *h, int64_t s) {
  double u = h->low[s % h->n_low] + h->high[s / h->n_low];
  return u < BELOW_ONE ? u : BELOW_ONE;
}

INLINE void coordinates(double *u, const Halton *h, int64_t first) {
  int64_t high = first / h->n_low, low = first - high * h->n_low;
  for (int j = 0; j < 8; j++) {
    double sum = h->low[low] + h->high[high];
    u[j] = sum < BELOW_ONE ? sum : BELOW_ONE;
    if (++low == h->n_low) low = 0, high++;
  }
}

/* sin and cos of latitude and longitude. */
typedef struct {
  vd sin_lat, cos_lat, sin_lon, cos_lon;
} Direction;

INLINE Direction direction_of(vd u_lat, vd u_lon) {
  Direction n;
  n.sin_lat = 2.0 * u_lat - 1.0;
  n.cos_lat = vsqrt((1.0 - n.sin_lat) * (1.0 + n.sin_lat));
  sincos_v(2 * M_PI * u_lon, &n.sin_lon, &n.cos_lon);
  return n;
}

/* Sites: location in units of the sampling period (3), response tensor (9). */
#define SITE 12

/* Arrival after the centre of the Earth, in bins. */
INLINE vd delay_of(const double *site, const Direction *n) {
  vd x = n->cos_lon * n->cos_lat, y = n->sin_lon * n->cos_lat;
  return -mad(all(site[0]), x, mad(all(site[1]), y, site[2] * n->sin_lat));
}

INLINE vd contract(const double *D, const vd *u, const vd *v) {
  vd a = mad(all(D[0]), v[0], mad(all(D[1]), v[1], D[2] * v[2]));
  vd b = mad(all(D[3]), v[0], mad(all(D[4]), v[1], D[5] * v[2]));
  vd c = mad(all(D[6]), v[0], mad(all(D[7]), v[1], D[8] * v[2]));
  return mad(u[0], a, mad(u[1], b, u[2] * c));
}

/* F+ and Fx at polarization angle 0. */
INLINE void pattern(const double *site, const Direction *n, vd *plus, vd *cross) {
  const vd west[3] = {n->sin_lon, -n->cos_lon, all(0)};
  const vd north[3] = {-n->cos_lon * n->sin_lat, -n->sin_lon * n->sin_lat, n->cos_lat};
  const double *D = site + 3;
  *plus = contract(D, west, west) - contract(D, north, north);
  *cross = 2.0 * contract(D, west, north);
}

void dotpe_sky_block(int32_t *bin_s, double *power_s, const double *low0, const double *high0, const double *low1,
                     const double *high1, const double *site_dk, const int32_t *maxDelay, int32_t n_low0,
                     int32_t n_low1, int32_t n_d, int32_t first, int32_t n_s) {
  const Halton lat = {low0, high0, n_low0}, lon = {low1, high1, n_low1};
  double u[8], v[8], power[8], bin[8];
  for (int s0 = 0; s0 < n_s; s0 += 8) {
    const int n = n_s - s0 < 8 ? n_s - s0 : 8;
    coordinates(u, &lat, first + s0);
    coordinates(v, &lon, first + s0);
    for (int k = 0; k < 8; k += VL) {
      Direction at = direction_of(load(u + k), load(v + k));
      vd bins = all(0), square = all(0), delay0 = delay_of(site_dk, &at);
      for (int d = 0; d < n_d; d++) {
        vd plus, cross;
        pattern(site_dk + d * SITE, &at, &plus, &cross);
        square = mad(plus, plus, mad(cross, cross, square));
        if (d == 0) continue;
        const double max = maxDelay[d - 1];
        vd delay = floor_v(delay_of(site_dk + d * SITE, &at) - delay0 + 0.5);
        bins = mad(bins, all(2 * max + 1), delay + max);
      }
      store(power + k, square * vsqrt(square));
      store(bin + k, bins);
    }
    for (int j = 0; j < n; j++) power_s[s0 + j] = power[j], bin_s[s0 + j] = (int32_t)bin[j];
  }
}

void dotpe_sky_sort(int32_t *binStart, int32_t *directions, double *detectable, const int32_t *bin_s,
                    const double *power_s, int32_t n_s, int32_t n_bin) {
  memset(binStart, 0, sizeof(int32_t) * (n_bin + 1));
  memset(detectable, 0, sizeof(double) * n_bin);
  for (int s = 0; s < n_s; s++) {
    binStart[bin_s[s] + 1]++;
    detectable[bin_s[s]] += power_s[s];
  }
  double total = 0;
  for (int k = 0; k < n_bin; k++) total += detectable[k];
  for (int k = 0; k < n_bin; k++) {
    detectable[k] /= total;
    binStart[k + 1] += binStart[k];
  }
  /* binStart[k] serves as the place of the next direction of bin k, and ends up at the start of the next bin. */
  for (int s = 0; s < n_s; s++) directions[binStart[bin_s[s]]++] = s;
  for (int k = n_bin; k > 0; k--) binStart[k] = binStart[k - 1];
  binStart[0] = 0;
}

/* The first t with cumulative_t > target, at most `last`. */
INLINE int32_t find(const double *cumulative, int32_t last, double target) {
  int32_t low = 0, n = last;
  while (n > 0) {
    int32_t half = n >> 1;
    int above = !(cumulative[low + half] > target);
    low = above ? low + half + 1 : low;
    n = above ? n - half - 1 : half;
  }
  return low;
}

int32_t dotpe_draw_points(int32_t *index_q, int32_t *bin_dq, int32_t *direction_q, double *prior_q, double *psi_q,
                          double *position0_q, double *cumulative_dt, const double *prob_dt, const double *u,
                          const int32_t *binStart, const int32_t *directions, const int32_t *maxDelay, int32_t ld,
                          int32_t n_u, int32_t n_d, int32_t n_t, int32_t first, double cellPrior) {
  const double *fine = u + (int64_t)n_d * n_u, *polarization = fine + n_u, *which = polarization + n_u;
  double total[8];
  int32_t last[8], bin[8];
  for (int d = 0; d < n_d; d++) {
    double sum = 0;
    last[d] = 0;
    for (int t = 0; t < n_t; t++) {
      double p = prob_dt[(int64_t)d * n_t + t];
      cumulative_dt[(int64_t)d * n_t + t] = sum += p;
      if (p > 0) last[d] = t;
    }
    total[d] = sum;
  }
  int n_q = 0;
  for (int k = 0; k < n_u; k++) {
    int64_t cell = 0;
    int fits = 1;
    for (int d = 0; d < n_d; d++) {
      bin[d] = find(cumulative_dt + (int64_t)d * n_t, last[d], u[(int64_t)d * n_u + k] * total[d]);
      if (d == 0) continue;
      const int32_t max = maxDelay[d - 1], delay = bin[d] - bin[0] + max;
      if (delay < 0 || delay > 2 * max) {
        fits = 0;
        break;
      }
      cell = cell * (2 * max + 1) + delay;
    }
    if (!fits) continue;
    const int32_t start = binStart[cell], n = binStart[cell + 1] - start;
    if (n == 0) continue;
    index_q[n_q] = first + k;
    for (int d = 0; d < n_d; d++) bin_dq[(int64_t)d * ld + n_q] = bin[d];
    direction_q[n_q] = directions[start + (int32_t)(which[k] * n)];
    prior_q[n_q] = cellPrior * n;
    psi_q[n_q] = M_PI * polarization[k];
    position0_q[n_q] = bin[0] + fine[k] - 0.5;
    n_q++;
  }
  return n_q;
}

void dotpe_place_points(double *position_dq, double *response_dpq, const int32_t *direction_q, const double *psi_q,
                        const double *position0_q, const double *low0, const double *high0, const double *low1,
                        const double *high1, const double *site_dk, int32_t n_low0, int32_t n_low1, int32_t n_d,
                        int32_t ld, int32_t n_q) {
  const Halton lat = {low0, high0, n_low0}, lon = {low1, high1, n_low1};
  double u[8], v[8], psi[8], position[8], out[8];
  for (int q0 = 0; q0 < n_q; q0 += 8) {
    const int n = n_q - q0 < 8 ? n_q - q0 : 8;
    for (int j = 0; j < 8; j++) {
      const int q = q0 + (j < n ? j : 0);
      u[j] = coordinate(&lat, direction_q[q]), v[j] = coordinate(&lon, direction_q[q]);
      psi[j] = psi_q[q], position[j] = position0_q[q];
    }
    for (int k = 0; k < 8; k += VL) {
      const int kept = n - k < VL ? (n > k ? n - k : 0) : VL;
      Direction at = direction_of(load(u + k), load(v + k));
      vd delay0 = delay_of(site_dk, &at), sine, cosine;
      sincos_v(2.0 * load(psi + k), &sine, &cosine);
      for (int d = 0; d < n_d; d++) {
        const double *site = site_dk + d * SITE;
        double *to = position_dq + (int64_t)d * ld + q0 + k, *f = response_dpq + (int64_t)2 * d * ld + q0 + k;
        vd plus, cross;
        pattern(site, &at, &plus, &cross);
        store(out, load(position + k) + (delay_of(site, &at) - delay0));
        memcpy(to, out, sizeof(double) * kept);
        store(out, mad(cosine, plus, sine * cross));
        memcpy(f, out, sizeof(double) * kept);
        store(out, mad(cosine, cross, -sine * plus));
        memcpy(f + ld, out, sizeof(double) * kept);
      }
    }
  }
}
