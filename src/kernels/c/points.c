/* One waveform at extrinsic points: its inner products there, on a grid of phases, and which pairs (point, phase) are
 * good. Twins of ../ref-points.ts. */
#include "vmath.h"

#define NODES 8
/* Inverse of the product of (j - k) over the other nodes k. */
static const double NODE_SCALE[NODES] = {-1.0 / 5040, 1.0 / 720, -1.0 / 240, 1.0 / 144,
                                         -1.0 / 144,  1.0 / 240, -1.0 / 720, 1.0 / 5040};

/* Eight points: weights of the values at the nodes from `first` on in the polynomial through them. */
INLINE void interpolation(double node[NODES][8], double *first, const double *position, int n_t) {
  for (int v = 0; v < V8; v++) {
    vd p = load(position + v * VL);
    vd at = floor_v(p) - (NODES / 2 - 1.0);
    vd last = all(n_t - NODES);
    at = (vd)(((vi)at & (at < last)) | ((vi)last & ~(at < last)));
    at = vmax(at, all(0));
    store(first + v * VL, at);
    vd x = p - at, below = all(1), above = all(1), w[NODES];
    for (int j = 0; j < NODES; j++) {
      w[j] = below * NODE_SCALE[j];
      below *= x - (double)j;
    }
    for (int j = NODES - 1; j >= 0; j--) {
      store(node[j] + v * VL, w[j] * above);
      above *= x - (double)j;
    }
  }
}

/* Row x0 ... x0 + 7 of one detector's <d|h> at one point. */
INLINE void add_dh(double *dh, const double *dh_tx, const double node[NODES][8], int j, double plus, double cross,
                   int n_x, int add) {
  vd zp[V8] = {{0}}, zc[V8] = {{0}};
  for (int k = 0; k < NODES; k++, dh_tx += 2 * n_x) {
    vd w = all(node[k][j]);
    for (int v = 0; v < V8; v++) {
      zp[v] = mad(w, load(dh_tx + v * VL), zp[v]);
      zc[v] = mad(w, load(dh_tx + n_x + v * VL), zc[v]);
    }
  }
  for (int v = 0; v < V8; v++) {
    vd sum = mad(all(plus), zp[v], cross * zc[v]);
    store(dh + v * VL, add ? load(dh + v * VL) + sum : sum);
  }
}

INLINE void add_hh(double *hh, const double *hh_ck, double plus, double cross, int n_k, int add) {
  for (int v = 0; v < V8; v++) {
    const double *from = hh_ck + v * VL;
    vd sum = mad(all(plus * plus), load(from), plus * cross * load(from + n_k));
    sum = mad(all(cross * cross), load(from + 2 * n_k), sum);
    store(hh + v * VL, add ? load(hh + v * VL) + sum : sum);
  }
}

/* Points that are taken through one detector after the other: the times near its signal stay in the nearest cache. */
enum { STRETCH = 256 };

void dotpe_point_products(double *dh_qx, double *hh_qk, const double *dh_dtx, const double *hh_dck,
                          const double *position_dq, const double *response_dpq, int32_t ld, int32_t n_q, int32_t n_d,
                          int32_t n_t, int32_t n_x, int32_t n_k) {
  double node[NODES][8], first[8], position[8];
  for (int s0 = 0; s0 < n_q; s0 += STRETCH)
    for (int d = 0; d < n_d; d++)
      for (int q0 = s0; q0 < s0 + STRETCH && q0 < n_q; q0 += 8) {
        const int n = n_q - q0 < 8 ? n_q - q0 : 8;
        const double *plus = response_dpq + (int64_t)2 * d * ld + q0, *cross = plus + ld;
        for (int j = 0; j < 8; j++) position[j] = position_dq[(int64_t)d * ld + q0 + (j < n ? j : 0)];
        interpolation(node, first, position, n_t);
        for (int j = 0; j < n; j++) {
          const double *dh_tx = dh_dtx + ((int64_t)d * n_t + (int64_t)first[j]) * 2 * n_x;
          double *dh = dh_qx + (int64_t)(q0 + j) * n_x, *hh = hh_qk + (int64_t)(q0 + j) * n_k;
          for (int x = 0; x < n_x; x += 8) add_dh(dh + x, dh_tx + x, node, j, plus[j], cross[j], n_x, d > 0);
          for (int k = 0; k < n_k; k += 8)
            add_hh(hh + k, hh_dck + (int64_t)3 * d * n_k + k, plus[j], cross[j], n_k, d > 0);
        }
      }
}

