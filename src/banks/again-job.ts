/**
 * Makes waveforms of a bank again: on its bins, to compare them with those that are stored, and on every frequency of an
 * event's grid, for inner products without relative binning. A task is a sample.
 */
import { openWaveforms } from "../approximants/open.ts";
import type { WaveformRequest } from "../approximants/source.ts";
import { DotpeError } from "../errors.ts";
import { type BankSamples, N_POLARIZATIONS } from "../gw/bank.ts";
import { type BankFiles, BankReader } from "../gw/bank-reader.ts";
import { solve } from "../kernels/ref-detector-fit.ts";
import type { Kernels } from "../kernels/table.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import { parametersOf } from "./waveform-job.ts";

/** An event between the first and the last of the bins that are used. Shared arrays. */
export interface ExactData {
  /** Hz */
  readonly f: Float64Array;
  readonly df: number;
  /** Strain, and 1/PSD: (d, f). */
  readonly strainRe_df: Float64Array;
  readonly strainIm_df: Float64Array;
  readonly power_df: Float64Array;
  readonly drift_d: Float64Array;
  /** Where the likelihood is asked for: arrival (s from the segment's start) and orbital phase (j, d). */
  readonly t_jd: Float64Array;
  readonly phi_jd: Float64Array;
}

export interface AgainPlan {
  readonly files: BankFiles;
  readonly fbin: Float64Array;
  readonly mArr: readonly number[];
  /** What the bank says that it was made with. */
  readonly request: Omit<WaveformRequest, "f">;
  /** Shared. */
  readonly samples: BankSamples;
  /** Bank samples (j). */
  readonly i_j: Int32Array;
  readonly exact: ExactData | null;
}

/** Of one sample. */
export interface Again {
  readonly j: number;
  /** Why there is no waveform; the numbers are then NaN. */
  readonly error: string | null;
  /** |stored - made again| / |made again|, every bin counted alike: amplitudes times f^(7/6). */
  readonly difference: number;
  /** 1/2 d^T H^-1 d over the noise drift squared, in each detector; empty without an event. */
  readonly lnl_d: readonly number[];
}

export async function openAgain(plan: AgainPlan, kernels: Kernels): Promise<TaskRunner<Again[]>> {
  const { request, fbin, exact, files, mArr } = plan;
  const reader = new BankReader(files, kernels);
  const onBins = await openWaveforms({ ...request, f: fbin });
  const onGrid = exact === null ? null : await openWaveforms({ ...request, f: exact.f });
  const made: Again[] = [];
  const size = mArr.length * N_POLARIZATIONS;
  const [amplitude, phase] = [0, 1].map(() => new Float64Array(size * fbin.length));
  const products = exact === null ? null : new ExactProducts(exact, mArr);
  return {
    run(j) {
      const i = plan.i_j[j];
      const parameters = parametersOf(plan.samples, i);
      try {
        onBins.fill(parameters, amplitude, phase);
        reader.load(i, i + 1);
        const start = (i - reader.first) * size * fbin.length;
        const difference = differenceOf(reader, start, amplitude, phase, fbin);
        if (products !== null && onGrid !== null) {
          onGrid.fill(parameters, products.amplitude, products.phase);
          made.push({ j, error: null, difference, lnl_d: products.likelihoods(j) });
        } else made.push({ j, error: null, difference, lnl_d: [] });
      } catch (error) {
        if (!(error instanceof DotpeError)) throw error;
        made.push({ j, error: error.message, difference: Number.NaN, lnl_d: [] });
      }
    },
    result: () => made,
    close: () => reader.close(),
  };
}

function differenceOf(
  stored: Pick<BankReader, "amplitude" | "phase">,
  start: number,
  amplitude: Float64Array,
  phase: Float64Array,
  fbin: Float64Array,
): number {
  let [difference, norm] = [0, 0];
  for (let k = 0; k < amplitude.length; k++) {
    const weight = fbin[k % fbin.length] ** (7 / 3);
    const a = stored.amplitude[start + k];
    const b = amplitude[k];
    // |a e^ix - b e^iy|^2
    const half = Math.sin((stored.phase[start + k] - phase[k]) / 2);
    difference += weight * ((a - b) * (a - b) + 4 * a * b * half * half);
    norm += weight * b * b;
  }
  return Math.sqrt(difference / norm);
}

