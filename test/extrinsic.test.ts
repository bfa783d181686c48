import { describe, expect, test } from "bun:test";
import { detectorsNamed } from "../src/gw/detectors.ts";
import { buildSkyDictionary } from "../src/gw/sky-dictionary.ts";
import { loadKernels } from "../src/kernels/table.ts";
import {
  candidateOrder,
  combine,
  type ExtrinsicSamples,
  gatherPoints,
  isAcceptable,
} from "../src/stages/extrinsic.ts";
import { countBlocks, MixtureDensity } from "../src/stages/extrinsic-mixture.ts";
import type { InnerProducts } from "../src/stages/extrinsic-products.ts";
import { DEFAULT_MARGINALIZATION, type MargInfo, marginalize } from "../src/stages/marginalization.ts";
import {
  lnDistance,
  lnDistanceLaplace,
  meanLikelihood,
  type Signal,
  syntheticSignal,
} from "./synthetic-signal.ts";

const detectors = detectorsNamed("HLV");
const kernels = loadKernels("auto");
const using = {
  kernels,
  sky: buildSkyDictionary(detectors, 8192, 0, 300_000, kernels),
  lnLikeMarginalized: lnDistance,
  beta_d: [0.5, 0.5, 0.5],
  seed: 0,
  options: { ...DEFAULT_MARGINALIZATION, minNEffective: 300 },
};
/** Different intrinsic samples against the same data. */
const signals = [0, 1, 2].map((tilt) => syntheticSignal(detectors, 20, 2, tilt));
const loud = syntheticSignal(detectors, 26, 2);
const infos = signals.map((signal, sequence) => marginalize(signal.products, using, sequence));

/** Draws from marginalizations; a proposal counts only where its points are kept, or, without waveforms, everywhere. */
function drawn(
  all: MargInfo[],
  n_ext: number,
  seed: number,
  draw: { waveforms?: readonly InnerProducts[]; pairs?: boolean } = {},
) {
  const points = gatherPoints(all);
  const density_q = new Float64Array(points.n_q);
  const parts = all.map((info, k) => ({ ...info, products: draw.waveforms?.[k] }));
  const mixture = new MixtureDensity(parts, using.sky, kernels);
  for (let block = 0; block < countBlocks(points); block++) mixture.run(density_q, points, block);
  const options = { nExt: n_ext, seed, pairs: draw.pairs ?? false };
  return combine(all, density_q, { sky: using.sky, detectors }, options);
}
const waveforms = signals.map(({ products }) => products);

/** ln of the mean over e of weight_e x mean over phases of L(e, o), with its standard error, by the exact likelihood. */
function stage5(samples: ExtrinsicSamples, signal: Signal) {
  const lnScale = 20;
  const terms = Array.from(samples.log_prior_weights, (lnWeight, e) => {
    const { lat, lon, psi, t_geocenter } = samples;
    const point = signal.evaluate(lat[e]!, lon[e]!, psi[e]!, t_geocenter[e]!, 64);
    return Math.exp(lnWeight) * meanLikelihood(point, lnScale);
  });
  const mean = terms.reduce((a, b) => a + b, 0) / terms.length;
  const variance = terms.reduce((sum, x) => sum + (x - mean) ** 2, 0) / terms.length ** 2;
  return { lnZ: lnScale + Math.log(mean), error: Math.sqrt(variance) / mean };
}

/** What the reference's draw and weights give on average: every pair equally often, weighted by prior/proposal/n_phi. */
function referenceLnZ(info: MargInfo): number {
  const { n_phi, n_t, n_d, n_c, n_qmc, pairStart_q, dh, hh, prior_q, bin_dq, proposal_cdt } = info;
  const n_q = prior_q.length;
  let sum = 0;
  for (let q = 0; q < n_q; q++) {
    let density = 0;
    for (let c = 0; c < n_c; c++) {
      let p = 1 / n_c;
      for (let d = 0; d < n_d; d++) p *= proposal_cdt[(c * n_d + d) * n_t + bin_dq[d * n_q + q]!]!;
      density += p;
    }
    const pairs = Array.from(
      { length: pairStart_q[q + 1]! - pairStart_q[q]! },
      (_, k) => pairStart_q[q]! + k,
    );
    for (const sign of [1, -1]) {
      const same = pairs.filter((x) => Math.sign(dh[x]!) === sign);
      const L =
        same.reduce((total, x) => total + Math.exp(lnDistanceLaplace(Math.abs(dh[x]!), hh[x]!)), 0) / n_phi;
      sum += (same.length * (prior_q[q]! / density) * L) / n_phi;
    }
  }
  expect(n_qmc).toBe(n_c * DEFAULT_MARGINALIZATION.n_chunk);
  return Math.log(sum / dh.length);
}

/** Points with a kept pair of positive <d|h>. */
const countPoints = (all: MargInfo[]) =>
  all.reduce((sum, { pairStart_q, dh }) => {
    const positive = Array.from(pairStart_q.subarray(0, -1), (x, q) => {
      return dh.slice(x, pairStart_q[q + 1]).some((value) => value > 0);
    });
    return sum + positive.filter(Boolean).length;
  }, 0);

