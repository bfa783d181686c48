/**
 * ASD drift: the standard deviation of the matched-filter output near the event, in units of what the ASD promises.
 * Values above 1 mean that the noise was louder than average. Zackay et al., arXiv:1908.05644 ('PSD drift'); the robust
 * estimator and its constants are cogwheel's, so that the numbers are comparable.
 */
import { DotpeError } from "../errors.ts";
import { IrfftPlan } from "./fft.ts";
import { absNormalUpperQuantile, normalQuantile, pairwiseSum } from "./special.ts";

/** Wanted relative error of the standard deviation: sets the number of samples. */
const TOLERANCE = 0.02;
/** Longest run below one sigma that counts as noise, in correlation lengths; a longer one is a hole in the data. */
const MAX_LOW_RUN = 16;
/** Samples of Gaussian noise expected above the clipping threshold. */
const EXPECTED_HIGH = 1;
/** Seconds dropped on both sides of a rejected run. */
const REJECT_NEARBY = 0.5;
/** Median absolute deviation of a standard normal variable. */
const NORMAL_MAD = normalQuantile(0.75);

export type DriftInput = {
  /** Template at the detector on the FFT grid, n_f, any norm; zero outside the analysed band. */
  templateRe: Float64Array;
  templateIm: Float64Array;
  /** Strain of the detector (1/Hz), n_f. */
  strainRe: Float64Array;
  strainIm: Float64Array;
  /** Whitening filter of the detector, n_f. */
  whiten: Float64Array;
  /** Hz, from 0 to Nyquist in steps of df, n_f. */
  frequencies: Float64Array;
};

/**
 * The ASD drift of one detector (dimensionless).
 * @param plan an inverse transform of length 2 (n_f - 1), if the caller has one
 * @throws DotpeError notFinite if the template has no norm in the detector or no sample survives the rejection.
 */
export function asdDrift(input: DriftInput, plan?: IrfftPlan): number {
  const { templateRe, templateIm, strainRe, strainIm, whiten, frequencies } = input;
  const n_f = frequencies.length;
  const nfft = 2 * (n_f - 1);
  const df = frequencies[n_f - 1] / (n_f - 1);
  const whitePower = new Float64Array(n_f);
  for (let f = 0; f < n_f; f++) {
    whitePower[f] = whiten[f] * whiten[f] * (templateRe[f] * templateRe[f] + templateIm[f] * templateIm[f]);
  }
  const norm = Math.sqrt(4 * df * pairwiseSum(whitePower));
  if (!(norm > 0 && norm < Number.POSITIVE_INFINITY)) {
    throw new DotpeError(
      "notFinite",
      `ASD drift: the reference waveform's signal-to-noise ratio in a detector is ${norm}, expected a positive number`,
      "Check the detector's whitening filter and the reference waveform.",
    );
  }

  const factor = (2 * nfft * df) / norm;
  const cosRe = new Float64Array(n_f);
  const cosIm = new Float64Array(n_f);
  const minusCosRe = new Float64Array(n_f);
  for (let f = 0; f < n_f; f++) {
    const weight = factor * whiten[f] * whiten[f];
    cosRe[f] = weight * (strainRe[f] * templateRe[f] + strainIm[f] * templateIm[f]);
    cosIm[f] = weight * (strainIm[f] * templateRe[f] - strainRe[f] * templateIm[f]);
    minusCosRe[f] = -cosRe[f];
  }
  const transform = plan ?? new IrfftPlan(nfft);
  const z_cos = transform.run(cosRe, cosIm);
  const z_sin = transform.run(cosIm, minusCosRe);

  const whitened = (2 * nfft * df) / (norm * norm);
  for (let f = 0; f < n_f; f++) whitePower[f] = (whitened * whitePower[f]) ** 2;
  const correlationLength = (4 * pairwiseSum(whitePower)) / nfft;
  const n_t = Math.min(Math.ceil(correlationLength / TOLERANCE ** 2), nfft);
  const aroundZero = new Float64Array(2 * n_t);
  for (let t = 0; t < n_t; t++) {
    const lag = t - Math.ceil(n_t / 2);
    const index = lag < 0 ? lag + nfft : lag;
    aroundZero[t] = z_cos[index];
    aroundZero[n_t + t] = z_sin[index];
  }
  const maxLowRun = Math.ceil(MAX_LOW_RUN * correlationLength);
  return robustStd(aroundZero, maxLowRun, Math.trunc(REJECT_NEARBY * 2 * frequencies[n_f - 1]));
}

/**
 * Standard deviation without holes (runs of more than `maxLowRun` values within one sigma), values too high for Gaussian
 * noise, and `margin` samples on both sides of either.
 */
export function robustStd(values: Float64Array, maxLowRun: number, margin: number): number {
  const n = values.length;
  const good = new Uint8Array(n).fill(1);
  const high = new Uint8Array(n);
  for (let j = 0; j < n; j++) high[j] = Math.abs(values[j]) > 1 ? 1 : 0;
  for (const [start, end] of runsOfZero(high)) if (end - start > maxLowRun) good.fill(0, start, end);

  const kept = select(values, good);
  const threshold =
    (medianAbsoluteDeviation(kept) / NORMAL_MAD) * absNormalUpperQuantile(EXPECTED_HIGH / kept.length);
  for (let j = 0; j < n; j++) if (Math.abs(values[j]) > threshold) good[j] = 0;

  for (const [start, end] of runsOfZero(good)) good.fill(0, Math.max(0, start - margin), end + margin);
  return standardDeviation(select(values, good));
}

/** [start, end) of every run of zeros. */
function runsOfZero(mask: Uint8Array): [number, number][] {
  const runs: [number, number][] = [];
  let start = -1;
  for (let j = 0; j <= mask.length; j++) {
    const inside = j < mask.length && mask[j] === 0;
    if (inside && start < 0) start = j;
    if (!inside && start >= 0) {
      runs.push([start, j]);
      start = -1;
    }
  }
  return runs;
}

function select(values: Float64Array, mask: Uint8Array): Float64Array {
  const kept = values.filter((_, j) => mask[j] === 1);
  if (kept.length === 0) {
    throw new DotpeError(
      "notFinite",
      "ASD drift: every sample of the matched filter near the event was rejected as a hole or a glitch",
      "Check the strain and the whitening filter around the event.",
    );
  }
  return kept;
}

/** Sorts `values` in place. */
function median(values: Float64Array): number {
  values.sort();
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

function medianAbsoluteDeviation(values: Float64Array): number {
  const centre = median(values);
  return median(values.map((value) => Math.abs(value - centre)));
}

function standardDeviation(values: Float64Array): number {
  const mean = pairwiseSum(values) / values.length;
  return Math.sqrt(pairwiseSum(values.map((value) => (value - mean) ** 2)) / values.length);
}
