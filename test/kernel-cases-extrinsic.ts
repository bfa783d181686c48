/** Cases of the kernels of stage 4 and of the marginalization over distance. See kernel-cases.ts. */
import { detectorsNamed } from "../src/gw/detectors.ts";
import { buildDistanceTable, D_LUMINOSITY_MAX, lnLikeMarginalized } from "../src/gw/distance.ts";
import { buildSkyDictionary, fillDirections, planSky } from "../src/gw/sky-dictionary.ts";
import type { PairBuffers, PhaseGrid, PointProducts } from "../src/kernels/extrinsic-table.ts";
import { referenceKernels } from "../src/kernels/ref.ts";
import type { Kernels } from "../src/kernels/table.ts";
import { paddedDifferences, paddedModes, phaseGrid, pointBuffers } from "../src/stages/extrinsic-products.ts";
import { type KernelCase, randomNumbers, type Size } from "./kernel-cases.ts";

const table = buildDistanceTable();
/** Points of a case: no whole number of vectors. */
const N_Q = 203;

/** Every kernel of stage 4 on inputs of one size. */
export function extrinsicCases(size: Size, seed: number): KernelCase[] {
  return [
    distanceCase(97 + size.n_b, seed),
    distanceTableCase(),
    pointProductsCase(size, seed + 10),
    ...[0.5, Infinity].map((share) => keepPairsCase(size, seed + 20, share)),
    bestPositiveCase(size, seed + 20),
    skyCase(size, seed),
    placeCase(size, seed + 30),
    drawCase(size, seed + 40),
    byTimeCase(size, seed + 50),
    convolveCase(size.n_t, seed + 60),
    delayPriorCase(seed + 70),
    densityCase(size, seed + 80),
    sumsCase(seed + 90),
    chi2Case(size, seed + 100),
  ];
}

/** Numbers in [0, 1). */
const unit = (n: number, seed: number) => randomNumbers(n, seed).map((x) => 0.5 + 0.5 * x);

const floats = (values: ArrayLike<number>) => Float64Array.from(values);

/** Rows inside the table and some beyond its rim, which are integrated and come out as NaN from the kernel alone. */
function distanceCase(n: number, seed: number): KernelCase {
  const [where, place] = [randomNumbers(n, seed), randomNumbers(n, seed + 1)];
  const z_j = where.map((u, j) => (j % 2 === 0 ? 2 + 9 * u : 49 + 53 * u));
  const norm_j = place.map((u, j) => {
    const [low, high] = [Math.log(4e-5), Math.log(Math.max(z_j[j], 0) + 10.5)];
    return D_LUMINOSITY_MAX * Math.exp((low + high) / 2 + (u * (high - low)) / 2);
  });
  return {
    name: "distanceMarginal",
    run(kernels) {
      const lnl = new Float64Array(n);
      lnLikeMarginalized(
        table,
        z_j.map((z, j) => z * norm_j[j]),
        norm_j.map((norm) => norm * norm),
        ...([lnl, n, kernels.distanceMarginal] as const),
      );
      return { lnl };
    },
  };
}

/** The first and the last rows of the table: the kernels take them in groups. */
function distanceTableCase(): KernelCase {
  return {
    name: "distanceRows and splineFilter",
    run(kernels) {
      const { coefficients, n_x, n_y } = buildDistanceTable(D_LUMINOSITY_MAX, kernels);
      return { first: coefficients.slice(0, 20 * n_x), last: coefficients.slice((n_y - 20) * n_x) };
    },
  };
}

