/** Stage 3: which bank samples go on, by their incoherent likelihood, over all banks together. */
import { DotpeError } from "../errors.ts";
import { stableArgsort } from "../gw/radix-sort.ts";
import type { Items } from "./incoherent.ts";

/** Accepted samples of one bank: incoherent likelihoods summed over detectors (i), and by detector (d, i). */
export interface BankLikelihoods {
  readonly i: Int32Array;
  readonly lnlike_i: Float64Array;
  readonly lnlike_di: Float64Array;
}

/**
 * Keeps the items whose likelihood, summed over detectors, is within maxDrop of the best of all banks.
 * @param lnlike_dj by detector and item
 * @throws DotpeError noSamples if no likelihood is known at all.
 */
export function selectWithin(
  { bank_j, i_j }: Items,
  lnlike_dj: Float64Array,
  nBanks: number,
  maxDrop: number,
): BankLikelihoods[] {
  const n = i_j.length;
  const n_d = lnlike_dj.length / n;
  const lnlike_j = new Float64Array(n);
  let best = -Infinity;
  for (let j = 0; j < n; j++) {
    let sum = 0;
    for (let d = 0; d < n_d; d++) sum += lnlike_dj[d * n + j];
    lnlike_j[j] = sum;
    if (sum > best) best = sum;
  }
  const j_k: number[] = [];
  for (let j = 0; j < n; j++) if (lnlike_j[j] >= best - maxDrop) j_k.push(j);
  if (j_k.length > 0)
    return Array.from({ length: nBanks }, (_, bank) => {
      const ofBank = Int32Array.from(j_k.filter((j) => bank_j[j] === bank));
      const lnlike_di = new Float64Array(n_d * ofBank.length);
      for (let d = 0; d < n_d; d++)
        ofBank.forEach((j, k) => {
          lnlike_di[d * ofBank.length + k] = lnlike_dj[d * n + j];
        });
      return {
        i: ofBank.map((j) => i_j[j]),
        lnlike_i: Float64Array.from(ofBank, (j) => lnlike_j[j]),
        lnlike_di,
      };
    });
  throw new DotpeError(
    "noSamples",
    "incoherent stage: found 0 accepted samples, expected at least one",
    "Check --preselected-indices, --inds-path and --max-incoherent-lnlike-drop.",
  );
}

/** All samples as items: bank after bank, in the order given. */
export function itemsOf(banks: readonly { readonly i: Int32Array }[]): Items {
  const n = banks.reduce((sum, { i }) => sum + i.length, 0);
  const bank_j = new Int32Array(n);
  const i_j = new Int32Array(n);
  let first = 0;
  banks.forEach(({ i }, bank) => {
    bank_j.fill(bank, first, first + i.length);
    i_j.set(i, first);
    first += i.length;
  });
  return { bank_j, i_j };
}

/** Positions, the largest likelihood first; ties in their order. */
export function bestFirst(lnlike_j: Float64Array): Int32Array {
  return Int32Array.from(stableArgsort(lnlike_j.map((lnl) => -lnl)));
}

/** One after the other. */
export function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function pickItems({ bank_j, i_j }: Items, order: ArrayLike<number>): Items {
  return {
    bank_j: Int32Array.from(order, (j) => bank_j[j]),
    i_j: Int32Array.from(order, (j) => i_j[j]),
  };
}
