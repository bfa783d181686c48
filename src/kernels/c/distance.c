/* The likelihood marginalized over distance: its table, and values from the table's spline coefficients. Twins of
 * ../ref-distance.ts. */
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

/* ln a of an x at one z, by Newton's method from a nearby ln a; lanes that have converged stay as they are. */
INLINE vd log_a_of(double x, vd z, vd ramp_at_zero, vd nearby, double stretch, double lead, double soft) {
  vd log_a = nearby;
  vi open = ~(vi){0};
  for (int iteration = 0; iteration < 50; iteration++) {
    vd a = exp_v(log_a);
    vd s = a - z + lead;
    vd root = vsqrt(mad(s, s, all(soft * soft)));
    vd excess = mad(all(stretch), 0.5 * (s + root) - ramp_at_zero, log_a) - x;
    vd step = excess / mad(0.5 * stretch * (1.0 + s / root), a, all(1));
    log_a = (vd)(((vi)(log_a - step) & open) | ((vi)log_a & ~open));
    open &= (step >= 1e-6) | (step <= -1e-6);
    int64_t any = 0;
    for (int j = 0; j < VL; j++) any |= open[j];
    if (!any) break;
  }
  return log_a;
}

void dotpe_distance_rows(double *values_yx, const double *z_y, const double *logA_y, const double *shape_y,
                         const double *header, const double *node, const double *weight, int32_t n_node, int32_t n_y,
                         int32_t n_x) {
  const double x_first = header[2], x_step = header[5], stretch = header[7], lead = header[8], soft = header[9];
  for (int y0 = 0; y0 < n_y; y0 += VL) {
    const int n = n_y - y0 < VL ? n_y - y0 : VL;
    double padded[3][VL];
    for (int j = 0; j < VL; j++) {
      const int y = y0 + (j < n ? j : 0);
      padded[0][j] = z_y[y], padded[1][j] = logA_y[y], padded[2][j] = shape_y[y];
    }
    vd z = load(padded[0]), log_a = load(padded[1]), shape = load(padded[2]);
    vd s = lead - z;
    vd ramp_at_zero = 0.5 * (s + vsqrt(mad(s, s, all(soft * soft))));
    vd a = exp_v(log_a), step = all(0), integral = exp_v(shape - 3.0 * log_a) / all(3);
    for (int k = n_x - 1;; k--) {
      for (int j = 0; j < n; j++) values_yx[(int64_t)(y0 + j) * n_x + k] = shape[j];
      if (k == 0) break;
      vd next = log_a_of(x_first + (k - 1) * x_step, z, ramp_at_zero, log_a + step, stretch, lead, soft);
      vd a_next = exp_v(next), middle = 0.5 * (a_next + a), half = 0.5 * (a - a_next), sum = all(0);
      for (int i = 0; i < n_node; i++) {
        vd v = mad(half, all(node[i]), middle), v2 = v * v, from_peak = v - z;
        /* Where the floor is reached, the integral above is larger by hundreds of orders. */
        sum += weight[i] * exp_v(vmax(-0.5 * from_peak * from_peak, all(-700))) / (v2 * v2);
      }
      integral = mad(half, sum, integral);
      step = next - log_a;
      log_a = next;
      a = a_next;
      shape = mad(all(3), log_a, log_v(3.0 * integral));
    }
  }
}

/* Taylor coefficients of 1 / (1 + t / 4 + t^2 / 120), t the second difference. */
static const double INVERSE_FILTER[4] = {-1.0 / 4, 13.0 / 240, -11.0 / 960, 139.0 / 57600};

void dotpe_spline_filter(double *out_yx, const double *values_yx, double *scratch, int32_t n_y, int32_t n_x,
                         int32_t along_x) {
  memcpy(out_yx, values_yx, sizeof(double) * n_y * n_x);
  if (along_x) {
    for (int y = 0; y < n_y; y++) {
      double *line = scratch, *next = scratch + n_x, *out = out_yx + (int64_t)y * n_x;
      memcpy(line, values_yx + (int64_t)y * n_x, sizeof(double) * n_x);
      for (int w = 0; w < 4; w++) {
        next[0] = next[n_x - 1] = 0;
        for (int k = 1; k < n_x - 1; k++) {
          next[k] = line[k - 1] - 2 * line[k] + line[k + 1];
          out[k] += INVERSE_FILTER[w] * next[k];
        }
        double *before = line;
        line = next;
        next = before;
      }
    }
    return;
  }
  for (int x = 0; x < n_x; x += VL) {
    const int n = n_x - x < VL ? n_x - x : VL;
    memset(scratch, 0, sizeof(double) * n_y * VL);
    for (int y = 0; y < n_y; y++) memcpy(scratch + (int64_t)y * VL, values_yx + (int64_t)y * n_x + x, sizeof(double) * n);
    for (int w = 0; w < 4; w++) {
      vd before = load(scratch), here = load(scratch + VL);
      for (int y = 1; y < n_y - 1; y++) {
        vd after = load(scratch + (int64_t)(y + 1) * VL), difference = before - 2.0 * here + after;
        double lanes[VL];
        store(scratch + (int64_t)y * VL, difference);
        store(lanes, INVERSE_FILTER[w] * difference);
        for (int j = 0; j < n; j++) out_yx[(int64_t)y * n_x + x + j] += lanes[j];
        before = here;
        here = after;
      }
      store(scratch, all(0));
      store(scratch + (int64_t)(n_y - 1) * VL, all(0));
    }
  }
}