/** Inner products 4 df sum_f over the whole grid, of one waveform at a time. */
class ExactProducts {
  readonly amplitude: Float64Array;
  readonly phase: Float64Array;
  private readonly re_mpf: Float64Array;
  private readonly im_mpf: Float64Array;

  constructor(
    private readonly data: ExactData,
    private readonly mArr: readonly number[],
  ) {
    const size = mArr.length * N_POLARIZATIONS * data.f.length;
    this.amplitude = new Float64Array(size);
    this.phase = new Float64Array(size);
    this.re_mpf = new Float64Array(size);
    this.im_mpf = new Float64Array(size);
  }

  /** Of the waveform in `amplitude` and `phase` (m, p, f), at the times and phases of item j. */
  likelihoods(j: number): number[] {
    const { amplitude, phase, re_mpf, im_mpf, data } = this;
    for (let k = 0; k < amplitude.length; k++) {
      re_mpf[k] = amplitude[k] * Math.cos(phase[k]);
      im_mpf[k] = amplitude[k] * Math.sin(phase[k]);
    }
    const n_d = data.drift_d.length;
    return Array.from({ length: n_d }, (_, d) =>
      this.likelihood(d, data.t_jd[j * n_d + d], data.phi_jd[j * n_d + d]),
    );
  }

  /** The signal is sum_p r_p u_p exp(-2 pi i f t) with u_p = sum_m h_mp exp(i m phi): the best r_p. */
  private likelihood(d: number, t: number, phi: number): number {
    const { mArr, re_mpf, im_mpf } = this;
    const { f, df, strainRe_df, strainIm_df, power_df, drift_d } = this.data;
    const n_f = f.length;
    const cos_m = mArr.map((m) => Math.cos(m * phi));
    const sin_m = mArr.map((m) => Math.sin(m * phi));
    let [d0, d1, H00, H01, H11] = [0, 0, 0, 0, 0];
    for (let k = 0; k < n_f; k++) {
      let re0 = 0;
      let im0 = 0;
      let re1 = 0;
      let im1 = 0;
      for (let m = 0; m < cos_m.length; m++) {
        const c = cos_m[m];
        const s = sin_m[m];
        const plus = 2 * m * n_f + k;
        const cross = plus + n_f;
        re0 += re_mpf[plus] * c - im_mpf[plus] * s;
        im0 += re_mpf[plus] * s + im_mpf[plus] * c;
        re1 += re_mpf[cross] * c - im_mpf[cross] * s;
        im1 += re_mpf[cross] * s + im_mpf[cross] * c;
      }
      const at = d * n_f + k;
      const power = power_df[at];
      // Whole turns are taken off first: the angle would lose digits.
      const turns = f[k] * t;
      const angle = 2 * Math.PI * (turns - Math.round(turns));
      const c = Math.cos(angle);
      const s = Math.sin(angle);
      const dataRe = power * (strainRe_df[at] * c - strainIm_df[at] * s);
      const dataIm = power * (strainRe_df[at] * s + strainIm_df[at] * c);
      d0 += dataRe * re0 + dataIm * im0;
      d1 += dataRe * re1 + dataIm * im1;
      H00 += power * (re0 * re0 + im0 * im0);
      H01 += power * (re0 * re1 + im0 * im1);
      H11 += power * (re1 * re1 + im1 * im1);
    }
    const scale = 4 * df;
    const [r0, r1] = solve(scale * d0, scale * d1, scale * H00, scale * H01, scale * H11);
    return (0.5 * scale * (d0 * r0 + d1 * r1)) / drift_d[d] ** 2;
  }
}
