/* Orthonormal bases of cosines or sines over bins. Twin of src/kernels/ref-low-rank.ts. */
#include "vmath.h"

/* In eight partial sums. */
static double dot(const double *a, const double *b, int n) {
  vd sums[V8];
  for (int v = 0; v < V8; v++) sums[v] = all(0.0);
  int k = 0;
  for (; k + 8 <= n; k += 8)
    for (int v = 0; v < V8; v++) sums[v] = mad(load(a + k + v * VL), load(b + k + v * VL), sums[v]);
  double total = sum8(sums);
  for (; k < n; k++) total += a[k] * b[k];
  return total;
}

/* a -= factor b */
static void subtract(double *a, const double *b, double factor, int n) {
  for (int k = 0; k < n; k++) a[k] -= factor * b[k];
}

static void waves(double *columns_hb, const double *offset_b, const double *tau_h, int sine, int n_b, int n_h) {
  for (int h = 0; h < n_h; h++) {
    double *column = columns_hb + (int64_t)h * n_b;
    for (int b = 0; b < n_b; b += VL) {
      const int n = n_b - b < VL ? n_b - b : VL;
      double f[VL] = {0}, out[VL];
      memcpy(f, offset_b + b, n * sizeof *f);
      vd turns = load(f) * all(tau_h[h]), s, c;
      sincos_v((turns - ((turns + ROUND) - ROUND)) * (2 * M_PI), &s, &c);
      store(out, sine ? s : c);
      memcpy(column + b, out, n * sizeof *out);
    }
  }
}

int32_t dotpe_fit_basis(double *q_rb, double *e_rh, double *work, const double *offset_b, const double *tau_h,
                        int32_t sine, double smallest, int32_t n_b, int32_t n_h) {
  double *columns = work, *residual = columns + (int64_t)n_h * n_b, *squares = residual + (int64_t)n_h * n_b;
  waves(columns, offset_b, tau_h, sine, n_b, n_h);
  memcpy(residual, columns, (size_t)n_h * n_b * sizeof *residual);
  for (int h = 0; h < n_h; h++) squares[h] = dot(residual + (int64_t)h * n_b, residual + (int64_t)h * n_b, n_b);
  int rank = 0;
  for (; rank < (n_b < n_h ? n_b : n_h); rank++) {
    int pivot = 0;
    for (int h = 1; h < n_h; h++)
      if (squares[h] > squares[pivot]) pivot = h;
    if (sqrt(squares[pivot]) <= smallest) break;
    double *vector = q_rb + (int64_t)rank * n_b, *row = e_rh + (int64_t)rank * n_h;
    memcpy(vector, residual + (int64_t)pivot * n_b, n_b * sizeof *vector);
    for (int r = 0; r < rank; r++) subtract(vector, q_rb + (int64_t)r * n_b, dot(q_rb + (int64_t)r * n_b, vector, n_b), n_b);
    double norm = sqrt(dot(vector, vector, n_b));
    for (int b = 0; b < n_b; b++) vector[b] /= norm;
    for (int h = 0; h < n_h; h++) {
      double *rest = residual + (int64_t)h * n_b;
      row[h] = dot(vector, columns + (int64_t)h * n_b, n_b);
      subtract(rest, vector, dot(vector, rest, n_b), n_b);
      squares[h] = dot(rest, rest, n_b);
    }
    squares[pivot] = 0;
  }
  return rank;
}
