/**
 * Fast Fourier transforms of any length, complex numbers as separate re and im arrays.
 * Mixed radix, decimation in time: 4, 2, 3, 5 have their own butterflies, any other prime p costs O(n p).
 */

type Split = { re: Float64Array; im: Float64Array };

const SIN_60 = Math.sqrt(3) / 2;
const COS_72 = Math.cos((2 * Math.PI) / 5);
const SIN_72 = Math.sin((2 * Math.PI) / 5);
const COS_144 = Math.cos((4 * Math.PI) / 5);
const SIN_144 = Math.sin((4 * Math.PI) / 5);

function factorize(n: number): number[] {
  const factors: number[] = [];
  let rest = n;
  const takeAll = (p: number) => {
    for (; rest % p === 0; rest /= p) factors.push(p);
  };
  for (const p of [4, 2, 3, 5]) takeAll(p);
  for (let p = 7; p * p <= rest; p += 2) takeAll(p);
  if (rest > 1) factors.push(rest);
  return factors;
}

/**
 * exp(-2 pi i k / n), k < n: the angle is reduced to an eighth of a turn, so every entry is good to the last bit or so.
 */
function rootsOfUnity(n: number): Split {
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  const unit = (2 * Math.PI) / n;
  for (let k = 0; 2 * k <= n; k++) {
    const quarter = Math.floor((Math.floor((8 * k) / n) + 1) / 2);
    const angle = unit * (k - (quarter * n) / 4);
    const c = Math.cos(angle);
    const s = Math.sin(angle);
    re[k] = quarter === 0 ? c : quarter === 1 ? -s : -c;
    im[k] = quarter === 0 ? -s : quarter === 1 ? -c : s;
    if (k > 0) {
      re[n - k] = re[k];
      im[n - k] = -im[k];
    }
  }
  return { re, im };
}

function everySecond(roots: Split): Split {
  const n = roots.re.length / 2;
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    re[k] = roots.re[2 * k];
    im[k] = roots.im[2 * k];
  }
  return { re, im };
}

/** Twiddles and factors of one length; transforms do not allocate (but for a prime factor above 5). */
export class FftPlan {
  readonly n: number;
  private readonly factors: number[];
  private readonly roots: Split;

  /** @param roots exp(-2 pi i k / n) if the caller has them */
  constructor(n: number, roots?: Split) {
    if (!(Number.isInteger(n) && n > 0)) throw new RangeError(`FFT length ${n} is not a positive integer`);
    this.n = n;
    this.factors = factorize(n);
    this.roots = roots ?? rootsOfUnity(n);
  }

  /** out_k = sum_j in_j exp(-2 pi i j k / n). All arrays have length n; out must not be in. */
  forward(re: Float64Array, im: Float64Array, outRe: Float64Array, outIm: Float64Array): void {
    this.transform(re, im, 0, 1, outRe, outIm, 0, this.n, 0);
  }

  /** out_j = 1/n sum_k in_k exp(+2 pi i j k / n). */
  inverse(re: Float64Array, im: Float64Array, outRe: Float64Array, outIm: Float64Array): void {
    this.transform(im, re, 0, 1, outIm, outRe, 0, this.n, 0);
    const scale = 1 / this.n;
    for (let j = 0; j < this.n; j++) {
      outRe[j] *= scale;
      outIm[j] *= scale;
    }
  }

  private transform(
    inRe: Float64Array,
    inIm: Float64Array,
    first: number,
    stride: number,
    re: Float64Array,
    im: Float64Array,
    start: number,
    n: number,
    level: number,
  ): void {
    if (n === 1) {
      re[start] = inRe[first];
      im[start] = inIm[first];
      return;
    }
    const p = this.factors[level];
    const m = n / p;
    if (m === 1) {
      for (let q = 0; q < p; q++) {
        re[start + q] = inRe[first + q * stride];
        im[start + q] = inIm[first + q * stride];
      }
    } else {
      for (let q = 0; q < p; q++) {
        this.transform(inRe, inIm, first + q * stride, stride * p, re, im, start + q * m, m, level + 1);
      }
    }
    const step = this.n / n;
    if (p === 4) butterfly4(re, im, start, m, step, this.roots);
    else if (p === 2) butterfly2(re, im, start, m, step, this.roots);
    else if (p === 3) butterfly3(re, im, start, m, step, this.roots);
    else if (p === 5) butterfly5(re, im, start, m, step, this.roots);
    else butterflyPrime(re, im, start, m, step, this.roots, p);
  }
}

