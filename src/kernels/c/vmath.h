/* Elementary functions of vectors, to 1 or 2 units in the last place, the same on every instruction set with a fused multiply-add. */
#ifndef DOTPE_VMATH_H
#define DOTPE_VMATH_H
#include "simd.h"

/* 1.5 x 2^52: added to a double below 2^51 in size, it leaves the nearest integer in the low bits. */
#define ROUND 6755399441055744.0

INLINE vd floor_v(vd x) {
  vd nearest = (x + ROUND) - ROUND;
  return nearest - (vd)((nearest > x) & (vi)all(1.0));
}

/* ln x for normal x > 0: x = 2^k (1 + f), f in [sqrt(1/2) - 1, sqrt(2) - 1), then the polynomials of fdlibm. */
INLINE vd log_v(vd x) {
  vi bits = (vi)x;
  vi k = (vi)((vu)(bits - 0x3fe6a09e667f3bcdLL + ((int64_t)1024 << 52)) >> 52) - 1024;
  vd f = (vd)(bits - (k << 52)) - 1.0;
  vd n = (vd)(k + 0x4338000000000000LL) - ROUND;
  vd s = f / (f + 2.0);
  vd z = s * s;
  vd w = z * z;
  vd odd = mad(all(1.531383769920937332e-01), w, all(2.222219843214978396e-01));
  odd = mad(odd, w, all(3.999999999940941908e-01)) * w;
  vd even = mad(all(1.479819860511658591e-01), w, all(1.818357216161805012e-01));
  even = mad(even, w, all(2.857142874366239149e-01));
  even = mad(even, w, all(6.666666666666735130e-01)) * z;
  vd half = f * 0.5 * f;
  vd low = mad(s, half + (odd + even), n * 1.90821492927058770002e-10);
  return mad(n, all(6.93147180369123816490e-01), f - (half - low));
}

/* exp x for |x| < 700: x = k ln 2 + r, |r| <= ln 2 / 2, and the Taylor series of exp r. */
INLINE vd exp_v(vd x) {
  vd shifted = mad(x, all(1.44269504088896338700e+00), all(ROUND));
  vd k = shifted - ROUND;
  vd r = mad(-k, all(1.90821492927058770002e-10), mad(-k, all(6.93147180369123816490e-01), x));
  vd p = all(1.0 / 6227020800.0);
  p = mad(p, r, all(1.0 / 479001600.0));
  p = mad(p, r, all(1.0 / 39916800.0));
  p = mad(p, r, all(1.0 / 3628800.0));
  p = mad(p, r, all(1.0 / 362880.0));
  p = mad(p, r, all(1.0 / 40320.0));
  p = mad(p, r, all(1.0 / 5040.0));
  p = mad(p, r, all(1.0 / 720.0));
  p = mad(p, r, all(1.0 / 120.0));
  p = mad(p, r, all(1.0 / 24.0));
  p = mad(p, r, all(1.0 / 6.0));
  p = mad(p, r, all(0.5));
  p = mad(p, r, all(1.0));
  p = mad(p, r, all(1.0));
  return (vd)((vi)p + ((vi)shifted << 52));
}

/* sin and cos for |x| < 1e6: reduction by pi/2 in two parts (33 + 53 bits), then the minimax polynomials of fdlibm. */
INLINE void sincos_v(vd x, vd *s, vd *c) {
  vd shifted = mad(x, all(6.36619772367581382433e-01), all(ROUND));
  vi n = (vi)shifted;
  vd k = shifted - ROUND;
  vd r = mad(-k, all(6.07710050650619224932e-11), mad(-k, all(1.57079632673412561417e+00), x));
  vd z = r * r;
  vd ps = mad(all(1.58969099521155010221e-10), z, all(-2.50507602534068634195e-08));
  ps = mad(ps, z, all(2.75573137070700676789e-06));
  ps = mad(ps, z, all(-1.98412698298579493134e-04));
  ps = mad(ps, z, all(8.33333333332248946124e-03));
  ps = mad(ps, z, all(-1.66666666666666324348e-01));
  vd sine = mad(r * z, ps, r);
  vd pc = mad(all(-1.13596475577881948265e-11), z, all(2.08757232129817482790e-09));
  pc = mad(pc, z, all(-2.75573143513906633035e-07));
  pc = mad(pc, z, all(2.48015872894767294178e-05));
  pc = mad(pc, z, all(-1.38888888888741095749e-03));
  pc = mad(pc, z, all(4.16666666666666019037e-02));
  vd cosine = mad(z * z, pc, mad(all(-0.5), z, all(1.0)));
  /* An odd number of quarter turns swaps them; bit 1 of it is the sign of one, bit 1 of the next number that of the other. */
  const int64_t sign = INT64_MIN;
  vi odd = n << 63, half = n << 62;
  *s = (vd)((vi)where_negative(odd, cosine, sine) ^ (half & sign));
  *c = (vd)((vi)where_negative(odd, sine, cosine) ^ ((half + ((int64_t)1 << 62)) & sign));
}

#endif
