/**
 * Low-rank bases for time shifts. exp(2 pi i f tau) over a limited band and a limited range of tau has few independent
 * columns. With f centred in the band (f_c) and tau on zero, cosine and sine have real bases of their own:
 *
 *   exp(2 pi i f tau) = exp(2 pi i f_c tau) (Q_c E_c + i Q_s E_s)(f, tau),     tau -> -tau only changes the sign of E_s.
 *
 * Q has orthonormal columns (pivoted Gram-Schmidt, so nearly the shortest basis), E = Q^T cos or sin.
 */
import { dot, fitBasis as plainFit } from "../kernels/ref-low-rank.ts";
import type { SetupKernels } from "../kernels/setup-table.ts";

type BasisKernel = Pick<SetupKernels, "fitBasis">;

/** Largest norm that the basis may leave of any column of cos or sin: bounds the error of each entry. */
const RESIDUAL = 1e-13;
/** The bins are cut only at multiples of this. */
const CUT_STEP = 6;

export type Band = {
  /** Bins b0 <= b < b1. */
  b0: number;
  b1: number;
  /** Ranks of cosine and sine, and their sum rounded up to a multiple of the padding. */
  rc: number;
  rs: number;
  rp: number;
  /** Centre of the band (Hz). */
  fc: number;
  /** (b1 - b0, rp): columns of the cosine basis, then of the sine basis, then zeros. */
  q: Float64Array;
};

export type GridBand = Band & {
  /** (rc, n_h) and (rs, n_h). */
  ec: Float64Array;
  es: Float64Array;
  /** cos and sin of 2 pi f_c tau_h, n_h. */
  cosFc_h: Float64Array;
  sinFc_h: Float64Array;
};

export type BandPlan = {
  n_b: number;
  /** Times of the grid: even, one more than asked for if that was odd. */
  n_t: number;
  n_h: number;
  /** Spacing (s). */
  dt: number;
  /** The positive half of the grid (s): (h + 1/2) dt; the other half is its mirror image. */
  tau_h: Float64Array;
  bands: GridBand[];
};

export type TimeSetBasis = Band & {
  n_e: number;
  /** (rc, n_e) and (rs, n_e). */
  ec: Float64Array;
  es: Float64Array;
  /** cos and sin of 2 pi f_c tau_e, n_e. */
  cosFc_e: Float64Array;
  sinFc_e: Float64Array;
};

/**
 * Bands and bases for a uniform grid of times, n_t points spaced by dt and centred on zero: tau = +-(h + 1/2) dt.
 * Bands are cut so that the modelled cost of projecting (bins x rank) and expanding (rank x n_t / 2) is least.
 * @param f_b rising bins (Hz) @param dt seconds @param pad ranks are padded to a multiple of it
 */
export function timeGridBands(
  f_b: Float64Array,
  dt: number,
  n_t: number,
  pad: number,
  kernels: BasisKernel = { fitBasis: plainFit },
): BandPlan {
  const n_h = Math.ceil(n_t / 2);
  const tau_h = Float64Array.from({ length: n_h }, (_, h) => (h + 0.5) * dt);
  const bands: GridBand[] = [];
  const cuts = chooseCuts(f_b, 2 * n_h * dt, n_h, pad);
  for (let j = 0; j + 1 < cuts.length; j++) {
    const { band, ec, es } = fitBand(f_b, cuts[j], cuts[j + 1], tau_h, pad, kernels);
    bands.push({
      ...band,
      ec,
      es,
      cosFc_h: carrier(Math.cos, band.fc, tau_h),
      sinFc_h: carrier(Math.sin, band.fc, tau_h),
    });
  }
  return { n_b: f_b.length, n_t: 2 * n_h, n_h, dt, tau_h, bands };
}

/**
 * One band over all bins, for arbitrary times. Subtract the middle of the times first: the rank grows with max |tau|.
 * The basis is fitted on Chebyshev points of [-max |tau|, max |tau|]; E at tau_e comes from its Chebyshev series.
 * @param f_b rising bins (Hz) @param tau_e seconds @param pad ranks are padded to a multiple of it
 */
export function timeSetBasis(
  f_b: Float64Array,
  tau_e: Float64Array,
  pad: number,
  kernels: BasisKernel = { fitBasis: plainFit },
): TimeSetBasis {
  let tauMax = Number.MIN_VALUE;
  for (const tau of tau_e) tauMax = Math.max(tauMax, Math.abs(tau));
  const largestPhase = Math.PI * (f_b[f_b.length - 1] - f_b[0]) * tauMax;
  const n_half = seriesLength(largestPhase);
  const n_node = 2 * n_half;
  const tau_h = Float64Array.from(
    { length: n_half },
    (_, h) => tauMax * Math.cos((Math.PI * (h + 0.5)) / n_node),
  );
  const { band, ec, es } = fitBand(f_b, 0, f_b.length, tau_h, pad, kernels);
  const position_e = tau_e.map((tau) => tau / tauMax);
  return {
    ...band,
    n_e: tau_e.length,
    ec: evaluateSeries(chebyshevSeries(ec, band.rc, n_half, 0), band.rc, n_half, 0, position_e),
    es: evaluateSeries(chebyshevSeries(es, band.rs, n_half, 1), band.rs, n_half, 1, position_e),
    cosFc_e: carrier(Math.cos, band.fc, tau_e),
    sinFc_e: carrier(Math.sin, band.fc, tau_e),
  };
}

/** wave(2 pi turns), whole turns taken off first: 2 pi f tau can be thousands of radians. */
function waveOfTurns(wave: (angle: number) => number, turns: number): number {
  return wave(2 * Math.PI * (turns - Math.round(turns)));
}