function butterfly2(re: Float64Array, im: Float64Array, start: number, m: number, step: number, w: Split) {
  for (let k = 0, t = 0; k < m; k++, t += step) {
    const j0 = start + k;
    const j1 = j0 + m;
    const b = re[j1] * w.re[t] - im[j1] * w.im[t];
    const bi = re[j1] * w.im[t] + im[j1] * w.re[t];
    re[j1] = re[j0] - b;
    im[j1] = im[j0] - bi;
    re[j0] += b;
    im[j0] += bi;
  }
}

function butterfly3(re: Float64Array, im: Float64Array, start: number, m: number, step: number, w: Split) {
  const wr = w.re;
  const wi = w.im;
  for (let k = 0, t = 0; k < m; k++, t += step) {
    const j0 = start + k;
    const j1 = j0 + m;
    const j2 = j1 + m;
    const b = re[j1] * wr[t] - im[j1] * wi[t];
    const bi = re[j1] * wi[t] + im[j1] * wr[t];
    const c = re[j2] * wr[2 * t] - im[j2] * wi[2 * t];
    const ci = re[j2] * wi[2 * t] + im[j2] * wr[2 * t];
    const sum = b + c;
    const sumI = bi + ci;
    const turned = SIN_60 * (bi - ci);
    const turnedI = -SIN_60 * (b - c);
    const rest = re[j0] - 0.5 * sum;
    const restI = im[j0] - 0.5 * sumI;
    re[j0] += sum;
    im[j0] += sumI;
    re[j1] = rest + turned;
    im[j1] = restI + turnedI;
    re[j2] = rest - turned;
    im[j2] = restI - turnedI;
  }
}

function butterfly4(re: Float64Array, im: Float64Array, start: number, m: number, step: number, w: Split) {
  const wr = w.re;
  const wi = w.im;
  for (let k = 0, t = 0; k < m; k++, t += step) {
    const j0 = start + k;
    const j1 = j0 + m;
    const j2 = j1 + m;
    const j3 = j2 + m;
    const b = re[j1] * wr[t] - im[j1] * wi[t];
    const bi = re[j1] * wi[t] + im[j1] * wr[t];
    const c = re[j2] * wr[2 * t] - im[j2] * wi[2 * t];
    const ci = re[j2] * wi[2 * t] + im[j2] * wr[2 * t];
    const d = re[j3] * wr[3 * t] - im[j3] * wi[3 * t];
    const di = re[j3] * wi[3 * t] + im[j3] * wr[3 * t];
    const even = re[j0] + c;
    const evenI = im[j0] + ci;
    const odd = re[j0] - c;
    const oddI = im[j0] - ci;
    const sum = b + d;
    const sumI = bi + di;
    const turned = bi - di;
    const turnedI = d - b;
    re[j0] = even + sum;
    im[j0] = evenI + sumI;
    re[j1] = odd + turned;
    im[j1] = oddI + turnedI;
    re[j2] = even - sum;
    im[j2] = evenI - sumI;
    re[j3] = odd - turned;
    im[j3] = oddI - turnedI;
  }
}

function butterfly5(re: Float64Array, im: Float64Array, start: number, m: number, step: number, w: Split) {
  const wr = w.re;
  const wi = w.im;
  for (let k = 0, t = 0; k < m; k++, t += step) {
    const j0 = start + k;
    const j1 = j0 + m;
    const j2 = j1 + m;
    const j3 = j2 + m;
    const j4 = j3 + m;
    const b = re[j1] * wr[t] - im[j1] * wi[t];
    const bi = re[j1] * wi[t] + im[j1] * wr[t];
    const c = re[j2] * wr[2 * t] - im[j2] * wi[2 * t];
    const ci = re[j2] * wi[2 * t] + im[j2] * wr[2 * t];
    const d = re[j3] * wr[3 * t] - im[j3] * wi[3 * t];
    const di = re[j3] * wi[3 * t] + im[j3] * wr[3 * t];
    const e = re[j4] * wr[4 * t] - im[j4] * wi[4 * t];
    const ei = re[j4] * wi[4 * t] + im[j4] * wr[4 * t];
    const sumBe = b + e;
    const sumBeI = bi + ei;
    const sumCd = c + d;
    const sumCdI = ci + di;
    const difBe = b - e;
    const difBeI = bi - ei;
    const difCd = c - d;
    const difCdI = ci - di;
    const near = re[j0] + COS_72 * sumBe + COS_144 * sumCd;
    const nearI = im[j0] + COS_72 * sumBeI + COS_144 * sumCdI;
    const far = re[j0] + COS_144 * sumBe + COS_72 * sumCd;
    const farI = im[j0] + COS_144 * sumBeI + COS_72 * sumCdI;
    const nearTurn = SIN_72 * difBeI + SIN_144 * difCdI;
    const nearTurnI = -(SIN_72 * difBe + SIN_144 * difCd);
    const farTurn = SIN_144 * difBeI - SIN_72 * difCdI;
    const farTurnI = -(SIN_144 * difBe - SIN_72 * difCd);
    re[j0] += sumBe + sumCd;
    im[j0] += sumBeI + sumCdI;
    re[j1] = near + nearTurn;
    im[j1] = nearI + nearTurnI;
    re[j4] = near - nearTurn;
    im[j4] = nearI - nearTurnI;
    re[j2] = far + farTurn;
    im[j2] = farI + farTurnI;
    re[j3] = far - farTurn;
    im[j3] = farI - farTurnI;
  }
}

