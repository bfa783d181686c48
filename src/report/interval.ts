/** Medians and 90% intervals, as papers write them: 24.1 +1.4 -1.1. */

import { quantile } from "../stages/parameter-summary.ts";

/** Quantiles 5%, 50%, 95%. */
export interface Interval {
  readonly lo: number;
  readonly median: number;
  readonly hi: number;
}

export function intervalOf(sorted: ArrayLike<number>): Interval {
  return { lo: quantile(sorted, 0.05), median: quantile(sorted, 0.5), hi: quantile(sorted, 0.95) };
}

/** Decimals that give the wider side of the interval two digits. */
export function decimalsOf({ lo, median, hi }: Interval): number {
  const error = Math.max(median - lo, hi - median);
  if (!(error > 0) || !Number.isFinite(error)) return 2;
  return Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(error))));
}

export interface WrittenInterval {
  readonly median: string;
  /** With its sign, e.g. '+1.4'. */
  readonly plus: string;
  readonly minus: string;
}

/** With ASCII signs. */
export function writeInterval(interval: Interval, decimals = decimalsOf(interval)): WrittenInterval {
  const { lo, median, hi } = interval;
  return {
    median: withoutMinusZero(median.toFixed(decimals)),
    plus: `+${(hi - median).toFixed(decimals)}`,
    minus: `-${(median - lo).toFixed(decimals)}`,
  };
}

function withoutMinusZero(text: string): string {
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text;
}