describe("weights", () => {
  test("all points of one marginalization give back its ln Z", () => {
    for (const [k, info] of infos.entries()) {
      const samples = drawn([info], 1e9, 0, { waveforms: [waveforms[k]!] });
      expect(Math.abs(stage5(samples, signals[k]!).lnZ - info.lnZ)).toBeLessThan(0.01);
    }
  });

  test("drawn from all together they give every one's ln Z, within the standard error", () => {
    const samples = drawn(infos, 2000, 5, { waveforms });
    expect(samples.n_e).toBe(2000);
    expect(samples.exhausted).toBe(false);
    for (const [k, info] of infos.entries()) {
      const { lnZ, error } = stage5(samples, signals[k]!);
      const errorZ = 1 / Math.sqrt(info.nEffective);
      expect(error).toBeLessThan(0.15);
      expect(Math.abs(lnZ - info.lnZ)).toBeLessThan(3 * Math.hypot(error, errorZ));
    }
  });

  test("count a proposal only where its points are kept", () => {
    // Like the first signal in every detector alone, so the proposals are the same, but the second detector has the
    // opposite sign: other directions are good. Counting its proposals everywhere makes the weights of the first's too low.
    const { products } = loud;
    const size = products.dh_dtx.length / 3;
    const dh_dtx = products.dh_dtx.map((x, k) => (Math.floor(k / size) === 1 ? -x : x));
    const other = { ...products, dh_dtx };
    const used = [products, other, other, other, other];
    const ofUsed = used.map((one, sequence) => marginalize(one, using, sequence));
    const { lnZ, nEffective } = ofUsed[0]!;
    const right = stage5(drawn(ofUsed, 1e9, 5, { waveforms: used }), loud);
    expect(Math.abs(right.lnZ - lnZ)).toBeLessThan(2 / Math.sqrt(nEffective));
    expect(stage5(drawn(ofUsed, 1e9, 5), loud).lnZ).toBeLessThan(lnZ - 0.3);
  });

  test("of the reference are off by what is known", () => {
    const samples = drawn([infos[0]!], 3000, 6, { pairs: true });
    const { lnZ, error } = stage5(samples, signals[0]!);
    const expected = referenceLnZ(infos[0]!);
    expect(error).toBeLessThan(0.15);
    expect(Math.abs(lnZ - expected)).toBeLessThan(3 * error);
    expect(expected).toBeLessThan(infos[0]!.lnZ - 1);
  });

  test("stand in both columns", () => {
    const { weights, log_prior_weights } = drawn(infos, 100, 0, { waveforms });
    weights.forEach((weight, e) => void expect(Math.log(weight)).toBe(log_prior_weights[e]!));
  });
});

describe("draws", () => {
  test("are distinct points, all of them when more are asked for", () => {
    const n = countPoints(infos);
    const samples = drawn(infos, n + 1, 1, { waveforms });
    expect(samples.exhausted).toBe(true);
    expect(samples.n_e).toBe(n);
    expect(drawn(infos, n, 1, { waveforms }).exhausted).toBe(false);
    const places = Array.from(samples.t_geocenter, (t, e) => `${t} ${samples.psi[e]} ${samples.lat[e]}`);
    expect(new Set(places).size).toBe(n);
  });

  test("of the reference repeat, and turn psi where <d|h> is negative", () => {
    const samples = drawn([infos[0]!], 4000, 1, { pairs: true });
    expect(samples.n_e).toBe(4000);
    expect(new Set(samples.t_geocenter).size).toBeLessThan(4000);
    const own = new Set(infos[0]!.psi_q);
    const turned = samples.psi.filter((psi) => !own.has(psi)).length;
    expect(turned / 4000).toBeGreaterThan(0.4);
    expect(turned / 4000).toBeLessThan(0.6);
    for (let e = 0; e < 50; e++) {
      const { dh } = signals[0]!.evaluate(
        samples.lat[e]!,
        samples.lon[e]!,
        samples.psi[e]!,
        samples.t_geocenter[e]!,
        64,
      );
      const turn = Math.round((samples._phi_ref[e]! * 64) / (2 * Math.PI)) % 64;
      expect(dh[turn]!).toBeGreaterThan(0);
    }
  });

  test("depend on the seed alone", () => {
    const of = (seed: number) => drawn(infos, 50, seed, { waveforms });
    expect(of(1)).toEqual(of(1));
    expect(of(2).lat).not.toEqual(of(1).lat);
  });

  test("nothing to draw from is an error that says so", () => {
    const none = { ...infos[0]!, n_q: 0 };
    const options = { nExt: 10, seed: 0, pairs: true };
    const places = { sky: using.sky, detectors };
    expect(() => combine([none], new Float64Array(0), places, options)).toThrow(
      "found no point in 1 marginalizations",
    );
  });
});

describe("candidates", () => {
  test("32 of each batch of 1,024 of a permutation", () => {
    for (const [n, tried] of [
      [5, 5],
      [32, 32],
      [1024, 32],
      [1034, 42],
      [3000, 96],
    ] as const) {
      const order = candidateOrder(n, 1);
      expect(order.length).toBe(tried);
      expect(new Set(order).size).toBe(tried);
      expect(order.every((i) => i >= 0 && i < n)).toBe(true);
    }
    expect(candidateOrder(3000, 1)).not.toEqual(candidateOrder(3000, 2));
  });

  test("are accepted above an effective prior size of 32", () => {
    expect(isAcceptable({ ...infos[0]!, nEffectivePrior: 32 })).toBe(false);
    expect(isAcceptable({ ...infos[0]!, nEffectivePrior: 32.1 })).toBe(true);
  });
});
