/* The likelihood marginalized over distance, from its table of spline coefficients. Twin of ../ref-distance.ts. */
#include "vmath.h"

/* Coefficients of t^p of the six quintic B-splines that are not zero in a cell, times 120. */
static const double SPLINES[6][8] = {
    {1, 26, 66, 26, 1, 0},       {-5, -50, 0, 50, 5, 0}, {10, 20, -60, 20, 10, 0},
    {-10, 20, 0, -20, 10, 0},    {5, -20, 30, -20, 5, 0}, {-1, 5, -10, 10, -5, 1},
};

INLINE void spline_weights(double t, vd *weight) {
  for (int v = 0; v < V8; v++) {
    vd sum = load(SPLINES[5] + v * VL);
    for (int p = 4; p >= 0; p--) sum = mad(sum, all(t), load(SPLINES[p] + v * VL));
    weight[v] = sum;
  }
}

/* Eight rows: the cell of each, the place in it, z^2/2. Returns nothing for rows outside, whose cell is -1. */
typedef struct {
  double place_x[8], place_y[8], half_z2[8];
  int64_t start[8];
} Rows;

INLINE void find_cells(Rows *rows, const double *dh, const double *hh, const double *header) {
  const double n_x = header[0], n_y = header[1], x_first = header[2], y_first = header[3], d_max = header[4];
  const double x_step = header[5], y_step = header[6], stretch = header[7], lead = header[8], soft = header[9];
  const double z_mid = header[10], reach = header[11], slope = header[12], margin = header[13];
  double column[8], row[8];
  for (int v = 0; v < V8; v++) {
    vd norm = vsqrt(load(hh + v * VL));
    vd z = load(dh + v * VL) / norm;
    vd a = norm / all(d_max);
    vd s = a - z + lead, s0 = lead - z;
    vd ramps = (s + vsqrt(mad(s, s, all(soft * soft)))) - (s0 + vsqrt(mad(s0, s0, all(soft * soft))));
    vd x = (mad(ramps, all(0.5 * stretch), log_v(a)) - x_first) / all(x_step);
    vd q = z - z_mid;
    vd y = (mad(all(slope), q, q / vsqrt(mad(q, q, all(reach * reach)))) - y_first) / all(y_step);
    vd fx = floor_v(x), fy = floor_v(y);
    vi inside = (fx >= margin) & (fx < n_x - margin) & (fy >= margin) & (fy < n_y - margin);
    store(rows->place_x + v * VL, x - fx);
    store(rows->place_y + v * VL, y - fy);
    store(rows->half_z2 + v * VL, z * 0.5 * z);
    store(column + v * VL, (vd)((vi)fx & inside));
    store(row + v * VL, (vd)(((vi)fy & inside) | ((vi)all(-1.0) & ~inside)));
  }
  for (int j = 0; j < 8; j++)
    rows->start[j] = row[j] < 0 ? -1 : ((int64_t)row[j] - 2) * (int64_t)n_x + (int64_t)column[j] - 2;
}

INLINE double interpolate(const double *c, int64_t n_x, double place_x, double place_y) {
  vd weight_x[V8], weight_y[V8], sum[V8];
  double weight[8];
  spline_weights(place_y, weight_y);
  for (int v = 0; v < V8; v++) store(weight + v * VL, weight_y[v]);
  for (int v = 0; v < V8; v++) sum[v] = weight[0] * load(c + v * VL);
  for (int q = 1; q < 6; q++)
    for (int v = 0; v < V8; v++) sum[v] = mad(all(weight[q]), load(c + q * n_x + v * VL), sum[v]);
  spline_weights(place_x, weight_x);
  for (int v = 0; v < V8; v++) sum[v] *= weight_x[v];
  return sum8(sum);
}

int32_t dotpe_distance_marginal(double *lnl_j, const double *dh_j, const double *hh_j, int32_t n,
                                const double *coefficients, const double *header) {
  const int64_t n_x = (int64_t)header[0];
  int32_t n_outside = 0;
  Rows rows;
  double dh[8], hh[8];
  for (int j0 = 0; j0 < n; j0 += 8) {
    const int n_rows = n - j0 < 8 ? n - j0 : 8;
    for (int j = 0; j < 8; j++) dh[j] = j < n_rows ? dh_j[j0 + j] : 0, hh[j] = j < n_rows ? hh_j[j0 + j] : 0;
    find_cells(&rows, dh, hh, header);
    for (int j = 0; j < n_rows; j++) {
      if (rows.start[j] < 0) {
        lnl_j[j0 + j] = NAN;
        n_outside++;
        continue;
      }
      double sum = interpolate(coefficients + rows.start[j], n_x, rows.place_x[j], rows.place_y[j]);
      lnl_j[j0 + j] = sum * (1.0 / 14400) + rows.half_z2[j];
    }
  }
  return n_outside;
}
