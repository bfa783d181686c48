import { describe, expect, test } from "bun:test";
import { detectorsNamed } from "../src/gw/detectors.ts";
import { buildSkyDictionary } from "../src/gw/sky-dictionary.ts";
import {
  candidateOrder,
  combine,
  crossLnL,
  type ExtrinsicSamples,
  gatherPoints,
  isAcceptable,
} from "../src/stages/extrinsic.ts";
import { DEFAULT_MARGINALIZATION, type MargInfo, marginalize } from "../src/stages/marginalization.ts";
import {
  lnDistance,
  lnDistanceLaplace,
  meanLikelihood,
  type Signal,
  syntheticSignal,
} from "./synthetic-signal.ts";

const detectors = detectorsNamed("HLV");
const using = {
  detectors,
  sky: buildSkyDictionary(detectors, 8192, 0, 300_000),
  lnLikeMarginalized: lnDistance,
  beta_d: [0.5, 0.5, 0.5],
  seed: 0,
  options: { ...DEFAULT_MARGINALIZATION, minNEffective: 300 },
};
/** Different intrinsic samples against the same data. */
const signals = [0, 1, 2].map((tilt) => syntheticSignal(detectors, 20, 2, tilt));
const loud = syntheticSignal(detectors, 26, 2);
const infos = signals.map((signal, sequence) => marginalize(signal.products, using, sequence));

/** lnL of the points of some of the marginalizations, under each of their waveforms. */
function drawFrom(which: number[]) {
  const used = which.map((k) => infos[k]!);
  const points = gatherPoints(used, detectors);
  return { lnL_kq: which.map((k) => crossLnL(signals[k]!.products, infos[k]!, points)) };
}
const all = drawFrom([0, 1, 2]);

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
      const samples = combine([info], 1e9, 0, drawFrom([k]));
      expect(Math.abs(stage5(samples, signals[k]!).lnZ - info.lnZ)).toBeLessThan(0.01);
    }
  });

  test("drawn from all together they give every one's ln Z, within the standard error", () => {
    const samples = combine(infos, 2000, 5, all);
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
    const size = products.dhRe_dmpt.length / 3;
    const opposite = (dh: Float64Array) => dh.map((x, k) => (Math.floor(k / size) === 1 ? -x : x));
    const other = {
      ...products,
      dhRe_dmpt: opposite(products.dhRe_dmpt),
      dhIm_dmpt: opposite(products.dhIm_dmpt),
    };
    const used = [products, other, other, other, other];
    const ofUsed = used.map((one, sequence) => marginalize(one, using, sequence));
    const points = gatherPoints(ofUsed, detectors);
    const lnL_kq = used.map((one, k) => crossLnL(one, ofUsed[k]!, points));
    const everywhere = { lnL_kq: lnL_kq.map((lnL_q) => lnL_q.map(() => Infinity)) };
    const { lnZ, nEffective } = ofUsed[0]!;
    const right = stage5(combine(ofUsed, 1e9, 5, { lnL_kq }), loud);
    expect(Math.abs(right.lnZ - lnZ)).toBeLessThan(2 / Math.sqrt(nEffective));
    expect(stage5(combine(ofUsed, 1e9, 5, everywhere), loud).lnZ).toBeLessThan(lnZ - 0.3);
  });

  test("of the reference are off by what is known", () => {
    const samples = combine([infos[0]!], 3000, 6, "dot_pe");
    const { lnZ, error } = stage5(samples, signals[0]!);
    const expected = referenceLnZ(infos[0]!);
    expect(error).toBeLessThan(0.15);
    expect(Math.abs(lnZ - expected)).toBeLessThan(3 * error);
    expect(expected).toBeLessThan(infos[0]!.lnZ - 1);
  });

  test("stand in both columns", () => {
    const { weights, log_prior_weights } = combine(infos, 100, 0, all);
    weights.forEach((weight, e) => void expect(Math.log(weight)).toBe(log_prior_weights[e]!));
  });
});

describe("draws", () => {
  test("are distinct points, all of them when more are asked for", () => {
    const n = countPoints(infos);
    const samples = combine(infos, n + 1, 1, all);
    expect(samples.exhausted).toBe(true);
    expect(samples.n_e).toBe(n);
    expect(combine(infos, n, 1, all).exhausted).toBe(false);
    const places = Array.from(samples.t_geocenter, (t, e) => `${t} ${samples.psi[e]} ${samples.lat[e]}`);
    expect(new Set(places).size).toBe(n);
  });

  test("of the reference repeat, and turn psi where <d|h> is negative", () => {
    const samples = combine([infos[0]!], 4000, 1, "dot_pe");
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
    expect(combine(infos, 50, 1, all)).toEqual(combine(infos, 50, 1, all));
    expect(combine(infos, 50, 2, all).lat).not.toEqual(combine(infos, 50, 1, all).lat);
  });

  test("nothing to draw from is an error that says so", () => {
    const none = { ...infos[0]!, prior_q: new Float64Array(0), bin_dq: new Int32Array(0) };
    expect(() => combine([none], 10, 0, "dot_pe")).toThrow("found no point in 1 marginalizations");
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