function butterflyPrime(
  re: Float64Array,
  im: Float64Array,
  start: number,
  m: number,
  step: number,
  w: Split,
  p: number,
) {
  const n = w.re.length;
  const turned = new Float64Array(2 * p);
  const rootStep = n / p;
  for (let k = 0; k < m; k++) {
    for (let q = 0; q < p; q++) {
      const j = start + q * m + k;
      const t = (q * k * step) % n;
      turned[2 * q] = re[j] * w.re[t] - im[j] * w.im[t];
      turned[2 * q + 1] = re[j] * w.im[t] + im[j] * w.re[t];
    }
    for (let r = 0; r < p; r++) {
      let sum = 0;
      let sumI = 0;
      for (let q = 0, turn = 0; q < p; q++) {
        const t = turn * rootStep;
        sum += turned[2 * q] * w.re[t] - turned[2 * q + 1] * w.im[t];
        sumI += turned[2 * q] * w.im[t] + turned[2 * q + 1] * w.re[t];
        turn += r;
        if (turn >= p) turn -= p;
      }
      re[start + r * m + k] = sum;
      im[start + r * m + k] = sumI;
    }
  }
}

/**
 * Inverse of the Fourier transform of a real series of even length n, from its n/2 + 1 non-negative frequencies
 * (the convention of numpy.fft.irfft: 1/n in front, the imaginary parts at 0 and at n/2 are ignored).
 * Even and odd points are the real and imaginary part of one complex transform of length n/2.
 */
export class IrfftPlan {
  readonly n: number;
  private readonly half: FftPlan;
  private readonly work: Split;
  private readonly out: Split;
  private readonly roots: Split;

  constructor(n: number) {
    if (!(Number.isInteger(n) && n > 0 && n % 2 === 0)) throw new RangeError(`irfft length ${n} is not even`);
    const n_half = n / 2;
    this.n = n;
    this.roots = rootsOfUnity(n);
    this.half = new FftPlan(n_half, everySecond(this.roots));
    this.work = { re: new Float64Array(n_half), im: new Float64Array(n_half) };
    this.out = { re: new Float64Array(n_half), im: new Float64Array(n_half) };
  }

  /** @param re,im n/2 + 1 frequencies @param series n values, written */
  run(re: Float64Array, im: Float64Array, series = new Float64Array(this.n)): Float64Array {
    const n_half = this.n / 2;
    const { work, out, roots } = this;
    for (let k = 0; k < n_half; k++) {
      const mirror = n_half - k;
      const imK = k === 0 ? 0 : im[k];
      const imMirror = k === 0 ? 0 : im[mirror];
      const oddRe = re[k] - re[mirror];
      const oddIm = imK + imMirror;
      const turnedRe = oddRe * roots.re[k] + oddIm * roots.im[k];
      const turnedIm = oddIm * roots.re[k] - oddRe * roots.im[k];
      work.re[k] = 0.5 * (re[k] + re[mirror] - turnedIm);
      work.im[k] = 0.5 * (imK - imMirror + turnedRe);
    }
    this.half.inverse(work.re, work.im, out.re, out.im);
    for (let j = 0; j < n_half; j++) {
      series[2 * j] = out.re[j];
      series[2 * j + 1] = out.im[j];
    }
    return series;
  }
}

/** numpy.fft.irfft of m frequencies to n = 2 (m - 1) points; use an IrfftPlan where it is called more than once. */
export function irfft(re: Float64Array, im: Float64Array): Float64Array {
  return new IrfftPlan(2 * (re.length - 1)).run(re, im);
}
