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

/* Drawing from one detector's bins: cumulative sums, and for every 1/GUIDE of the total the first bin that reaches it. */
enum { GUIDE = 1024 };
typedef struct {
  const double *cumulative;
  double total;
  int32_t last, start[GUIDE];
} Bins;

INLINE void prepare_bins(Bins *bins, double *cumulative, const double *prob, int n_t) {
  double sum = 0;
  bins->cumulative = cumulative;
  bins->last = 0;
  for (int t = 0; t < n_t; t++) {
    cumulative[t] = sum += prob[t];
    if (prob[t] > 0) bins->last = t;
  }
  bins->total = sum;
  for (int g = 0, t = 0; g < GUIDE; g++) {
    while (t < bins->last && !(cumulative[t] > g * (1.0 / GUIDE) * sum)) t++;
    bins->start[g] = t;
  }
}

/* The first t with cumulative_t > u total, at most the last bin whose probability is not 0. */
INLINE int32_t draw_bin(const Bins *bins, double u) {
  const double target = u * bins->total;
  int32_t t = bins->start[(int)(u * GUIDE)];
  while (t < bins->last && !(bins->cumulative[t] > target)) t++;
  return t;
}

int32_t dotpe_draw_points(int32_t *index_q, int32_t *bin_dq, int32_t *direction_q, double *prior_q, double *psi_q,
                          double *position0_q, double *cumulative_dt, const double *prob_dt, const double *u,
                          const int32_t *binStart, const int32_t *directions, const int32_t *maxDelay, int32_t ld,
                          int32_t n_u, int32_t n_d, int32_t n_t, int32_t first, double cellPrior) {
  const double *fine = u + (int64_t)n_d * n_u, *polarization = fine + n_u, *which = polarization + n_u;
  Bins bins;
  for (int d = 0; d < n_d; d++) {
    prepare_bins(&bins, cumulative_dt + (int64_t)d * n_t, prob_dt + (int64_t)d * n_t, n_t);
    for (int k = 0; k < n_u; k++) bin_dq[(int64_t)d * ld + k] = draw_bin(&bins, u[(int64_t)d * n_u + k]);
  }
  /* In steps, so that the look-ups of one step do not wait for those of another: cells, then how many directions they
   * hold, then the directions. Until the last step index_q is the row of u and direction_q the cell. */
  int n = 0, n_q = 0;
  for (int k = 0; k < n_u; k++) {
    int32_t cell = 0;
    int fits = 1;
    for (int d = 1; d < n_d; d++) {
      const int32_t max = maxDelay[d - 1], delay = bin_dq[(int64_t)d * ld + k] - bin_dq[k] + max;
      fits &= (delay >= 0) & (delay <= 2 * max);
      cell = cell * (2 * max + 1) + delay;
    }
    index_q[n] = k;
    direction_q[n] = cell;
    n += fits;
  }
  for (int j = 0; j < n; j++) {
    const int32_t k = index_q[j], start = binStart[direction_q[j]], count = binStart[direction_q[j] + 1] - start;
    index_q[n_q] = k;
    direction_q[n_q] = start + (int32_t)(which[k] * count);
    prior_q[n_q] = cellPrior * count;
    n_q += count > 0;
  }
  for (int q = 0; q < n_q; q++) {
    const int32_t k = index_q[q];
    index_q[q] = first + k;
    direction_q[q] = directions[direction_q[q]];
    psi_q[q] = M_PI * polarization[k];
    position0_q[q] = bin_dq[k] + fine[k] - 0.5;
    for (int d = 0; d < n_d; d++) bin_dq[(int64_t)d * ld + q] = bin_dq[(int64_t)d * ld + k];
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
