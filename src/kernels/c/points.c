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

void dotpe_point_products(double *dh_qx, double *hh_qk, const double *dh_dtx, const double *hh_dck,
                          const double *position_dq, const double *response_dpq, int32_t ld, int32_t n_q, int32_t n_d,
                          int32_t n_t, int32_t n_x, int32_t n_k) {
  double node[NODES][8], first[8], position[8];
  for (int q0 = 0; q0 < n_q; q0 += 8) {
    const int n = n_q - q0 < 8 ? n_q - q0 : 8;
    for (int d = 0; d < n_d; d++) {
      const double *plus = response_dpq + (int64_t)2 * d * ld + q0, *cross = plus + ld;
      for (int j = 0; j < 8; j++) position[j] = position_dq[(int64_t)d * ld + q0 + (j < n ? j : 0)];
      interpolation(node, first, position, n_t);
      for (int j = 0; j < n; j++) {
        const double *dh_tx = dh_dtx + ((int64_t)d * n_t + (int64_t)first[j]) * 2 * n_x;
        double *dh = dh_qx + (int64_t)(q0 + j) * n_x, *hh = hh_qk + (int64_t)(q0 + j) * n_k;
        for (int x = 0; x < n_x; x += 8) add_dh(dh + x, dh_tx + x, node, j, plus[j], cross[j], n_x, d > 0);
        for (int k = 0; k < n_k; k += 8) add_hh(hh + k, hh_dck + (int64_t)3 * d * n_k + k, plus[j], cross[j], n_k, d > 0);
      }
    }
  }
}

typedef struct {
  const double *cosM, *sinM, *cosK, *sinK;
  /* How many modes and differences are even; then the modes and the differences, even ones first. */
  const int32_t *order;
  int n_m, n_k, n_o, n_op;
} Phases;

/* <d|h> and <h|h> at VL phases from o on in the first half of the grid, and at those half a turn later. */
typedef struct {
  vd dh, hh, dh_later, hh_later;
} Products;

INLINE vd harmonics(const double *coefficients, const double *cosines, const double *sines, const int32_t *which, int n,
                    int n_op, vd sum) {
  for (int k = 0; k < n; k++) {
    const double *c = coefficients + 2 * which[k];
    const int64_t row = (int64_t)which[k] * n_op;
    sum = mad(all(c[0]), load(cosines + row), sum);
    sum = mad(all(c[1]), load(sines + row), sum);
  }
  return sum;
}

INLINE Products at_phases(const double *dh_x, const double *hh_k, const Phases *p, int o) {
  const int even_m = p->order[0], even_k = p->order[1];
  const int32_t *m = p->order + 2, *k = m + p->n_m;
  const vd zero = all(0);
  vd de = harmonics(dh_x, p->cosM + o, p->sinM + o, m, even_m, p->n_op, zero);
  vd dd = harmonics(dh_x, p->cosM + o, p->sinM + o, m + even_m, p->n_m - even_m, p->n_op, zero);
  vd he = harmonics(hh_k + 2, p->cosK + o, p->sinK + o, k, even_k, p->n_op, all(hh_k[0]));
  vd hd = harmonics(hh_k + 2, p->cosK + o, p->sinK + o, k + even_k, p->n_k - even_k, p->n_op, zero);
  return (Products){de + dd, he + hd, de - dd, he - hd};
}

/* The largest lnL that any phase could give: |dh| <= sum |dh_m|, hh >= hh_0 - sum |hh_k|. */
INLINE double bound_of(const double *dh_x, const double *hh_k, int n_m, int n_k) {
  double dh = 0, hh = hh_k[0];
  for (int m = 0; m < n_m; m++) dh += sqrt(dh_x[2 * m] * dh_x[2 * m] + dh_x[2 * m + 1] * dh_x[2 * m + 1]);
  for (int k = 2; k <= 2 * n_k; k += 2) hh -= sqrt(hh_k[k] * hh_k[k] + hh_k[k + 1] * hh_k[k + 1]);
  return hh > 0 ? dh * dh / (2 * hh) : INFINITY;
}