function carrier(wave: (angle: number) => number, fc: number, tau: Float64Array): Float64Array {
  return tau.map((t) => waveOfTurns(wave, fc * t));
}

/** Rank of a band, modelled from bandwidth x duration; the constants gave the cheapest plans on banks of 378 bins. */
function modelRank(bandwidth: number, duration: number): number {
  const bt = bandwidth * duration;
  return bt + 5 * Math.log(bt + 1) + 9;
}

/** Edges of the cheapest contiguous bands: shortest path over the cut points. */
function chooseCuts(f_b: Float64Array, duration: number, n_h: number, pad: number): number[] {
  const n_b = f_b.length;
  const points: number[] = [];
  for (let b = 0; b < n_b; b += CUT_STEP) points.push(b);
  points.push(n_b);
  const best = new Float64Array(points.length).fill(Number.POSITIVE_INFINITY);
  const from = new Int32Array(points.length);
  best[0] = 0;
  for (let j = 1; j < points.length; j++) {
    for (let i = 0; i < j; i++) {
      const n_bin = points[j] - points[i];
      const model = modelRank(f_b[points[j] - 1] - f_b[points[i]], duration);
      const rank = Math.ceil(Math.min(model, 2 * n_bin, 2 * n_h) / pad) * pad;
      const cost = best[i] + n_bin * rank + rank * n_h + 4 * n_h;
      if (cost < best[j]) {
        best[j] = cost;
        from[j] = i;
      }
    }
  }
  const cuts: number[] = [n_b];
  for (let j = points.length - 1; j > 0; j = from[j]) cuts.unshift(points[from[j]]);
  return cuts;
}

function fitBand(
  f_b: Float64Array,
  b0: number,
  b1: number,
  tau: Float64Array,
  pad: number,
  kernels: BasisKernel,
) {
  const fc = 0.5 * (f_b[b0] + f_b[b1 - 1]);
  const offset_b = f_b.slice(b0, b1).map((f) => f - fc);
  const [cosine, sine] = [false, true].map((isSine) => fitBasis(offset_b, tau, isSine, kernels));
  const rp = Math.ceil((cosine.rank + sine.rank) / pad) * pad;
  const q = new Float64Array((b1 - b0) * rp);
  for (let b = 0; b < b1 - b0; b++) {
    for (let r = 0; r < cosine.rank; r++) q[b * rp + r] = cosine.q_rb[r * (b1 - b0) + b];
    for (let r = 0; r < sine.rank; r++) q[b * rp + cosine.rank + r] = sine.q_rb[r * (b1 - b0) + b];
  }
  const band: Band = { b0, b1, rc: cosine.rank, rs: sine.rank, rp, fc, q };
  return { band, ec: cosine.e_rh, es: sine.e_rh };
}

/** Basis of cos or sin(2 pi offset tau), and its products with the columns. */
function fitBasis(offset_b: Float64Array, tau_h: Float64Array, sine: boolean, kernels: BasisKernel) {
  const [n_b, n_h] = [offset_b.length, tau_h.length];
  const most = Math.min(n_b, n_h);
  const [q_rb, e_rh] = [new Float64Array(most * n_b), new Float64Array(most * n_h)];
  const work = new Float64Array(2 * n_b * n_h + n_h);
  const rank = kernels.fitBasis(q_rb, e_rh, work, offset_b, tau_h, sine, RESIDUAL, n_b, n_h);
  return { rank, q_rb: q_rb.slice(0, rank * n_b), e_rh: e_rh.slice(0, rank * n_h) };
}

/** Half the number of Chebyshev points (only even or only odd orders are used) that resolve a phase of +-largestPhase to 1e-16. */
function seriesLength(largestPhase: number): number {
  return Math.ceil(0.5 * (largestPhase + 8 * Math.cbrt(largestPhase) + 24));
}

/**
 * Chebyshev coefficients of even (parity 0) or odd (parity 1) functions, orders parity, parity + 2, ...
 * @param values (rank, n_half), at the positive ones of 2 n_half Chebyshev points, largest first
 */
function chebyshevSeries(values: Float64Array, rank: number, n_half: number, parity: 0 | 1): Float64Array {
  const n_node = 2 * n_half;
  const series = new Float64Array(rank * n_half);
  for (let k = 0; k < n_half; k++) {
    const order = 2 * k + parity;
    const scale = (order === 0 ? 2 : 4) / n_node;
    for (let h = 0; h < n_half; h++) {
      const weight = scale * Math.cos((Math.PI * ((order * (2 * h + 1)) % (4 * n_node))) / (2 * n_node));
      for (let r = 0; r < rank; r++) series[r * n_half + k] += weight * values[r * n_half + h];
    }
  }
  return series;
}

/** (rank, n_e) values of the series at positions in [-1, 1]: sums over T_k(position), T_(k+2) = 2 T_2 T_k - T_|k-2|. */
function evaluateSeries(
  series: Float64Array,
  rank: number,
  n_half: number,
  parity: 0 | 1,
  position_e: Float64Array,
): Float64Array {
  const n_e = position_e.length;
  const values = new Float64Array(rank * n_e);
  const polynomials = new Float64Array(n_half);
  for (let e = 0; e < n_e; e++) {
    const x = position_e[e];
    const twiceT2 = 4 * x * x - 2;
    polynomials[0] = parity === 0 ? 1 : x;
    polynomials[1] = parity === 0 ? 0.5 * twiceT2 : x * (twiceT2 - 1);
    for (let k = 2; k < n_half; k++) polynomials[k] = twiceT2 * polynomials[k - 1] - polynomials[k - 2];
    for (let r = 0; r < rank; r++) values[r * n_e + e] = dot(polynomials, 0, series, r * n_half, n_half);
  }
  return values;
}
