/* Decoding packed banks, eight samples at a time, one a lane. Twins of src/kernels/ref-pack.ts, layouts in pack-table.ts.
 * Nothing is fused: products and sums are rounded one by one, as in TypeScript, so all variants give the same bits. */
#include "simd.h"

#define LANES 8
#define MAX_TAPS 16

typedef struct {
  const int32_t *bin_t, *tap_tk, *kind_r;
  const double *weight_trk;
  const uint8_t *class_tr, *shift_tr;
  int64_t n_b, n_m, n_r;
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

INLINE void store8(double *x, eight from) {
#pragma GCC unroll 4
  for (int j = 0; j < V8; j++) store(x + j * VL, from.v[j]);
}

INLINE vd finite_or_zero(vd x) {
  vi bits = (vi)x & 0x7fffffffffffffffLL;
  return (vd)((vi)x & (bits < 0x7ff0000000000000LL));
}

/* Where the rows of the bins that place t is predicted from begin. */
INLINE void find_taps(const double **tap_k, const double *x_brl, const prediction *p, int64_t t, int n_k) {
#pragma GCC unroll 16
  for (int k = 0; k < n_k; k++) tap_k[k] = x_brl + (int64_t)p->tap_tk[t * n_k + k] * p->n_r * LANES;
}

INLINE eight predict(const double *x_brl, const prediction *p, const double *const *tap_k, int64_t r, int64_t t, int n_k) {
  eight sum;
  if (__builtin_expect(p->kind_r[r], 0)) {
    const double *now = x_brl + (int64_t)p->bin_t[t] * p->n_r * LANES + (r - 1) * LANES;
    const double *first = x_brl + (int64_t)p->bin_t[0] * p->n_r * LANES + (r - 1) * LANES;
#pragma GCC unroll 4
    for (int j = 0; j < V8; j++) {
      vd x = load(now + j * VL), x0 = load(first + LANES + j * VL), z0 = load(first + j * VL);
      sum.v[j] = r < 2 * p->n_m ? x * (x0 / z0) : x + (x0 - z0);
    }
  } else {
    const double *w = p->weight_trk + (t * p->n_r + r) * n_k;
#pragma GCC unroll 4
    for (int j = 0; j < V8; j++) sum.v[j] = w[0] * load(tap_k[0] + r * LANES + j * VL);
#pragma GCC unroll 16
    for (int k = 1; k < n_k; k++) {
#pragma GCC unroll 4
      for (int j = 0; j < V8; j++) sum.v[j] += w[k] * load(tap_k[k] + r * LANES + j * VL);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < V8; j++) sum.v[j] = finite_or_zero(sum.v[j]);
  return sum;
}

/* Lane l: the w bits from bit l w on, w <= 56. Reads up to 64 bytes from there. */
INLINE void read_bits(vu *to, const uint8_t *from, unsigned w) {
  const uint64_t mask = (1ULL << w) - 1;
#if VL == 8
  if (__builtin_expect(w <= 48, 1)) {
    const __m512i lane = _mm512_set_epi64(0x0007000700070007, 0x0006000600060006, 0x0005000500050005, 0x0004000400040004,
                                          0x0003000300030003, 0x0002000200020002, 0x0001000100010001, 0);
    const __m512i bit = _mm512_mullo_epi16(lane, _mm512_set1_epi16((short)w));
    const __m512i place = _mm512_add_epi16(_mm512_srli_epi16(bit, 4), _mm512_set1_epi64(0x0003000200010000));
    const __m512i found = _mm512_permutexvar_epi16(place, _mm512_loadu_si512(from));
    to[0] = (vu)_mm512_srlv_epi64(found, _mm512_and_si512(bit, _mm512_set1_epi64(15))) & mask;
    return;
  }
#endif
  uint64_t word_l[LANES];
#pragma GCC unroll 8
  for (unsigned l = 0; l < LANES; l++) {
    memcpy(word_l + l, from + (l * w >> 3), 8);
    word_l[l] = word_l[l] >> (l * w & 7) & mask;
  }
#pragma GCC unroll 4
  for (int j = 0; j < V8; j++) {
#if VL == 8
    memcpy(to + j, word_l, sizeof word_l);
#elif VL == 4
    to[j] = (vu){word_l[4 * j], word_l[4 * j + 1], word_l[4 * j + 2], word_l[4 * j + 3]};
#else
    to[j] = (vu){word_l[2 * j], word_l[2 * j + 1]};
#endif
  }
}

/* Doubles as integers of the same order, and back. */
INLINE vu ordered(vu bits) { return bits ^ ((vu)((vi)bits < 0) >> 1); }

#define MOST_BITS 56
#define WHOLE 64

INLINE int unpack_exact(double *x_brl, const uint8_t *width_tr, const uint8_t *digits, const prediction *p, int n_k) {
  const double *tap_k[MAX_TAPS];
  for (int64_t t = 0; t < p->n_b; t++) {
    find_taps(tap_k, x_brl, p, t, n_k);
    double *to = x_brl + (int64_t)p->bin_t[t] * p->n_r * LANES;
    for (int64_t r = 0; r < p->n_r; r++, to += LANES) {
      const int64_t at = t * p->n_r + r;
      const unsigned w = (uint8_t)(width_tr[at] + p->shift_tr[at]);
      vu n[V8];
      if (__builtin_expect(w <= MOST_BITS, 1)) read_bits(n, digits, w);
      else memcpy(n, digits, sizeof n);
      const uint64_t half = w == WHOLE ? 1ULL << 63 : 1ULL << w >> 1;
      digits += w;
      eight guess;
      if (t > 0) guess = predict(x_brl, p, tap_k, r, t, n_k);
      else memset(&guess, 0, sizeof guess);
#pragma GCC unroll 4
      for (int j = 0; j < V8; j++) guess.v[j] = (vd)ordered(ordered((vu)guess.v[j]) + (n[j] - half));
      store8(to, guess);
    }
  }
  return 0;
}

int32_t dotpe_unpack_exact(double *x_brl, const uint8_t *widths, int64_t first_width, const uint8_t *digits,
                           int64_t first_digit, int32_t n_digits, const int32_t *bin_t, const int32_t *tap_tk,
                           const double *weight_trk, const int32_t *kind_r, const uint8_t *class_tr, const uint8_t *shift_tr,
                           int32_t n_k, int32_t n_b, int32_t n_m) {
  const prediction p = {bin_t, tap_tk, kind_r, weight_trk, class_tr, shift_tr, n_b, n_m, 4 * n_m};
  widths += first_width;
  int32_t total = 0, wrong = 0;
  for (int32_t at = 0; at < 4 * n_m * n_b; at++) {
    const uint8_t w = (uint8_t)(widths[at] + shift_tr[at]);
    total += w;
    wrong |= (w > MOST_BITS) & (w != WHOLE);
  }
  if (wrong || total != n_digits) return -1;
  return n_k == 8 ? unpack_exact(x_brl, widths, digits + first_digit, &p, 8)
                  : unpack_exact(x_brl, widths, digits + first_digit, &p, n_k);
}

#define N_CLASSES 7
#define FIRST_BYTES 4

typedef struct {
  const uint8_t *symbols[N_CLASSES], *rests;
  const double *others;
  int32_t left;
} streams;

#define EVERY_BYTE 0x0101010101010101ULL

/* Eight signed half bytes as bytes. */
INLINE uint64_t spread_halves(uint64_t word) {
#if VL >= 4
  word = _pdep_u64(word, 0x0f * EVERY_BYTE);
#else
  word &= 0xffffffffULL;
  word = (word | word << 16) & 0x0000ffff0000ffffULL;
  word = (word | word << 8) & 0x00ff00ff00ff00ffULL;
  word = (word | word << 4) & 0x0f0f0f0f0f0f0f0fULL;
#endif
  return word | (word & 0x08 * EVERY_BYTE) * 0x1e;
}

/* The next symbols of a class as bytes, without a branch on it. Half bytes are followed by at least four bytes more. */
INLINE uint64_t read_symbols(streams *s, int kind) {
  const uint8_t *from = s->symbols[kind];
  const uint64_t is_half = kind < FIRST_BYTES;
  uint64_t word;
  memcpy(&word, from, 8);
  s->symbols[kind] = from + LANES - is_half * (LANES / 2);
  return (spread_halves(word) & -is_half) | (word & (is_half - 1));
}

INLINE uint8_t lowest_of(int kind) { return kind < FIRST_BYTES ? 0xf8 : 0x80; }

/* Whether one of them is the lowest that its class has. */
INLINE int has_lowest(uint64_t symbols, int kind) {
  const uint64_t others = symbols ^ lowest_of(kind) * EVERY_BYTE;
  return ((others - EVERY_BYTE) & ~others & 0x80 * EVERY_BYTE) != 0;
}

/* Puts the next others where the symbol is the lowest; 0 if there are not enough. */
static __attribute__((noinline)) int put_others(double *to, uint64_t symbols, streams *s, int kind) {
  for (int l = 0; l < LANES; l++)
    if ((uint8_t)(symbols >> 8 * l) == lowest_of(kind)) {
      if (s->left-- == 0) return 0;
      to[l] = *s->others++;
    }
  return 1;
}

INLINE vd larger(vd a, vd b) {
  vi is = a > b;
  return (vd)(((vi)a & is) | ((vi)b & ~is));
}

/* Symbols with their rests. */
INLINE eight read_steps(streams *s, uint64_t symbols, unsigned shift) {
  eight n;
#pragma GCC unroll 4
  for (int j = 0; j < V8; j++) {
#if VL == 8
    n.v[j] = (vd)_mm512_cvtepi32_pd(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128((int64_t)symbols)));
#elif VL == 4
    n.v[j] = (vd)_mm256_cvtepi32_pd(_mm_cvtepi8_epi32(_mm_cvtsi32_si128((int32_t)(symbols >> 32 * j))));
#else
    n.v[j] = (vd){(int8_t)(symbols >> 16 * j), (int8_t)(symbols >> (16 * j + 8))};
#endif
  }
  if (shift > 0) {
    vu rest[V8];
    read_bits(rest, s->rests, shift);
    /* The digits of 2^52 + rest are those of rest. */
    const double above = 0x1p52;
    uint64_t bits;
    memcpy(&bits, &above, sizeof bits);
#pragma GCC unroll 4
    for (int j = 0; j < V8; j++) n.v[j] = n.v[j] * (double)(1 << shift) + ((vd)(rest[j] | bits) - above);
    s->rests += shift;
  }
  return n;
}

/* Root of the sum of squares of the amplitudes of polarization q. */
INLINE void put_root(double *root, const double *x_rl, int64_t n_m, int q) {
  eight sum;
#pragma GCC unroll 4
  for (int j = 0; j < V8; j++) {
    sum.v[j] = all(0);
    for (int64_t m = 0; m < n_m; m++) {
      vd x = load(x_rl + (2 * m + q) * LANES + j * VL);
      sum.v[j] += x * x;
    }
    sum.v[j] = vsqrt(sum.v[j]);
  }
  store8(root, sum);
}

typedef struct {
  const int32_t *near_tc;
  double step, floor, least;
  int64_t n_roots;
} steps;

INLINE int unpack_steps(double *x_brl, double *root_bpl, streams *of, const prediction *p, const steps *c, int n_k) {
  streams s = *of;
  const double *tap_k[MAX_TAPS];
  const int64_t n_m = p->n_m, n_r = p->n_r, first = (int64_t)p->bin_t[0];
  for (int q = 0; q < 2; q++) {
    for (int64_t row = 0; row < 2 * n_m; row++) {
      if (s.left < LANES) return -1;
      memcpy(x_brl + (first * n_r + 2 * row + q) * LANES, s.others, 8 * LANES);
      s.others += LANES;
      s.left -= LANES;
    }
    put_root(root_bpl + (2 * first + q) * LANES, x_brl + first * n_r * LANES, n_m, q);
  }
  for (int64_t t = 1; t < p->n_b; t++) {
    const int64_t b = p->bin_t[t];
    double *x_rl = x_brl + b * n_r * LANES;
    find_taps(tap_k, x_brl, p, t, n_k);
    for (int q = 0; q < 2; q++) {
      eight step;
#pragma GCC unroll 4
      for (int j = 0; j < V8; j++) {
        vd below = load(root_bpl + (2 * (int64_t)c->near_tc[2 * t] + q) * LANES + j * VL);
        vd above = load(root_bpl + (2 * (int64_t)c->near_tc[2 * t + 1] + q) * LANES + j * VL);
        vd lowest = c->floor * load(root_bpl + (2 * first + q) * LANES + j * VL);
        step.v[j] = c->step * larger(larger(0.5 * (below + above), lowest), all(c->least));
      }
      for (int64_t r = q; r < 2 * n_m; r += 2) {
        const int kind = p->class_tr[t * n_r + r];
        const uint64_t symbols = read_symbols(&s, kind);
        const eight n = read_steps(&s, symbols, p->shift_tr[t * n_r + r]);
        eight x = predict(x_brl, p, tap_k, r, t, n_k);
#pragma GCC unroll 4
        for (int j = 0; j < V8; j++) {
          x.v[j] += n.v[j] * step.v[j];
          x.v[j] = (vd)((vi)x.v[j] & (x.v[j] > 0));
        }
        store8(x_rl + r * LANES, x);
        if (__builtin_expect(has_lowest(symbols, kind), 0) && !put_others(x_rl + r * LANES, symbols, &s, kind)) return -1;
      }
      if (t < c->n_roots) put_root(root_bpl + (2 * b + q) * LANES, x_rl, n_m, q);
      for (int64_t r = 2 * n_m + q; r < n_r; r += 2) {
        const int kind = p->class_tr[t * n_r + r];
        const uint64_t symbols = read_symbols(&s, kind);
        const eight n = read_steps(&s, symbols, p->shift_tr[t * n_r + r]);
        eight x = predict(x_brl, p, tap_k, r, t, n_k);
#pragma GCC unroll 4
        for (int j = 0; j < V8; j++)
          x.v[j] += n.v[j] * (step.v[j] / larger(load(x_rl + (r - 2 * n_m) * LANES + j * VL), step.v[j]));
        store8(x_rl + r * LANES, x);
        if (__builtin_expect(has_lowest(symbols, kind), 0) && !put_others(x_rl + r * LANES, symbols, &s, kind)) return -1;
      }
    }
  }
  return of->left - s.left;
}

int32_t dotpe_unpack_steps(double *x_brl, double *root_bpl, const uint8_t *codes, const int32_t *at, const uint8_t *rests,
                           const double *others, int64_t first_other, int32_t n_others, const int32_t *bin_t,
                           const int32_t *tap_tk, const double *weight_trk, const int32_t *kind_r, const uint8_t *class_tr,
                           const uint8_t *shift_tr, int32_t n_k, int32_t n_b, int32_t n_m, const int32_t *near_tc,
                           double step, double floor, double least, int32_t n_roots) {
  const prediction p = {bin_t, tap_tk, kind_r, weight_trk, class_tr, shift_tr, n_b, n_m, 4 * n_m};
  const steps c = {near_tc, step, floor, least, n_roots};
  streams s;
  for (int k = 0; k < N_CLASSES; k++) s.symbols[k] = codes + at[k];
  s.rests = rests + at[N_CLASSES];
  s.others = others + first_other;
  s.left = n_others;
  return n_k == 6 ? unpack_steps(x_brl, root_bpl, &s, &p, &c, 6) : unpack_steps(x_brl, root_bpl, &s, &p, &c, n_k);
}

/* Eight bins of eight lanes, `stride` apart, as eight lanes of eight bins. */
INLINE void transpose(eight *out_l, const double *x, int64_t stride) {
#if VL == 8
  __m512d a[8], c[8];
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    const __m512d even = (__m512d)load(x + 2 * k * stride), odd = (__m512d)load(x + (2 * k + 1) * stride);
    a[k] = _mm512_unpacklo_pd(even, odd);
    a[4 + k] = _mm512_unpackhi_pd(even, odd);
  }
  /* c[4 h + 2 i + j]: lanes h + 2 i (and + 4) of the bins 4 j to 4 j + 3. */
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    c[2 * (k & ~1) + (k & 1)] = _mm512_shuffle_f64x2(a[2 * k], a[2 * k + 1], 0x88);
    c[2 * (k & ~1) + 2 + (k & 1)] = _mm512_shuffle_f64x2(a[2 * k], a[2 * k + 1], 0xdd);
  }
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    const int l = (k >> 1) + 2 * (k & 1);
    out_l[l].v[0] = (vd)_mm512_shuffle_f64x2(c[2 * k], c[2 * k + 1], 0x88);
    out_l[l + 4].v[0] = (vd)_mm512_shuffle_f64x2(c[2 * k], c[2 * k + 1], 0xdd);
  }
