import { describe, expect, test } from "bun:test";
import { detectorResponses, detectorsNamed, geocenterDelays } from "../src/gw/detectors.ts";
import { uniform } from "../src/gw/random.ts";
import { buildSkyDictionary, skyAngles } from "../src/gw/sky-dictionary.ts";
import type { PairBuffers } from "../src/kernels/extrinsic-table.ts";
import { loadKernels } from "../src/kernels/table.ts";
import { ArrivalProposals, incoherentChi2 } from "../src/stages/arrival-proposal.ts";
import { ChunkSampler } from "../src/stages/extrinsic-chunk.ts";
import { phaseGrid, pointBuffers } from "../src/stages/extrinsic-products.ts";
import {
  DEFAULT_MARGINALIZATION,
  firstChunkEfficiency,
  type MarginalizationOptions,
  type Marginalizer,
  marginalize,
  optimizeBeta,
  temperingPoints,
} from "../src/stages/marginalization.ts";
import { bruteForceLnZ, lnDistance, M_ARR, type Signal, syntheticSignal } from "./synthetic-signal.ts";

const kernels = loadKernels("auto");

function marginalizer(
  names: string,
  seed: number,
  options: Partial<MarginalizationOptions> = {},
): Marginalizer {
  const detectors = detectorsNamed(names);
  return {
    sky: buildSkyDictionary(detectors, 8192, seed, 200_000, kernels),
    lnLikeMarginalized: lnDistance,
    kernels,
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
  const response_dpq = detectorResponses(signal.detectors, lat, lon, psi);
  const products = pointBuffers(M_ARR, n_q);
  const { dh_dtx, hh_dck, n_d, n_t } = signal.products;
  kernels.pointProducts(products, dh_dtx, hh_dck, position_dq, response_dpq, n_q, n_q, n_d, n_t);
  return { lat, lon, psi, tGeocenter, products };
}

/** The pairs that are kept, as one list. */
function keptPairs(products: ReturnType<typeof pointBuffers>, n_q: number, n_phi: number, maxDrop: number) {
  const kept: PairBuffers = {
    point_q: new Int32Array(n_q),
    pairStart_q: new Int32Array(n_q + 1),
    phase: new Uint16Array(n_q * n_phi),
    dh: new Float64Array(n_q * n_phi),
    hh: new Float64Array(n_q * n_phi),
    best: new Float64Array(1),
    bound_q: new Float64Array(n_q),
  };
  const n = kernels.keepPairs(kept, products, n_q, phaseGrid(M_ARR, n_phi), maxDrop);
  const { point_q, pairStart_q, phase, dh, hh, best } = kept;
  const pairs = Array.from(point_q.subarray(0, n)).flatMap((point, k) =>
    Array.from({ length: pairStart_q[k + 1]! - pairStart_q[k]! }, (_, j) => {
      const x = pairStart_q[k]! + j;
      return { point, phase: phase[x]!, dh: dh[x]!, hh: hh[x]!, lnL: dh[x]! ** 2 / (2 * hh[x]!) };
    }),
  );
  return { pairs, best: best[0]! };
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
  const { lat, lon, psi, tGeocenter, products } = somePoints(signal, 400);

  test("equal the exact sums over frequencies", () => {
    const { pairs } = keptPairs(products, 400, 64, Infinity);
    expect(pairs.length).toBe(400 * 64);
    for (let q = 0; q < 400; q += 13) {
      const expected = signal.evaluate(lat[q]!, lon[q]!, psi[q]!, tGeocenter[q]!, 64);
      const found = pairs.slice(64 * q, 64 * (q + 1));
      const scale = Math.max(...expected.dh.map(Math.abs));
      found.forEach(({ point, phase, dh, hh }, o) => {
        expect([point, phase]).toEqual([q, o]);
        expect(Math.abs(dh - expected.dh[o]!)).toBeLessThan(1e-8 * scale);
        expect(Math.abs(hh / expected.hh[o]! - 1)).toBeLessThan(1e-12);
      });
    }
  });

  test("those kept are exactly those within the drop of the best", () => {
    const all = keptPairs(products, 400, 64, Infinity).pairs;
    const best = Math.max(...all.map(({ lnL }) => lnL));
    const expected = all.filter(({ lnL }) => lnL > best - 12);
    const kept = keptPairs(products, 400, 64, 12);
    expect(expected.length).toBeGreaterThan(100);
    expect(expected.length).toBeLessThan(all.length / 2);
    expect(kept.pairs).toEqual(expected);
    expect(kept.best).toBe(best);
  });

  test("the best with a positive <d|h> is found wherever it may exceed a floor", () => {
    // With weaker products of different modes <h|h> is bounded away from 0, and some points need no phases.
    const weaker = {
      ...products,
      hh_qk: products.hh_qk.map((x, k) => (k % products.n_kp < 2 ? x : 0.2 * x)),
    };
    const all = keptPairs(weaker, 400, 64, Infinity).pairs;
    const lnl_q = new Float64Array(400);
    const floor = 0.9 * Math.max(...all.map(({ lnL }) => lnL));
    kernels.bestPositive(lnl_q, weaker, 400, phaseGrid(M_ARR, 64), floor, Infinity);
    const expected = Float64Array.from(lnl_q, (_, q) =>
      Math.max(...all.slice(64 * q, 64 * (q + 1)).map(({ dh, lnL }) => (dh > 0 ? lnL : -Infinity))),
    );
    const above = expected.filter((lnL) => lnL > floor).length;
    expect(above).toBeGreaterThan(0);
    lnl_q.forEach((lnL, q) => {
      if (expected[q]! > floor || lnL > -Infinity) expect(lnL).toBeCloseTo(expected[q]!, 10);
    });
    expect(lnl_q.filter((lnL) => lnL === -Infinity).length).toBeGreaterThan(5);
  });

  test("a grid of an odd number of phases is refused", () => {
    expect(() => phaseGrid(M_ARR, 63)).toThrow("63");
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
    const { proposal_cdt, n_t, n_c, n_d, n_q, bin_dq, position0_q } = info;
    for (let cd = 0; cd < n_c * n_d; cd++) {
      const prob_t = proposal_cdt.slice(cd * n_t, (cd + 1) * n_t);
      expect(mean(Array.from(prob_t)) * n_t).toBeCloseTo(1, 10);
      expect(prob_t.every((p) => p >= 0)).toBe(true);
    }
    const placed = {
      ld: n_q,
      position_dq: new Float64Array(n_d * n_q),
      response_dpq: new Float64Array(2 * n_d * n_q),
    };
    kernels.placePoints(placed, info.direction_q, info.psi_q, position0_q, using.sky, n_q);
    const { lat, lon } = skyAngles(using.sky, info.direction_q);
    const delay_dq = geocenterDelays(signal.detectors, lat, lon);
    const response_dpq = detectorResponses(signal.detectors, lat, lon, info.psi_q);
    placed.position_dq.forEach((position, dq) => {
      const later = (delay_dq[dq]! - delay_dq[dq % n_q]!) / info.tStep;
      expect(position).toBeCloseTo(position0_q[dq % n_q]! + later, 9);
      expect(Math.abs(position - bin_dq[dq]!)).toBeLessThan(dq < n_q ? 0.5 + 1e-9 : 1 + 1e-9);
    });
    placed.response_dpq.forEach((F, dpq) => void expect(F).toBeCloseTo(response_dpq[dpq]!, 12));
  });

  test("survives being posted to another thread", () => {
    expect(structuredClone(info)).toEqual(info);
  });

  test("has no points where no direction fits the arrival times", () => {
    const { n_t, dh_dtx } = signal.products;
    const n_x = dh_dtx.length / (3 * n_t);
    const loud = dh_dtx.map((x, k) => {
      const [d, t] = [Math.floor(k / (n_t * n_x)), Math.floor(k / n_x) % n_t];
      return 1e-3 * x + (t === (d === 0 ? 20 : n_t - 20) ? 1e9 : 0);
    });
    const impossible = marginalize({ ...signal.products, dh_dtx: loud }, using, 0);
    expect(impossible.lnZ).toBe(-Infinity);
    expect(impossible.nEffective).toBe(0);
    expect(impossible.n_c).toBe(1);
  });

  test("tempering is chosen within its range and is no less efficient than the default", async () => {
    const { products } = signal;
    const chi2_dt = incoherentChi2(products, kernels);
    const u = temperingPoints(products.n_d, using.seed, using.options.n_chunk);
    const proposals = new ArrivalProposals(using.sky, products.n_t, kernels);
    const sampler = new ChunkSampler(products, using);
    const efficiency = (beta_d: Float64Array) =>
      firstChunkEfficiency(products, proposals.first(chi2_dt, beta_d), u, using, sampler);
    const beta_d = await optimizeBeta(3, async (betas) => Float64Array.from(betas, efficiency), 5);
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
