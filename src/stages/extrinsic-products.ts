/**
 * The inner loop of stage 4: <d|h> and <h|h> of one waveform at many extrinsic points and all orbital phases.
 * Three steps: products by mode (`modeProducts`), the phase grid (`PhaseGrid`), and which pairs (point, phase) are
 * good enough to keep (`keepPairs`). Plain loops over float64 arrays without allocation inside.
 */

import { modePairs } from "../axes.ts";

/** Nodes of the local polynomial between time bins: 8 leave an error of 1e-7 of the peak (1e-6 with power to 1600 Hz). */
const NODES = 8;

/**
 * One waveform against the data, at 1 Mpc and orbital phase 0, divided by asd_drift^2; times (s) are
 * tStart + t tStep, relative to the event's GPS time, and are arrival times in the detector.
 */
export interface InnerProducts {
  readonly mArr: readonly number[];
  readonly n_d: number;
  readonly n_t: number;
  readonly tStart: number;
  readonly tStep: number;
  /** <d|h> by detector, mode, polarization, time: sum_b w_dmpb conj(h_mpb) exp(2 pi i f_b (t + tcoarse)). */
  readonly dhRe_dmpt: Float64Array;
  readonly dhIm_dmpt: Float64Array;
  /** <h|h> by detector, pair of modes, polarizations; pairs m != m' count twice. */
  readonly hhRe_dMpP: Float64Array;
  readonly hhIm_dMpP: Float64Array;
}

/** By point: dh_qm as (re, im) of each mode; hh_qk as (cos, sin) coefficients of each |m - m'|. Interleaved. */
export interface ModeProducts {
  readonly n_q: number;
  readonly dh_qm: Float64Array;
  readonly hh_qk: Float64Array;
}

/** The distinct |m - m'|, ascending, 0 first. */
export function modeDifferences(mArr: readonly number[]): number[] {
  const all = modePairs(mArr.length).map(([a, b]) => Math.abs(mArr[a]! - mArr[b]!));
  return [...new Set(all)].sort((a, b) => a - b);
}

/**
 * <h|h> as a trigonometric polynomial of the phase: sum_k C_k cos(k phi) + S_k sin(k phi), with its three
 * polarization parts (plus plus, plus cross, cross cross). From Re sum_M hh_M e^{i (m - m') phi}. Shape (d, k, 2, 3).
 */
function hhCoefficients(products: InnerProducts): Float64Array {
  const { mArr, n_d, hhRe_dMpP, hhIm_dMpP } = products;
  const pairs = modePairs(mArr.length);
  const differences = modeDifferences(mArr);
  const out = new Float64Array(n_d * differences.length * 6);
  for (let d = 0; d < n_d; d++)
    pairs.forEach(([a, b], M) => {
      const difference = mArr[a]! - mArr[b]!;
      const k = differences.indexOf(Math.abs(difference));
      const at = (d * differences.length + k) * 6;
      for (let pP = 0; pP < 4; pP++) {
        const from = (d * pairs.length + M) * 4 + pP;
        const part = (pP >> 1) + (pP & 1);
        out[at + part]! += hhRe_dMpP[from]!;
        out[at + 3 + part]! -= Math.sign(difference) * hhIm_dMpP[from]!;
      }
    });
  return out;
}

/** Inverse of the product of (j - k) over the other nodes k. */
const NODE_SCALE = Float64Array.from({ length: NODES }, (_, j) => {
  let product = 1;
  for (let k = 0; k < NODES; k++) if (k !== j) product *= j - k;
  return 1 / product;
});

/** Weights of the values at 0, 1, ..., NODES - 1 in the polynomial through them, at x. */
function lagrangeWeights(x: number, out: Float64Array): void {
  let below = 1;
  for (let j = 0; j < NODES; j++) {
    out[j] = below * NODE_SCALE[j]!;
    below *= x - j;
  }
  let above = 1;
  for (let j = NODES - 1; j >= 0; j--) {
    out[j]! *= above;
    above *= x - j;
  }
}

/**
 * dh_qm = sum_dp F_dp(q) dh_dmp(t_d(q)), hh likewise with F_dp F_dP.
 * @param position_dq arrival times in bins of the time grid. @param response_dpq F+, Fx at the point's psi.
 */
