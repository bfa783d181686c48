/**
 * Where in time to look in each detector: the proposal of arrival times of stage 4. A proposal is one probability a
 * detector and time bin, prob_dt, that sums to 1 over t; detectors are drawn independently. It may be anything that is
 * positive where the likelihood is: it changes the variance of the result, not its mean.
 */

import type { SkyDictionary } from "../gw/sky-dictionary.ts";
import type { Kernels } from "../kernels/table.ts";
import { type InnerProducts, paddedDifferences, paddedModes } from "./extrinsic-products.ts";

/** Added to the prior of a delay, so that a peak that noise has moved is not lost. */
const DELAY_PRIOR_FLOOR = 1e-15;

/** Lower than the maximum by this much in ln is taken as 0: such a time is never drawn, and products stay normal numbers. */
const NEGLIGIBLE = 200;

/** Room that `convolve` needs beside its kernel. */
const CONVOLVE_PADDING = 64;

/**
 * chi2(t) = (sum_mp |z_mp|)^2 / sum_mp <h_mp|h_mp>: about twice the log likelihood of one detector, maximised over
 * distance and the phases of all modes and polarizations, taken as orthogonal. Shape (d, t).
 */
export function incoherentChi2(
  { n_d, n_t, mArr, dh_dtx, hh_dck }: InnerProducts,
  kernels: Kernels,
): Float64Array {
  const [n_x, n_kp] = [paddedModes(mArr), paddedDifferences(mArr)];
  const hh_d = Float64Array.from(
    { length: n_d },
    (_, d) => hh_dck[3 * d * n_kp]! + hh_dck[(3 * d + 2) * n_kp]!,
  );
  const chi2_dt = new Float64Array(n_d * n_t);
  kernels.incoherentChi2(chi2_dt, dh_dtx, hh_d, n_d, n_t, n_x);
  return chi2_dt;
}

/** Arrival times (in bins of the grid, not rounded) of some points, with their weights. */
export interface WeightedArrivals {
  /** Points in a row of `position_dq`. */
  readonly n_q: number;
  readonly position_dq: Float64Array;
  readonly weight_q: Float64Array;
}

/** Makes proposals for detectors and times of one size; one thread's, with its own scratch memory. */
export class ArrivalProposals {
  /** No two detectors are further apart than this many bins. */
  private readonly reach: number;
  /** Where delays count alike, by (from, to): see `delayPrior`. */
  private readonly priors = new Map<number, Float64Array>();
  private readonly delayScratch: Float64Array;
  private readonly padded: Float64Array;
  private readonly convolved_t: Float64Array;
  private readonly reversed_t: Float64Array;

  constructor(
    private readonly sky: SkyDictionary,
    private readonly n_t: number,
    private readonly kernels: Kernels,
  ) {
    this.reach = sky.maxDelay.reduce((sum, max) => sum + max, 0);
    this.delayScratch = new Float64Array(2 * (2 * this.reach + 1));
    this.padded = new Float64Array(2 * Math.max(n_t, this.reach) + 1 + CONVOLVE_PADDING);
    this.convolved_t = new Float64Array(n_t);
    this.reversed_t = new Float64Array(n_t);
  }

  /**
   * First proposal: exp(beta_d/2 chi2), times the share of detectable sources with such delays to the louder detectors.
   * @param beta_d inverse temperature of each detector. @returns prob_dt, shape (d, t).
   */
  first(chi2_dt: Float64Array, beta_d: ArrayLike<number>): Float64Array {
    const { n_t, reach } = this;
    const n_d = chi2_dt.length / n_t;
    const prob_dt = new Float64Array(n_d * n_t);
    const loudness = new Float64Array(n_d).fill(-Infinity);
    for (let d = 0; d < n_d; d++)
      for (let t = d * n_t; t < (d + 1) * n_t; t++) {
        prob_dt[t] = 0.5 * beta_d[d]! * chi2_dt[t]!;
        loudness[d] = Math.max(loudness[d]!, prob_dt[t]!);
      }
    const row = (d: number) => prob_dt.subarray(d * n_t, (d + 1) * n_t);
    const order = Array.from(loudness.keys()).sort((a, b) => loudness[b]! - loudness[a]!);
    const [a, b, c] = order as [number, number | undefined, number | undefined];
    expNormalize(row(a));
    if (b !== undefined) {
      this.multiplyPrior(row(b), row(a), this.plainPrior(a, b));
      expNormalize(row(b));
      if (c !== undefined) {
        const prob_ab = this.delayProbability(row(a), row(b), reach);
        this.multiplyPrior(row(c), row(a), this.delayPrior(a, c, b, prob_ab));
        expNormalize(row(c));
      }
    }
    return prob_dt;
  }

