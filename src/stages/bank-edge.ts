/** Whether a posterior runs into the edge of its banks: they may have millions of samples, and few with any posterior. */
import type { BankSamples } from "../gw/bank.ts";
import { chirpMass5 } from "../gw/prior.ts";
import { valueOfRank } from "../gw/quickselect.ts";

/** The banks' outermost samples at one end: this share of them ... */
const EDGE_SHARE = 0.01;
/** ... should not hold more of the posterior than this. */
const EDGE_POSTERIOR = 0.05;

export interface BankShare {
  readonly samples: Pick<BankSamples, "m1" | "m2">;
  /** Posterior probability of each bank sample, over all banks. */
  readonly posterior_i: Float64Array;
}

type Quantity = (m1: number, m2: number) => number;

const minusChirpMass5: Quantity = (m1, m2) => -chirpMass5(m1, m2);
const massRatio: Quantity = (m1, m2) => m2 / m1;

/**
 * Warnings where the outermost 1% of all banks' samples, in chirp mass or towards unequal masses, hold more than 5% of the
 * posterior. Equal masses are an edge of nature, not of a bank.
 */
export function edgeWarnings(banks: readonly BankShare[]): string[] {
  const mass = (limit: number) => (Math.abs(limit) ** 0.2).toPrecision(4);
  return [
    ...lowEdge(banks, chirpMass5, (limit) => `chirp mass below ${mass(limit)} Msun`),
    ...lowEdge(banks, minusChirpMass5, (limit) => `chirp mass above ${mass(limit)} Msun`),
    ...lowEdge(banks, massRatio, (limit) => `mass ratio below ${limit.toPrecision(4)}`),
  ];
}

function lowEdge(banks: readonly BankShare[], of: Quantity, where: (limit: number) => string): string[] {
  const n = banks.reduce((sum, { samples }) => sum + samples.m1.length, 0);
  const rank = Math.floor(EDGE_SHARE * (n - 1));
  const reached = posteriorReaches(banks, of);
  if (reached === undefined || countBelow(banks, of, reached) > rank) return [];
  const limit = valueOfRank(valuesOf(banks, of, n), rank);
  let share = 0;
  for (const { value, posterior } of supported(banks, of)) if (value <= limit) share += posterior;
  const percent = Number((100 * share).toPrecision(2));
  return [
    `${percent}% of the posterior lies at the banks' edge, ${where(limit)}: the event may lie outside the banks`,
  ];
}

/** The value below which, it included, lies more than 5% of the posterior. */
function posteriorReaches(banks: readonly BankShare[], of: Quantity): number | undefined {
  let sum = 0;
  return supported(banks, of).find(({ posterior }) => {
    sum += posterior;
    return sum > EDGE_POSTERIOR;
  })?.value;
}

/** The samples that have any posterior, by their value. */
function supported(banks: readonly BankShare[], of: Quantity) {
  const found: { value: number; posterior: number }[] = [];
  for (const { samples, posterior_i } of banks) {
    for (let i = 0; i < posterior_i.length; i++) {
      const posterior = posterior_i[i];
      if (posterior > 0) found.push({ value: of(samples.m1[i], samples.m2[i]), posterior });
    }
  }
  return found.sort((a, b) => a.value - b.value);
}

function countBelow(banks: readonly BankShare[], of: Quantity, limit: number): number {
  let count = 0;
  for (const { samples } of banks) {
    const { m1, m2 } = samples;
    for (let i = 0; i < m1.length; i++) if (of(m1[i], m2[i]) < limit) count++;
  }
  return count;
}

/** Of all n samples, bank after bank. */
function valuesOf(banks: readonly BankShare[], of: Quantity, n: number): Float64Array {
  const values = new Float64Array(n);
  let at = 0;
  for (const { samples } of banks) {
    const { m1, m2 } = samples;
    for (let i = 0; i < m1.length; i++) values[at++] = of(m1[i], m2[i]);
  }
  return values;
}
