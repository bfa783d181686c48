/**
 * Stage 2 in two steps: every sample in single precision, then in double precision those that may be accepted. What comes
 * out is what double precision alone gives, as long as single precision errs by less than `margin`.
 */
import { referenceKernels } from "../kernels/ref.ts";
import type { Kernels } from "../kernels/table.ts";
import type { Items } from "./incoherent.ts";
import { pickItems } from "./select.ts";

/** Fewer samples than this are looked at once. */
const WORTH_TWO_LOOKS = 2048;

/** Whether a first look pays: for n samples, with kernels that are faster in single precision. */
export function paysFirstLook(n: number, kernels: Kernels): boolean {
  return n >= WORTH_TWO_LOOKS && kernels.name !== referenceKernels.name;
}

/**
 * Error allowed to ln likelihoods in single precision, near the best one. It errs by about 1e-6 of the likelihood, and the
 * tests require a hundredth of this.
 */
export function margin(best: number): number {
  return 0.1 + 1e-3 * best;
}

/**
 * The items that may be within maxDrop of the best, in their order.
 * @param lnlike_j of all items, in single precision; Infinity where it is not known
 */
export function worthAnotherLook(items: Items, lnlike_j: Float64Array, maxDrop: number): Items {
  const n = lnlike_j.length;
  let best = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < n; j++) {
    const lnl = lnlike_j[j];
    if (lnl > best && lnl < Number.POSITIVE_INFINITY) best = lnl;
  }
  const threshold = best - maxDrop - 2 * margin(Math.max(0, best));
  const worth: number[] = [];
  for (let j = 0; j < n; j++) if (!(lnlike_j[j] < threshold)) worth.push(j);
  return pickItems(items, worth);
}
