import { describe, expect, test } from "bun:test";
import type { Bank } from "../src/gw/bank.ts";
import { BankCatalogue } from "../src/gw/bank-items.ts";
import { mchirp } from "../src/gw/prior.ts";
import { uniform } from "../src/gw/random.ts";

/** Banks of so many samples; `spread` of their masses, some of which are equal. */
function banksOf(sizes: readonly number[], spread: number, seed: number): Bank[] {
  let counter = 0;
  const mass = () =>
    20 * Math.exp(spread * Math.floor(50 * uniform(seed, 1, counter++)) * uniform(seed, 2, counter >> 3));
  return sizes.map((n_i, k) => {
    const m2 = Float64Array.from({ length: n_i }, mass);
    const samples = { m1: m2.map((m) => 1.25 * m), m2 };
    return { id: `bank_${k}`, n_i, samples } as unknown as Bank;
  });
}

/** ln chirp mass of every sample, by (bank, i). */
function everyMass(banks: readonly Bank[]) {
  return banks.flatMap(({ n_i, samples: { m1, m2 } }, bank) =>
    Array.from({ length: n_i }, (_, i) => ({ bank, i, lnMass: Math.log(mchirp(m1[i], m2[i])) })),
  );
}

describe("the nearest samples", () => {
  test.each([
    [[5000], 0.1, 200],
    [[3000, 17, 900], 0.001, 64],
    [[300], 0, 10],
    [[40, 2], 1, 2048],
    [[1], 1, 5],
    [[6000], 3, 1],
  ])("banks of %p samples, spread %p: %p of them", (sizes, spread, n) => {
    const banks = banksOf(sizes, spread, 7);
    const all = everyMass(banks);
    const catalogue = new BankCatalogue(banks);
    for (const own of [0, all.length >> 1, all.length - 1]) {
      const { bank, i, lnMass } = all[own];
      const found = catalogue.nearest(bank, i, n, new Set());
      // Rounded: the two ways to a mass differ in the last digit.
      const distance = (k: number) => (k === own ? -1 : Math.round(1e12 * Math.abs(all[k].lnMass - lnMass)));
      const expected = all.map((_, k) => k).sort((a, b) => distance(a) - distance(b) || a - b);
      const nearest = expected.slice(0, n).sort((a, b) => a - b);
      expect([...found.place_j]).toEqual(nearest);
      expect([...found.bank_j]).toEqual(nearest.map((k) => all[k].bank));
      expect([...found.i_j]).toEqual(nearest.map((k) => all[k].i));
      expect(found.place_j[found.own]).toBe(own);
    }
  });

  test("but for those that are left out, never the sample itself", () => {
    const catalogue = new BankCatalogue(banksOf([100], 0.1, 3));
    const all = catalogue.nearest(0, 50, 10, new Set());
    const out = new Set(all.place_j.slice(0, 4).concat(50));
    const found = catalogue.nearest(0, 50, 10, out);
    expect([...found.place_j]).toEqual(all.place_j.filter((g) => g === 50 || !out.has(g)));
  });
});

test("samples spread over all banks, and the one of median mass", () => {
  const banks = banksOf([70, 31], 0.1, 5);
  const catalogue = new BankCatalogue(banks);
  const spread = catalogue.strided(21);
  expect([...spread.bank_j]).toEqual([...new Array(14).fill(0), ...new Array(7).fill(1)]);
  expect([...spread.i_j]).toEqual([
    0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 0, 5, 10, 15, 20, 25, 30,
  ]);
  const { bank_j, i_j } = catalogue.median(spread);
  const mass = (bank: number, i: number) => mchirp(banks[bank].samples.m1[i], banks[bank].samples.m2[i]);
  const masses = [...spread.i_j].map((i, j) => mass(spread.bank_j[j], i)).sort((a, b) => a - b);
  expect(mass(bank_j[0], i_j[0])).toBe(masses[10]);
});
