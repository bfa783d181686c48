/** Which samples of the banks are looked at, by their chirp mass: banks of millions, so nothing but numbers is made. */
import type { Bank } from "./bank.ts";
import { stableArgsort } from "./radix-sort.ts";

/** Bank samples, in the order of what is computed of them. */
export interface BankItems {
  /** Position of the bank in the list. */
  readonly bank_j: Int32Array;
  readonly i_j: Int32Array;
}

export interface NearItems extends BankItems {
  /** Places in the catalogue. */
  readonly place_j: readonly number[];
  /** Where the sample itself is among them. */
  readonly own: number;
}

/** Chirp masses of all samples, those of one of N_BUCKETS equal intervals together. */
interface ByMass {
  readonly lnMass_g: Float64Array;
  /** Places of the samples, interval by interval, and where each interval begins among them. */
  readonly place_s: Uint32Array;
  readonly begin_b: Uint32Array;
  /** Intervals are `width` wide (in ln of the mass) from `low` on. */
  readonly low: number;
  readonly width: number;
}

const N_BUCKETS = 4096;

/** All samples of several banks: one bank's after the other's. */
export class BankCatalogue {
  readonly n: number;
  /** Where each bank begins. */
  private readonly start_k: number[] = [];
  private byMass: ByMass | undefined;

  constructor(private readonly banks: readonly Bank[]) {
    let n = 0;
    for (const { n_i } of banks) {
      this.start_k.push(n);
      n += n_i;
    }
    this.n = n;
  }

  /** The samples at these places. */
  private items(places: ArrayLike<number>): BankItems {
    const bank_j = new Int32Array(places.length);
    const i_j = new Int32Array(places.length);
    for (let j = 0; j < places.length; j++) {
      bank_j[j] = this.start_k.findLastIndex((start) => start <= places[j]);
      i_j[j] = places[j] - this.start_k[bank_j[j]];
    }
    return { bank_j, i_j };
  }

  /** At most n samples, evenly spread over all banks. */
  strided(n: number): BankItems {
    const stride = Math.ceil(this.n / n);
    return this.items(Int32Array.from({ length: Math.ceil(this.n / stride) }, (_, k) => k * stride));
  }

  /** Of these samples the one with the median chirp mass; of equal ones the first. */
  median({ bank_j, i_j }: BankItems): BankItems {
    const lnMass_j = Float64Array.from(i_j, (i, j) => lnMass(this.banks[bank_j[j]], i));
    const place_s = stableArgsort(lnMass_j);
    const j = place_s[place_s.length >> 1];
    return { bank_j: bank_j.slice(j, j + 1), i_j: i_j.slice(j, j + 1) };
  }

  /** Puts the samples in the order that `nearest` looks in; it does so itself if nobody has. */
  sort(): ByMass {
    this.byMass ??= sortedByMass(this.banks, this.n);
    return this.byMass;
  }

  /**
   * The sample (bank, i) and the n - 1 nearest to it in ln chirp mass, of equal ones the first in the banks, but for
   * `leftOut`; in the banks' order, in which they are read best.
   */
  nearest(bank: number, i: number, n: number, leftOut: ReadonlySet<number>): NearItems {
    const best = this.start_k[bank] + i;
    const byMass = this.sort();
    const centre = byMass.lnMass_g[best];
    const distance = (g: number) => (g === best ? -1 : Math.abs(byMass.lnMass_g[g] - centre));
    const near = aroundMass(byMass, centre, Math.min(n, this.n));
    near.sort((a, b) => distance(a) - distance(b) || a - b);
    const place_j = near.slice(0, n).filter((g) => g === best || !leftOut.has(g));
    place_j.sort((a, b) => a - b);
    return { ...this.items(place_j), place_j, own: place_j.indexOf(best) };
  }
}

/** ln of the chirp mass (Msun) of sample i. */
function lnMass({ samples: { m1, m2 } }: Bank, i: number): number {
  return 0.6 * Math.log(m1[i] * m2[i]) - 0.2 * Math.log(m1[i] + m2[i]);
}

function sortedByMass(banks: readonly Bank[], n: number): ByMass {
  const lnMass_g = new Float64Array(n);
  let [low, high] = [Infinity, -Infinity];
  let g = 0;
  for (const bank of banks) {
    for (let i = 0; i < bank.n_i; i++, g++) {
      const mass = lnMass(bank, i);
      lnMass_g[g] = mass;
      if (mass < low) low = mass;
      if (mass > high) high = mass;
    }
  }
  const width = (high - low) / N_BUCKETS || 1;
  const bucketOf = (mass: number) => Math.min(N_BUCKETS - 1, Math.floor((mass - low) / width));
  const begin_b = new Uint32Array(N_BUCKETS + 1);
  for (let k = 0; k < n; k++) begin_b[bucketOf(lnMass_g[k]) + 1]++;
  for (let b = 0; b < N_BUCKETS; b++) begin_b[b + 1] += begin_b[b];
  const next_b = begin_b.slice();
  const place_s = new Uint32Array(n);
  for (let k = 0; k < n; k++) place_s[next_b[bucketOf(lnMass_g[k])]++] = k;
  return { lnMass_g, place_s, begin_b, low, width };
}

/** Places of samples around a mass: at least the n nearest, and whatever is as near as the last of these. */
function aroundMass(byMass: ByMass, centre: number, n: number): number[] {
  const { lnMass_g, place_s, begin_b, low, width } = byMass;
  const middle = Math.min(N_BUCKETS - 1, Math.floor((centre - low) / width));
  for (let reach = 1; ; reach *= 2) {
    const [first, last] = [Math.max(0, middle - reach), Math.min(N_BUCKETS - 1, middle + reach)];
    const places = Array.from(place_s.subarray(begin_b[first], begin_b[last + 1]));
    if (first === 0 && last === N_BUCKETS - 1) return places;
    // Samples outside are further away than this; half a bucket is left to rounding at their edges.
    const covered = (reach - 0.5) * width;
    const near = places.filter((g) => Math.abs(lnMass_g[g] - centre) <= covered);
    if (near.length >= n) return near;
  }
}
