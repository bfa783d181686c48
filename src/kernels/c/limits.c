/* What this processor can do at most, for the benchmark: multiply-adds that wait for nothing, and streams. */
#include "simd.h"

#define CHAINS 12

/* n times CHAINS vectors of multiply-adds, each waiting only for itself. Returns the additions and multiplications done. */
double dotpe_fma_peak(double *out, int32_t n) {
  vd sum[CHAINS];
  for (int j = 0; j < CHAINS; j++) sum[j] = all(j);
  const vd factor = all(0.999999), term = all(1e-6);
  for (int k = 0; k < n; k++)
#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++) sum[j] = mad(sum[j], factor, term);
  for (int j = 1; j < CHAINS; j++) sum[0] += sum[j];
  store(out, sum[0]);
  return 2.0 * VL * CHAINS * n;
}

/* a = b + 3 c, `times` times. Returns the bytes read and written. */
double dotpe_stream(double *a, const double *b, const double *c, int32_t n, int32_t times) {
  for (int k = 0; k < times; k++)
    for (int j = 0; j < n; j += VL) store(a + j, mad(load(c + j), all(3), load(b + j)));
  return 24.0 * n * times;
}