#elif VL == 4
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    const double *from = x + (k >> 1) * 4 * stride + (k & 1) * VL;
    const __m256d b0 = (__m256d)load(from), b1 = (__m256d)load(from + stride);
    const __m256d b2 = (__m256d)load(from + 2 * stride), b3 = (__m256d)load(from + 3 * stride);
    const __m256d e0 = _mm256_unpacklo_pd(b0, b1), o0 = _mm256_unpackhi_pd(b0, b1);
    const __m256d e1 = _mm256_unpacklo_pd(b2, b3), o1 = _mm256_unpackhi_pd(b2, b3);
    eight *to = out_l + (k & 1) * VL;
    to[0].v[k >> 1] = (vd)_mm256_permute2f128_pd(e0, e1, 0x20);
    to[1].v[k >> 1] = (vd)_mm256_permute2f128_pd(o0, o1, 0x20);
    to[2].v[k >> 1] = (vd)_mm256_permute2f128_pd(e0, e1, 0x31);
    to[3].v[k >> 1] = (vd)_mm256_permute2f128_pd(o0, o1, 0x31);
  }
#else
#pragma GCC unroll 4
  for (int k = 0; k < V8; k++)
#pragma GCC unroll 4
    for (int j = 0; j < V8; j++) {
      const vd even = load(x + 2 * k * stride + 2 * j), odd = load(x + (2 * k + 1) * stride + 2 * j);
      out_l[2 * j].v[k] = (vd){even[0], odd[0]};
      out_l[2 * j + 1].v[k] = (vd){even[1], odd[1]};
    }