/* A grid of phases, and the waves on its first half by blocks of eight phases: cos, sin of the even modes, the odd modes, the
 * even and the odd differences of modes. Half a turn changes the sign of the odd ones. */
typedef struct {
  const double *waves;
  /* Positions of the modes, then of the differences, in the order of the waves. */
  const int32_t *order;
  int n_m, even_m, n_k, even_k, n_o;
} Phases;

enum { MAX_WAVES = 128 };

/* The coefficients of one point in the order of the waves, after the constant part of <h|h>. */
INLINE void coefficients_of(double *c, const double *dh_x, const double *hh_k, const Phases *p) {
  *c++ = hh_k[0];
  for (int j = 0; j < p->n_m; j++, c += 2) c[0] = dh_x[2 * p->order[j]], c[1] = dh_x[2 * p->order[j] + 1];
  const int32_t *k = p->order + p->n_m;
  for (int j = 0; j < p->n_k; j++, c += 2) c[0] = hh_k[2 * k[j] + 2], c[1] = hh_k[2 * k[j] + 3];
}

/* <d|h> and <h|h> at VL phases in the first half of the grid, and at those half a turn later. */
typedef struct {
  vd dh[2], hh[2];
} Products;

INLINE vd harmonics(const double **c, const double **waves, int n, vd sum) {
  for (int k = 0; k < 2 * n; k++) sum = mad(all((*c)[k]), load(*waves + 8 * k), sum);
  *c += 2 * n;
  *waves += 16 * n;
  return sum;
}

INLINE Products at_phases(const double *c, const double *waves, int even_m, int odd_m, int even_k, int odd_k) {
  const vd zero = all(0), constant = all(*c++);
  vd de = harmonics(&c, &waves, even_m, zero), dd = harmonics(&c, &waves, odd_m, zero);
  vd he = harmonics(&c, &waves, even_k, constant), hd = harmonics(&c, &waves, odd_k, zero);
  return (Products){{de + dd, de - dd}, {he + hd, he - hd}};
}

/* Calls f with the numbers of even and odd modes and differences: those of banks with the modes 2, 1, 3, 4 as constants, so
 * that the loops over them are unrolled. */
#define SIZED(p, f, ...)                                                                           \
  ((p)->even_m == 2 && (p)->n_m == 4 && (p)->even_k == 1 && (p)->n_k == 3                          \
       ? f(2, 2, 1, 2, __VA_ARGS__)                                                                \
       : f((p)->even_m, (p)->n_m - (p)->even_m, (p)->even_k, (p)->n_k - (p)->even_k, __VA_ARGS__))

/* Fills the phases of one point: half of them, then those half a turn later, `later` numbers on. */
INLINE int all_phases(int even_m, int odd_m, int even_k, int odd_k, double *dh_o, double *hh_o, const double *c,
                      const double *waves, int half, int later) {
  const int n_waves = 2 * (even_m + odd_m + even_k + odd_k);
  for (int o0 = 0; o0 < half; o0 += 8, waves += 8 * n_waves)
    for (int j = 0; j < 8; j += VL) {
      Products at = at_phases(c, waves + j, even_m, odd_m, even_k, odd_k);
      for (int h = 0; h < 2; h++) {
        store(dh_o + h * later + o0 + j, at.dh[h]);
        store(hh_o + h * later + o0 + j, at.hh[h]);
      }
    }
  return 0;
}

/* The largest lnL that any phase could give: |dh| <= sum |dh_m|, hh >= hh_0 - sum |hh_k|. Infinity if <h|h> may reach 0. */
INLINE double bound_of(const double *dh_x, const double *hh_k, int n_m, int n_k) {
  double dh = 0, hh = hh_k[0];
  for (int m = 0; m < n_m; m++) dh += sqrt(dh_x[2 * m] * dh_x[2 * m] + dh_x[2 * m + 1] * dh_x[2 * m + 1]);
  for (int k = 2; k <= 2 * n_k; k += 2) hh -= sqrt(hh_k[k] * hh_k[k] + hh_k[k + 1] * hh_k[k + 1]);
  return hh > 0 ? dh * dh / (2 * hh) : INFINITY;
}

