/**
 * A small made-up event for the tests of stage 4: 18 frequencies, white noise, four modes, a source of known place.
 * <a|b> = Re sum_f a conj(b); <d|h>(t) is a sum of 18 terms, so it is exact at any time and needs no interpolation.
 */

import { modeDifferences, modePairs } from "../src/axes.ts";
import { arrivalTimes, type Detector, detectorResponses, geocenterDelays } from "../src/gw/detectors.ts";
import { uniform } from "../src/gw/random.ts";
import type { DistanceMarginal } from "../src/stages/extrinsic-chunk.ts";
import { type InnerProducts, paddedDifferences, paddedModes } from "../src/stages/extrinsic-products.ts";

export const M_ARR = [2, 1, 3, 4];
/** Hz */
const F_MIN = 20;
const F_STEP = 4;
const N_F = 18;
const FREQUENCIES = Float64Array.from({ length: N_F }, (_, f) => F_MIN + F_STEP * f);
const F_SAMPLING = 8192;
const HALF_WINDOW = 0.05;
const DISTANCE = 400;

/** Inner products mode by mode; pairs of different modes count twice. */
interface ByMode {
  readonly dhRe_dmpt: Float64Array;
  readonly dhIm_dmpt: Float64Array;
  readonly hhRe_dMpP: Float64Array;
  readonly hhIm_dMpP: Float64Array;
}

export interface Signal {
  readonly detectors: readonly Detector[];
  readonly byMode: ByMode;
  readonly products: InnerProducts;
  /** <d|h> and <h|h> at 1 Mpc on n_phi phases, for one extrinsic point. */
  evaluate(
    lat: number,
    lon: number,
    psi: number,
    tGeocenter: number,
    n_phi: number,
  ): { dh: number[]; hh: number[] };
}

function gaussian(seed: number, counter: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, 1001, 2 * counter)));
  return radius * Math.cos(2 * Math.PI * uniform(seed, 1001, 2 * counter + 1));
}

/** h_mpf of a waveform at 1 Mpc, by mode, polarization and frequency; `tilt` makes different intrinsic samples. */
function waveform(tilt: number, scale: number) {
  const re = new Float64Array(8 * N_F);
  const im = new Float64Array(8 * N_F);
  const amplitude = [1, 0.15, 0.25, 0.12];
  for (let mp = 0; mp < 8; mp++)
    for (let f = 0; f < N_F; f++) {
      const [m, p] = [mp >> 1, mp & 1];
      const size =
        scale * amplitude[m]! * (p === 0 ? 1 : 0.7 * (1 - tilt)) * FREQUENCIES[f]! ** (-7 / 6 + 0.1 * tilt);
      const phase = M_ARR[m]! * (0.5 + 20 / FREQUENCIES[f]!) + (p * Math.PI) / 2 + 0.1 * tilt * m;
      re[mp * N_F + f] = size * Math.cos(phase);
      im[mp * N_F + f] = size * Math.sin(phase);
    }
  return { re, im };
}

/** sum_f (a conj(b)) e^{2 pi i f t} of two complex series. */
function product(a: Complex, b: Complex, time = 0): [number, number] {
  let c = Math.cos(2 * Math.PI * F_MIN * time);
  let s = Math.sin(2 * Math.PI * F_MIN * time);
  const cStep = Math.cos(2 * Math.PI * F_STEP * time);
  const sStep = Math.sin(2 * Math.PI * F_STEP * time);
  let re = 0;
  let im = 0;
  for (let f = 0; f < N_F; f++) {
    const x = a.re[f]! * b.re[f]! + a.im[f]! * b.im[f]!;
    const y = a.im[f]! * b.re[f]! - a.re[f]! * b.im[f]!;
    re += x * c - y * s;
    im += x * s + y * c;
    [c, s] = [c * cStep - s * sStep, c * sStep + s * cStep];
  }
  return [re, im];
}

interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

const row = ({ re, im }: Complex, k: number): Complex => ({
  re: re.subarray(k * N_F, (k + 1) * N_F),
  im: im.subarray(k * N_F, (k + 1) * N_F),
});