export function modeProducts(
  products: InnerProducts,
  position_dq: Float64Array,
  response_dpq: Float64Array,
): ModeProducts {
  const { n_d, n_t, dhRe_dmpt, dhIm_dmpt } = products;
  const n_m = products.mArr.length;
  const n_q = position_dq.length / n_d;
  const hhParts = hhCoefficients(products);
  const n_hh = hhParts.length / (3 * n_d);
  const dh_qm = new Float64Array(n_q * 2 * n_m);
  const hh_qk = new Float64Array(n_q * n_hh);
  const node = new Float64Array(NODES);
  for (let q = 0; q < n_q; q++)
    for (let d = 0; d < n_d; d++) {
      const position = position_dq[d * n_q + q]!;
      const first = Math.max(0, Math.min(n_t - NODES, Math.floor(position) - NODES / 2 + 1));
      lagrangeWeights(position - first, node);
      const plus = response_dpq[2 * d * n_q + q]!;
      const cross = response_dpq[(2 * d + 1) * n_q + q]!;
      for (let m = 0; m < n_m; m++) {
        const at = (d * n_m + m) * 2 * n_t + first;
        let re = 0;
        let im = 0;
        for (let j = 0; j < NODES; j++) {
          const w = node[j]!;
          re += w * (plus * dhRe_dmpt[at + j]! + cross * dhRe_dmpt[at + n_t + j]!);
          im += w * (plus * dhIm_dmpt[at + j]! + cross * dhIm_dmpt[at + n_t + j]!);
        }
        dh_qm[(q * n_m + m) * 2]! += re;
        dh_qm[(q * n_m + m) * 2 + 1]! += im;
      }
      const pp = plus * plus;
      const px = plus * cross;
      const xx = cross * cross;
      for (let k = 0; k < n_hh; k++) {
        const at = (d * n_hh + k) * 3;
        hh_qk[q * n_hh + k]! += pp * hhParts[at]! + px * hhParts[at + 1]! + xx * hhParts[at + 2]!;
      }
    }
  return { n_q, dh_qm, hh_qk };
}

/** cos(n phi), sin(n phi) of one integer n on the first half of the phase grid, and whether n is odd. */
interface Harmonic {
  readonly odd: boolean;
  readonly cos_o: Float64Array;
  readonly sin_o: Float64Array;
}

/**
 * <d|h> and <h|h> on n_phi equidistant orbital phases: Re sum_m dh_m e^{-i m phi}, and the polynomial in cos(k phi).
 * A shift of phi by pi changes the sign of odd harmonics: only half of the grid is summed. n_phi must be even.
 */
export class PhaseGrid {
  private readonly modes: readonly Harmonic[];
  private readonly differences: readonly Harmonic[];
  private readonly even_o: Float64Array;
  private readonly odd_o: Float64Array;
  /** Results of the last `evaluate`. */
  readonly dh_o: Float64Array;
  readonly hh_o: Float64Array;

  constructor(
    mArr: readonly number[],
    readonly n_phi: number,
  ) {
    if (n_phi % 2 !== 0) throw new RangeError(`PhaseGrid: ${n_phi} phases, an even number is needed`);
    const half = n_phi / 2;
    const harmonic = (n: number): Harmonic => ({
      odd: n % 2 !== 0,
      cos_o: Float64Array.from({ length: half }, (_, o) => Math.cos((2 * Math.PI * n * o) / n_phi)),
      sin_o: Float64Array.from({ length: half }, (_, o) => Math.sin((2 * Math.PI * n * o) / n_phi)),
    });
    this.modes = mArr.map(harmonic);
    this.differences = modeDifferences(mArr).map(harmonic);
    this.even_o = new Float64Array(half);
    this.odd_o = new Float64Array(half);
    this.dh_o = new Float64Array(n_phi);
    this.hh_o = new Float64Array(n_phi);
  }

  /** Fills dh_o and hh_o for one point. */
  evaluate({ dh_qm, hh_qk }: ModeProducts, q: number): void {
    this.sum(this.modes, dh_qm, q * 2 * this.modes.length, this.dh_o);
    this.sum(this.differences, hh_qk, q * 2 * this.differences.length, this.hh_o);
  }

  private sum(
    harmonics: readonly Harmonic[],
    coefficients: Float64Array,
    at: number,
    out_o: Float64Array,
  ): void {
    const { even_o, odd_o } = this;
    const half = even_o.length;
    even_o.fill(0);
    odd_o.fill(0);
    for (let n = 0; n < harmonics.length; n++) {
      const { odd, cos_o, sin_o } = harmonics[n]!;
      const target = odd ? odd_o : even_o;
      const a = coefficients[at + 2 * n]!;
      const b = coefficients[at + 2 * n + 1]!;
      for (let o = 0; o < half; o++) target[o]! += a * cos_o[o]! + b * sin_o[o]!;
    }
    for (let o = 0; o < half; o++) {
      out_o[o] = even_o[o]! + odd_o[o]!;
      out_o[o + half] = even_o[o]! - odd_o[o]!;
    }
  }
}

