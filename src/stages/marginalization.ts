/**
 * Stage 4, first half: the likelihood of one waveform marginalized over arrival time, sky, polarization angle, phase
 * and distance, by adaptive importance sampling with quasi-random points (after Roulet et al., arXiv:2404.02435).
 * ln Z_i = ln of the mean over all points tried of (prior/proposal)(q) x the mean over phases of L(q, o); the time
 * prior is 1/s, so Z_i is in seconds. Derivation: docs/extrinsic-weights.md.
 */

import { type Detector, detectorResponses, geocenterDelays } from "../gw/detectors.ts";
import { ScrambledHalton } from "../gw/qmc.ts";
import { delayBin, type SkyDictionary } from "../gw/sky-dictionary.ts";
import { adaptedProposal, drawBins, firstProposal } from "./arrival-proposal.ts";
import { type InnerProducts, keepPairs, modeProducts, PhaseGrid } from "./extrinsic-products.ts";

/** Stream of the random numbers of sequence 0; sequence n uses the n-th after it. */
const QMC_STREAM = 0x40000;

export interface MarginalizationOptions {
  /** Points in a chunk; the proposal is adapted after each. */
  readonly n_chunk: number;
  readonly maxChunks: number;
  readonly n_phi: number;
  /** Pairs whose lnL is lower than the best of their chunk by more than this are dropped. */
  readonly maxLnLDrop: number;
  readonly minNEffective: number;
  readonly minNEffectivePrior: number;
}

export const DEFAULT_MARGINALIZATION: MarginalizationOptions = {
  n_chunk: 2 ** 11,
  maxChunks: 2 ** 4,
  n_phi: 128,
  maxLnLDrop: 12,
  minNEffective: 50,
  minNEffectivePrior: 100,
};

/** Fills out_j with ln of the likelihood marginalized over distance, from n pairs <d|h>, <h|h> at 1 Mpc. */
export type DistanceMarginal = (
  dh_j: Float64Array,
  hh_j: Float64Array,
  out_j: Float64Array,
  n: number,
) => void;

/** What all waveforms share. */
export interface Marginalizer {
  readonly detectors: readonly Detector[];
  /** Of the same detectors, with f_sampling = 1/tStep. */
  readonly sky: SkyDictionary;
  readonly lnLikeMarginalized: DistanceMarginal;
  /** Inverse temperature of the first proposal in each detector. */
  readonly beta_d: ArrayLike<number>;
  readonly seed: number;
  readonly options: MarginalizationOptions;
}

/** q: a kept point of the sequence (one with a kept phase), in the order tried. c: a chunk, with one proposal each. */
export interface MargInfo {
  readonly n_d: number;
  readonly n_t: number;
  readonly n_phi: number;
  readonly tStart: number;
  readonly tStep: number;
  /** All points tried, kept or not: n_chunk points from each of n_c proposals. */
  readonly n_qmc: number;
  readonly n_c: number;
  readonly proposal_cdt: Float64Array;
  /** Pairs of chunk c were kept where their lnL, maximised over distance, exceeds this. */
  readonly threshold_c: Float64Array;
  /** Index in the sequence. */
  readonly index_q: Int32Array;
  readonly lat_q: Float64Array;
  readonly lon_q: Float64Array;
  readonly psi_q: Float64Array;
  readonly tGeocenter_q: Float64Array;
  /** Prior of the point's cell (s): tStep times the share of the sky with its delays. */
  readonly prior_q: Float64Array;
  /** Bin of the arrival time that was drawn in each detector. */
  readonly bin_dq: Int32Array;
  /** Arrival times in bins of the time grid. */
  readonly position_dq: Float64Array;
  /** Pairs of point q: pairStart_q[q] ... pairStart_q[q + 1] - 1 of the four arrays below. */
  readonly pairStart_q: Int32Array;
  readonly phase: Uint16Array;
  readonly dh: Float64Array;
  readonly hh: Float64Array;
  /** Marginalized over distance; -Infinity where <d|h> is far below 0. */
  readonly lnL: Float64Array;
  readonly lnZ: number;
  /** Effective number of points by posterior weight, and by prior weight (each kept pair counting). */
  readonly nEffective: number;
  readonly nEffectivePrior: number;
}

type Points = Omit<MargInfo, "lnZ" | "nEffective" | "nEffectivePrior">;

/**
 * @param products of one waveform. @param sequence which quasi-random sequence: its own for each waveform, or the same.
 * @returns also when the effective size stays below the aim: see nEffective, nEffectivePrior (0 and lnZ -Infinity when
 * no drawn arrival times fit any direction).
 */