/** Data: the waveform of tilt 0 at 400 Mpc with the given network SNR (on average), in noise. */
function simulateStrain(detectors: readonly Detector[], h: Complex, noiseSeed: number): Complex[] {
  const [lat, lon, psi] = [0.6, 1.9, 0.8].map((x) => Float64Array.of(x)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const t_d = arrivalTimes(detectors, lat, lon, Float64Array.of(0.003));
  const F_dp = detectorResponses(detectors, lat, lon, psi);
  const phi = 1.1;
  return detectors.map((_, d) => {
    const strain = { re: new Float64Array(N_F), im: new Float64Array(N_F) };
    for (let f = 0; f < N_F; f++) {
      strain.re[f] = gaussian(noiseSeed, 100 * d + f);
      strain.im[f] = gaussian(noiseSeed, 100 * d + f + 50);
      for (let mp = 0; mp < 8; mp++) {
        const turn = M_ARR[mp >> 1]! * phi - 2 * Math.PI * FREQUENCIES[f]! * t_d[d]!;
        const [x, y] = [h.re[mp * N_F + f]!, h.im[mp * N_F + f]!];
        const factor = F_dp[2 * d + (mp & 1)]! / DISTANCE;
        strain.re[f]! += factor * (x * Math.cos(turn) - y * Math.sin(turn));
        strain.im[f]! += factor * (x * Math.sin(turn) + y * Math.cos(turn));
      }
    }
    return strain;
  });
}

/** @param loudness scale of the signal: about the SNR of the best-placed source in one detector. */
export function syntheticSignal(
  detectors: readonly Detector[],
  loudness: number,
  noiseSeed: number,
  tilt = 0,
): Signal {
  const norm = Math.sqrt(FREQUENCIES.reduce((sum, f) => sum + f ** (-7 / 3), 0));
  const scale = (loudness * DISTANCE) / norm;
  const strain_d = simulateStrain(detectors, waveform(0, scale), noiseSeed);
  const h = waveform(tilt, scale);
  const n_d = detectors.length;
  const n_t = Math.round(2 * HALF_WINDOW * F_SAMPLING);
  const tStep = 1 / F_SAMPLING;
  const dhAt = (d: number, mp: number, time: number) => product(strain_d[d]!, row(h, mp), time);
  const dh = Array.from({ length: n_d * 8 * n_t }, (_, k) =>
    dhAt(Math.floor(k / (8 * n_t)), Math.floor(k / n_t) % 8, (k % n_t) * tStep - HALF_WINDOW),
  );
  const pairs = modePairs(4);
  const hh = pairs.flatMap(([a, b]) =>
    [0, 1, 2, 3].map((pP) => {
      const [x, y] = product(row(h, 2 * a + (pP >> 1)), row(h, 2 * b + (pP & 1)));
      return a === b ? [x, y] : [2 * x, 2 * y];
    }),
  );
  const byMode: ByMode = {
    dhRe_dmpt: Float64Array.from(dh, ([re]) => re),
    dhIm_dmpt: Float64Array.from(dh, ([, im]) => im),
    hhRe_dMpP: Float64Array.from(detectors.flatMap(() => hh.map(([re]) => re!))),
    hhIm_dMpP: Float64Array.from(detectors.flatMap(() => hh.map(([, im]) => im!))),
  };
  const products = pack(byMode, n_d, n_t);
  return { detectors, byMode, products, evaluate: evaluator(detectors, dhAt, hh as [number, number][]) };
}

/** The layout of `InnerProducts`, element by element from its description. */
function pack(
  { dhRe_dmpt, dhIm_dmpt, hhRe_dMpP, hhIm_dMpP }: ByMode,
  n_d: number,
  n_t: number,
): InnerProducts {
  const [n_m, n_x, n_kp] = [M_ARR.length, paddedModes(M_ARR), paddedDifferences(M_ARR)];
  const dh_dtx = new Float64Array(n_d * n_t * 2 * n_x);
  const hh_dck = new Float64Array(n_d * 3 * n_kp);
  const pairs = modePairs(n_m);
  for (let d = 0; d < n_d; d++) {
    for (let m = 0; m < n_m; m++)
      for (let p = 0; p < 2; p++)
        for (let t = 0; t < n_t; t++) {
          const [from, to] = [((d * n_m + m) * 2 + p) * n_t + t, ((d * n_t + t) * 2 + p) * n_x + 2 * m];
          dh_dtx[to] = dhRe_dmpt[from]!;
          dh_dtx[to + 1] = dhIm_dmpt[from]!;
        }
    pairs.forEach(([a, b], M) => {
      const difference = M_ARR[a]! - M_ARR[b]!;
      const k = modeDifferences(M_ARR).indexOf(Math.abs(difference));
      for (let pP = 0; pP < 4; pP++) {
        const from = (d * pairs.length + M) * 4 + pP;
        const at = (3 * d + (pP >> 1) + (pP & 1)) * n_kp + 2 * k;
        hh_dck[at]! += hhRe_dMpP[from]!;
        hh_dck[at + 1]! -= Math.sign(difference) * hhIm_dMpP[from]!;
      }
    });
  }
  return { mArr: M_ARR, n_d, n_t, tStart: -HALF_WINDOW, tStep: 1 / F_SAMPLING, dh_dtx, hh_dck };
}

const M_DIFFERENCES = modePairs(4).map(([a, b]) => M_ARR[a]! - M_ARR[b]!);
const COS = Float64Array.from({ length: 64 }, (_, o) => Math.cos((2 * Math.PI * o) / 64));
const SIN = Float64Array.from({ length: 64 }, (_, o) => Math.sin((2 * Math.PI * o) / 64));

/** Re sum_n z_n e^{i n phi} on n_phi phases (a divisor of 64). */
function onPhases(z: readonly [number, number][], n: readonly number[], n_phi: number): number[] {
  return Array.from({ length: n_phi }, (_, o) => {
    let sum = 0;
    for (let k = 0; k < n.length; k++) {
      const turn = (n[k]! * o * (64 / n_phi)) & 63;
      sum += z[k]![0] * COS[turn]! - z[k]![1] * SIN[turn]!;
    }
    return sum;
  });
}

function evaluator(
  detectors: readonly Detector[],
  dhAt: (d: number, mp: number, time: number) => [number, number],
  hh: readonly [number, number][],
): Signal["evaluate"] {
  return (lat, lon, psi, tGeocenter, n_phi) => {
    const place = [Float64Array.of(lat), Float64Array.of(lon)] as const;
    const t_d = arrivalTimes(detectors, ...place, Float64Array.of(tGeocenter));
    const F_dp = detectorResponses(detectors, ...place, Float64Array.of(psi));
    const dh_m = M_ARR.map(() => [0, 0] as [number, number]);
    const hh_M = modePairs(4).map(() => [0, 0] as [number, number]);
    detectors.forEach((_, d) => {
      for (let mp = 0; mp < 8; mp++) {
        const [re, im] = dhAt(d, mp, t_d[d]!);
        dh_m[mp >> 1]![0] += F_dp[2 * d + (mp & 1)]! * re;
        dh_m[mp >> 1]![1] += F_dp[2 * d + (mp & 1)]! * im;
      }
      hh.forEach(([re, im], k) => {
        const FF = F_dp[2 * d + ((k >> 1) & 1)]! * F_dp[2 * d + (k & 1)]!;
        hh_M[k >> 2]![0] += FF * re;
        hh_M[k >> 2]![1] += FF * im;
      });
    });
    return {
      dh: onPhases(
        dh_m,
        M_ARR.map((m) => -m),
        n_phi,
      ),
      hh: onPhases(hh_M, M_DIFFERENCES, n_phi),
    };
  };
}

/**
 * Stands in for the marginalization over distance in these tests, on both sides: Laplace's approximation of it.
 * Any function of <d|h>, <h|h> would do.
 */
export function lnDistanceLaplace(dh: number, hh: number): number {
  const snr = dh / Math.sqrt(hh);
  const lnShare = Math.log(3 * Math.sqrt(2 * Math.PI)) + 1.5 * Math.log(hh) - 3 * Math.log(15000);
  return snr > 0 ? 0.5 * snr * snr + lnShare - 2 * Math.log(snr * snr + 8) : lnShare - 5;
}

export const lnDistance: DistanceMarginal = (dh_j, hh_j, out_j, n) => {
  for (let j = 0; j < n; j++) out_j[j] = lnDistanceLaplace(dh_j[j]!, hh_j[j]!);
};

/** Mean over phases of exp(lnL - lnScale). */
export function meanLikelihood({ dh, hh }: { dh: number[]; hh: number[] }, lnScale: number): number {
  return dh.reduce((sum, x, o) => sum + Math.exp(lnDistanceLaplace(x, hh[o]!) - lnScale), 0) / dh.length;
}

/** Largest d^T H^-1 d of one detector over the phase: twice the best lnL that any direction could give it. Shape (t). */
function bestOfOneDetector({ byMode, products: { n_t } }: Signal, d: number): Float64Array {
  const { dhRe_dmpt, dhIm_dmpt, hhRe_dMpP, hhIm_dMpP } = byMode;
  const best = new Float64Array(n_t);
  const pairs = modePairs(4);
  for (let o = 0; o < 64; o++) {
    const phi = (2 * Math.PI * o) / 64;
    const H = [0, 0, 0];
    pairs.forEach(([a, b], M) => {
      const angle = (M_ARR[a]! - M_ARR[b]!) * phi;
      for (let pP = 0; pP < 4; pP++) {
        const k = (d * pairs.length + M) * 4 + pP;
        const value = hhRe_dMpP[k]! * Math.cos(angle) - hhIm_dMpP[k]! * Math.sin(angle);
        H[(pP >> 1) + (pP & 1)]! += pP === 1 || pP === 2 ? value / 2 : value;
      }
    });
    const [pp, px, xx] = H as [number, number, number];
    for (let t = 0; t < n_t; t++) {
      const D = [0, 0];
      for (let mp = 0; mp < 8; mp++) {
        const angle = M_ARR[mp >> 1]! * phi;
        const k = (d * 8 + mp) * n_t + t;
        D[mp & 1]! += dhRe_dmpt[k]! * Math.cos(angle) + dhIm_dmpt[k]! * Math.sin(angle);
      }
      const value = (xx * D[0]! ** 2 - 2 * px * D[0]! * D[1]! + pp * D[1]! ** 2) / (pp * xx - px * px);
      best[t] = Math.max(best[t]!, value);
    }
  }
  return best;
}

/**
 * ln of the integral over isotropic sky, psi, phase, and time (ds) of the likelihood, by plain Monte Carlo with points
 * from the prior. Arrival times in the first detector are drawn where the bound S_0(t) + max S_1 + ... leaves a
 * chance of an lnL within `cut` of the best; points whose bound is lower count as 0.
 */
export function bruteForceLnZ(signal: Signal, n_points: number, seed: number, lnLBest: number, cut = 10) {
  const { detectors, products } = signal;
  const { n_t, tStart, tStep } = products;
  const S_d = detectors.map((_, d) => bestOfOneDetector(signal, d));
  const others = S_d.slice(1).reduce((sum, S) => sum + Math.max(...S), 0);
  const times = Array.from({ length: n_t }, (_, t) => t).filter(
    (t) => S_d[0]![t]! + others > 2 * (lnLBest - cut),
  );
  const near = (S: Float64Array, t: number) => Math.max(S[t - 1] ?? 0, S[t] ?? 0, S[t + 1] ?? 0);
  const draws = (n: number, to: (u: number) => number) =>
    Float64Array.from({ length: n_points }, (_, k) => to(uniform(seed, 1002 + n, k)));
  const lat_e = draws(0, (u) => Math.asin(2 * u - 1));
  const lon_e = draws(1, (u) => 2 * Math.PI * u);
  const psi_e = draws(2, (u) => Math.PI * u);
  const bin_e = draws(3, (u) => times[Math.floor(u * times.length)]!);
  const fine_e = draws(4, (u) => u - 0.5);
  const delay_de = geocenterDelays(detectors, lat_e, lon_e);
  let sum = 0;
  let squares = 0;
  for (let e = 0; e < n_points; e++) {
    const position = bin_e[e]! + fine_e[e]!;
    let bound = 0;
    for (let d = 0; d < detectors.length; d++)
      bound += near(S_d[d]!, Math.round(position + (delay_de[d * n_points + e]! - delay_de[e]!) / tStep));
    if (bound < 2 * (lnLBest - cut)) continue;
    const tGeocenter = tStart + position * tStep - delay_de[e]!;
    const L = meanLikelihood(signal.evaluate(lat_e[e]!, lon_e[e]!, psi_e[e]!, tGeocenter, 32), lnLBest);
    sum += L;
    squares += L * L;
  }
  const mean = sum / n_points;
  const error = Math.sqrt((squares / n_points - mean * mean) / n_points) / mean;
  return { lnZ: lnLBest + Math.log(mean * times.length * tStep), error, nEffective: (sum * sum) / squares };
}