INLINE vd choose(vi mask, vd a, vd b) { return (vd)(((vi)a & mask) | ((vi)b & ~mask)); }

INLINE int any_above(vd a, vd b) { return not_below(b, a) != (1u << VL) - 1; }

/* The largest <d|h>^2/(2 <h|h>) over phases with <h|h> > 0 and <d|h> > 0, or <d|h> of either sign; 0 if there are none. Stops
 * at the first block of eight phases in which one exceeds `enough`. Quotients are compared by their products: a division
 * costs more. The last block may look at phases twice. */
INLINE double best_sized(int even_m, int odd_m, int even_k, int odd_k, const double *c, const double *waves, int half,
                         int positive, int check, double enough) {
  const int n_waves = 2 * (even_m + odd_m + even_k + odd_k);
  vd top[2] = {all(0), all(0)}, bottom[2] = {all(1), all(1)};
  for (int o0 = 0; o0 < half; o0 += 8, waves += 8 * n_waves) {
    int stop = 0;
    for (int j = 0; j < 8; j += VL) {
      Products at = at_phases(c, waves + j, even_m, odd_m, even_k, odd_k);
      for (int h = 0; h < 2; h++) {
        /* Negative for a negative <d|h> that does not count. */
        vd square = at.dh[h] * (positive ? (vd)((vi)at.dh[h] & INT64_MAX) : at.dh[h]);
        vi better = square * bottom[h] > top[h] * at.hh[h];
        if (check) better &= at.hh[h] > all(0);
        top[h] = choose(better, square, top[h]);
        bottom[h] = choose(better, at.hh[h], bottom[h]);
      }
    }
    for (int h = 0; h < 2; h++) stop |= any_above(top[h], 2.0 * enough * bottom[h]);
    if (stop) break;
  }
  double best = 0, lnl[VL];
  for (int h = 0; h < 2; h++) {
    store(lnl, top[h] / (2.0 * bottom[h]));
    for (int j = 0; j < VL; j++) best = lnl[j] > best ? lnl[j] : best;
  }
  return best;
}

/* @param bound of the point */
INLINE double best_of(const double *dh_x, const double *hh_k, const Phases *p, int positive, double bound, double enough) {
  double c[MAX_WAVES];
  coefficients_of(c, dh_x, hh_k, p);
  if (bound < INFINITY) return SIZED(p, best_sized, c, p->waves, p->n_o / 2, positive, 0, enough);
  return SIZED(p, best_sized, c, p->waves, p->n_o / 2, positive, 1, enough);
}

int32_t dotpe_keep_pairs(int32_t *point_q, int32_t *pairStart_q, uint16_t *phase, double *dh, double *hh, double *best_1,
                         double *bound_q, const double *dh_qx, const double *hh_qk, const double *waves,
                         const int32_t *order, int32_t n_q, int32_t n_x, int32_t n_kp, int32_t n_m, int32_t even_m,
                         int32_t n_k, int32_t even_k, int32_t n_o, double maxDrop) {
  const Phases p = {waves, order, n_m, even_m, n_k, even_k, n_o};
  const int half = n_o / 2, later = (half + 7) / 8 * 8;
  double dh_o[2 * later], hh_o[2 * later], c[MAX_WAVES];
  int first = 0;
  for (int q = 0; q < n_q; q++) {
    bound_q[q] = bound_of(dh_qx + (int64_t)q * n_x, hh_qk + (int64_t)q * n_kp, n_m, n_k);
    if (bound_q[q] > bound_q[first]) first = q;
  }
  /* The point of the highest bound is close to the best of all, so that few others need their phases. */
  double best = -INFINITY;
  if (n_q > 0)
    best = best_of(dh_qx + (int64_t)first * n_x, hh_qk + (int64_t)first * n_kp, &p, 0, bound_q[first], INFINITY);
  int n_pairs = 0, n_points = 0;
  for (int q = 0; q < n_q; q++) {
    if (bound_q[q] <= best - maxDrop) continue;
    coefficients_of(c, dh_qx + (int64_t)q * n_x, hh_qk + (int64_t)q * n_kp, &p);
    SIZED(&p, all_phases, dh_o, hh_o, c, waves, half, later);
    pairStart_q[n_points] = n_pairs;
    for (int o = 0; o < n_o; o++) {
      const int at = o < half ? o : later + o - half;
      const double d = dh_o[at], h = hh_o[at];
      if (!(h > 0 && d * d > 2 * (best - maxDrop) * h)) continue;
      double lnl = d * d / (2 * h);
      if (lnl > best) best = lnl;
      phase[n_pairs] = (uint16_t)o, dh[n_pairs] = d, hh[n_pairs] = h;
      n_pairs++;
    }
    if (n_pairs > pairStart_q[n_points]) point_q[n_points++] = q;
  }
  pairStart_q[n_points] = n_pairs;
  /* Again, with the best of them all. */
  int kept = 0, points = 0;
  for (int k = 0; k < n_points; k++) {
    const int start = kept, x1 = pairStart_q[k + 1];
    for (int x = pairStart_q[k]; x < x1; x++) {
      if (!(dh[x] * dh[x] > 2 * (best - maxDrop) * hh[x])) continue;
      phase[kept] = phase[x], dh[kept] = dh[x], hh[kept] = hh[x];
      kept++;
    }
    if (kept == start) continue;
    point_q[points] = point_q[k];
    pairStart_q[points++] = start;
  }
  pairStart_q[points] = kept;
  best_1[0] = best;
  return points;
}