export function marginalize(products: InnerProducts, using: Marginalizer, sequence: number): MargInfo {
  const { n_chunk, maxChunks, minNEffective, minNEffectivePrior, n_phi } = using.options;
  const halton = new ScrambledHalton(products.n_d + 3, using.seed, QMC_STREAM + sequence);
  const grid = new PhaseGrid(products.mArr, n_phi);
  let proposal_dt = firstProposal(products, using.sky, using.beta_d);
  let points = chunkPoints(products, using, grid, proposal_dt, 0, halton.points(0, n_chunk));
  let evaluated = evaluatePoints(points);
  for (let c = 1; c < maxChunks; c++) {
    const { nEffective, nEffectivePrior, weight_q } = evaluated;
    if (nEffective === 0 || (nEffective >= minNEffective && nEffectivePrior >= minNEffectivePrior)) break;
    const found = { position_dq: points.position_dq, weight_q, nEffective };
    proposal_dt = adaptedProposal(proposal_dt, products.n_t, found);
    const u = halton.points(c * n_chunk, n_chunk);
    points = joinPoints(points, chunkPoints(products, using, grid, proposal_dt, c * n_chunk, u));
    evaluated = evaluatePoints(points);
  }
  const { lnZ, nEffective, nEffectivePrior } = evaluated;
  return { ...points, lnZ, nEffective, nEffectivePrior };
}

/** Effective number of points of the first chunk alone: what tempering is tuned for. */
function firstChunkEfficiency(
  products: InnerProducts,
  using: Marginalizer,
  grid: PhaseGrid,
  u: Float64Array,
): number {
  const proposal_dt = firstProposal(products, using.sky, using.beta_d);
  return evaluatePoints(chunkPoints(products, using, grid, proposal_dt, 0, u)).nEffective;
}

/**
 * Inverse temperatures that make the first proposal most efficient for one (loud, typical) waveform: cyclic search,
 * twice over the detectors, on a geometric grid, with the cost averaged over neighbours. Affects efficiency only.
 */
export function optimizeBeta(
  products: InnerProducts,
  using: Omit<Marginalizer, "beta_d">,
  n_beta = 6,
): Float64Array {
  const { n_chunk, n_phi } = using.options;
  const u = new ScrambledHalton(products.n_d + 3, using.seed, QMC_STREAM).points(0, n_chunk);
  const grid = new PhaseGrid(products.mArr, n_phi);
  const betas = Float64Array.from({ length: n_beta }, (_, k) => 0.1 ** (1 - k / (n_beta - 1)));
  const beta_d = new Float64Array(products.n_d).fill(0.5);
  for (let cycle = 0; cycle < 2; cycle++)
    for (let d = 0; d < products.n_d; d++) {
      const cost = betas.map((beta) => {
        beta_d[d] = beta;
        return 1 / (firstChunkEfficiency(products, { ...using, beta_d }, grid, u) + 1e-3);
      });
      const smooth = cost.map(
        (_, k) => cost[Math.max(0, k - 1)]! + cost[k]! + cost[Math.min(n_beta - 1, k + 1)]!,
      );
      beta_d[d] = betas[smooth.indexOf(smooth.reduce((a, b) => Math.min(a, b)))]!;
    }
  return beta_d;
}

/** Points whose arrival times fit a direction of the sky dictionary. */
interface Drawn {
  readonly index_q: Int32Array;
  readonly bin_dq: Int32Array;
  readonly prior_q: Float64Array;
  readonly lat_q: Float64Array;
  readonly lon_q: Float64Array;
  readonly psi_q: Float64Array;
  /** Arrival time in the first detector, in bins. */
  readonly position0_q: Float64Array;
}

