/** Which samples of the banks are looked at, by their chirp mass: banks of millions, so nothing but numbers is made. */
import type { Bank } from "./bank.ts";
import { mchirp } from "./prior.ts";
import { valueOfRank } from "./quickselect.ts";

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

/** All samples of several banks: one bank's after the other's. */
export class BankCatalogue {
  readonly n: number;
  /** ln of the chirp mass (Msun). */
  private readonly lnMass_g: Float64Array;
  /** Where each bank begins. */
  private readonly start_k: number[] = [];

  constructor(banks: readonly Bank[]) {
    this.n = banks.reduce((sum, { n_i }) => sum + n_i, 0);
    this.lnMass_g = new Float64Array(this.n);
    let g = 0;
    for (const { n_i, samples } of banks) {
      this.start_k.push(g);
      const { m1, m2 } = samples;
      for (let i = 0; i < n_i; i++) this.lnMass_g[g++] = Math.log(mchirp(m1[i], m2[i]));
    }
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

  /** The sample with the median chirp mass. */
  median(): BankItems {
    const rank = this.n >> 1;
    const value = valueOfRank(this.lnMass_g.slice(), rank);
    let before = 0;
    for (let g = 0; g < this.n; g++) if (this.lnMass_g[g] < value) before++;
    let place = -1;
    for (let equal = before; equal <= rank; equal++) place = this.lnMass_g.indexOf(value, place + 1);
    return this.items([place]);
  }

  /** At most n samples, evenly spread over all banks. */
  strided(n: number): BankItems {
    const stride = Math.ceil(this.n / n);
    return this.items(Int32Array.from({ length: Math.ceil(this.n / stride) }, (_, k) => k * stride));
  }

  /**
   * The sample (bank, i) and the n - 1 nearest to it in ln chirp mass, of equal ones the first in the banks, but for
   * `leftOut`; in the banks' order, in which they are read best.
   */
  nearest(bank: number, i: number, n: number, leftOut: ReadonlySet<number>): NearItems {
    const best = this.start_k[bank] + i;
    const centre = this.lnMass_g[best];
    const distance_g = this.lnMass_g.map((mass) => Math.abs(mass - centre));
    distance_g[best] = -1;
    const last = valueOfRank(distance_g.slice(), Math.min(n, this.n) - 1);
    const near: number[] = [];
    for (let g = 0; g < this.n; g++) if (distance_g[g] <= last) near.push(g);
    near.sort((a, b) => distance_g[a] - distance_g[b] || a - b);
    const place_j = near.slice(0, n).filter((g) => g === best || !leftOut.has(g));
    place_j.sort((a, b) => a - b);
    return { ...this.items(place_j), place_j, own: place_j.indexOf(best) };
  }
}
