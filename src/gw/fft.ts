/** Fast Fourier transforms of any length, complex numbers as separate re and im arrays. */
import { fft as transformAny } from "../kernels/ref-fft.ts";
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

/** Twiddles and factors of one length; transforms do not allocate (but for a prime factor above 5). */
export class FftPlan {
  private readonly factors: Int32Array;
  private readonly twiddles: Float64Array;
  private readonly transform: SetupKernels["fft"];

  constructor(
    readonly n: number,
    kernels: Pick<SetupKernels, "fft" | "twiddles">,
  ) {
    if (!(Number.isInteger(n) && n > 0)) throw new RangeError(`FFT length ${n} is not a positive integer`);
    const factors = factorize(n);
    this.factors = Int32Array.from(factors);
    let [n_w, m] = [0, n];
    for (const p of factors) {
      m /= p;
      n_w += 2 * (p - 1) * m;
    }
    this.twiddles = new Float64Array(n_w);
    kernels.twiddles(this.twiddles, this.factors, factors.length, n);
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
