/* Matched filters on the FFT grid, and how far their output spreads. Twins of src/kernels/ref-noise.ts. */
#include "simd.h"

void dotpe_power_sums(double *sums, const double *re_f, const double *im_f, const double *weight_f, const double *f,
                      int32_t n_f) {
  double lanes[3][8] = {{0}};
  for (int k = 0; k < n_f; k++) {
    double p = weight_f[k] * (re_f[k] * re_f[k] + im_f[k] * im_f[k]);
    lanes[0][k & 7] += p;
    lanes[1][k & 7] += p * p;
    lanes[2][k & 7] += p * f[k];
  }
  for (int s = 0; s < 3; s++) {
    const double *x = lanes[s];
    sums[s] = ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
  }
}

void dotpe_matched(double *z_cf, const double *dRe_f, const double *dIm_f, const double *hRe_f, const double *hIm_f,
                   const double *weight_f, double scale, int64_t stride, int32_t n_f) {
  double *re = z_cf, *im = z_cf + stride;
  for (int k = 0; k < n_f; k++) {
    double w = scale * weight_f[k];
    re[k] = w * (dRe_f[k] * hRe_f[k] + dIm_f[k] * hIm_f[k]);
    im[k] = w * (dIm_f[k] * hRe_f[k] - dRe_f[k] * hIm_f[k]);
  }
}

int32_t dotpe_without_holes(double *kept, uint8_t *good_j, const double *x_j, double limit, int32_t max_run, int32_t n) {
  int n_kept = 0;
  for (int j = 0; j < n;) {
    int start = j;
    while (j < n && !(fabs(x_j[j]) > limit)) j++;
    int hole = j - start > max_run, end = j < n ? j + 1 : n;
    memset(good_j + start, !hole, j - start);
    if (j < n) good_j[j] = 1;
    for (int k = hole ? j : start; k < end; k++) kept[n_kept++] = x_j[k];
    j = end;
  }
  return n_kept;
}

/* The value that a sorted x would have at place k; x is put in another order, with nothing larger before k. */
static double select_place(double *x, int n, int k) {
  int low = 0, high = n - 1;
  while (low < high) {
    double pivot = x[low + (high - low) / 2];
    int i = low, j = high;
    while (i <= j) {
      while (x[i] < pivot) i++;
      while (x[j] > pivot) j--;
      if (i > j) break;
      double swap = x[i];
      x[i++] = x[j];
      x[j--] = swap;
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return x[k];
}

static double median(double *x, int n) {
  double upper = select_place(x, n, n / 2);
  if (n % 2 == 1) return upper;
  double lower = x[0];
  for (int k = 1; k < n / 2; k++) lower = x[k] > lower ? x[k] : lower;
  return 0.5 * (lower + upper);
}

double dotpe_median_deviation(double *x_j, int32_t n) {
  double centre = median(x_j, n);
  for (int j = 0; j < n; j++) x_j[j] = fabs(x_j[j] - centre);
  return median(x_j, n);
}

double dotpe_spread(uint8_t *good_j, const double *x_j, double limit, int32_t margin, int32_t n) {
  for (int j = 0; j < n; j++) good_j[j] &= !(fabs(x_j[j]) > limit);
  int64_t last = -(int64_t)margin - 1;
  for (int j = 0; j < n; j++) {
    if (good_j[j] == 0) last = j;
    else if (j - last <= margin) good_j[j] = 2;
  }
  last = (int64_t)n + margin;
  for (int j = n - 1; j >= 0; j--) {
    if (good_j[j] == 0) last = j;
    else if (last - j <= margin) good_j[j] = 2;
  }
  double sums[8] = {0}, squares[8] = {0};
  int n_kept = 0;
  for (int j = 0; j < n; j++)
    if (good_j[j] == 1) sums[n_kept++ & 7] += x_j[j];
  double mean = (((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))) / n_kept;
  for (int j = 0, k = 0; j < n; j++)
    if (good_j[j] == 1) squares[k++ & 7] += (x_j[j] - mean) * (x_j[j] - mean);
  double total = ((squares[0] + squares[4]) + (squares[2] + squares[6])) + ((squares[1] + squares[5]) + (squares[3] + squares[7]));
  return sqrt(total / n_kept);
}
