import { expect, test } from "bun:test";
import { type DrawOptions, drawSamples } from "../src/banks/draws.ts";
import type { BankSamples } from "../src/gw/bank.ts";
import { componentMasses, powerLaw, uniformLnq, uniformMassesLnq } from "../src/gw/mass-prior.ts";
import { chieff, mchirp } from "../src/gw/prior.ts";
import { alignedSpins, ISOTROPIC, towardsFaceOn } from "../src/gw/spin-prior.ts";
import cogwheel from "./fixtures/bank-draws.json";

const RANGE = { mchirp: [20, 30], q: [0.2, 1] } as const;
const OPTIONS: DrawOptions = {
  ...RANGE,
  ...{
    n: 65_536,
    seed: 3,
    draw: "prior",
    mchirpPower: -1.7,
    incFaceonFactor: null,
    fRef: 50,
    aligned: false,
  },
};

/** The columns of the fixture. */
function columnsOf(samples: BankSamples): Record<string, Float64Array> {
  const of = (value: (i: number) => number) =>
    Float64Array.from({ length: samples.m1.length }, (_, i) => value(i));
  const { m1, m2, s1z, s2z, s1x_n, s1y_n, s2x_n, s2y_n, iota } = samples;
  return {
    ...{ m1, m2, s1z, s2z },
    mchirp: of((i) => mchirp(m1[i], m2[i])),
    q: of((i) => m2[i] / m1[i]),
    chieff: of((i) => chieff(m1[i], m2[i], s1z[i], s2z[i])),
    chi1p: of((i) => Math.hypot(s1x_n[i], s1y_n[i])),
    chi2p: of((i) => Math.hypot(s2x_n[i], s2y_n[i])),
    phi1: of((i) => Math.atan2(s1y_n[i], s1x_n[i])),
    phi2: of((i) => Math.atan2(s2y_n[i], s2x_n[i])),
    cosiota: of((i) => Math.cos(iota[i])),
  };
}

function shareBelow(values: Float64Array, weight: Float64Array, x: number): number {
  let [below, all] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    all += weight[i];
    if (values[i] < x) below += weight[i];
  }
  return below / all;
}

const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / values.length;

function correlation(a: Float64Array, b: Float64Array): number {
  const [ma, mb] = [mean(a), mean(b)];
  const product = (x: Float64Array, mx: number, y: Float64Array, my: number) =>
    x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0);
  return product(a, ma, b, mb) / Math.sqrt(product(a, ma, a, ma) * product(b, mb, b, mb));
}

/** Of the fixture. */
const N_COGWHEEL = 200_000;

/** A correlation of so many: four standard errors are 0.009. */
const CORRELATION_ERROR = 0.01;

function expectCogwheels(samples: BankSamples): void {
  const columns = columnsOf(samples);
  const weight = samples.log_prior_weights.map(Math.exp);
  const sum = (power: number) => weight.reduce((total, w) => total + w ** power, 0);
  const perSample = sum(2) / sum(1) ** 2;
  for (const [name, quantiles] of Object.entries(cogwheel.columns)) {
    quantiles.forEach((x, k) => {
      const share = shareBelow(columns[name], weight, x);
      const p = cogwheel.probs[k];
      const standardError = Math.sqrt(p * (1 - p) * (1 / N_COGWHEEL + perSample));
      expect([name, k, Math.abs(share - p) < 4 * standardError]).toEqual([name, k, true]);
    });
  }
}

test("draws from the prior have the distributions and correlations of cogwheel's IntrinsicIASPrior, and weight 1", () => {
  const samples = drawSamples(OPTIONS);
  expect(samples.log_prior_weights.every((w) => w === 0)).toBe(true);
  expectCogwheels(samples);
  const columns = columnsOf(samples);
  for (const [pair, expected] of Object.entries(cogwheel.correlations)) {
    const names = pair.split("*");
    if (names.length !== 2) continue;
    const found = correlation(columns[names[0]], columns[names[1]]);
    expect([pair, Math.abs(found - expected) < CORRELATION_ERROR]).toEqual([pair, true]);
  }
});

test.each([
  { draw: "log" },
  { draw: "power", mchirpPower: -1.7 },
  { draw: "power", mchirpPower: -1 },
  { draw: "prior", incFaceonFactor: 2 },
] as const)("weighted, draws %o have the prior's distributions too, and mean weight 1", (options) => {
  const samples = drawSamples({ ...OPTIONS, ...options });
  expect(samples.log_prior_weights.some((w) => Math.abs(w) > 0.1)).toBe(true);
  expect(Math.abs(mean(samples.log_prior_weights.map(Math.exp)) - 1)).toBeLessThan(2e-3);
  expectCogwheels(samples);
});