/* The largest <d|h>^2/(2 <h|h>) over phases with <h|h> > 0 and, if `positive`, <d|h> > 0; `none` where there are none. */
INLINE double best_of(const double *dh_x, const double *hh_k, const Phases *p, int positive, double none) {
  const int half = p->n_o / 2;
  vd top = all(-1), bottom = all(1);
  for (int o = 0; o < half; o += VL) {
    Products at = at_phases(dh_x, hh_k, p, o);
    for (int later = 0; later < 2; later++) {
      vd dh = later ? at.dh_later : at.dh, hh = later ? at.hh_later : at.hh;
      vd square = dh * dh;
      vi better = (hh > all(0)) & (square * bottom > top * hh);
      if (positive) better &= dh > all(0);
      if (half - o < VL)
        for (int j = half - o; j < VL; j++) better[j] = 0;
      top = (vd)(((vi)square & better) | ((vi)top & ~better));
      bottom = (vd)(((vi)hh & better) | ((vi)bottom & ~better));
    }
  }
  double best = none;
  for (int j = 0; j < VL; j++)
    if (top[j] >= 0 && !(top[j] / (2 * bottom[j]) <= best)) best = top[j] / (2 * bottom[j]);
  return best;
}

int32_t dotpe_keep_pairs(int32_t *point_q, int32_t *pairStart_q, uint16_t *phase, double *dh, double *hh, double *best_1,
                         double *bound_q, const double *dh_qx, const double *hh_qk, const double *cosM,
                         const double *sinM, const double *cosK, const double *sinK, const int32_t *order, int32_t n_q,
                         int32_t n_x, int32_t n_kp, int32_t n_m, int32_t n_k, int32_t n_o, int32_t n_op,
                         double maxDrop) {
  const Phases p = {cosM, sinM, cosK, sinK, order, n_m, n_k, n_o, n_op};
  const int half = n_o / 2;
  int first = 0;
  for (int q = 0; q < n_q; q++) {
    bound_q[q] = bound_of(dh_qx + (int64_t)q * n_x, hh_qk + (int64_t)q * n_kp, n_m, n_k);
    if (bound_q[q] > bound_q[first]) first = q;
  }
  /* The point of the highest bound is close to the best of all, so that few others need their phases. */
  double best =
      n_q > 0 ? best_of(dh_qx + (int64_t)first * n_x, hh_qk + (int64_t)first * n_kp, &p, 0, 0) : -INFINITY;
  int n_pairs = 0, n_points = 0;
  for (int q = 0; q < n_q; q++) {
    if (bound_q[q] <= best - maxDrop) continue;
    const double *dh_x = dh_qx + (int64_t)q * n_x, *hh_k = hh_qk + (int64_t)q * n_kp;
    double dh_o[n_op + VL], hh_o[n_op + VL];
    for (int o = 0; o < half; o += VL) {
      Products at = at_phases(dh_x, hh_k, &p, o);
      const int n = half - o < VL ? half - o : VL;
      for (int j = 0; j < n; j++) {
        dh_o[o + j] = at.dh[j], hh_o[o + j] = at.hh[j];
        dh_o[half + o + j] = at.dh_later[j], hh_o[half + o + j] = at.hh_later[j];
      }
    }
    pairStart_q[n_points] = n_pairs;
    for (int o = 0; o < n_o; o++) {
      if (!(hh_o[o] > 0 && dh_o[o] * dh_o[o] > 2 * (best - maxDrop) * hh_o[o])) continue;
      double lnl = dh_o[o] * dh_o[o] / (2 * hh_o[o]);
      if (lnl > best) best = lnl;
      phase[n_pairs] = (uint16_t)o, dh[n_pairs] = dh_o[o], hh[n_pairs] = hh_o[o];
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

void dotpe_best_positive(double *lnl_q, const double *dh_qx, const double *hh_qk, const double *cosM,
                         const double *sinM, const double *cosK, const double *sinK, const int32_t *order, int32_t n_q,
                         int32_t n_x, int32_t n_kp, int32_t n_m, int32_t n_k, int32_t n_o, int32_t n_op, double floor) {
  const Phases p = {cosM, sinM, cosK, sinK, order, n_m, n_k, n_o, n_op};
  for (int q = 0; q < n_q; q++) {
    const double *dh_x = dh_qx + (int64_t)q * n_x, *hh_k = hh_qk + (int64_t)q * n_kp;
    lnl_q[q] = bound_of(dh_x, hh_k, n_m, n_k) <= floor ? -INFINITY : best_of(dh_x, hh_k, &p, 1, -INFINITY);
  }
}
