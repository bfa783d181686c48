/** What a comparison with the reference run is made of: levels, each with quantities and how far they may differ. */
import type { Subject } from "./subject.ts";

export interface Quantity {
  readonly name: string;
  readonly unit: "relative" | "absolute" | "count" | "s";
  /** Largest difference that passes; a quantity without one is only shown. */
  readonly allowed?: number;
  /** By case: why it is known not to pass. It stays OFF in the table, and a test to do. */
  readonly knownOff?: Readonly<Record<string, string>>;
}

export interface Level {
  readonly name: string;
  readonly quantities: readonly Quantity[];
  /** One number for each quantity. */
  measure(subject: Subject): Promise<readonly number[]>;
}

/** NaN never passes. */
export function passes(measured: number, { allowed }: Quantity): boolean {
  return allowed === undefined || measured <= allowed;
}

/** Largest |x - y|; NaN if any is. */
export function largestDifference(x: ArrayLike<number>, y: ArrayLike<number>): number {
  if (x.length !== y.length) throw new Error(`found ${x.length} values, expected ${y.length}`);
  let largest = 0;
  for (let k = 0; k < x.length; k++) largest = Math.max(largest, Math.abs(x[k] - y[k]));
  return largest;
}

/** Quantile with linear interpolation between order statistics. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
