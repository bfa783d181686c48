/** Typical time and its error from a few timed runs, some of them disturbed by other work on the machine. */

/** Spread that is assumed of one run, relative, where there are too few to tell. */
export const ASSUMED_SPREAD = 0.03;
/** No error is believed to be below this, relative: a few runs may agree by chance, clocks and frequencies drift. */
export const LEAST_ERROR = 0.001;
/** Fewest runs whose spread says anything. */
const FEWEST = 3;
/** An outlier is this many standard deviations from the median ... */
const OUTLYING = 5;
/** ... and this share of it at least. */
const LEAST_OUTLYING = 0.02;

/** The median absolute deviation of a normal distribution is 1 / 1.4826 standard deviations. */
const NORMAL = 1.4826;
/** What makes it unbiased for n = 2 ... 9 numbers: Croux and Rousseeuw, "Time-efficient algorithms for two highly robust estimators of scale" (1992). */
const SMALL_SAMPLE = [1.196, 1.495, 1.363, 1.206, 1.2, 1.14, 1.129, 1.107];
/** Standard error of a median, over that of a mean, of normal numbers. */
const MEDIAN_ERROR = Math.sqrt(Math.PI / 2);

export interface Summary {
  readonly median: number;
  /** Standard error of the median, relative. */
  readonly error: number;
  /** Runs that are far from the median. */
  readonly outliers: number;
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

/** Standard deviation, from the median absolute deviation: outliers do not change it. At least two values. */
function robustDeviation(values: readonly number[], median: number): number {
  const n = values.length;
  const deviation = medianOf(values.map((value) => Math.abs(value - median)));
  return NORMAL * (SMALL_SAMPLE[n - 2] ?? n / (n - 0.8)) * deviation;
}

/** @param times of equal work, positive, one at least */
export function summarise(times: readonly number[]): Summary {
  const n = times.length;
  const median = medianOf(times);
  const spread = n < FEWEST ? ASSUMED_SPREAD : robustDeviation(times, median) / median;
  const error = (n < FEWEST ? spread : MEDIAN_ERROR * spread) / Math.sqrt(n);
  const far = Math.max(OUTLYING * spread, LEAST_OUTLYING) * median;
  const outliers = n < FEWEST ? 0 : times.filter((time) => Math.abs(time - median) > far).length;
  return { median, error: Math.max(error, LEAST_ERROR), outliers };
}
