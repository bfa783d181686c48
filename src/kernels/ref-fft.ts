/** Twin of c/fft.c, and the only transform for lengths with a prime factor above 5. */
import type { SetupKernels } from "./setup-table.ts";

const SIN_60 = Math.sqrt(3) / 2;
const COS_72 = Math.cos((2 * Math.PI) / 5);
const SIN_72 = Math.sin((2 * Math.PI) / 5);
const COS_144 = Math.cos((4 * Math.PI) / 5);
const SIN_144 = Math.sin((4 * Math.PI) / 5);

export const twiddles: SetupKernels["twiddles"] = (w, factors, n_factors, n) => {
  let [at, size] = [0, n];
  for (let level = 0; level < n_factors; level++) {
    const p = factors[level];
    const m = size / p;
    for (let q = 1; q < p; q++, at += 2 * m) {
      for (let k = 0; k < m; k++) {
        const [re, im] = rootOfUnity(q * k, size);
        w[at + k] = re;
        w[at + m + k] = im;
      }
    }
    size = m;
  }
};

/** exp(-2 pi i k / n): the angle is reduced to an eighth of a turn, so every value is good to the last bit or so. */
function rootOfUnity(k: number, n: number): [re: number, im: number] {
  const quarter = Math.floor((Math.floor((8 * k) / n) + 1) / 2);
  const angle = ((2 * Math.PI) / n) * (k - (quarter * n) / 4);
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  if (quarter % 4 === 0) return [c, -s];
  if (quarter % 4 === 1) return [-s, -c];
  return quarter % 4 === 2 ? [-c, s] : [s, c];
}

