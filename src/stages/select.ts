/** Stage 3: which bank samples go on, by their incoherent likelihood, over all banks together. */
import { DotpeError } from "../errors.ts";
import type { Items } from "./incoherent.ts";

/** Incoherent likelihoods of one bank's candidates: summed over detectors (i), and by detector (d, i). */
export interface BankLikelihoods {
  readonly i: Int32Array;
  readonly lnlike_i: Float64Array;
  readonly lnlike_di: Float64Array;
}

/** Sums over the detectors of lnlike_dj, cut into banks of `sizes` items. */
export function byBank(
  lnlike_dj: Float64Array,
  n_d: number,
  candidates: readonly Int32Array[],
): BankLikelihoods[] {
  const n_j = lnlike_dj.length / n_d;
  let first = 0;
  return candidates.map((i) => {
    const n = i.length;
    const lnlike_di = new Float64Array(n_d * n);
    const lnlike_i = new Float64Array(n);
    for (let d = 0; d < n_d; d++) {
      for (let k = 0; k < n; k++) {
        const lnl = lnlike_dj[d * n_j + first + k];
        lnlike_di[d * n + k] = lnl;
        lnlike_i[k] += lnl;
      }
    }
    first += n;
    return { i, lnlike_i, lnlike_di };
  });
}

/**
 * Keeps samples within maxDrop of the best of all banks.
 * @throws DotpeError noSamples if no likelihood is known at all.
 */
export function selectWithin(banks: readonly BankLikelihoods[], maxDrop: number): BankLikelihoods[] {
  let best = -Infinity;
  for (const { lnlike_i } of banks) for (const lnl of lnlike_i) best = Math.max(best, lnl);
  const kept = banks.map((bank) => pick(bank, (lnl) => lnl >= best - maxDrop));
  if (kept.some(({ i }) => i.length > 0)) return kept;
  throw new DotpeError(
    "noSamples",
    "incoherent stage: found 0 accepted samples, expected at least one",
    "Check --preselected-indices, --inds-path and --max-incoherent-lnlike-drop.",
  );
}

function pick({ i, lnlike_i, lnlike_di }: BankLikelihoods, keep: (lnl: number) => boolean): BankLikelihoods {
  const n = i.length;
  const chosen = Array.from(i.keys()).filter((k) => keep(lnlike_i[k]));
  const n_d = n === 0 ? 0 : lnlike_di.length / n;
  return {
    i: Int32Array.from(chosen, (k) => i[k]),
    lnlike_i: Float64Array.from(chosen, (k) => lnlike_i[k]),
    lnlike_di: Float64Array.from({ length: n_d * chosen.length }, (_, at) => {
      const d = Math.floor(at / chosen.length);
      return lnlike_di[d * n + chosen[at % chosen.length]];
    }),
  };
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

/** Positions of the items of `itemsOf`, largest incoherent likelihood first; ties in the order of the items. */
export function bestFirst(banks: readonly BankLikelihoods[]): Int32Array {
  const lnlike_j = Float64Array.from(banks.flatMap(({ lnlike_i }) => [...lnlike_i]));
  const order = Int32Array.from(lnlike_j.keys());
  return order.sort((a, b) => lnlike_j[b] - lnlike_j[a] || a - b);
}

export function pickItems({ bank_j, i_j }: Items, order: ArrayLike<number>): Items {
  return {
    bank_j: Int32Array.from(order, (j) => bank_j[j]),
    i_j: Int32Array.from(order, (j) => i_j[j]),
  };
}