/** Positions on the whole grid, some beyond either end. */
function pointProductsCase({ n_d, mArr, n_t }: Size, seed: number): KernelCase {
  const [n_x, n_kp, ld] = [paddedModes(mArr), paddedDifferences(mArr), N_Q + 3];
  const dh = randomNumbers(n_d * n_t * 2 * n_x, seed);
  const hh = randomNumbers(n_d * 3 * n_kp, seed + 1);
  const position = randomNumbers(n_d * ld, seed + 2).map((x) => (n_t / 2) * (1 + x) + 0.7 * x);
  const response = randomNumbers(2 * n_d * ld, seed + 3);
  return {
    name: "pointProducts",
    run(kernels) {
      const out = pointBuffers(mArr, N_Q);
      kernels.pointProducts(out, dh, hh, position, response, ld, N_Q, n_d, n_t);
      return { dh: out.dh_qx, hh: out.hh_qk };
    },
  };
}

/** Products of random points, <h|h> bounded away from 0 but for every 17th point. */
function randomProducts(mArr: readonly number[], seed: number): PointProducts {
  const [n_x, n_kp] = [paddedModes(mArr), paddedDifferences(mArr)];
  const used = (values: Float64Array, n: number, padded: number) =>
    values.map((x, at) => (at % padded < n ? x : 0));
  const hh = randomNumbers(N_Q * n_kp, seed).map((x, at) => {
    const [q, k] = [Math.floor(at / n_kp), at % n_kp];
    return k === 0 ? 2.2 + x : k === 1 ? 0 : ((q % 17 === 0 ? 0.7 : 0.15) / mArr.length) * x;
  });
  return {
    ...{ n_x, n_kp },
    dh_qx: used(randomNumbers(N_Q * n_x, seed + 1), 2 * mArr.length, n_x),
    hh_qk: used(hh, 2 * (1 + phaseGrid(mArr, 2).n_k), n_kp),
  };
}

/** Phases that fill no whole vector. */
const N_PHI = 22;

function keptPairs(kernels: Kernels, products: PointProducts, grid: PhaseGrid, maxDrop: number) {
  const room = N_Q * N_PHI;
  const kept: PairBuffers = {
    point_q: new Int32Array(N_Q),
    pairStart_q: new Int32Array(N_Q + 1),
    phase: new Uint16Array(room),
    dh: new Float64Array(room),
    hh: new Float64Array(room),
    best: new Float64Array(1),
    bound_q: new Float64Array(N_Q),
  };
  const n = kernels.keepPairs(kept, products, N_Q, grid, maxDrop);
  const n_pairs = kept.pairStart_q[n];
  return {
    point: floats(kept.point_q.subarray(0, n)),
    pairStart: floats(kept.pairStart_q.subarray(0, n + 1)),
    phase: floats(kept.phase.subarray(0, n_pairs)),
    dh: kept.dh.slice(0, n_pairs),
    hh: kept.hh.slice(0, n_pairs),
    best: kept.best,
  };
}

/** @param share of the best lnL by which a pair may be lower */
function keepPairsCase({ mArr }: Size, seed: number, share: number): KernelCase {
  const products = randomProducts(mArr, seed);
  const grid = phaseGrid(mArr, N_PHI);
  const [best] = keptPairs(referenceKernels, products, grid, Infinity).best;
  return {
    name: `keepPairs within ${share} of the best`,
    run: (kernels) => keptPairs(kernels, products, grid, share * best),
  };
}

function bestPositiveCase({ mArr }: Size, seed: number): KernelCase {
  const products = randomProducts(mArr, seed);
  const grid = phaseGrid(mArr, N_PHI);
  const [best] = keptPairs(referenceKernels, products, grid, Infinity).best;
  return {
    name: "bestPositive",
    run(kernels) {
      const [found, enough] = [Infinity, 0.7 * best].map((limit) => {
        const lnl = new Float64Array(N_Q);
        kernels.bestPositive(lnl, products, N_Q, grid, best / 2, limit);
        return lnl.map((x) => (x === -Infinity ? -1 : x));
      });
      return { found, enough };
    },
  };
}

function detectorsOf(n_d: number) {
  return detectorsNamed("LVH".slice(0, n_d));
}