/** @param u coordinates in [0, 1): arrival bin in each detector, place within the first's bin, psi, direction. Shape (dims, points). */
function drawPoints(
  products: InnerProducts,
  sky: SkyDictionary,
  proposal_dt: Float64Array,
  first: number,
  u: Float64Array,
): Drawn {
  const { n_d, n_t, tStep } = products;
  const n_u = u.length / (n_d + 3);
  const row = (k: number) => u.subarray(k * n_u, (k + 1) * n_u);
  const drawn_d = Array.from({ length: n_d }, (_, d) =>
    drawBins(proposal_dt.subarray(d * n_t, (d + 1) * n_t), row(d)),
  );
  const [uFine, uPsi, uDirection] = [row(n_d), row(n_d + 1), row(n_d + 2)];
  const skyBin = Int32Array.from({ length: n_u }, (_, k) => {
    const t0 = drawn_d[0]![k]!;
    return delayBin(sky, n_d > 1 ? drawn_d[1]![k]! - t0 : 0, n_d > 2 ? drawn_d[2]![k]! - t0 : 0);
  });
  const fits = Int32Array.from({ length: n_u }, (_, k) => k).filter((k) => skyBin[k]! >= 0);
  const floats = (of: (k: number) => number) => Float64Array.from(fits, of);
  const count = (k: number) => sky.binStart[skyBin[k]! + 1]! - sky.binStart[skyBin[k]!]!;
  const direction_q = Int32Array.from(
    fits,
    (k) => sky.directions[sky.binStart[skyBin[k]!]! + Math.floor(uDirection[k]! * count(k))]!,
  );
  return {
    index_q: fits.map((k) => first + k),
    bin_dq: Int32Array.from(drawn_d.flatMap((drawn) => Array.from(fits, (k) => drawn[k]!))),
    prior_q: floats((k) => (tStep * count(k)) / sky.lat_s.length),
    lat_q: Float64Array.from(direction_q, (s) => sky.lat_s[s]!),
    lon_q: Float64Array.from(direction_q, (s) => sky.lon_s[s]!),
    psi_q: floats((k) => Math.PI * uPsi[k]!),
    position0_q: floats((k) => drawn_d[0]![k]! + uFine[k]! - 0.5),
  };
}

/** One chunk: draws from the proposal, evaluates, keeps what matters. @param first index of its first point. */
function chunkPoints(
  products: InnerProducts,
  using: Marginalizer,
  grid: PhaseGrid,
  proposal_dt: Float64Array,
  first: number,
  u: Float64Array,
): Points {
  const { n_d, n_t, tStart, tStep } = products;
  const drawn = drawPoints(products, using.sky, proposal_dt, first, u);
  const { lat_q, lon_q, psi_q, position0_q } = drawn;
  const n_q = psi_q.length;
  const delay_dq = geocenterDelays(using.detectors, lat_q, lon_q);
  const tGeocenter_q = position0_q.map((position, q) => tStart + position * tStep - delay_dq[q]!);
  const position_dq = delay_dq.map(
    (delay, dq) => position0_q[dq % n_q]! + (delay - delay_dq[dq % n_q]!) / tStep,
  );
  const response_dpq = detectorResponses(using.detectors, lat_q, lon_q, psi_q);
  const byMode = modeProducts(products, position_dq, response_dpq);
  const { point_q: kept, threshold, ...pairs } = keepPairs(byMode, grid, using.options.maxLnLDrop);
  return {
    n_d,
    n_t,
    n_phi: grid.n_phi,
    tStart,
    tStep,
    n_qmc: u.length / (n_d + 3),
    n_c: 1,
    proposal_cdt: proposal_dt,
    threshold_c: Float64Array.of(threshold),
    index_q: pick(drawn.index_q, kept),
    lat_q: pick(lat_q, kept),
    lon_q: pick(lon_q, kept),
    psi_q: pick(psi_q, kept),
    tGeocenter_q: pick(tGeocenter_q, kept),
    prior_q: pick(drawn.prior_q, kept),
    bin_dq: pick(drawn.bin_dq, kept, n_d),
    position_dq: pick(position_dq, kept, n_d),
    ...pairs,
    lnL: lnLikelihoods(pairs.dh, pairs.hh, using.lnLikeMarginalized),
  };
}

/** With an SNR below this, and others kept beside it, the likelihood is nothing: not worth an integral. */
const LEAST_SNR = -6;

function lnLikelihoods(dh: Float64Array, hh: Float64Array, marginal: DistanceMarginal): Float64Array {
  const worth = Int32Array.from(dh.keys()).filter((x) => dh[x]! > LEAST_SNR * Math.sqrt(hh[x]!));
  const out = new Float64Array(worth.length);
  marginal(pick(dh, worth), pick(hh, worth), out, worth.length);
  const lnL = new Float64Array(dh.length).fill(-Infinity);
  worth.forEach((x, k) => {
    lnL[x] = out[k]!;
  });
  return lnL;
}

/** Columns `kept` of an array of shape (rows, q). */
function pick<T extends Float64Array | Int32Array>(values: T, kept: Int32Array, rows = 1): T {
  const n_q = values.length / rows;
  const out = like(values, rows * kept.length);
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < kept.length; k++) out[row * kept.length + k] = values[row * n_q + kept[k]!]!;
  return out;
}

/** Arrays of shapes (rows, q) and (rows, q') side by side. */
function join<T extends Float64Array | Int32Array | Uint16Array>(a: T, b: T, rows = 1): T {
  const [n_a, n_b] = [a.length / rows, b.length / rows];
  const out = like(a, a.length + b.length);
  for (let row = 0; row < rows; row++) {
    out.set(a.subarray(row * n_a, (row + 1) * n_a), row * (n_a + n_b));
    out.set(b.subarray(row * n_b, (row + 1) * n_b), row * (n_a + n_b) + n_a);
  }
  return out;
}

