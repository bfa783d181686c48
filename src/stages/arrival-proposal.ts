/**
 * Where in time to look in each detector: the proposal of arrival times of stage 4. A proposal is one probability a
 * detector and time bin, prob_dt, that sums to 1 over t; detectors are drawn independently. It may be anything that is
 * positive where the likelihood is: it changes the variance of the result, not its mean.
 */

import type { SkyDictionary } from "../gw/sky-dictionary.ts";
import type { InnerProducts } from "./extrinsic-products.ts";

/** Added to the prior of a delay, so that a peak that noise has moved is not lost. */
const DELAY_PRIOR_FLOOR = 1e-15;

/** Lower than the maximum by this much in ln is taken as 0: such a time is never drawn, and products stay normal numbers. */
const NEGLIGIBLE = 200;

/**
 * First proposal: exp(beta_d/2 chi2), times the share of detectable sources with such delays to the louder detectors.
 * @param beta_d inverse temperature of each detector. @returns prob_dt, shape (d, t).
 */
export function firstProposal(
  products: InnerProducts,
  sky: SkyDictionary,
  beta_d: ArrayLike<number>,
): Float64Array {
  const { n_d, n_t } = products;
  const prob_dt = incoherentChi2(products);
  const lnProb = Array.from({ length: n_d }, (_, d) => prob_dt.subarray(d * n_t, (d + 1) * n_t));
  lnProb.forEach((lnProb_t, d) => {
    for (let t = 0; t < n_t; t++) lnProb_t[t]! *= 0.5 * beta_d[d]!;
  });
  const loudness = lnProb.map((lnProb_t) => lnProb_t.reduce((a, b) => Math.max(a, b), -Infinity));
  const order = lnProb.map((_, d) => d).sort((a, b) => loudness[b]! - loudness[a]!);
  const [a, b, c] = order as [number, number | undefined, number | undefined];
  expNormalize(lnProb[a]!);
  if (b !== undefined) {
    multiplyPrior(lnProb[b]!, lnProb[a]!, delayPrior(sky, a, b));
    expNormalize(lnProb[b]!);
    if (c !== undefined) {
      const prob_ab = delayProbability(lnProb[a]!, lnProb[b]!, delayReach(sky));
      multiplyPrior(lnProb[c]!, lnProb[a]!, delayPrior(sky, a, c, { b, prob_ab }));
      expNormalize(lnProb[c]!);
    }
  }
  return prob_dt;
}

/**
 * chi2(t) = (sum_mp |z_mp|)^2 / sum_mp <h_mp|h_mp>: about twice the log likelihood of one detector, maximised over
 * distance and the phases of all modes and polarizations, taken as orthogonal. Shape (d, t).
 */
function incoherentChi2(products: InnerProducts): Float64Array {
  const { n_d, n_t, mArr, dhRe_dmpt, dhIm_dmpt, hhRe_dMpP } = products;
  const n_m = mArr.length;
  const n_M = (n_m * (n_m + 1)) / 2;
  const chi2_dt = new Float64Array(n_d * n_t);
  for (let d = 0; d < n_d; d++) {
    let hh = 0;
    for (let m = 0, M = 0; m < n_m; M += n_m - m, m++)
      for (let p = 0; p < 2; p++) hh += hhRe_dMpP[((d * n_M + M) * 2 + p) * 2 + p]!;
    for (let t = 0; t < n_t; t++) {
      let sum = 0;
      for (let mp = 0; mp < 2 * n_m; mp++) {
        const k = (d * 2 * n_m + mp) * n_t + t;
        sum += Math.sqrt(dhRe_dmpt[k]! * dhRe_dmpt[k]! + dhIm_dmpt[k]! * dhIm_dmpt[k]!);
      }
      chi2_dt[d * n_t + t] = (sum * sum) / hh;
    }
  }
  return chi2_dt;
}

function expNormalize(ln_t: Float64Array): void {
  const max = ln_t.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let t = 0; t < ln_t.length; t++)
    sum += ln_t[t] = ln_t[t]! < max - NEGLIGIBLE ? 0 : Math.exp(ln_t[t]! - max);
  for (let t = 0; t < ln_t.length; t++) ln_t[t]! /= sum;
}

/** No two detectors are further apart than this many bins. */
function delayReach(sky: SkyDictionary): number {
  return sky.maxDelay.reduce((sum, max) => sum + max, 0);
}

/** The delay of one detector after another as (c1, c2): c1 delay1 + c2 delay2, in the delays to detector 0. */
function delayCoefficients(from: number, to: number): [number, number] {
  return [Number(to === 1) - Number(from === 1), Number(to === 2) - Number(from === 2)];
}

/**
 * Share of detectable sources whose wave reaches detector `to` so many bins after detector `from`; index 0 is -reach.
 * With `third`, each direction counts as its delay from `from` to detector b is probable.
 */