function skyCase({ n_d }: Size, seed: number): KernelCase {
  const n_s = 5003;
  return {
    name: "skyBlock and skySort",
    run(kernels) {
      const plan = planSky(detectorsOf(n_d), 1024, seed, n_s);
      fillDirections(plan, 0, kernels);
      const { power_s } = plan;
      const { binStart, directions, detectable } = buildSkyDictionary(
        detectorsOf(n_d),
        1024,
        seed,
        n_s,
        kernels,
      );
      return { power_s, binStart: floats(binStart), directions: floats(directions), detectable };
    },
  };
}

function placeCase({ n_d }: Size, seed: number): KernelCase {
  const sky = buildSkyDictionary(detectorsOf(n_d), 4096, seed, 9001);
  const direction_q = Int32Array.from(unit(N_Q, seed), (u) => Math.floor(9001 * u));
  const psi_q = unit(N_Q, seed + 1).map((u) => Math.PI * u);
  const position0_q = unit(N_Q, seed + 2).map((u) => 100 * u);
  return {
    name: "placePoints",
    run(kernels) {
      const ld = N_Q + 2;
      const placed = {
        ld,
        position_dq: new Float64Array(n_d * ld).fill(5),
        response_dpq: new Float64Array(2 * n_d * ld).fill(6),
      };
      kernels.placePoints(placed, direction_q, psi_q, position0_q, sky, N_Q);
      return { position: placed.position_dq, response: placed.response_dpq };
    },
  };
}

function drawCase({ n_d }: Size, seed: number): KernelCase {
  const [n_t, n_u] = [60, 301];
  const sky = buildSkyDictionary(detectorsOf(n_d), 1024, seed, 3001);
  const prob_dt = unit(n_d * n_t, seed).map((u, at) => (at % 7 === 0 || at % n_t > 50 ? 0 : u * u));
  const u = unit((n_d + 3) * n_u, seed + 1);
  return {
    name: "drawPoints",
    run(kernels) {
      const points = {
        ld: n_u,
        index_q: new Int32Array(n_u),
        bin_dq: new Int32Array(n_d * n_u),
        direction_q: new Int32Array(n_u),
        prior_q: new Float64Array(n_u),
        psi_q: new Float64Array(n_u),
        position0_q: new Float64Array(n_u),
        cumulative_dt: new Float64Array(n_d * n_t),
      };
      const n = kernels.drawPoints(points, prob_dt, u, sky, n_u, n_d, n_t, 1000, 1e-4);
      const { index_q, bin_dq, direction_q, prior_q, psi_q, position0_q } = points;
      return {
        n: Float64Array.of(n),
        index: floats(index_q.subarray(0, n)),
        bin: floats(bin_dq).filter((_, at) => at % n_u < n),
        direction: floats(direction_q.subarray(0, n)),
        prior: prior_q.slice(0, n),
        psi: psi_q.slice(0, n),
        position0: position0_q.slice(0, n),
      };
    },
  };
}

function byTimeCase({ n_d, mArr, n_t }: Size, seed: number): KernelCase {
  const [n_m, n_h, n_x] = [mArr.length, n_t, paddedModes(mArr)];
  const n_hp = 8 * Math.ceil(n_h / 8);
  const z = randomNumbers(n_d * n_m * 2 * 4 * n_hp, seed);
  return {
    name: "byTime",
    run(kernels) {
      const dh = new Float64Array(n_d * 2 * n_h * 2 * n_x).fill(3);
      kernels.byTime(dh, z, n_d, n_m, n_h, n_hp, n_x);
      return { dh };
    },
  };
}

/** Kernels shorter and longer than the times, and weights that are 0. */
function convolveCase(n_t: number, seed: number): KernelCase {
  const w_s = randomNumbers(n_t + 11, seed).map((x, s) => (s % 3 === 1 ? 0 : x));
  return {
    name: "convolve",
    run(kernels) {
      const outputs = [5, n_t, 3 * n_t].map((n_k, k) => {
        const out = new Float64Array(n_t).fill(4);
        const kernel = randomNumbers(n_k, seed + k);
        kernels.convolve(
          out,
          new Float64Array(n_k + 64).fill(9),
          w_s,
          kernel,
          n_t,
          w_s.length,
          n_k,
          n_k >> 1,
        );
        return out;
      });
      return { short: outputs[0], equal: outputs[1], long: outputs[2] };
    },
  };
}

