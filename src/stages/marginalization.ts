/**
 * Stage 4, first half: the likelihood of one waveform marginalized over arrival time, sky, polarization angle, phase
 * and distance, by adaptive importance sampling with quasi-random points (after Roulet et al., arXiv:2404.02435).
 * ln Z_i = ln of the mean over all points tried of (prior/proposal)(q) x the mean over phases of L(q, o); the time
 * prior is 1/s, so Z_i is in seconds. Derivation: docs/extrinsic-weights.md.
 */

import { ScrambledHalton } from "../gw/qmc.ts";
import type { SkyDictionary } from "../gw/sky-dictionary.ts";
import type { Kernels } from "../kernels/table.ts";
import { sharedF64 } from "../workers/arena.ts";
import { ArrivalProposals, incoherentChi2 } from "./arrival-proposal.ts";
import { type ChunkPoints, ChunkSampler, type DistanceMarginal } from "./extrinsic-chunk.ts";
import type { InnerProducts } from "./extrinsic-products.ts";

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

/** What all waveforms share. */
export interface Marginalizer {
  /** With f_sampling = 1/tStep. */
  readonly sky: SkyDictionary;
  readonly lnLikeMarginalized: DistanceMarginal;
  /** Inverse temperature of the first proposal in each detector. */
  readonly beta_d: ArrayLike<number>;
  readonly seed: number;
  readonly options: MarginalizationOptions;
  readonly kernels: Kernels;
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
  /** On shared memory. */
  readonly proposal_cdt: Float64Array;
  /** Pairs of chunk c were kept where their lnL, maximised over distance, exceeds this. */
  readonly threshold_c: Float64Array;
  readonly n_q: number;
  /** Index in the sequence. */
  readonly index_q: Int32Array;
  /** Of the sky sample. */
  readonly direction_q: Int32Array;
  readonly psi_q: Float64Array;
  /** Arrival time in detector 0, in bins of the time grid. */
  readonly position0_q: Float64Array;
  /** Prior of the point's cell (s): tStep times the share of the sky with its delays. */
  readonly prior_q: Float64Array;
  /** Bin of the arrival time that was drawn in each detector. */
  readonly bin_dq: Int32Array;
  /** Pairs of point q: pairStart_q[q] ... pairStart_q[q + 1] - 1 of the four arrays below. */
  readonly pairStart_q: Int32Array;
  readonly phase: Uint16Array;
  /** 1 where <d|h> > 0. */
  readonly positive: Uint8Array;
  readonly dh: Float64Array;
  readonly hh: Float64Array;
  readonly lnZ: number;
  /** Effective number of points by posterior weight, and by prior weight (each kept pair counting). */
  readonly nEffective: number;
  readonly nEffectivePrior: number;
}

/** A chunk, with what depends on the proposals of the other chunks: updated as they come. */
interface Weighted extends ChunkPoints {
  readonly density_q: Float64Array;
  readonly weight_q: Float64Array;
}

/**
 * @param products of one waveform. @param sequence which quasi-random sequence: its own for each waveform, or the same.
 * @param sampler of `using` and the size of `products`, for more than one waveform.
 * @returns also when the effective size stays below the aim: see nEffective, nEffectivePrior (0 and lnZ -Infinity when
 * no drawn arrival times fit any direction).
 */
export function marginalize(
  products: InnerProducts,
  using: Marginalizer,
  sequence: number,
  sampler = new ChunkSampler(products, using),
): MargInfo {
  const { n_chunk, maxChunks, minNEffective, minNEffectivePrior } = using.options;
  const halton = new ScrambledHalton(products.n_d + 3, using.seed, QMC_STREAM + sequence);
  const proposals = new ArrivalProposals(using.sky, products.n_t, using.kernels);
  const proposal_c = [proposals.first(incoherentChi2(products, using.kernels), using.beta_d)];
  const chunks: Weighted[] = [];
  for (;;) {
    const c = chunks.length;
    const points = sampler.run(products, proposal_c[c]!, c * n_chunk, halton.points(c * n_chunk, n_chunk));
    chunks.push({
      ...points,
      density_q: new Float64Array(points.n_q),
      weight_q: new Float64Array(points.n_q),
    });
    addDensities(chunks, proposal_c, products, using);
    const evaluated = evaluate(chunks, using.options.n_phi);
    const { nEffective, nEffectivePrior } = evaluated;
    const enough = nEffective >= minNEffective && nEffectivePrior >= minNEffectivePrior;
    if (enough || nEffective === 0 || chunks.length === maxChunks)
      return { ...joined(chunks, proposal_c, products, using.options), ...evaluated };
    proposal_c.push(proposals.adapted(proposal_c[c]!, chunks, nEffective));
  }
}

