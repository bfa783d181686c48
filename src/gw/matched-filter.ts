/** The matched filter of one detector's data with a template, at every time of the segment. */
import type { SetupKernels } from "../kernels/setup-table.ts";
import { FftPlan } from "./fft.ts";

/** The signal in one detector, where it stands in the segment, on the FFT grid (f), any norm. */
export interface DetectorTemplate {
  readonly re_f: Float64Array;
  readonly im_f: Float64Array;
}

/** Strain (1/Hz) of one detector, and 1/PSD: the whitening filter squared. */
export interface DetectorData {
  readonly re_f: Float64Array;
  readonly im_f: Float64Array;
  readonly power_f: Float64Array;
}

export interface FilterOutput {
  /** Root of <h|h>; the series are zero where it is not positive and finite. */
  readonly norm: number;
  /** Real and imaginary part of <d|h>(t) / norm, t >= 0 then t < 0; overwritten by the next filter of the same plan. */
  readonly cos_t: Float64Array;
  readonly sin_t: Float64Array;
  /** Time (in steps) over which the noise of the series stays the same: its autocorrelation squared, summed. */
  readonly correlationLength: number;
  /** Mean frequency of the template's SNR^2, Hz. */
  readonly meanFrequency: number;
}

/** Filters on one FFT grid: one instance serves one thread. */
export class MatchedFilter {
  readonly n_t: number;
  private readonly plan: FftPlan;
  private readonly spectrum_cj: Float64Array;
  private readonly series_sj: Float64Array;

  /** @param f the FFT grid, 0 to the Nyquist frequency (Hz) */
  constructor(
    private readonly f: Float64Array,
    private readonly kernels: SetupKernels,
  ) {
    this.n_t = 2 * (f.length - 1);
    this.plan = new FftPlan(this.n_t, kernels);
    this.spectrum_cj = new Float64Array(2 * this.n_t);
    this.series_sj = new Float64Array(2 * this.n_t);
  }

  run(data: DetectorData, { re_f, im_f }: DetectorTemplate): FilterOutput {
    const { f, n_t, kernels, spectrum_cj, series_sj } = this;
    const n_f = f.length;
    const df = f[n_f - 1] / (n_f - 1);
    const sums = new Float64Array(3);
    kernels.powerSums(sums, re_f, im_f, data.power_f, f, n_f);
    const [power, square, weighted] = sums;
    const norm = Math.sqrt(4 * df * power);
    const usable = norm > 0 && norm < Number.POSITIVE_INFINITY;
    // Frequencies without their negative: the real part of the series is the transform of a real series.
    const scale = usable ? (4 * df) / norm : 0;
    kernels.matched(spectrum_cj, data.re_f, data.im_f, re_f, im_f, data.power_f, scale, n_t, n_f);
    for (const end of [0, n_f - 1]) {
      spectrum_cj[end] /= 2;
      spectrum_cj[n_t + end] /= 2;
    }
    this.plan.backward(spectrum_cj.subarray(0, n_t), spectrum_cj.subarray(n_t), series_sj);
    const whitened = (2 * n_t * df) / (norm * norm);
    return {
      norm,
      cos_t: series_sj.subarray(n_t),
      sin_t: series_sj.subarray(0, n_t),
      correlationLength: (4 * whitened * whitened * square) / n_t,
      meanFrequency: power > 0 ? weighted / power : 0,
    };
  }
}