void dotpe_best_positive(double *lnl_q, const double *dh_qx, const double *hh_qk, const double *waves,
                         const int32_t *order, int32_t n_q, int32_t n_x, int32_t n_kp, int32_t n_m, int32_t even_m,
                         int32_t n_k, int32_t even_k, int32_t n_o, double floor, double enough) {
  const Phases p = {waves, order, n_m, even_m, n_k, even_k, n_o};
  for (int q = 0; q < n_q; q++) {
    const double *dh_x = dh_qx + (int64_t)q * n_x, *hh_k = hh_qk + (int64_t)q * n_kp;
    const double bound = bound_of(dh_x, hh_k, n_m, n_k);
    lnl_q[q] = bound <= floor ? -INFINITY : best_of(dh_x, hh_k, &p, 1, bound, enough);
  }
}

/* The pairs with <d|h> > least sqrt(<h|h>), point after point: those of point q are start_q[q] ... start_q[q + 1] - 1. */
int32_t dotpe_worthwhile_pairs(double *dhOut, double *hhOut, int32_t *start_q, const double *dh, const double *hh,
                               const int32_t *pairStart_q, int32_t n_q, double least) {
  int32_t n = 0;
  for (int q = 0; q < n_q; q++) {
    start_q[q] = n;
    for (int x = pairStart_q[q]; x < pairStart_q[q + 1]; x++) {
      dhOut[n] = dh[x], hhOut[n] = hh[x];
      n += dh[x] > least * sqrt(hh[x]);
    }
  }
  start_q[n_q] = n;
  return n;
}

/* exp(x - largest) of eight numbers, of which `n` count: 0 where it is below e^-700, not a number where x is none. */
static void exp8(double *term, const double *x, double largest, int n) {
  double in[8] = {0};
  for (int j = 0; j < n; j++) in[j] = x[j] - largest;
  for (int v = 0; v < 8; v += VL) store(term + v, exp_v(vmax(load(in + v), all(-700))));
  for (int j = 0; j < n; j++)
    if (!(in[j] > -700)) term[j] = in[j] <= -700 ? 0 : in[j];
}

/* sum_q = sum over the pairs of q of exp(lnl - the largest lnl), which is returned: -Infinity without pairs. */
double dotpe_sum_exp(double *sum_q, const double *lnl, const int32_t *start_q, int32_t n_q) {
  double largest = -INFINITY;
  for (int x = 0; x < start_q[n_q]; x++) largest = lnl[x] > largest ? lnl[x] : largest;
  double term[8];
  for (int q = 0, next = 0; q < n_q; q++) {
    double sum = 0;
    for (int x = start_q[q]; x < start_q[q + 1]; x++) {
      if (x >= next) {
        exp8(term, lnl + x, largest, start_q[n_q] - x < 8 ? start_q[n_q] - x : 8);
        next = x + 8;
      }
      sum += term[x - next + 8];
    }
    sum_q[q] = sum;
  }
  return largest;
}
