/** Cases of the kernels of the setup stage. See kernel-cases.ts. */
import { modePairs } from "../src/axes.ts";
import { FftPlan } from "../src/gw/fft.ts";
import { SummaryWeights } from "../src/gw/spline.ts";
import { inspiralSeries } from "../src/gw/taylor-f2.ts";
import { referenceKernels } from "../src/kernels/ref.ts";
import type { Kernels } from "../src/kernels/table.ts";
import { type KernelCase, randomNumbers, type Size } from "./kernel-cases.ts";

const SPACING = 0.25;

/** Every kernel of the setup stage on inputs of one size: intervals of one to many frequencies, none a whole vector. */
export function setupCases(size: Size, seed: number): KernelCase[] {
  return [
    ...gridCases(size, seed),
    ...noiseCases(83 * size.n_b, seed),
    fftCase(size, seed),
    ...responseCases(size, seed),
    arrivalCase(size, seed),
    ...basisCases(size),
  ];
}

/** Bins on a grid of n_f frequencies, with room beyond both ends. */
function gridOf({ n_b }: Size) {
  const places = Array.from({ length: n_b }, (_, b) => 60 + b + Math.floor(0.31 * b * b));
  const n_f = places[n_b - 1] + 30;
  const f = Float64Array.from({ length: n_f }, (_, k) => k * SPACING);
  const fbin = Float64Array.from(places, (k) => f[k]);
  return { f, n_f, ...new SummaryWeights(fbin, f, referenceKernels) };
}

function gridCases(size: Size, seed: number): KernelCase[] {
  const { f, n_f, n_b, grid } = gridOf(size);
  const n_m = size.mArr.length;
  const numbers = (n: number, k: number) => randomNumbers(n, seed + k);
  const [re_f, im_f] = [numbers(n_f, 1), numbers(n_f, 2)];
  const weight_f = numbers(n_f, 3).map((x) => 1 + x);
  // The divisor stays away from zero.
  const away = (k: number) => numbers(n_b, k).map((x) => 2 + x);
  const x = { re_f, im_f, re_b: away(4), im_b: numbers(n_b, 5) };
  const y = { re_f: numbers(n_f, 6), im_f: numbers(n_f, 7), re_b: away(8), im_b: numbers(n_b, 9) };
  const pieces = numbers(4 * (n_b - 1), 10);
  const series = inspiralSeries({ m1: 40 + seed / 1e3, m2: 25, s1z: 0.3, s2z: -0.1 }, size.mArr[0]);
  const [hRe_mf, hIm_mf] = [numbers(n_m * n_f, 11), numbers(n_m * n_f, 12)];
  const pieces_mpcj = numbers(n_m * 16 * (n_b - 1), 13);
  const factor_mpc = numbers(4 * n_m, 14);
  return [
    written("turn", 2 * n_f, (out, { turn }) => turn(out, re_f, im_f, f, 24.013, n_f)),
    written("summaryWeights", 4 * n_b, (out, { summaryWeights }) => {
      summaryWeights(out, grid, weight_f, x, y, 0.7);
      out.fill(0, 2 * n_b);
    }),
    written("smoothMode", 2 * n_f, (out, { smoothMode }) => smoothMode(out, f, grid, pieces, series, n_f)),
    written("splineSum", 2 * n_f, (out, { splineSum }) =>
      splineSum(out, hRe_mf, hIm_mf, f, grid, pieces_mpcj, factor_mpc, n_m, n_f),
    ),
    written("powerIndex", 3, (out, { powerIndex }) =>
      out.set([0.1, 0.5, 0.99].map((share) => powerIndex(re_f, im_f, weight_f, share, n_f))),
    ),
    written("powerSums", 3, (out, { powerSums }) => powerSums(out, re_f, im_f, weight_f, f, n_f)),
    written("matched", 2 * n_f + 5, (out, { matched }) =>
      matched(out, re_f, im_f, y.re_f, y.im_f, weight_f, 1.7, n_f + 5, n_f),
    ),
  ];
}

/** A kernel that fills an array: what it does not write keeps a number that the twin must keep too. */
function written(name: string, n: number, run: (out: Float64Array, kernels: Kernels) => void): KernelCase {
  return {
    name,
    run(kernels) {
      const out = new Float64Array(n).fill(0.7);
      run(out, kernels);
      return { out };
    },
  };
}

/** Noise with quiet stretches and loud places. */
function noiseCases(n: number, seed: number): KernelCase[] {
  const x_j = randomNumbers(n, seed + 30).map((u, j) =>
    j % 300 < 60 ? 0.9 * u : j % 211 === 0 ? 9 * u : 2.5 * u,
  );
  return [
    {
      name: "withoutHoles, medianDeviation, spread",
      run(kernels) {
        const [kept, good_j] = [new Float64Array(n), new Uint8Array(n)];
        const n_kept = kernels.withoutHoles(kept, good_j, x_j, 1, 40, n);
        const holes = Float64Array.from(good_j);
        const deviations = [n_kept, n_kept - 1].map((m) => kernels.medianDeviation(kept.slice(), m));
        const spreads = [0, 3, 20].map((margin) => kernels.spread(good_j.slice(), x_j, 2.4, margin, n));
        return {
          ...{ holes, kept: kept.slice(0, n_kept), n_kept: Float64Array.of(n_kept) },
          ...{ deviations: Float64Array.from(deviations), spreads: Float64Array.from(spreads) },
        };
      },
    },
  ];
}