#endif
}

void dotpe_spread_lanes(double *amplitude, double *phase, int64_t first, const double *x_brl, const double *scale_b,
                        int32_t n_b, int32_t n_m, int32_t n_lanes) {
  const int64_t n_r = 4 * n_m, n_x = (int64_t)2 * n_m * n_b, stride = n_r * LANES;
  for (int64_t r = 0; r < n_r; r++) {
    const int is_phase = r >= 2 * n_m;
    double *row = is_phase ? phase + first + (r - 2 * n_m) * n_b : amplitude + first + r * n_b;
    int64_t b = 0;
    for (; b + 8 <= n_b; b += 8) {
      eight out_l[LANES];
      transpose(out_l, x_brl + b * stride + r * LANES, stride);
      const eight scale = load8(scale_b + b);
#pragma GCC unroll 8
      for (int l = 0; l < LANES; l++) {
        if (l >= n_lanes) break;
#pragma GCC unroll 4
        for (int j = 0; j < V8; j++) store(row + l * n_x + b + j * VL, is_phase ? out_l[l].v[j] : out_l[l].v[j] * scale.v[j]);
      }
    }
    for (; b < n_b; b++)
      for (int64_t l = 0; l < n_lanes; l++) {
        const double x = x_brl[b * stride + r * LANES + l];
        row[l * n_x + b] = is_phase ? x : x * scale_b[b];
      }
  }
}
