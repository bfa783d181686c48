/** Fast Fourier transforms of any length, complex numbers as separate re and im arrays. */
import { rootOfUnity, fft as transformAny } from "../kernels/ref-fft.ts";
import type { SetupKernels } from "../kernels/setup-table.ts";

/** Prime factors that have butterflies of their own, and 4. */
const RADICES = [4, 2, 3, 5];

function factorize(n: number): number[] {
  const factors: number[] = [];
  let rest = n;
  const takeAll = (p: number) => {
    for (; rest % p === 0; rest /= p) factors.push(p);
  };
  for (const p of RADICES) takeAll(p);
  for (let p = 7; p * p <= rest; p += 2) takeAll(p);
  if (rest > 1) factors.push(rest);
  return factors;
}

/** exp(-2 pi i k / n), (k, c). */
function rootsOfUnity(n: number): Float64Array {
  const root_kc = new Float64Array(2 * n);
  for (let k = 0; 2 * k <= n; k++) {
    const [re, im] = rootOfUnity(k, n);
    root_kc[2 * k] = re;
    root_kc[2 * k + 1] = im;
    if (k === 0) continue;
    root_kc[2 * (n - k)] = re;
    root_kc[2 * (n - k) + 1] = -im;
  }
  return root_kc;
}

/**
 * What the butterflies of each level multiply their inputs by, in the order in which they read it: for a factor p that
 * combines transforms of length m, exp(-2 pi i q k / (p m)) as (q, c, k) with 1 <= q < p, k < m.
 */
function twiddlesOf(n: number, factors: readonly number[]): Float64Array {
  const root_kc = rootsOfUnity(n);
  const sizes = factors.map((p, level) => n / factors.slice(0, level).reduce((a, b) => a * b, p));
  const twiddles = new Float64Array(factors.reduce((sum, p, level) => sum + 2 * (p - 1) * sizes[level], 0));
  let at = 0;
  for (const [level, p] of factors.entries()) {
    const m = sizes[level];
    const step = n / (p * m);
    for (let q = 1; q < p; q++, at += 2 * m) {
      for (let k = 0; k < m; k++) {
        twiddles[at + k] = root_kc[2 * q * k * step];
        twiddles[at + m + k] = root_kc[2 * q * k * step + 1];
      }
    }
  }
  return twiddles;
}

/** Twiddles and factors of one length; transforms do not allocate (but for a prime factor above 5). */
export class FftPlan {
  private readonly factors: Int32Array;
  private readonly twiddles: Float64Array;
  private readonly transform: SetupKernels["fft"];

  constructor(
    readonly n: number,
    kernels: Pick<SetupKernels, "fft">,
  ) {
    if (!(Number.isInteger(n) && n > 0)) throw new RangeError(`FFT length ${n} is not a positive integer`);
    const factors = factorize(n);
    this.factors = Int32Array.from(factors);
    this.twiddles = twiddlesOf(n, factors);
    this.transform = factors.every((p) => RADICES.includes(p)) ? kernels.fft : transformAny;
  }

  /** out_cj = sum_k in_k exp(-2 pi i j k / n). All have length n, (2, n); out must not be in. */
  forward(re: Float64Array, im: Float64Array, out_cj: Float64Array): void {
    this.transform(out_cj, re, im, this.factors, this.twiddles, this.n);
  }

  /** The sum with exp(+2 pi i j k / n), without 1/n. Its imaginary parts come first: out (im, re). */
  backward(re: Float64Array, im: Float64Array, out_sj: Float64Array): void {
    this.transform(out_sj, im, re, this.factors, this.twiddles, this.n);
  }
}
