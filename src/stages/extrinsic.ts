/**
 * Stage 4, second half: extrinsic samples from the marginalizations of several waveforms, and the rules for which
 * waveforms are used. The weights are derived in docs/extrinsic-weights.md.
 */

import { DotpeError } from "../errors.ts";
import { type Detector, geocenterDelays } from "../gw/detectors.ts";
import { choiceWithoutReplacement, permutation, uniform } from "../gw/random.ts";
import { type SkyDictionary, skyAngles } from "../gw/sky-dictionary.ts";
import { sharedF64, sharedI32 } from "../workers/arena.ts";
import type { MargInfo } from "./marginalization.ts";

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
export function isAcceptable(info: Pick<MargInfo, "nEffectivePrior">): boolean {
  return info.nEffectivePrior > MIN_N_EFFECTIVE_PRIOR;
}

/** All kept points of several marginalizations, one after the other: q runs over all of them. Shared. */
export interface GatheredPoints {
  readonly n_q: number;
  readonly direction_q: Int32Array;
  readonly psi_q: Float64Array;
  readonly position0_q: Float64Array;
  readonly bin_dq: Int32Array;
}

export type Gatherable = Pick<MargInfo, "n_q" | "n_d" | "direction_q" | "psi_q" | "position0_q" | "bin_dq">;

export function gatherPoints(infos: readonly Gatherable[]): GatheredPoints {
  const n_q = infos.reduce((sum, info) => sum + info.n_q, 0);
  const n_d = infos[0]?.n_d ?? 0;
  const points = {
    ...{ n_q, direction_q: sharedI32(n_q), psi_q: sharedF64(n_q), position0_q: sharedF64(n_q) },
    bin_dq: sharedI32(n_d * n_q),
  };
  let first = 0;
  for (const info of infos) {
    points.direction_q.set(info.direction_q, first);
    points.psi_q.set(info.psi_q, first);
    points.position0_q.set(info.position0_q, first);
    for (let d = 0; d < n_d; d++)
      points.bin_dq.set(info.bin_dq.subarray(d * info.n_q, (d + 1) * info.n_q), d * n_q + first);
    first += info.n_q;
  }
  return points;
}

/** What `combine` needs of a marginalization. */
export type Combinable = Gatherable &
  Pick<MargInfo, "n_qmc" | "n_phi" | "tStart" | "tStep" | "prior_q" | "pairStart_q" | "phase" | "positive">;

/** Where the points are. */
export interface Places {
  readonly sky: SkyDictionary;
  readonly detectors: readonly Detector[];
}

/**
 * Draws samples from marginalizations on one time grid: distinct points, uniformly, at most once each, weighted by
 * U/N prior/proposal, U the number of distinct points to draw from and N of all points tried. With `pairs` as dot_pe does:
 * pairs (point, phase), uniformly, with replacement, weighted by prior/proposal/n_phi.
 * @param density_q of the proposals at all points, one marginalization's after the other's: see `MixtureDensity`.
 * @throws DotpeError noSamples if nothing can be drawn.
 */