function delayPrior(
  sky: SkyDictionary,
  from: number,
  to: number,
  third?: { b: number; prob_ab: Float64Array },
): Float64Array {
  const reach = delayReach(sky);
  const prior = new Float64Array(2 * reach + 1);
  const weight = third?.prob_ab ?? new Float64Array(2 * reach + 1).fill(1);
  const [to1, to2] = delayCoefficients(from, to);
  const [b1, b2] = delayCoefficients(from, third?.b ?? from);
  const [max1 = 0, max2 = 0] = sky.maxDelay;
  const { detectable } = sky;
  let k = 0;
  for (let delay1 = -max1; delay1 <= max1; delay1++) {
    let toAt = to1 * delay1 - to2 * max2 + reach;
    let bAt = b1 * delay1 - b2 * max2 + reach;
    for (const end = k + 2 * max2; k <= end; k++, toAt += to2, bAt += b2)
      prior[toAt]! += detectable[k]! * weight[bAt]!;
  }
  return prior;
}

/** Probability of each delay of b after a when both are drawn independently; index 0 is -reach. */
function delayProbability(prob_a: Float64Array, prob_b: Float64Array, reach: number): Float64Array {
  const n_t = prob_a.length;
  const prob = new Float64Array(2 * reach + 1);
  for (let ta = 0; ta < n_t; ta++) {
    const pa = prob_a[ta]!;
    if (pa === 0) continue;
    const end = Math.min(n_t - 1, ta + reach);
    for (let tb = Math.max(0, ta - reach); tb <= end; tb++) prob[tb - ta + reach]! += pa * prob_b[tb]!;
  }
  return prob;
}

/** Adds the log of the prior of a time of arrival, given the distribution of it in another detector. */
function multiplyPrior(lnProb_t: Float64Array, other_t: Float64Array, delayPrior: Float64Array): void {
  const n_t = lnProb_t.length;
  const reach = (delayPrior.length - 1) / 2;
  const prior_t = new Float64Array(n_t);
  for (let t0 = 0; t0 < n_t; t0++) {
    const p0 = other_t[t0]!;
    if (p0 === 0) continue;
    const end = Math.min(n_t - 1, t0 + reach);
    for (let t = Math.max(0, t0 - reach); t <= end; t++) prior_t[t]! += p0 * delayPrior[t - t0 + reach]!;
  }
  for (let t = 0; t < n_t; t++) lnProb_t[t]! += Math.log(prior_t[t]! + DELAY_PRIOR_FLOOR);
}

/** Arrival times (in bins of the grid, not rounded) with weights that sum to 1. */
export interface WeightedArrivals {
  readonly position_dq: Float64Array;
  readonly weight_q: Float64Array;
  readonly nEffective: number;
}

/** The next proposal: half the previous one, half a kernel density estimate of the arrival times found. Shape (d, t). */
export function adaptedProposal(
  previous_dt: Float64Array,
  n_t: number,
  found: WeightedArrivals,
): Float64Array {
  const n_d = previous_dt.length / n_t;
  const n_q = found.weight_q.length;
  const prob_dt = new Float64Array(previous_dt.length);
  for (let d = 0; d < n_d; d++) {
    const density_t = cauchyDensity(found, found.position_dq.subarray(d * n_q, (d + 1) * n_q), n_t);
    for (let t = 0; t < n_t; t++) prob_dt[d * n_t + t] = 0.5 * (previous_dt[d * n_t + t]! + density_t[t]!);
  }
  return prob_dt;
}

/** Kernel density estimate with a Cauchy kernel (heavy tails) of Silverman's width, at least one bin. Sums to 1. */
function cauchyDensity(found: WeightedArrivals, position_q: Float64Array, n_t: number): Float64Array {
  const { weight_q, nEffective } = found;
  let mean = 0;
  for (let q = 0; q < position_q.length; q++) mean += weight_q[q]! * position_q[q]!;
  let variance = 0;
  const histogram_t = new Float64Array(n_t);
  for (let q = 0; q < position_q.length; q++) {
    variance += weight_q[q]! * (position_q[q]! - mean) ** 2;
    histogram_t[Math.min(n_t - 1, Math.max(0, Math.round(position_q[q]!)))]! += weight_q[q]!;
  }
  const width = Math.max(1, (0.75 * nEffective) ** -0.2 * Math.sqrt(variance));
  const kernel_k = Float64Array.from({ length: n_t }, (_, k) => 1 / (1 + (k / width) ** 2));
  const density_t = new Float64Array(n_t);
  for (let t0 = 0; t0 < n_t; t0++) {
    const weight = histogram_t[t0]!;
    if (weight === 0) continue;
    for (let t = 0; t < n_t; t++) density_t[t]! += weight * kernel_k[Math.abs(t - t0)]!;
  }
  const sum = density_t.reduce((a, b) => a + b, 0);
  return density_t.map((x) => x / sum);
}

/** Draws from prob_t: for each u in [0, 1) the bin in which the cumulative first exceeds u. Its probability is never 0. */
export function drawBins(prob_t: Float64Array, u_q: Float64Array): Int32Array {
  const cumulative = new Float64Array(prob_t.length);
  let sum = 0;
  let last = 0;
  for (let t = 0; t < prob_t.length; t++) {
    sum += prob_t[t]!;
    cumulative[t] = sum;
    if (prob_t[t]! > 0) last = t;
  }
  return Int32Array.from(u_q, (u) => {
    let low = 0;
    let high = last;
    const target = u * sum;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  });
}