/** A new array of the same type. */
function like<T extends Float64Array | Int32Array | Uint16Array>(array: T, length: number): T {
  return new (array.constructor as new (length: number) => T)(length);
}

/** The points of two chunks of one sequence, with both proposals. */
function joinPoints(a: Points, b: Points): Points {
  const n_pairs = a.phase.length;
  return {
    ...a,
    n_qmc: a.n_qmc + b.n_qmc,
    n_c: a.n_c + b.n_c,
    proposal_cdt: join(a.proposal_cdt, b.proposal_cdt),
    threshold_c: join(a.threshold_c, b.threshold_c),
    index_q: join(a.index_q, b.index_q),
    lat_q: join(a.lat_q, b.lat_q),
    lon_q: join(a.lon_q, b.lon_q),
    psi_q: join(a.psi_q, b.psi_q),
    tGeocenter_q: join(a.tGeocenter_q, b.tGeocenter_q),
    prior_q: join(a.prior_q, b.prior_q),
    bin_dq: join(a.bin_dq, b.bin_dq, a.n_d),
    position_dq: join(a.position_dq, b.position_dq, a.n_d),
    pairStart_q: join(
      a.pairStart_q.subarray(0, -1),
      b.pairStart_q.map((x) => x + n_pairs),
    ),
    phase: join(a.phase, b.phase),
    dh: join(a.dh, b.dh),
    hh: join(a.hh, b.hh),
    lnL: join(a.lnL, b.lnL),
  };
}

/**
 * Adds to density_q the probability of the arrival bins of `points`, summed over the proposals of `of` and times the
 * number of points drawn from each. Both must have the same time grid.
 * @param lnL_q if given, lnL of the points under the waveform of `of`: a proposal counts only where its points are kept.
 */
export function addProposalDensity(
  points: Pick<MargInfo, "bin_dq" | "n_d">,
  of: Pick<MargInfo, "proposal_cdt" | "threshold_c" | "n_c" | "n_qmc" | "n_t">,
  density_q: Float64Array,
  lnL_q?: Float64Array,
): void {
  const { bin_dq, n_d } = points;
  const { proposal_cdt, threshold_c, n_c, n_qmc, n_t } = of;
  const n_q = density_q.length;
  for (let c = 0; c < n_c; c++) {
    const threshold = threshold_c[c]! - THRESHOLD_ROUNDING;
    for (let q = 0; q < n_q; q++) {
      if (lnL_q && !(lnL_q[q]! > threshold)) continue;
      let probability = n_qmc / n_c;
      for (let d = 0; d < n_d; d++) probability *= proposal_cdt[(c * n_d + d) * n_t + bin_dq[d * n_q + q]!]!;
      density_q[q]! += probability;
    }
  }
}

/** A point at the threshold itself must count as kept where it was kept. */
const THRESHOLD_ROUNDING = 1e-9;

/** ln Z, effective sizes, and posterior weights of the points that sum to 1. */
function evaluatePoints(points: Points) {
  const { prior_q, pairStart_q, lnL, n_phi } = points;
  const n_q = prior_q.length;
  const density_q = new Float64Array(n_q);
  addProposalDensity(points, points, density_q);
  const best = lnL.reduce((a, b) => Math.max(a, b), -Infinity);
  const weight_q = new Float64Array(n_q);
  const priorWeight_q = new Float64Array(n_q);
  for (let q = 0; q < n_q; q++) {
    let likelihood = 0;
    for (let x = pairStart_q[q]!; x < pairStart_q[q + 1]!; x++) likelihood += Math.exp(lnL[x]! - best);
    weight_q[q] = (likelihood * prior_q[q]!) / density_q[q]!;
    priorWeight_q[q] = ((pairStart_q[q + 1]! - pairStart_q[q]!) * prior_q[q]!) / density_q[q]!;
  }
  const sum = weight_q.reduce((a, b) => a + b, 0);
  const nEffective = effectiveSize(weight_q);
  const nEffectivePrior = effectiveSize(priorWeight_q);
  for (let q = 0; q < n_q; q++) weight_q[q]! /= sum;
  return { lnZ: n_q > 0 ? best + Math.log(sum / n_phi) : -Infinity, nEffective, nEffectivePrior, weight_q };
}

/** (sum w)^2 / sum w^2; 0 for no weights. */
function effectiveSize(weights: Float64Array): number {
  const sum = weights.reduce((a, b) => a + b, 0);
  const squares = weights.reduce((a, b) => a + b * b, 0);
  return squares > 0 ? (sum * sum) / squares : 0;
}
