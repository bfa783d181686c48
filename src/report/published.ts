/** What others have published of an event, to stand beside a run. */
import type { Interval } from "./interval.ts";
import type { QuantityName } from "./run-report.ts";

export interface Published {
  /** Heads a column, e.g. 'GWTC-1'. */
  readonly label: string;
  /** Where the numbers are found. */
  readonly citation: string;
  /** Medians and 90% intervals. */
  readonly values: Partial<Record<QuantityName, Interval>>;
  /** deg^2, of 90% probability. */
  readonly skyArea90?: number;
}
