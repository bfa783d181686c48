/**
 * Stage 4, second half: extrinsic samples from the marginalizations of several waveforms, and the rules for which
 * waveforms are used. The weights are derived in docs/extrinsic-weights.md.
 */

import { DotpeError } from "../errors.ts";
import { type Detector, detectorResponses } from "../gw/detectors.ts";
import { choiceWithoutReplacement, permutation, uniform } from "../gw/random.ts";
import { bestPositiveLnL, type InnerProducts, modeProducts, PhaseGrid } from "./extrinsic-products.ts";
import { addProposalDensity, type MargInfo } from "./marginalization.ts";

/** Marginalizations that are combined. */
export const N_COMBINE = 16;
/** Candidates are taken in batches of a permutation; this many are tried of each batch before going to the next. */
const BATCH = 1024;
const TRIED_OF_BATCH = 32;
/** A marginalization is used if its `nEffectivePrior` exceeds this. */
const MIN_N_EFFECTIVE_PRIOR = 32;

/** Streams of the random numbers. */
const CANDIDATE_STREAM = 0x5c20;
const DRAW_STREAM = 0x5c21;
const PHASE_STREAM = 0x5c22;

/** The columns of extrinsic_samples.feather; e: a sample. Angles in rad, Earth-fixed; times in s. */
export interface ExtrinsicSamples {
  readonly n_e: number;
  readonly lat: Float64Array;
  readonly lon: Float64Array;
  /** Phase of the pair that was drawn: a diagnostic, stage 5 sums over all phases. */
  readonly _phi_ref: Float64Array;
  readonly psi: Float64Array;
  readonly t_geocenter: Float64Array;
  readonly weights: Float64Array;
  readonly log_prior_weights: Float64Array;
  /** More samples were asked for than there are distinct points: all points are here, n_e of them. */
  readonly exhausted: boolean;
}

/** Positions, of n candidates, in the order in which they are to be marginalized until `N_COMBINE` are accepted. */
export function candidateOrder(n: number, seed: number): Int32Array {
  const order = permutation(n, seed, CANDIDATE_STREAM);
  return Int32Array.from(order).filter((_, rank) => rank % BATCH < TRIED_OF_BATCH);
}

/** Whether the points cover enough of the prior to sample from. */
export function isAcceptable(info: MargInfo): boolean {
  return info.nEffectivePrior > MIN_N_EFFECTIVE_PRIOR;
}

/** All kept points of several marginalizations, one after the other: q runs over all of them. */
export interface GatheredPoints {
  /** Arrival times in bins of the common time grid. */
  readonly position_dq: Float64Array;
  /** F+ and Fx at the point's psi. */
  readonly response_dpq: Float64Array;
}

/** What `crossLnL` needs, in the order of `infos`. */
export function gatherPoints(infos: readonly MargInfo[], detectors: readonly Detector[]): GatheredPoints {
  const gather = (of: (info: MargInfo) => Float64Array) =>
    Float64Array.from(infos.flatMap((info) => [...of(info)]));
  const positions_d = detectors.map((_, d) =>
    gather(({ position_dq, lat_q }) => position_dq.subarray(d * lat_q.length, (d + 1) * lat_q.length)),
  );
  const sky = [gather(({ lat_q }) => lat_q), gather(({ lon_q }) => lon_q)] as const;
  return {
    position_dq: Float64Array.from(positions_d.flatMap((position_q) => [...position_q])),
    response_dpq: detectorResponses(
      detectors,
      ...sky,
      gather(({ psi_q }) => psi_q),
    ),
  };
}

/**
 * lnL (best over phases with <d|h> > 0, maximised over distance) of one waveform at all gathered points; -Infinity
 * where below the thresholds of that waveform's own marginalization.
 */
export function crossLnL(
  products: InnerProducts,
  own: Pick<MargInfo, "threshold_c" | "n_phi">,
  points: GatheredPoints,
): Float64Array {
  const byMode = modeProducts(products, points.position_dq, points.response_dpq);
  const lowest = own.threshold_c.reduce((a, b) => Math.min(a, b), Infinity);
  return bestPositiveLnL(byMode, new PhaseGrid(products.mArr, own.n_phi), lowest - 1);
}

/** How `combine` draws: ours, from `crossLnL` of the waveform of each marginalization; or as dot_pe does. */
export type Draw = { readonly lnL_kq: readonly Float64Array[] } | "dot_pe";

/**
 * Draws samples from marginalizations on one time grid: distinct points, uniformly, at most once each, weighted by
 * U/N prior/proposal, U the number of distinct points to draw from and N of all points tried; each proposal counts
 * where its own points are kept. "dot_pe": its draw and weights, which are pairs (point, phase), uniformly, with
 * replacement, weighted by prior/proposal/n_phi.
 * @throws DotpeError noSamples if nothing can be drawn.
 */