/** At each point the largest lnL = <d|h>^2/(2 <h|h>) that any phase could give: |dh| <= sum |dh_m|, hh >= C_0 - sum |hh_k|. */
function lnLBounds({ n_q, dh_qm, hh_qk }: ModeProducts): Float64Array {
  const bound_q = new Float64Array(n_q);
  const n_dh = dh_qm.length / n_q;
  const n_hh = hh_qk.length / n_q;
  for (let q = 0; q < n_q; q++) {
    let dh = 0;
    for (let k = q * n_dh; k < (q + 1) * n_dh; k += 2)
      dh += Math.sqrt(dh_qm[k]! * dh_qm[k]! + dh_qm[k + 1]! * dh_qm[k + 1]!);
    let hh = hh_qk[q * n_hh]!;
    for (let k = q * n_hh + 2; k < (q + 1) * n_hh; k += 2)
      hh -= Math.sqrt(hh_qk[k]! * hh_qk[k]! + hh_qk[k + 1]! * hh_qk[k + 1]!);
    bound_q[q] = hh > 0 ? (dh * dh) / (2 * hh) : Infinity;
  }
  return bound_q;
}

/** Pairs (point, phase), by point, phases ascending: pairs of the k-th kept point are pairStart_q[k] ... pairStart_q[k + 1] - 1. */
export interface KeptPairs {
  /** Index among the points given, ascending. */
  readonly point_q: Int32Array;
  readonly pairStart_q: Int32Array;
  readonly phase: Uint16Array;
  readonly dh: Float64Array;
  readonly hh: Float64Array;
  /** Pairs with an lnL above this were kept: best - maxDrop. Infinity without points. */
  readonly threshold: number;
}

/** The pairs whose lnL, maximised over distance (of either sign of <d|h>), is within `maxDrop` of the best of them all. */
export function keepPairs(products: ModeProducts, grid: PhaseGrid, maxDrop: number): KeptPairs {
  const bound_q = lnLBounds(products);
  let best = bestLnL(products, grid, bound_q);
  const pair = { point: [] as number[], phase: [] as number[], dh: [] as number[], hh: [] as number[] };
  const { dh_o, hh_o } = grid;
  for (let q = 0; q < products.n_q; q++) {
    if (bound_q[q]! <= best - maxDrop) continue;
    grid.evaluate(products, q);
    for (let o = 0; o < dh_o.length; o++) {
      const dh = dh_o[o]!;
      const hh = hh_o[o]!;
      if (hh <= 0 || dh * dh <= 2 * (best - maxDrop) * hh) continue;
      best = Math.max(best, (dh * dh) / (2 * hh));
      pair.point.push(q);
      pair.phase.push(o);
      pair.dh.push(dh);
      pair.hh.push(hh);
    }
  }
  const good = pair.point.map((_, x) => pair.dh[x]! ** 2 > 2 * (best - maxDrop) * pair.hh[x]!);
  const select = (values: number[]) => values.filter((_, x) => good[x]);
  const kept = groupByPoint(select(pair.point), select(pair.phase), select(pair.dh), select(pair.hh));
  return { ...kept, threshold: products.n_q > 0 ? best - maxDrop : Infinity };
}

/** The best lnL at the point of highest bound: close to the best of all, so that few others need their phases. */
function bestLnL(products: ModeProducts, grid: PhaseGrid, bound_q: Float64Array): number {
  if (products.n_q === 0) return -Infinity;
  const first = bound_q.indexOf(bound_q.reduce((a, b) => Math.max(a, b), -Infinity));
  grid.evaluate(products, first);
  let best = 0;
  grid.dh_o.forEach((dh, o) => {
    const hh = grid.hh_o[o]!;
    if (hh > 0) best = Math.max(best, (dh * dh) / (2 * hh));
  });
  return best;
}

function groupByPoint(point: number[], phase: number[], dh: number[], hh: number[]) {
  const starts = point.flatMap((q, x) => (x === 0 || q !== point[x - 1] ? [x] : []));
  return {
    point_q: Int32Array.from(starts, (x) => point[x]!),
    pairStart_q: Int32Array.from([...starts, point.length]),
    phase: Uint16Array.from(phase),
    dh: Float64Array.from(dh),
    hh: Float64Array.from(hh),
  };
}

/** The best lnL over phases with <d|h> > 0, at each point; -Infinity where it is certainly not above `floor`. */
export function bestPositiveLnL(products: ModeProducts, grid: PhaseGrid, floor: number): Float64Array {
  const { dh_o, hh_o } = grid;
  return lnLBounds(products).map((bound, q) => {
    if (bound <= floor) return -Infinity;
    grid.evaluate(products, q);
    let best = -Infinity;
    for (let o = 0; o < dh_o.length; o++) {
      const dh = dh_o[o]!;
      if (dh > 0 && hh_o[o]! > 0) best = Math.max(best, (dh * dh) / (2 * hh_o[o]!));
    }
    return best;
  });
}
