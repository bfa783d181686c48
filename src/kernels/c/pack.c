/* Decoding packed banks, eight samples at a time, one a lane. Twins of src/kernels/ref-pack.ts, layouts in pack-table.ts.
 * Nothing is fused: products and sums are rounded one by one, as in TypeScript, so all variants give the same bits. */
#include "simd.h"

#define LANES 8

typedef struct {
  const int32_t *bin_t, *tap_tk, *kind_r;
  const double *weight_rtk;
  int64_t n_k, n_b, n_m;
} prediction;

/* The lanes of one value. */
typedef struct {
  vd v[V8];
} eight;

INLINE eight load8(const double *x) {
  eight out;
#pragma GCC unroll 4
  for (int j = 0; j < V8; j++) out.v[j] = load(x + j * VL);
  return out;
}

INLINE vd finite_or_zero(vd x) {
  vi bits = (vi)x & 0x7fffffffffffffffLL;
  return (vd)((vi)x & (bits < 0x7ff0000000000000LL));
}

INLINE eight predict(const double *x_rbl, const prediction *p, int64_t r, int64_t t) {
  eight sum;
  const double *row = x_rbl + r * p->n_b * LANES;
  if (p->kind_r[r]) {
    const double *plus = row - p->n_b * LANES;
    const int64_t at = (int64_t)p->bin_t[t] * LANES, from = (int64_t)p->bin_t[0] * LANES;
#pragma GCC unroll 4
    for (int j = 0; j < V8; j++) {
      vd x = load(plus + at + j * VL), x0 = load(row + from + j * VL), z0 = load(plus + from + j * VL);
      sum.v[j] = r < 2 * p->n_m ? x * (x0 / z0) : x + (x0 - z0);
    }
  } else {
    const double *w = p->weight_rtk + (r * p->n_b + t) * p->n_k;
    const int32_t *tap = p->tap_tk + t * p->n_k;
    eight base = load8(row + (int64_t)tap[0] * LANES);
#pragma GCC unroll 4
    for (int j = 0; j < V8; j++) sum.v[j] = w[0] * base.v[j];
    for (int64_t k = 1; k < p->n_k; k++) {
      const double *x = row + (int64_t)tap[k] * LANES;
#pragma GCC unroll 4
      for (int j = 0; j < V8; j++) sum.v[j] += w[k] * (load(x + j * VL) - base.v[j]);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < V8; j++) sum.v[j] = finite_or_zero(sum.v[j]);
  return sum;
}

typedef uint8_t bytes16 __attribute__((vector_size(16)));

INLINE bytes16 zip_low(bytes16 a, bytes16 b) {
  return __builtin_shuffle(a, b, (bytes16){0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
}
INLINE bytes16 zip_high(bytes16 a, bytes16 b) {
  return __builtin_shuffle(a, b, (bytes16){8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31});
}
INLINE bytes16 two(const uint8_t *a, const uint8_t *b) {
  uint64_t low, high;
  memcpy(&low, a, 8);
  memcpy(&high, b, 8);
  typedef uint64_t words __attribute__((vector_size(16)));
  return (bytes16)(words){low, high};
}

/* Eight bytes of each of eight planes to eight numbers. */
INLINE void gather(uint64_t *z, const uint8_t *const *planes, int64_t at) {
  /* Bytes k of lanes 0 to 7, beside bytes k + 4. */
  bytes16 a = two(planes[0] + at, planes[4] + at), b = two(planes[1] + at, planes[5] + at);
  bytes16 c = two(planes[2] + at, planes[6] + at), d = two(planes[3] + at, planes[7] + at);
  /* Pairs of bytes: 01 and 45, 23 and 67. */
  bytes16 ab = zip_low(a, b), AB = zip_high(a, b), cd = zip_low(c, d), CD = zip_high(c, d);
  typedef uint16_t pairs __attribute__((vector_size(16)));
  typedef uint32_t fours __attribute__((vector_size(16)));
#define ZIP_PAIRS(x, y, from) \
  (fours) __builtin_shuffle((pairs)x, (pairs)y, (pairs){from, from + 8, from + 1, from + 9, from + 2, from + 10, from + 3, from + 11})
  fours low0 = ZIP_PAIRS(ab, cd, 0), low1 = ZIP_PAIRS(ab, cd, 4);
  fours high0 = ZIP_PAIRS(AB, CD, 0), high1 = ZIP_PAIRS(AB, CD, 4);
  fours out[4] = {
      __builtin_shuffle(low0, high0, (fours){0, 4, 1, 5}), __builtin_shuffle(low0, high0, (fours){2, 6, 3, 7}),
      __builtin_shuffle(low1, high1, (fours){0, 4, 1, 5}), __builtin_shuffle(low1, high1, (fours){2, 6, 3, 7})};
  memcpy(z, out, 64);
}

void dotpe_unpack_exact(double *x_rbl, const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, const uint8_t *p3,
                        const uint8_t *p4, const uint8_t *p5, const uint8_t *p6, const uint8_t *p7, int64_t start,
                        const int32_t *bin_t, const int32_t *tap_tk, const double *weight_rtk, const int32_t *kind_r,
                        int32_t n_k, int32_t n_b, int32_t n_m) {
  const uint8_t *planes[8] = {p0 + start, p1 + start, p2 + start, p3 + start, p4 + start, p5 + start, p6 + start, p7 + start};
  const prediction p = {bin_t, tap_tk, kind_r, weight_rtk, n_k, n_b, n_m};
  for (int64_t r = 0; r < 4 * p.n_m; r++)
    for (int64_t t = 0; t < p.n_b; t++) {
      uint64_t z_l[LANES];
      gather(z_l, planes, (r * p.n_b + t) * LANES);
      eight guess = {0};
      if (t > 0) guess = predict(x_rbl, &p, r, t);
      double *to = x_rbl + (r * p.n_b + bin_t[t]) * LANES;
#pragma GCC unroll 4
      for (int j = 0; j < V8; j++) {
        vu z;
        memcpy(&z, z_l + j * VL, sizeof z);
        vu residual = (z >> 1) ^ -(z & 1);
        vi bits = (vi)guess.v[j];
        bits ^= (vi)((vu)(bits >> 63) >> 1);
        bits = (vi)((vu)bits + residual);
        bits ^= (vi)((vu)(bits >> 63) >> 1);
        store(to + j * VL, (vd)bits);
      }
    }
}

typedef struct {
  const uint8_t *at[8];
} streams;

/* Steps of the lanes as doubles; whether one of them is the lowest of its class. */
INLINE int read_steps(double *n_l, streams *s, int kind) {
  int escapes = 0;
  if (kind < 3) {
    uint32_t word;
    memcpy(&word, s->at[kind], 4);
    s->at[kind] += 4;
    for (int l = 0; l < LANES; l++) n_l[l] = (int32_t)(word << (28 - 4 * l)) >> 28;
    uint32_t other = word ^ 0x88888888u;
    return ((other - 0x11111111u) & ~other & 0x88888888u) != 0;
  }
  if (kind < 5) {
    const uint8_t *from = s->at[kind];
    s->at[kind] += 8;
    for (int l = 0; l < LANES; l++) n_l[l] = (int8_t)from[l];
    for (int l = 0; l < LANES; l++) escapes |= from[l] == 0x80;
    return escapes;
  }
  const uint8_t *low = s->at[5], *middle = s->at[6], *high = s->at[7];
  s->at[5] += 8;
  s->at[6] += 8;
  if (kind == 5) {
    for (int l = 0; l < LANES; l++) {
      int32_t n = (int16_t)(low[l] | middle[l] << 8);
      n_l[l] = n;
      escapes |= n == -32768;
    }
    return escapes;
  }
  s->at[7] += 8;
  for (int l = 0; l < LANES; l++) {
    int32_t n = (int32_t)((uint32_t)(low[l] | middle[l] << 8 | high[l] << 16) << 8) >> 8;
    n_l[l] = n;
    escapes |= n == -8388608;
  }
  return escapes;
}

INLINE double lowest_of(int kind) { return kind < 3 ? -8 : kind < 5 ? -128 : kind == 5 ? -32768 : -8388608; }

INLINE vd larger(vd a, vd b) {
  vi is = a > b;
  return (vd)(((vi)a & is) | ((vi)b & ~is));
}

int32_t dotpe_unpack_steps(double *x_rbl, double *root_pbl, const uint8_t *codes, const int32_t *at, const double *others,
                           int64_t first_other, int32_t n_others, const int32_t *bin_t, const int32_t *tap_tk,
                           const double *weight_rtk, const int32_t *kind_r, int32_t n_k, int32_t n_b, int32_t n_m,
                           const int32_t *near_tc, const uint8_t *class_rt, double step, double floor, double least) {
  const prediction p = {bin_t, tap_tk, kind_r, weight_rtk, n_k, n_b, n_m};
  streams s;
  for (int k = 0; k < 8; k++) s.at[k] = codes + at[k];
  others += first_other;
  int32_t taken = 0;
  for (int64_t t = 0; t < n_b; t++) {
    const int64_t b = bin_t[t];
    for (int q = 0; q < 2; q++) {
      double *root = root_pbl + (int64_t)q * n_b * LANES;
      double step_l[LANES];
      if (t > 0)
        for (int j = 0; j < V8; j++) {
          vd below = load(root + (int64_t)near_tc[2 * t] * LANES + j * VL);
          vd above = load(root + (int64_t)near_tc[2 * t + 1] * LANES + j * VL);
          vd lowest = floor * load(root + (int64_t)bin_t[0] * LANES + j * VL);
          store(step_l + j * VL, step * larger(larger(0.5 * (below + above), lowest), all(least)));
        }
      for (int64_t row = 0; row < 2 * p.n_m; row++) {
        const int64_t r = 2 * row + q;
        const int is_phase = row >= p.n_m;
        double *to = x_rbl + (r * p.n_b + b) * LANES;
        if (t == 0) {
          if (taken + LANES > n_others) return -1;
          memcpy(to, others + taken, 8 * LANES);
          taken += LANES;
        } else {
          const int kind = class_rt[r * p.n_b + t];
          double n_l[LANES];
          const int escapes = read_steps(n_l, &s, kind);
          eight guess = predict(x_rbl, &p, r, t);
#pragma GCC unroll 4
          for (int j = 0; j < V8; j++) {
            vd size = load(step_l + j * VL);
            if (is_phase) size /= larger(load(to - 2 * p.n_m * p.n_b * LANES + j * VL), size);
            vd x = guess.v[j] + load(n_l + j * VL) * size;
            if (!is_phase) x = (vd)((vi)x & (x > 0));
            store(to + j * VL, x);
          }
          if (escapes)
            for (int l = 0; l < LANES; l++)
              if (n_l[l] == lowest_of(kind)) {
                if (taken >= n_others) return -1;
                to[l] = others[taken++];
              }
        }
        if (row == p.n_m - 1)
          for (int j = 0; j < V8; j++) {
            vd sum = all(0);
            for (int64_t m = 0; m < p.n_m; m++) {
              vd x = load(x_rbl + ((2 * m + q) * p.n_b + b) * LANES + j * VL);
              sum += x * x;
            }
            store(root + b * LANES + j * VL, vsqrt(sum));
          }
      }
    }
  }
  return taken;
}

void dotpe_spread_lanes(double *out, int64_t first, const double *x_rbl, int64_t start, const double *scale_b, int32_t n_b,
                        int32_t n_rows, int32_t n_lanes) {
  const int64_t n_x = (int64_t)n_rows * n_b;
  out += first;
  x_rbl += start;
  for (int64_t row = 0; row < n_rows; row++)
    for (int64_t b0 = 0; b0 < n_b; b0 += 8) {
      const int64_t n = n_b - b0 < 8 ? n_b - b0 : 8;
      const double *x = x_rbl + (row * n_b + b0) * LANES;
      for (int64_t l = 0; l < n_lanes; l++) {
        double *to = out + l * n_x + row * n_b + b0;
        for (int64_t b = 0; b < n; b++) to[b] = x[b * LANES + l] * scale_b[b0 + b];
      }
    }
}
