/* Fast Fourier transforms of lengths with no prime factor above 5. Twin of src/kernels/ref-fft.ts. */
#include "vmath.h"

#define SIN_60 0.86602540378443864676
#define COS_72 0.30901699437494742410
#define SIN_72 0.95105651629515357212
#define COS_144 (-0.80901699437494742410)
#define SIN_144 0.58778525229247312917

typedef struct {
  const int32_t *factors;
  const double *in_re, *in_im;
  double *re, *im;
} transform;

/* Each butterfly combines p transforms of length m that stand one after the other; twiddles w are (q, c, k), q = 1 .. p - 1. */
static void butterfly2(double *restrict re, double *restrict im, const double *restrict w, int m) {
  for (int k = 0; k < m; k++) {
    double b = re[k + m] * w[k] - im[k + m] * w[k + m], bi = re[k + m] * w[k + m] + im[k + m] * w[k];
    double a = re[k], ai = im[k];
    re[k + m] = a - b;
    im[k + m] = ai - bi;
    re[k] = a + b;
    im[k] = ai + bi;
  }
}

static void butterfly3(double *restrict re, double *restrict im, const double *restrict w, int m) {
  double *re1 = re + m, *re2 = re1 + m, *im1 = im + m, *im2 = im1 + m;
  const double *c1 = w, *s1 = c1 + m, *c2 = s1 + m, *s2 = c2 + m;
#pragma GCC ivdep
  for (int k = 0; k < m; k++) {
    double b = re1[k] * c1[k] - im1[k] * s1[k], bi = re1[k] * s1[k] + im1[k] * c1[k];
    double c = re2[k] * c2[k] - im2[k] * s2[k], ci = re2[k] * s2[k] + im2[k] * c2[k];
    double sum = b + c, sumI = bi + ci, turned = SIN_60 * (bi - ci), turnedI = -SIN_60 * (b - c);
    double rest = re[k] - 0.5 * sum, restI = im[k] - 0.5 * sumI;
    re[k] += sum;
    im[k] += sumI;
    re1[k] = rest + turned;
    im1[k] = restI + turnedI;
    re2[k] = rest - turned;
    im2[k] = restI - turnedI;
  }
}

static void butterfly4(double *restrict re, double *restrict im, const double *restrict w, int m) {
  double *re1 = re + m, *re2 = re1 + m, *re3 = re2 + m, *im1 = im + m, *im2 = im1 + m, *im3 = im2 + m;
  const double *c1 = w, *s1 = c1 + m, *c2 = s1 + m, *s2 = c2 + m, *c3 = s2 + m, *s3 = c3 + m;
#pragma GCC ivdep
  for (int k = 0; k < m; k++) {
    double b = re1[k] * c1[k] - im1[k] * s1[k], bi = re1[k] * s1[k] + im1[k] * c1[k];
    double c = re2[k] * c2[k] - im2[k] * s2[k], ci = re2[k] * s2[k] + im2[k] * c2[k];
    double d = re3[k] * c3[k] - im3[k] * s3[k], di = re3[k] * s3[k] + im3[k] * c3[k];
    double even = re[k] + c, evenI = im[k] + ci, odd = re[k] - c, oddI = im[k] - ci;
    double sum = b + d, sumI = bi + di, turned = bi - di, turnedI = d - b;
    re[k] = even + sum;
    im[k] = evenI + sumI;
    re1[k] = odd + turned;
    im1[k] = oddI + turnedI;
    re2[k] = even - sum;
    im2[k] = evenI - sumI;
    re3[k] = odd - turned;
    im3[k] = oddI - turnedI;
  }
}