export function combine(
  infos: readonly MargInfo[],
  n_ext: number,
  seed: number,
  draw: Draw,
): ExtrinsicSamples {
  const compat = draw === "dot_pe";
  const n_qmc = infos.reduce((sum, info) => sum + info.n_qmc, 0);
  let first = 0;
  const mixed = infos.map((info) => {
    const end = first + info.lat_q.length;
    const lnL_kq = compat ? undefined : draw.lnL_kq.map((lnL_q) => lnL_q.subarray(first, end));
    first = end;
    return { info, ratio_q: priorOverProposal(info, infos, n_qmc, lnL_kq) };
  });
  const drawable = mixed.flatMap(compat ? allPairs : pointsWithPairs);
  if (drawable.length === 0)
    throw new DotpeError(
      "noSamples",
      `extrinsic samples: found no point in ${infos.length} marginalizations, expected at least one`,
      "Check that the bank covers the event: no waveform has arrival times that fit a direction in the sky.",
    );
  const chosen = compat
    ? Array.from({ length: n_ext }, (_, e) => drawable[pickOne(drawable.length, seed, DRAW_STREAM, e)]!)
    : Array.from(choiceWithoutReplacement(drawable.length, n_ext, seed, DRAW_STREAM), (k) => drawable[k]!);
  const samples = chosen.map((from, e) =>
    compat ? pairSample(from) : pointSample(from, drawable.length / n_qmc, seed, e),
  );
  const column = (of: (sample: Sample) => number) => Float64Array.from(samples, of);
  return {
    n_e: samples.length,
    lat: column(({ from }) => from.info.lat_q[from.q]!),
    lon: column(({ from }) => from.info.lon_q[from.q]!),
    _phi_ref: column(({ from, x }) => (2 * Math.PI * from.info.phase[x]!) / from.info.n_phi),
    psi: column((sample) => sample.psi),
    t_geocenter: column(({ from }) => from.info.tGeocenter_q[from.q]!),
    weights: column(({ weight }) => weight),
    log_prior_weights: column(({ weight }) => Math.log(weight)),
    exhausted: !compat && n_ext > drawable.length,
  };
}

/** A point of one marginalization, and those of its pairs that can be drawn. */
interface Drawable {
  readonly info: MargInfo;
  readonly q: number;
  /** prior/proposal. */
  readonly ratio: number;
  readonly pairs: readonly number[];
}

interface Sample {
  readonly from: Drawable;
  /** The pair. */
  readonly x: number;
  readonly psi: number;
  readonly weight: number;
}

interface Mixed {
  readonly info: MargInfo;
  readonly ratio_q: Float64Array;
}

/**
 * Prior over the mixture of all chunks of all marginalizations (balance heuristic), n_qmc points in all.
 * @param lnL_kq of the points of `info` under the waveform of each marginalization.
 */
function priorOverProposal(
  info: MargInfo,
  all: readonly MargInfo[],
  n_qmc: number,
  lnL_kq?: readonly Float64Array[],
): Float64Array {
  const density_q = new Float64Array(info.prior_q.length);
  all.forEach((other, k) => void addProposalDensity(info, other, density_q, lnL_kq?.[k]));
  return info.prior_q.map((prior, q) => (n_qmc * prior) / density_q[q]!);
}

/** One entry for every point that has a kept pair with <d|h> > 0. */
function pointsWithPairs({ info, ratio_q }: Mixed): Drawable[] {
  return Array.from(ratio_q, (ratio, q) => {
    const pairs = pairsOf(info, q).filter((x) => info.dh[x]! > 0);
    return { info, q, ratio, pairs };
  }).filter(({ pairs }) => pairs.length > 0);
}

/** One entry for every kept pair. */
function allPairs({ info, ratio_q }: Mixed): Drawable[] {
  return Array.from(ratio_q, (ratio, q) =>
    pairsOf(info, q).map((x) => ({ info, q, ratio, pairs: [x] })),
  ).flat();
}

function pairsOf(info: MargInfo, q: number): number[] {
  const first = info.pairStart_q[q]!;
  return Array.from({ length: info.pairStart_q[q + 1]! - first }, (_, k) => first + k);
}

function pickOne(n: number, seed: number, stream: number, counter: number): number {
  return Math.floor(uniform(seed, stream, counter) * n);
}

/** @param share of the points tried that can be drawn: U/N. */
function pointSample(from: Drawable, share: number, seed: number, e: number): Sample {
  const x = from.pairs[pickOne(from.pairs.length, seed, PHASE_STREAM, e)]!;
  return { from, x, psi: from.info.psi_q[from.q]!, weight: share * from.ratio };
}

/** The reference turns psi by pi/2 where <d|h> < 0, which changes the sign of <d|h> and nothing else. */
function pairSample(from: Drawable): Sample {
  const { info, q, ratio, pairs } = from;
  const x = pairs[0]!;
  const psi = info.dh[x]! < 0 ? (info.psi_q[q]! + Math.PI / 2) % Math.PI : info.psi_q[q]!;
  return { from, x, psi, weight: ratio / info.n_phi };
}