/** The quasi-random points that tempering is tuned with. */
export function temperingPoints(n_d: number, seed: number, n_chunk: number): Float64Array {
  return new ScrambledHalton(n_d + 3, seed, QMC_STREAM).points(0, n_chunk);
}

/** Effective number of points of a first chunk alone: what tempering is tuned for. */
export function firstChunkEfficiency(
  products: InnerProducts,
  proposal_dt: Float64Array,
  u: Float64Array,
  using: Omit<Marginalizer, "beta_d">,
  sampler: ChunkSampler,
): number {
  const points = sampler.run(products, proposal_dt, 0, u);
  const chunks = [
    { ...points, density_q: new Float64Array(points.n_q), weight_q: new Float64Array(points.n_q) },
  ];
  addDensities(chunks, [proposal_dt], products, using);
  return evaluate(chunks, using.options.n_phi).nEffective;
}

/** Efficiencies of some tempering vectors beta_d. */
export type Efficiencies = (betas: readonly Float64Array[]) => Promise<Float64Array>;

/**
 * Inverse temperatures that make the first proposal most efficient for one (loud, typical) waveform: cyclic search,
 * twice over the detectors, on a geometric grid, with the cost averaged over neighbours. Affects efficiency only.
 */
export async function optimizeBeta(
  n_d: number,
  efficienciesOf: Efficiencies,
  n_beta = 6,
): Promise<Float64Array> {
  const grid = Float64Array.from({ length: n_beta }, (_, k) => 0.1 ** (1 - k / (n_beta - 1)));
  const beta_d = new Float64Array(n_d).fill(0.5);
  for (let cycle = 0; cycle < 2; cycle++)
    for (let d = 0; d < n_d; d++) {
      const tried = Array.from(grid, (beta) => beta_d.with(d, beta));
      const cost = (await efficienciesOf(tried)).map((nEffective) => 1 / (nEffective + 1e-3));
      const smooth = cost.map(
        (_, k) => cost[Math.max(0, k - 1)]! + cost[k]! + cost[Math.min(n_beta - 1, k + 1)]!,
      );
      beta_d[d] = grid[smooth.indexOf(smooth.reduce((a, b) => Math.min(a, b)))]!;
    }
  return beta_d;
}

const ALWAYS = Float64Array.of(-Infinity);
let everywhere_q = new Float64Array(0);

/** Adds the density of the last proposal to the points of every chunk, and of all the others to those of the last chunk. */
function addDensities(
  chunks: readonly Weighted[],
  proposal_c: readonly Float64Array[],
  { n_d, n_t }: InnerProducts,
  { kernels, options }: Omit<Marginalizer, "beta_d">,
): void {
  if (everywhere_q.length < options.n_chunk) everywhere_q = new Float64Array(options.n_chunk).fill(Infinity);
  const last = chunks.length - 1;
  const add = ({ density_q, bin_dq, n_q }: Weighted, prob_dt: Float64Array) => {
    if (n_q === 0) return;
    const scale = options.n_chunk;
    kernels.proposalDensity(density_q, bin_dq, everywhere_q, prob_dt, ALWAYS, scale, n_q, n_q, 1, n_d, n_t);
  };
  for (let c = 0; c < last; c++) {
    add(chunks[c]!, proposal_c[last]!);
    add(chunks[last]!, proposal_c[c]!);
  }
  add(chunks[last]!, proposal_c[last]!);
}