interface Transform {
  readonly factors: Int32Array;
  readonly twiddles: Float64Array;
  readonly inRe: Float64Array;
  readonly inIm: Float64Array;
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** Mixed radix, decimation in time: 4, 2, 3, 5 have their own butterflies, any other prime p costs O(n p). */
export const fft: SetupKernels["fft"] = (out_cj, inRe, inIm, factors, twiddles, n) => {
  const [re, im] = [out_cj.subarray(0, n), out_cj.subarray(n, 2 * n)];
  if (n === 1) {
    out_cj[0] = inRe[0];
    out_cj[1] = inIm[0];
    return;
  }
  transform({ factors, twiddles, inRe, inIm, re, im }, 0, 0, 0, 1, 0, n);
};

/** The transform of in[first + j stride], j < n, to out[start .. start + n); its twiddles begin at w. */
function transform(
  at: Transform,
  level: number,
  w: number,
  first: number,
  stride: number,
  start: number,
  n: number,
): void {
  const p = at.factors[level];
  const m = n / p;
  for (let q = 0; q < p; q++) {
    const [from, to] = [first + q * stride, start + q * m];
    if (m > 1) {
      transform(at, level + 1, w + 2 * (p - 1) * m, from, stride * p, to, m);
    } else {
      at.re[to] = at.inRe[from];
      at.im[to] = at.inIm[from];
    }
  }
  if (p === 4) butterfly4(at.re, at.im, at.twiddles, start, m, w);
  else if (p === 2) butterfly2(at.re, at.im, at.twiddles, start, m, w);
  else if (p === 3) butterfly3(at.re, at.im, at.twiddles, start, m, w);
  else if (p === 5) butterfly5(at.re, at.im, at.twiddles, start, m, w);
  else butterflyPrime(at.re, at.im, at.twiddles, start, m, w, p);
}

type Butterfly = (
  re: Float64Array,
  im: Float64Array,
  twiddles: Float64Array,
  start: number,
  m: number,
  w: number,
) => void;

const butterfly2: Butterfly = (re, im, twiddles, start, m, w) => {
  for (let k = 0; k < m; k++) {
    const j0 = start + k;
    const j1 = j0 + m;
    const [c, s] = [twiddles[w + k], twiddles[w + m + k]];
    const b = re[j1] * c - im[j1] * s;
    const bi = re[j1] * s + im[j1] * c;
    re[j1] = re[j0] - b;
    im[j1] = im[j0] - bi;
    re[j0] += b;
    im[j0] += bi;
  }
};

const butterfly3: Butterfly = (re, im, twiddles, start, m, w) => {
  for (let k = 0; k < m; k++) {
    const j0 = start + k;
    const j1 = j0 + m;
    const j2 = j1 + m;
    const t = w + k;
    const b = re[j1] * twiddles[t] - im[j1] * twiddles[t + m];
    const bi = re[j1] * twiddles[t + m] + im[j1] * twiddles[t];
    const c = re[j2] * twiddles[t + 2 * m] - im[j2] * twiddles[t + 3 * m];
    const ci = re[j2] * twiddles[t + 3 * m] + im[j2] * twiddles[t + 2 * m];
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
};

const butterfly4: Butterfly = (re, im, twiddles, start, m, w) => {
  for (let k = 0; k < m; k++) {
    const j0 = start + k;
    const j1 = j0 + m;
    const j2 = j1 + m;
    const j3 = j2 + m;
    const t = w + k;
    const b = re[j1] * twiddles[t] - im[j1] * twiddles[t + m];
    const bi = re[j1] * twiddles[t + m] + im[j1] * twiddles[t];
    const c = re[j2] * twiddles[t + 2 * m] - im[j2] * twiddles[t + 3 * m];
    const ci = re[j2] * twiddles[t + 3 * m] + im[j2] * twiddles[t + 2 * m];
    const d = re[j3] * twiddles[t + 4 * m] - im[j3] * twiddles[t + 5 * m];
    const di = re[j3] * twiddles[t + 5 * m] + im[j3] * twiddles[t + 4 * m];
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
};

const butterfly5: Butterfly = (re, im, twiddles, start, m, w) => {
  for (let k = 0; k < m; k++) {
    const j0 = start + k;
    const j1 = j0 + m;
    const j2 = j1 + m;
    const j3 = j2 + m;
    const j4 = j3 + m;
    const t = w + k;
    const b = re[j1] * twiddles[t] - im[j1] * twiddles[t + m];
    const bi = re[j1] * twiddles[t + m] + im[j1] * twiddles[t];
    const c = re[j2] * twiddles[t + 2 * m] - im[j2] * twiddles[t + 3 * m];
    const ci = re[j2] * twiddles[t + 3 * m] + im[j2] * twiddles[t + 2 * m];
    const d = re[j3] * twiddles[t + 4 * m] - im[j3] * twiddles[t + 5 * m];
    const di = re[j3] * twiddles[t + 5 * m] + im[j3] * twiddles[t + 4 * m];
    const e = re[j4] * twiddles[t + 6 * m] - im[j4] * twiddles[t + 7 * m];
    const ei = re[j4] * twiddles[t + 7 * m] + im[j4] * twiddles[t + 6 * m];
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
};

function butterflyPrime(
  re: Float64Array,
  im: Float64Array,
  twiddles: Float64Array,
  start: number,
  m: number,
  w: number,
  p: number,
): void {
  const root_qc = new Float64Array(2 * p);
  for (let q = 0; q < p; q++) root_qc.set(rootOfUnity(q, p), 2 * q);
  const turned = new Float64Array(2 * p);
  for (let k = 0; k < m; k++) {
    turned[0] = re[start + k];
    turned[1] = im[start + k];
    for (let q = 1; q < p; q++) {
      const j = start + q * m + k;
      const [c, s] = [twiddles[w + 2 * (q - 1) * m + k], twiddles[w + (2 * q - 1) * m + k]];
      turned[2 * q] = re[j] * c - im[j] * s;
      turned[2 * q + 1] = re[j] * s + im[j] * c;
    }
    for (let r = 0; r < p; r++) {
      let sum = 0;
      let sumI = 0;
      for (let q = 0, turn = 0; q < p; q++) {
        const [c, s] = [root_qc[2 * turn], root_qc[2 * turn + 1]];
        sum += turned[2 * q] * c - turned[2 * q + 1] * s;
        sumI += turned[2 * q] * s + turned[2 * q + 1] * c;
        turn += r;
        if (turn >= p) turn -= p;
      }
      re[start + r * m + k] = sum;
      im[start + r * m + k] = sumI;
    }
  }
}
