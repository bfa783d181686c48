/* Decoding packed banks, eight samples at a time, one a lane. Twins of src/kernels/ref-pack.ts, layouts in pack-table.ts.
 * Nothing is fused: products and sums are rounded one by one, as in TypeScript, so all variants give the same bits. */
#include "simd.h"

#define LANES 8

typedef struct {
  const int32_t *bin_t, *tap_tk, *kind_r;
  const double *weight_trk;
  const uint8_t *class_tr, *shift_tr;
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
    const double *w = p->weight_trk + (t * 4 * p->n_m + r) * p->n_k;
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

#define N_CLASSES 7
#define FIRST_BYTES 4

typedef struct {
  const uint8_t *symbols[N_CLASSES], *rests;
  const double *others;
  int32_t left;
} streams;

/* The lanes as integers of 8, 32 and 64 bits, and as doubles. */
typedef int8_t i8s __attribute__((vector_size(LANES)));
typedef uint8_t u8s __attribute__((vector_size(LANES)));
typedef int32_t i32s __attribute__((vector_size(4 * LANES)));
typedef uint64_t u64s __attribute__((vector_size(8 * LANES)));
typedef int64_t i64s __attribute__((vector_size(8 * LANES)));
typedef double f64s __attribute__((vector_size(8 * LANES)));

/* The next symbols of a class. */
INLINE i8s read_symbols(streams *s, int kind) {
  const uint8_t *from = s->symbols[kind];
  uint64_t word = 0;
  i8s symbols;
  if (kind < FIRST_BYTES) {
    s->symbols[kind] += 4;
    memcpy(&word, from, 4);
    word = (word | word << 16) & 0x0000ffff0000ffffULL;
    word = (word | word << 8) & 0x00ff00ff00ff00ffULL;
    word = (word | word << 4) & 0x0f0f0f0f0f0f0f0fULL;
    memcpy(&symbols, &word, 8);
    return (symbols ^ 8) - 8;
  }
  s->symbols[kind] += 8;
  memcpy(&symbols, from, 8);
  return symbols;
}

/* Whether one of them is the lowest that its class has. */
INLINE int has_lowest(i8s symbols, int kind) {
  const i8s is = symbols == (int8_t)(kind < FIRST_BYTES ? -8 : -128);
  uint64_t word;
  memcpy(&word, &is, 8);
  return word != 0;
}

/* The rest of lane l, of 1 to 56 bits, out of as many bits of all lanes. Reads up to 7 bytes beyond them. */
INLINE uint64_t rest_of(const uint8_t *rests, int shift, int l) {
  uint64_t word;
  memcpy(&word, rests + (l * shift >> 3), 8);
  return word >> (l * shift & 7) & ((1ULL << shift) - 1);
}

/* Puts the next others where the symbol is the lowest; 0 if there are not enough. */
static __attribute__((noinline)) int put_others(double *to, i8s symbols, streams *s, int kind) {
  for (int l = 0; l < LANES; l++)
    if (symbols[l] == (kind < FIRST_BYTES ? -8 : -128)) {
      if (s->left-- == 0) return 0;
      to[l] = *s->others++;
    }
  return 1;
}

INLINE int put_first(double *to, streams *s) {
  if (s->left < LANES) return 0;
  memcpy(to, s->others, 8 * LANES);
  s->others += LANES;
  s->left -= LANES;
  return 1;
}

INLINE streams open_streams(const uint8_t *codes, const int32_t *at, const uint8_t *rests, const double *others,
                            int64_t first_other, int32_t n_others) {
  streams s;
  for (int k = 0; k < N_CLASSES; k++) s.symbols[k] = codes + at[k];
  s.rests = rests + at[N_CLASSES];
  s.others = others + first_other;
  s.left = n_others;
  return s;
}

int32_t dotpe_unpack_exact(double *x_rbl, const uint8_t *codes, const int32_t *at, const uint8_t *rests,
                           const double *others, int64_t first_other, int32_t n_others, const int32_t *bin_t,
                           const int32_t *tap_tk, const double *weight_trk, const int32_t *kind_r, const uint8_t *class_tr,
                           const uint8_t *shift_tr, int32_t n_k, int32_t n_b, int32_t n_m) {
  const prediction p = {bin_t, tap_tk, kind_r, weight_trk, class_tr, shift_tr, n_k, n_b, n_m};
  streams s = open_streams(codes, at, rests, others, first_other, n_others);
  /* Rows inside: they do not depend on each other, so the processor works on several at once. */
  for (int64_t t = 0; t < p.n_b; t++)
    for (int64_t r = 0; r < 4 * p.n_m; r++) {
      double *to = x_rbl + (r * p.n_b + bin_t[t]) * LANES;
      if (t == 0) {
        if (!put_first(to, &s)) return -1;
        continue;
      }
      const int kind = class_tr[t * 4 * p.n_m + r], shift = shift_tr[t * 4 * p.n_m + r];
      const i8s symbols = read_symbols(&s, kind);
      u64s n = (u64s)__builtin_convertvector(symbols, i64s) << shift;
      if (shift > 0) {
        uint64_t rest_l[LANES];
        for (int l = 0; l < LANES; l++) rest_l[l] = rest_of(s.rests, shift, l);
        u64s rest;
        memcpy(&rest, rest_l, sizeof rest);
        n |= rest;
        s.rests += shift;
      }
      eight guess = predict(x_rbl, &p, r, t);
      u64s bits;
      memcpy(&bits, &guess, sizeof bits);
      bits ^= (u64s)((i64s)bits >> 63) >> 1;
      bits += n;
      bits ^= (u64s)((i64s)bits >> 63) >> 1;
      memcpy(to, &bits, sizeof bits);
      if (has_lowest(symbols, kind) && !put_others(to, symbols, &s, kind)) return -1;
    }
  return n_others - s.left;
}

INLINE vd larger(vd a, vd b) {
  vi is = a > b;
  return (vd)(((vi)a & is) | ((vi)b & ~is));
}

int32_t dotpe_unpack_steps(double *x_rbl, double *root_pbl, const uint8_t *codes, const int32_t *at, const uint8_t *rests,
                           const double *others, int64_t first_other, int32_t n_others, const int32_t *bin_t,
                           const int32_t *tap_tk, const double *weight_trk, const int32_t *kind_r, const uint8_t *class_tr,
                           const uint8_t *shift_tr, int32_t n_k, int32_t n_b, int32_t n_m, const int32_t *near_tc,
                           double step, double floor, double least) {
  const prediction p = {bin_t, tap_tk, kind_r, weight_trk, class_tr, shift_tr, n_k, n_b, n_m};
  streams s = open_streams(codes, at, rests, others, first_other, n_others);
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
          if (!put_first(to, &s)) return -1;
        } else {
          const int kind = class_tr[t * 4 * p.n_m + r], shift = shift_tr[t * 4 * p.n_m + r];
          const i8s symbols = read_symbols(&s, kind);
          f64s n = __builtin_convertvector(__builtin_convertvector(symbols, i32s), f64s);
          if (shift > 0) {
            int32_t rest_l[LANES];
            for (int l = 0; l < LANES; l++) rest_l[l] = (int32_t)rest_of(s.rests, shift, l);
            i32s rest;
            memcpy(&rest, rest_l, sizeof rest);
            n = n * (double)(1 << shift) + __builtin_convertvector(rest, f64s);
            s.rests += shift;
          }
          double steps_l[LANES];
          memcpy(steps_l, &n, sizeof n);
          eight guess = predict(x_rbl, &p, r, t);
#pragma GCC unroll 4
          for (int j = 0; j < V8; j++) {
            vd size = load(step_l + j * VL);
            if (is_phase) size /= larger(load(to - 2 * p.n_m * p.n_b * LANES + j * VL), size);
            vd x = guess.v[j] + load(steps_l + j * VL) * size;
            if (!is_phase) x = (vd)((vi)x & (x > 0));
            store(to + j * VL, x);
          }
          if (has_lowest(symbols, kind) && !put_others(to, symbols, &s, kind)) return -1;
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
  return n_others - s.left;
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