/** ln Z and effective sizes; fills the posterior weights of the points, which sum to 1. */
function evaluate(chunks: readonly Weighted[], n_phi: number) {
  const best = chunks.reduce((max, { lnScale }) => Math.max(max, lnScale), -Infinity);
  let [sum, squares, priorSum, priorSquares] = [0, 0, 0, 0];
  for (const { n_q, prior_q, density_q, likelihood_q, lnScale, pairStart_q, weight_q } of chunks) {
    const scale = lnScale === -Infinity ? 0 : Math.exp(lnScale - best);
    for (let q = 0; q < n_q; q++) {
      const ratio = prior_q[q]! / density_q[q]!;
      const weight = likelihood_q[q]! * scale * ratio;
      const priorWeight = (pairStart_q[q + 1]! - pairStart_q[q]!) * ratio;
      weight_q[q] = weight;
      sum += weight;
      squares += weight * weight;
      priorSum += priorWeight;
      priorSquares += priorWeight * priorWeight;
    }
  }
  for (const { weight_q } of chunks) for (let q = 0; q < weight_q.length; q++) weight_q[q]! /= sum;
  return {
    lnZ: sum > 0 ? best + Math.log(sum / n_phi) : -Infinity,
    nEffective: squares > 0 ? (sum * sum) / squares : 0,
    nEffectivePrior: priorSquares > 0 ? (priorSum * priorSum) / priorSquares : 0,
  };
}

/** The points of all chunks of one sequence, with all proposals. */
function joined(
  chunks: readonly Weighted[],
  proposal_c: readonly Float64Array[],
  { n_d, n_t, tStart, tStep }: InnerProducts,
  { n_chunk, n_phi }: MarginalizationOptions,
): Omit<MargInfo, "lnZ" | "nEffective" | "nEffectivePrior"> {
  const n_q = chunks.reduce((sum, chunk) => sum + chunk.n_q, 0);
  const n_pairs = chunks.reduce((sum, { phase }) => sum + phase.length, 0);
  const [direction_q, index_q, bin_dq] = [
    new Int32Array(n_q),
    new Int32Array(n_q),
    new Int32Array(n_d * n_q),
  ];
  const [psi_q, position0_q, prior_q] = [n_q, n_q, n_q].map((n) => new Float64Array(n)) as Floats3;
  const [pairStart_q, phase] = [new Int32Array(n_q + 1).fill(n_pairs), new Uint16Array(n_pairs)];
  const [dh, hh] = [new Float64Array(n_pairs), new Float64Array(n_pairs)];
  const proposal_cdt = sharedF64(chunks.length * n_d * n_t);
  let [q0, x0] = [0, 0];
  chunks.forEach((chunk, c) => {
    proposal_cdt.set(proposal_c[c]!, c * n_d * n_t);
    index_q.set(chunk.index_q, q0);
    direction_q.set(chunk.direction_q, q0);
    psi_q.set(chunk.psi_q, q0);
    position0_q.set(chunk.position0_q, q0);
    prior_q.set(chunk.prior_q, q0);
    for (let d = 0; d < n_d; d++)
      bin_dq.set(chunk.bin_dq.subarray(d * chunk.n_q, (d + 1) * chunk.n_q), d * n_q + q0);
    for (let q = 0; q < chunk.n_q; q++) pairStart_q[q0 + q] = x0 + chunk.pairStart_q[q]!;
    phase.set(chunk.phase, x0);
    dh.set(chunk.dh, x0);
    hh.set(chunk.hh, x0);
    q0 += chunk.n_q;
    x0 += chunk.phase.length;
  });
  const n_c = chunks.length;
  return {
    ...{ n_d, n_t, n_phi, tStart, tStep, n_qmc: n_c * n_chunk, n_c, proposal_cdt, n_q },
    threshold_c: Float64Array.from(chunks, ({ threshold }) => threshold),
    ...{ index_q, direction_q, psi_q, position0_q, prior_q, bin_dq, pairStart_q, phase, dh, hh },
    positive: Uint8Array.from(dh, (x) => Number(x > 0)),
  };
}

type Floats3 = [Float64Array, Float64Array, Float64Array];
