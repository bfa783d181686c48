/**
 * ASD drift: the standard deviation of the matched-filter output near the event, in units of what the ASD promises.
 * Values above 1 mean that the noise was louder than average. Zackay et al., arXiv:1908.05644 ('PSD drift'); the robust
 * estimator and its constants are cogwheel's, so that the numbers are comparable.
 */
import { DotpeError } from "../errors.ts";
import type { SetupKernels } from "../kernels/setup-table.ts";
import type { FilterOutput } from "./matched-filter.ts";
import { absNormalUpperQuantile, normalQuantile } from "./special.ts";

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

/**
 * The ASD drift of one detector (dimensionless).
 * @param rate samples of the filter's output a second: twice the Nyquist frequency (Hz)
 * @throws DotpeError notFinite if the template has no norm in the detector or no sample survives the rejection.
 */
export function asdDrift(output: FilterOutput, rate: number, kernels: SetupKernels): number {
  const { norm, cos_t, sin_t, correlationLength } = output;
  if (!(norm > 0 && norm < Number.POSITIVE_INFINITY)) {
    throw new DotpeError(
      "notFinite",
      `ASD drift: the reference waveform's signal-to-noise ratio in a detector is ${norm}, expected a positive number`,
      "Check the detector's whitening filter and the reference waveform.",
    );
  }
  const n_t = Math.min(Math.ceil(correlationLength / TOLERANCE ** 2), cos_t.length);
  const n_before = Math.ceil(n_t / 2);
  const aroundZero = new Float64Array(2 * n_t);
  [cos_t, sin_t].forEach((series_t, k) => {
    aroundZero.set(series_t.subarray(series_t.length - n_before), k * n_t);
    aroundZero.set(series_t.subarray(0, n_t - n_before), k * n_t + n_before);
  });
  const maxLowRun = Math.ceil(MAX_LOW_RUN * correlationLength);
  return robustStd(aroundZero, maxLowRun, Math.trunc(REJECT_NEARBY * rate), kernels);
}

/**
 * Standard deviation without holes (runs of more than `maxLowRun` values within one sigma), values too high for Gaussian
 * noise, and `margin` samples on both sides of either.
 */
export function robustStd(
  values: Float64Array,
  maxLowRun: number,
  margin: number,
  kernels: SetupKernels,
): number {
  const n = values.length;
  const kept = new Float64Array(n);
  const good = new Uint8Array(n);
  const n_kept = kernels.withoutHoles(kept, good, values, 1, maxLowRun, n);
  if (n_kept === 0) throw nothingLeft();
  const threshold =
    (kernels.medianDeviation(kept, n_kept) / NORMAL_MAD) * absNormalUpperQuantile(EXPECTED_HIGH / n_kept);
  const std = kernels.spread(good, values, threshold, margin, n);
  if (Number.isNaN(std)) throw nothingLeft();
  return std;
}

function nothingLeft(): DotpeError {
  return new DotpeError(
    "notFinite",
    "ASD drift: every sample of the matched filter near the event was rejected as a hole or a glitch",
    "Check the strain and the whitening filter around the event.",
  );
}