export function combine(
  infos: readonly Combinable[],
  density_q: Float64Array,
  { sky, detectors }: Places,
  { nExt, seed, pairs }: { readonly nExt: number; readonly seed: number; readonly pairs: boolean },
): ExtrinsicSamples {
  const drawable = pairs ? allPairs(infos) : pointsWithPairs(infos);
  const { length } = drawable.k;
  if (length === 0)
    throw new DotpeError(
      "noSamples",
      `extrinsic samples: found no point in ${infos.length} marginalizations, expected at least one`,
      "Check that the bank covers the event: no waveform has arrival times that fit a direction in the sky.",
    );
  const chosen = pairs
    ? Uint32Array.from({ length: nExt }, (_, e) => pickOne(length, seed, DRAW_STREAM, e))
    : choiceWithoutReplacement(length, nExt, seed, DRAW_STREAM);
  const n_qmc = infos.reduce((sum, info) => sum + info.n_qmc, 0);
  const first_k = firstPoints(infos);
  const n_e = chosen.length;
  const direction = new Int32Array(n_e);
  const column = () => new Float64Array(n_e);
  const [_phi_ref, psi, t_geocenter, weights] = [column(), column(), column(), column()];
  for (let e = 0; e < n_e; e++) {
    const [k, q] = [drawable.k[chosen[e]!]!, drawable.q[chosen[e]!]!];
    const info = infos[k]!;
    const x = pairs ? drawable.x[chosen[e]!]! : positivePair(info, q, seed, e);
    const ratio = (n_qmc * info.prior_q[q]!) / density_q[first_k[k]! + q]!;
    direction[e] = info.direction_q[q]!;
    _phi_ref[e] = (2 * Math.PI * info.phase[x]!) / info.n_phi;
    // The reference turns psi by pi/2 where <d|h> < 0, which changes the sign of <d|h> and nothing else.
    psi[e] = info.positive[x] === 0 ? (info.psi_q[q]! + Math.PI / 2) % Math.PI : info.psi_q[q]!;
    t_geocenter[e] = info.tStart + info.position0_q[q]! * info.tStep;
    weights[e] = pairs ? ratio / info.n_phi : (length / n_qmc) * ratio;
  }
  const { lat, lon } = skyAngles(sky, direction);
  const delay_e = geocenterDelays(detectors.slice(0, 1), lat, lon);
  return {
    ...{ n_e, lat, lon, _phi_ref, psi, t_geocenter: t_geocenter.map((t, e) => t - delay_e[e]!), weights },
    log_prior_weights: weights.map(Math.log),
    exhausted: !pairs && nExt > length,
  };
}

/** Place of each marginalization's first point among the gathered ones. */
function firstPoints(infos: readonly Pick<MargInfo, "n_q">[]): number[] {
  let first = 0;
  return infos.map(({ n_q }) => {
    first += n_q;
    return first - n_q;
  });
}

/** What can be drawn: point q of marginalization k, and pair x of it (`allPairs` only). */
interface Drawable {
  readonly k: Uint16Array;
  readonly q: Int32Array;
  readonly x: Int32Array;
}

/** One entry for every point that has a kept pair with <d|h> > 0. */
function pointsWithPairs(infos: readonly Combinable[]): Drawable {
  const room = infos.reduce((sum, info) => sum + info.n_q, 0);
  const [k, q] = [new Uint16Array(room), new Int32Array(room)];
  let n = 0;
  infos.forEach((info, at) => {
    for (let point = 0; point < info.n_q; point++) {
      if (countPositive(info, point) === 0) continue;
      k[n] = at;
      q[n++] = point;
    }
  });
  return { k: k.subarray(0, n), q: q.subarray(0, n), x: new Int32Array(0) };
}

/** One entry for every kept pair. */
function allPairs(infos: readonly Combinable[]): Drawable {
  const room = infos.reduce((sum, info) => sum + (info.n_q > 0 ? info.phase.length : 0), 0);
  const [k, q, x] = [new Uint16Array(room), new Int32Array(room), new Int32Array(room)];
  let n = 0;
  infos.forEach((info, at) => {
    for (let point = 0; point < info.n_q; point++)
      for (let pair = info.pairStart_q[point]!; pair < info.pairStart_q[point + 1]!; pair++) {
        k[n] = at;
        q[n] = point;
        x[n++] = pair;
      }
  });
  return { k, q, x };
}

function countPositive({ pairStart_q, positive }: Combinable, q: number): number {
  let n = 0;
  for (let x = pairStart_q[q]!; x < pairStart_q[q + 1]!; x++) n += positive[x]!;
  return n;
}

/** One of the point's pairs with <d|h> > 0, at random. */
function positivePair(info: Combinable, q: number, seed: number, e: number): number {
  let wanted = pickOne(countPositive(info, q), seed, PHASE_STREAM, e);
  for (let x = info.pairStart_q[q]!; ; x++) if (info.positive[x] === 1 && wanted-- === 0) return x;
}

function pickOne(n: number, seed: number, stream: number, counter: number): number {
  return Math.floor(uniform(seed, stream, counter) * n);
}