/** As the delays between any two of three detectors need it: forwards, backwards, and not at all in delay2. */
function delayPriorCase(seed: number): KernelCase {
  const [max1, max2] = [7, 12];
  const reach = max1 + max2;
  const detectable = unit((2 * max1 + 1) * (2 * max2 + 1), seed);
  const weight = unit(2 * reach + 1, seed + 1);
  const directions: [number, number, number, number][] = [
    [1, 0, 0, 1],
    [0, 1, 1, 0],
    [-1, 1, -1, 0],
    [-1, 0, -1, 1],
    [1, -1, 0, -1],
    [0, -1, 1, -1],
  ];
  return {
    name: "delayPrior",
    run: (kernels) =>
      Object.fromEntries(
        directions.map((delays) => {
          const [out, scratch] = [new Float64Array(2 * reach + 1), new Float64Array(2 * (2 * reach + 1))];
          kernels.delayPrior(out.fill(4), scratch.fill(5), detectable, weight, max1, max2, reach, ...delays);
          return [delays.join(), out];
        }),
      ),
  };
}

function densityCase({ n_d }: Size, seed: number): KernelCase {
  const [n_c, n_t, ld] = [3, 40, N_Q + 5];
  const prob = unit(n_c * n_d * n_t, seed);
  const bin = Int32Array.from(unit(n_d * ld, seed + 1), (u) => Math.floor(u * n_t));
  const lnl = unit(N_Q, seed + 2);
  return {
    name: "proposalDensity",
    run(kernels) {
      const density = new Float64Array(N_Q).fill(0.25);
      const threshold = Float64Array.of(0.2, -Infinity, 0.7);
      kernels.proposalDensity(density, bin, lnl, prob, threshold, 64, ld, N_Q, n_c, n_d, n_t);
      return { density };
    },
  };
}

/** Points with many pairs, with one and with none that is worthwhile. */
function sumsCase(seed: number): KernelCase {
  const counts = Array.from({ length: 40 }, (_, q) => (q * 7) % 13);
  const pairStart = Int32Array.from([
    0,
    ...counts.map((_, q) => counts.slice(0, q + 1).reduce((a, b) => a + b)),
  ]);
  const n = pairStart[40];
  const [dh, hh] = [randomNumbers(n, seed), unit(n, seed + 1)];
  return {
    name: "worthwhilePairs and sumExp",
    run(kernels) {
      const [dhOut, hhOut, sum_q] = [new Float64Array(n), new Float64Array(n), new Float64Array(40).fill(3)];
      const start_q = new Int32Array(41);
      const found = kernels.worthwhilePairs(dhOut, hhOut, start_q, dh, hh, pairStart, 40, -0.3);
      const largest = kernels.sumExp(sum_q, dhOut, start_q, 40);
      return {
        ...{ dh: dhOut.slice(0, found), hh: hhOut.slice(0, found), start: floats(start_q), sum_q },
        largest: Float64Array.of(largest),
      };
    },
  };
}

function chi2Case({ n_d, mArr, n_t }: Size, seed: number): KernelCase {
  const n_x = paddedModes(mArr);
  const dh = randomNumbers(n_d * n_t * 2 * n_x, seed);
  const hh_d = unit(n_d, seed + 1).map((x) => x + 0.1);
  return {
    name: "incoherentChi2",
    run(kernels) {
      const chi2 = new Float64Array(n_d * n_t);
      kernels.incoherentChi2(chi2, dh, hh_d, n_d, n_t, n_x);
      return { chi2 };
    },
  };
}
