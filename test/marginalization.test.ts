import { describe, expect, test } from "bun:test";
import { detectorResponses, detectorsNamed, geocenterDelays } from "../src/gw/detectors.ts";
import { uniform } from "../src/gw/random.ts";
import { buildSkyDictionary } from "../src/gw/sky-dictionary.ts";
import { keepPairs, modeProducts, PhaseGrid } from "../src/stages/extrinsic-products.ts";
import {
  DEFAULT_MARGINALIZATION,
  type MarginalizationOptions,
  type Marginalizer,
  marginalize,
  optimizeBeta,
} from "../src/stages/marginalization.ts";
import { bruteForceLnZ, lnDistance, M_ARR, type Signal, syntheticSignal } from "./synthetic-signal.ts";

function marginalizer(
  names: string,
  seed: number,
  options: Partial<MarginalizationOptions> = {},
): Marginalizer {
  const detectors = detectorsNamed(names);
  return {
    detectors,
    sky: buildSkyDictionary(detectors, 8192, seed, 200_000),
    lnLikeMarginalized: lnDistance,
    beta_d: detectors.map(() => 0.5),
    seed,
    options: { ...DEFAULT_MARGINALIZATION, ...options },
  };
}

const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const meanError = (values: number[]) => {
  const centre = mean(values);
  return Math.sqrt(
    values.reduce((sum, x) => sum + (x - centre) ** 2, 0) / (values.length - 1) / values.length,
  );
};

/** Points near the true arrival times of a signal. */
function somePoints(signal: Signal, n_q: number) {
  const draw = (n: number, to: (u: number) => number) =>
    Float64Array.from({ length: n_q }, (_, q) => to(uniform(7, n, q)));
  const lat = draw(0, (u) => Math.asin(2 * u - 1));
  const lon = draw(1, (u) => 2 * Math.PI * u);
  const psi = draw(2, (u) => Math.PI * u);
  const tGeocenter = draw(3, (u) => 0.01 * (u - 0.5));
  const { tStart, tStep } = signal.products;
  const delay_dq = geocenterDelays(signal.detectors, lat, lon);
  const position_dq = delay_dq.map((delay, dq) => (tGeocenter[dq % n_q]! + delay - tStart) / tStep);
  const byMode = modeProducts(
    signal.products,
    position_dq,
    detectorResponses(signal.detectors, lat, lon, psi),
  );
  return { lat, lon, psi, tGeocenter, byMode };
}

describe("ln Z agrees with plain Monte Carlo over the prior", () => {
  for (const [names, loudness, noiseSeed, n_points, maxLnLDrop] of [
    ["HLV", 14, 1, 300_000, 12],
    ["HLV", 18, 2, 700_000, 12],
    ["VLH", 18, 3, 400_000, 12],
    ["HL", 16, 4, 200_000, 12],
    ["H", 16, 5, 60_000, 12],
    // What is dropped matters only in a signal as weak as this (best lnL 9): the drop is a parameter of the method.
    ["HL", 9, 6, 40_000, 30],
  ] as const)
    test(`${names}, loudness ${loudness}, noise ${noiseSeed}`, () => {
      const signal = syntheticSignal(detectorsNamed(names), loudness, noiseSeed);
      const infos = [0, 1, 2, 3, 4].map((seed) =>
        marginalize(
          signal.products,
          marginalizer(names, seed, { minNEffective: 150, maxLnLDrop, maxChunks: 8 }),
          seed,
        ),
      );
      const lnLBest = infos[0]!.dh.reduce(
        (best, dh, x) => Math.max(best, dh ** 2 / (2 * infos[0]!.hh[x]!)),
        0,
      );
      const expected = bruteForceLnZ(signal, n_points, noiseSeed, lnLBest);
      expect(expected.nEffective).toBeGreaterThan(250);
      const lnZ = infos.map((info) => info.lnZ);
      const error = Math.hypot(expected.error, meanError(lnZ));
      expect(error).toBeLessThan(0.1);
      expect(Math.abs(mean(lnZ) - expected.lnZ)).toBeLessThan(3 * error);
    }, 60_000);
});