/** Lengths of all factors, in several orders. */
const LENGTHS = [480, 675, 1350, 768, 2000];

function fftCase({ n_b }: Size, seed: number): KernelCase {
  const length = LENGTHS[n_b % LENGTHS.length];
  const [re, im] = [randomNumbers(length, seed + 40), randomNumbers(length, seed + 41)];
  return {
    name: `fft of length ${length}`,
    run(kernels) {
      const [there, back] = [new Float64Array(2 * length), new Float64Array(2 * length)];
      const plan = new FftPlan(length, kernels);
      plan.forward(re, im, there);
      plan.backward(re, im, back);
      return { there, back };
    },
  };
}

/** Bins beyond one block of phasors; polarizations that differ, or where one says nothing new or none anything. */
function responseCases({ mArr, n_b, n_phi }: Size, seed: number): KernelCase[] {
  const n_m = mArr.length;
  const n_bp = 8 * Math.ceil((n_b + 130) / 8);
  const n_t = 21;
  const f_b = Float64Array.from({ length: n_bp }, (_, b) => (b < n_b + 130 ? 15 + 1.9 * b : 0));
  const g_mpcb = randomNumbers(4 * n_m * n_bp, seed + 50).map((x, k) => (k % n_bp < n_b + 130 ? x : 0));
  const turn_omc = Float64Array.from(
    Array.from({ length: n_phi }, (_, o) => (2 * Math.PI * o) / n_phi).flatMap((phi) =>
      mArr.flatMap((m) => [Math.cos(m * phi), Math.sin(m * phi)]),
    ),
  );
  const norms = (diagonal: readonly number[]) => {
    const norms_MpPc = randomNumbers(4 * n_m * (n_m + 1), seed + 51);
    for (const [M, [m, m2]] of modePairs(n_m).entries()) {
      if (m === m2) norms_MpPc.set(diagonal, 8 * M);
      else if (diagonal[2] !== 0) norms_MpPc.fill(0, 8 * M, 8 * (M + 1));
    }
    return norms_MpPc;
  };
  const kinds = {
    "H positive": [9, 0, 0, 0, 0, 0, 8, 0],
    "H singular": [4, 0, 4, 0, 4, 0, 4, 0],
    "H negative": [-9, 0, 1, 0, 1, 0, -9, 0],
  };
  return Object.entries(kinds).map(([kind, diagonal]) =>
    written(`bestResponses, ${kind}`, 4 * n_t, (out, { bestResponses }) =>
      bestResponses(out, g_mpcb, f_b, 23.9, 1 / 1024, turn_omc, norms(diagonal), n_t, n_phi, n_m, n_bp),
    ),
  );
}

/** Directions that lead beyond the scans too. */
function arrivalCase({ n_d, n_t }: Size, seed: number): KernelCase {
  const n_e = 307;
  const lnl_dt = randomNumbers(n_d * n_t, seed + 60).map((x) => 20 + 20 * x);
  const delay_de = randomNumbers(n_d * n_e, seed + 61).map((x) => 0.2 * n_t * x);
  const offset_d = randomNumbers(n_d, seed + 62);
  const place_a = Int32Array.of(n_t >> 1, (n_t >> 1) + 1, n_t - 2);
  return written("jointArrivals", 2 + 2 * n_d, (out, { jointArrivals }) =>
    jointArrivals(out, lnl_dt, delay_de, offset_d, place_a, 6, n_d - 1, n_d, n_t, n_e, place_a.length),
  );
}

/** The rank, and the parts of the columns that the basis makes: the basis itself follows the rounding of its pivots. */
function basisCases({ n_b, n_t }: Size): KernelCase[] {
  const offset_b = Float64Array.from({ length: n_b }, (_, b) => 3.7 * b - 1.85 * (n_b - 1));
  const tau_h = Float64Array.from({ length: n_t }, (_, h) => (h + 0.5) / 1024);
  return [false, true].map((sine) => ({
    name: `fitBasis of ${sine ? "sines" : "cosines"}`,
    run({ fitBasis }) {
      const most = Math.min(n_b, n_t);
      const [q_rb, e_rh] = [new Float64Array(most * n_b), new Float64Array(most * n_t)];
      const work = new Float64Array(2 * n_b * n_t + n_t);
      const rank = fitBasis(q_rb, e_rh, work, offset_b, tau_h, sine, 1e-13, n_b, n_t);
      const columns = new Float64Array(n_b * n_t);
      for (let h = 0; h < n_t; h++)
        for (let b = 0; b < n_b; b++)
          for (let r = 0; r < rank; r++) columns[h * n_b + b] += q_rb[r * n_b + b] * e_rh[r * n_t + h];
      return { rank: Float64Array.of(rank), first: q_rb.slice(0, n_b), columns };
    },
  }));
}