static void butterfly5(double *restrict re, double *restrict im, const double *restrict w, int m) {
  double *re1 = re + m, *re2 = re1 + m, *re3 = re2 + m, *re4 = re3 + m;
  double *im1 = im + m, *im2 = im1 + m, *im3 = im2 + m, *im4 = im3 + m;
  const double *c1 = w, *s1 = c1 + m, *c2 = s1 + m, *s2 = c2 + m, *c3 = s2 + m, *s3 = c3 + m, *c4 = s3 + m, *s4 = c4 + m;
#pragma GCC ivdep
  for (int k = 0; k < m; k++) {
    double b = re1[k] * c1[k] - im1[k] * s1[k], bi = re1[k] * s1[k] + im1[k] * c1[k];
    double c = re2[k] * c2[k] - im2[k] * s2[k], ci = re2[k] * s2[k] + im2[k] * c2[k];
    double d = re3[k] * c3[k] - im3[k] * s3[k], di = re3[k] * s3[k] + im3[k] * c3[k];
    double e = re4[k] * c4[k] - im4[k] * s4[k], ei = re4[k] * s4[k] + im4[k] * c4[k];
    double sumBe = b + e, sumBeI = bi + ei, sumCd = c + d, sumCdI = ci + di;
    double difBe = b - e, difBeI = bi - ei, difCd = c - d, difCdI = ci - di;
    double near = re[k] + COS_72 * sumBe + COS_144 * sumCd, nearI = im[k] + COS_72 * sumBeI + COS_144 * sumCdI;
    double far = re[k] + COS_144 * sumBe + COS_72 * sumCd, farI = im[k] + COS_144 * sumBeI + COS_72 * sumCdI;
    double nearTurn = SIN_72 * difBeI + SIN_144 * difCdI, nearTurnI = -(SIN_72 * difBe + SIN_144 * difCd);
    double farTurn = SIN_144 * difBeI - SIN_72 * difCdI, farTurnI = -(SIN_144 * difBe - SIN_72 * difCd);
    re[k] += sumBe + sumCd;
    im[k] += sumBeI + sumCdI;
    re1[k] = near + nearTurn;
    im1[k] = nearI + nearTurnI;
    re4[k] = near - nearTurn;
    im4[k] = nearI - nearTurnI;
    re2[k] = far + farTurn;
    im2[k] = farI + farTurnI;
    re3[k] = far - farTurn;
    im3[k] = farI - farTurnI;
  }
}

/* The transform of in[first + j stride], j < n, to out[start .. start + n). */
static void recurse(const transform *at, int level, const double *w, int64_t first, int64_t stride, int64_t start, int n) {
  const int p = at->factors[level], m = n / p;
  for (int q = 0; q < p; q++) {
    const int64_t from = first + q * stride, to = start + (int64_t)q * m;
    if (m > 1) {
      recurse(at, level + 1, w + 2 * (p - 1) * m, from, stride * p, to, m);
    } else {
      at->re[to] = at->in_re[from];
      at->im[to] = at->in_im[from];
    }
  }
  double *re = at->re + start, *im = at->im + start;
  if (p == 4) butterfly4(re, im, w, m);
  else if (p == 2) butterfly2(re, im, w, m);
  else if (p == 3) butterfly3(re, im, w, m);
  else butterfly5(re, im, w, m);
}

void dotpe_fft(double *out_cj, const double *re_j, const double *im_j, const int32_t *factors, const double *twiddles,
               int32_t n) {
  if (n == 1) {
    out_cj[0] = re_j[0];
    out_cj[1] = im_j[0];
    return;
  }
  transform at = {factors, re_j, im_j, out_cj, out_cj + n};
  recurse(&at, 0, twiddles, 0, 1, 0, n);
}

void dotpe_twiddles(double *w, const int32_t *factors, int32_t n_factors, int32_t n) {
  int64_t size = n;
  for (int level = 0; level < n_factors; level++) {
    const int p = factors[level];
    const int64_t m = size / p;
    for (int q = 1; q < p; q++, w += 2 * m)
      for (int64_t k = 0; k < m; k += VL) {
        /* The angle is reduced to an eighth of a turn, so every value is good to the last bit or so. */
        double angle[VL] = {0}, cosine[VL], sine[VL];
        int64_t quarter[VL] = {0};
        const int some = m - k < VL ? (int)(m - k) : VL;
        for (int j = 0; j < some; j++) {
          const int64_t turn = q * (k + j);
          quarter[j] = (8 * turn / size + 1) / 2;
          angle[j] = 2 * M_PI / size * (turn - 0.25 * quarter[j] * size);
        }
        vd s, c;
        sincos_v(load(angle), &s, &c);
        store(sine, s);
        store(cosine, c);
        for (int j = 0; j < some; j++) {
          const int odd = quarter[j] & 1, behind = quarter[j] >> 1 & 1;
          const double re = odd ? -sine[j] : cosine[j], im = odd ? -cosine[j] : -sine[j];
          w[k + j] = behind ? -re : re;
          w[m + k + j] = behind ? -im : im;
        }
      }
    size = m;
  }
}