describe("inner products of points", () => {
  const signal = syntheticSignal(detectorsNamed("HLV"), 16, 1);
  const { lat, lon, psi, tGeocenter, byMode } = somePoints(signal, 400);
  const grid = new PhaseGrid(M_ARR, 64);

  test("equal the exact sums over frequencies", () => {
    for (let q = 0; q < 400; q += 13) {
      const expected = signal.evaluate(lat[q]!, lon[q]!, psi[q]!, tGeocenter[q]!, 64);
      grid.evaluate(byMode, q);
      const scale = Math.max(...expected.dh.map(Math.abs));
      expected.dh.forEach((dh, o) => void expect(Math.abs(grid.dh_o[o]! - dh)).toBeLessThan(1e-8 * scale));
      expected.hh.forEach((hh, o) => void expect(Math.abs(grid.hh_o[o]! / hh - 1)).toBeLessThan(1e-12));
    }
  });

  test("those kept are exactly those within the drop of the best", () => {
    const all: { point: number; phase: number; dh: number; lnL: number }[] = [];
    for (let q = 0; q < byMode.n_q; q++) {
      grid.evaluate(byMode, q);
      grid.dh_o.forEach((dh, phase) => {
        all.push({ point: q, phase, dh, lnL: (dh * dh) / (2 * grid.hh_o[phase]!) });
      });
    }
    const best = Math.max(...all.map(({ lnL }) => lnL));
    const expected = all.filter(({ lnL }) => lnL > best - 12);
    const kept = keepPairs(byMode, grid, 12);
    expect(expected.length).toBeGreaterThan(100);
    expect(Array.from(kept.phase)).toEqual(expected.map(({ phase }) => phase));
    expect(Array.from(kept.dh)).toEqual(expected.map(({ dh }) => dh));
    expect(Array.from(kept.point_q)).toEqual([...new Set(expected.map(({ point }) => point))]);
    kept.point_q.forEach((point, k) => {
      const count = expected.filter((pair) => pair.point === point).length;
      expect(kept.pairStart_q[k + 1]! - kept.pairStart_q[k]!).toBe(count);
    });
  });

  test("a grid of an odd number of phases is refused", () => {
    expect(() => new PhaseGrid(M_ARR, 63)).toThrow("63");
  });
});

describe("a marginalization", () => {
  const signal = syntheticSignal(detectorsNamed("HLV"), 16, 2);
  const using = marginalizer("HLV", 3);
  const info = marginalize(signal.products, using, 0);

  test("is the same for the same seed and sequence, and another for another", () => {
    expect(marginalize(signal.products, using, 0)).toEqual(info);
    expect(marginalize(signal.products, using, 1).lnZ).not.toBe(info.lnZ);
    expect(marginalize(signal.products, { ...using, seed: 4 }, 0).lnZ).not.toBe(info.lnZ);
  });

  test("reaches the effective sizes asked for, by adding chunks", () => {
    expect(info.nEffective).toBeGreaterThan(50);
    expect(info.nEffectivePrior).toBeGreaterThan(100);
    const more = marginalize(
      signal.products,
      { ...using, options: { ...using.options, minNEffective: 400 } },
      0,
    );
    expect(more.n_qmc).toBeGreaterThan(info.n_qmc);
    expect(more.n_qmc).toBe(more.n_c * using.options.n_chunk);
    const one = { ...using.options, minNEffective: 1e9, maxChunks: 2 };
    expect(marginalize(signal.products, { ...using, options: one }, 0).n_c).toBe(2);
  });

  test("its proposals are probabilities, its points agree with their arrival times", () => {
    const { proposal_cdt, n_t, n_c, n_d, position_dq, bin_dq, tStart, tStep } = info;
    for (let cd = 0; cd < n_c * n_d; cd++) {
      const prob_t = proposal_cdt.slice(cd * n_t, (cd + 1) * n_t);
      expect(mean(Array.from(prob_t)) * n_t).toBeCloseTo(1, 10);
      expect(prob_t.every((p) => p >= 0)).toBe(true);
    }
    const n_q = info.lat_q.length;
    const delay_dq = geocenterDelays(using.detectors, info.lat_q, info.lon_q);
    position_dq.forEach((position, dq) => {
      const arrival = info.tGeocenter_q[dq % n_q]! + delay_dq[dq]!;
      expect(position).toBeCloseTo((arrival - tStart) / tStep, 6);
      expect(Math.abs(position - bin_dq[dq]!)).toBeLessThan(dq < n_q ? 0.5 + 1e-9 : 1 + 1e-9);
    });
  });

  test("survives being posted to another thread", () => {
    expect(structuredClone(info)).toEqual(info);
  });

  test("has no points where no direction fits the arrival times", () => {
    const { n_t } = signal.products;
    const dhRe_dmpt = signal.products.dhRe_dmpt.map((x, k) => {
      const [d, t] = [Math.floor(k / (8 * n_t)), k % n_t];
      return x * 1e-3 + (t === (d === 0 ? 20 : n_t - 20) ? 1e9 : 0);
    });
    const impossible = marginalize({ ...signal.products, dhRe_dmpt }, using, 0);
    expect(impossible.lnZ).toBe(-Infinity);
    expect(impossible.nEffective).toBe(0);
    expect(impossible.n_c).toBe(1);
  });

  test("tempering is chosen within its range and is no less efficient than the default", () => {
    const beta_d = optimizeBeta(signal.products, using, 5);
    expect(beta_d.every((beta) => beta >= 0.1 - 1e-12 && beta <= 1)).toBe(true);
    const oneChunk = { ...using.options, maxChunks: 1 };
    const size = (beta: ArrayLike<number>) =>
      mean(
        [0, 1, 2, 3, 4].map((sequence) => {
          return marginalize(signal.products, { ...using, options: oneChunk, beta_d: beta }, sequence)
            .nEffective;
        }),
      );
    expect(size(beta_d)).toBeGreaterThan(0.8 * size(using.beta_d));
  });
});