test("masses and weights of a log-uniform draw are dot_pe's", () => {
  for (const [q, { u, m1, m2, log_prior_weights }] of [
    [[0.2, 1], cogwheel.dot_pe],
    [[0.1, 0.6], cogwheel.dot_pe_qmax],
  ] as const) {
    const range = [q[0], q[1]] as const;
    const [mass, lnq] = [powerLaw(RANGE.mchirp, -1), uniformLnq(range)];
    const prior = [powerLaw(RANGE.mchirp, 1), uniformMassesLnq(range)];
    u[0].forEach((first, k) => {
      const [mc, x] = [mass.draw(first), lnq.draw(u[1][k])];
      const masses = componentMasses(mc, x);
      expect(masses.m1).toBeCloseTo(m1[k], 10);
      expect(masses.m2).toBeCloseTo(m2[k], 10);
      const weight =
        prior[0].logDensity(mc) + prior[1].logDensity(x) - mass.logDensity(mc) - lnq.logDensity(x);
      expect(weight).toBeCloseTo(log_prior_weights[k], 10);
    });
  }
});

test("densities of masses are those of cogwheel's prior and dot_pe's power law", () => {
  const lnq = uniformMassesLnq(RANGE.q);
  cogwheel.power.m.forEach(([m1, m2], k) => {
    const mc = mchirp(m1, m2);
    // |d(mchirp, ln q) / d(m1, m2)|
    const jacobian = Math.log(mc / (m1 * m2)) + lnq.logDensity(Math.log(m2 / m1));
    expect(powerLaw(RANGE.mchirp, 1).logDensity(mc) + jacobian).toBeCloseTo(cogwheel.power.prior[k], 8);
    expect(powerLaw(RANGE.mchirp, -1.7).logDensity(mc) + jacobian).toBeCloseTo(cogwheel.power.draw[k], 8);
  });
});

test("a density's draw is the inverse of its cumulative distribution", () => {
  for (const density of [uniformMassesLnq([0.02, 1]), powerLaw([5, 50], -2.3), uniformLnq([0.1, 0.9])]) {
    let sum = 0;
    for (let k = 0; k < 2000; k++) {
      const [x, y] = [density.draw(k / 2000), density.draw((k + 1) / 2000)];
      sum += Math.exp(density.logDensity((x + y) / 2)) * (y - x);
      expect(Math.abs(sum - (k + 1) / 2000)).toBeLessThan(1e-5);
    }
  }
});

test("aligned spins are those of cogwheel's UniformEffectiveSpinPrior, within their bounds at the ends too", () => {
  cogwheel.aligned.cases.forEach(([chi, cum, m1, m2], k) => {
    const spins = alignedSpins((chi + 1) / 2, cum, m2 / m1);
    expect(spins.s1z).toBeCloseTo(cogwheel.aligned.s1z[k], 12);
    expect(spins.s2z).toBeCloseTo(cogwheel.aligned.s2z[k], 12);
  });
  for (const u of [0, 1e-12, 0.5, 1 - 2 ** -53]) {
    const { s1z, s2z } = alignedSpins(u, u, 0.07);
    expect(Math.max(Math.abs(s1z), Math.abs(s2z))).toBeLessThanOrEqual(1);
  }
});

test("an inclination drawn towards face-on has its stated density", () => {
  const { theta, logWeight } = towardsFaceOn(3);
  const a = (3 - 1) / (3 + 1);
  for (let k = 1; k < 100; k++) {
    const x = theta(k / 100);
    expect((x + (a / 2) * Math.sin(2 * x)) / Math.PI).toBeCloseTo(k / 100, 12);
    const density = (1 + a * Math.cos(2 * x)) / Math.PI;
    expect(logWeight(x)).toBeCloseTo(Math.log(Math.sin(x) / 2 / density), 12);
  }
  expect(Number.isFinite(logWeight(theta(0)))).toBe(true);
  expect(ISOTROPIC.theta(0.75)).toBeCloseTo(Math.PI / 3, 14);
});

test("aligned samples have no spin in the plane, and a bank is the beginning of a larger one", () => {
  const small = drawSamples({ ...OPTIONS, n: 100, aligned: true });
  const large = drawSamples({ ...OPTIONS, n: 5000, aligned: true });
  for (const name of ["s1x_n", "s1y_n", "s2x_n", "s2y_n"] as const)
    expect(small[name].every((x) => x === 0)).toBe(true);
  for (const name of ["m1", "m2", "s1z", "s2z", "iota"] as const)
    expect(Array.from(small[name])).toEqual(Array.from(large[name].subarray(0, 100)));
  const other = drawSamples({ ...OPTIONS, n: 100, aligned: true, seed: 4 });
  expect(other.m1).not.toEqual(small.m1);
});