  /** The next proposal: half the previous one, half a kernel density estimate of the arrival times found. Shape (d, t). */
  adapted(previous_dt: Float64Array, found: readonly WeightedArrivals[], nEffective: number): Float64Array {
    const { n_t } = this;
    const prob_dt = new Float64Array(previous_dt.length);
    for (let d = 0; d * n_t < previous_dt.length; d++) {
      const density_t = this.cauchyDensity(found, d, nEffective);
      for (let t = 0; t < n_t; t++) prob_dt[d * n_t + t] = 0.5 * (previous_dt[d * n_t + t]! + density_t[t]!);
    }
    return prob_dt;
  }

  private plainPrior(from: number, to: number): Float64Array {
    const key = 3 * from + to;
    const known = this.priors.get(key);
    if (known) return known;
    const prior = this.delayPrior(from, to, from, new Float64Array(2 * this.reach + 1).fill(1));
    this.priors.set(key, prior);
    return prior;
  }

  /**
   * Share of detectable sources whose wave reaches detector `to` so many bins after detector `from`; index 0 is -reach.
   * Each direction counts as its delay from `from` to `by` is probable.
   */
  private delayPrior(from: number, to: number, by: number, weight: Float64Array): Float64Array {
    const { sky, reach } = this;
    const prior = new Float64Array(2 * reach + 1);
    const sizes = [sky.maxDelay[0]!, sky.maxDelay[1]!, reach] as const;
    const delays = [...delayCoefficients(from, to), ...delayCoefficients(from, by)] as const;
    this.kernels.delayPrior(prior, this.delayScratch, sky.detectable, weight, ...sizes, ...delays);
    return prior;
  }

  /** Probability of each delay of b after a when both are drawn independently; index 0 is -reach. */
  private delayProbability(prob_a: Float64Array, prob_b: Float64Array, reach: number): Float64Array {
    const { n_t, reversed_t } = this;
    const prob = new Float64Array(2 * reach + 1);
    for (let t = 0; t < n_t; t++) reversed_t[t] = prob_a[n_t - 1 - t]!;
    const centre = n_t - 1 - reach;
    this.kernels.convolve(prob, this.padded, reversed_t, prob_b, prob.length, n_t, n_t, centre);
    return prob;
  }

  /** Adds the log of the prior of a time of arrival, given the distribution of it in another detector. */
  private multiplyPrior(lnProb_t: Float64Array, other_t: Float64Array, delayPrior: Float64Array): void {
    const { n_t, convolved_t, reach } = this;
    this.kernels.convolve(convolved_t, this.padded, other_t, delayPrior, n_t, n_t, 2 * reach + 1, reach);
    for (let t = 0; t < n_t; t++) lnProb_t[t]! += Math.log(convolved_t[t]! + DELAY_PRIOR_FLOOR);
  }

  /** Kernel density estimate with a Cauchy kernel (heavy tails) of Silverman's width, at least one bin. Sums to 1. */
  private cauchyDensity(found: readonly WeightedArrivals[], d: number, nEffective: number): Float64Array {
    const { n_t, convolved_t } = this;
    let mean = 0;
    for (const { n_q, position_dq, weight_q } of found)
      for (let q = 0; q < n_q; q++) mean += weight_q[q]! * position_dq[d * n_q + q]!;
    let variance = 0;
    const histogram_t = this.reversed_t.fill(0);
    for (const { n_q, position_dq, weight_q } of found)
      for (let q = 0; q < n_q; q++) {
        const position = position_dq[d * n_q + q]!;
        variance += weight_q[q]! * (position - mean) ** 2;
        histogram_t[Math.min(n_t - 1, Math.max(0, Math.round(position)))]! += weight_q[q]!;
      }
    const width = Math.max(1, (0.75 * nEffective) ** -0.2 * Math.sqrt(variance));
    const kernel_k = new Float64Array(2 * n_t - 1);
    for (let k = 0; k < n_t; k++)
      kernel_k[n_t - 1 + k] = kernel_k[n_t - 1 - k] = 1 / (1 + (k / width) * (k / width));
    const sizes = [n_t, n_t, kernel_k.length, n_t - 1] as const;
    this.kernels.convolve(convolved_t, this.padded, histogram_t, kernel_k, ...sizes);
    let sum = 0;
    for (let t = 0; t < n_t; t++) sum += convolved_t[t]!;
    for (let t = 0; t < n_t; t++) convolved_t[t]! /= sum;
    return convolved_t;
  }
}

function expNormalize(ln_t: Float64Array): void {
  let max = -Infinity;
  for (let t = 0; t < ln_t.length; t++) max = Math.max(max, ln_t[t]!);
  let sum = 0;
  for (let t = 0; t < ln_t.length; t++)
    sum += ln_t[t] = ln_t[t]! < max - NEGLIGIBLE ? 0 : Math.exp(ln_t[t]! - max);
  for (let t = 0; t < ln_t.length; t++) ln_t[t]! /= sum;
}

/** The delay of one detector after another as (c1, c2): c1 delay1 + c2 delay2, in the delays to detector 0. */
function delayCoefficients(from: number, to: number): [number, number] {
  return [Number(to === 1) - Number(from === 1), Number(to === 2) - Number(from === 2)];
}
