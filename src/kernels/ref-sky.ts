/** Definitions of the kernels in c/sky.c. */
import type { ExtrinsicKernels, SkyTables } from "./extrinsic-table.ts";

/** The largest double below 1: coordinates lie in [0, 1). */
const BELOW_ONE = 1 - 2 ** -53;
/** Numbers of a site in `site_dk`. */
const SITE = 12;

/** Coordinate k of direction s, in [0, 1). */
export function skyCoordinate({ low, high }: Pick<SkyTables, "low" | "high">, k: 0 | 1, s: number): number {
  const n_low = low[k].length;
  return Math.min(low[k][s % n_low] + high[k][Math.floor(s / n_low)], BELOW_ONE);
}

/** The unit vectors to a direction, and on the sky there to the west and to the north. */
class Axes {
  readonly source = new Float64Array(3);
  readonly west = new Float64Array(3);
  readonly north = new Float64Array(3);

  set(sky: SkyTables, s: number): void {
    const sinLat = 2 * skyCoordinate(sky, 0, s) - 1;
    const cosLat = Math.sqrt((1 - sinLat) * (1 + sinLat));
    const lon = 2 * Math.PI * skyCoordinate(sky, 1, s);
    const [sinLon, cosLon] = [Math.sin(lon), Math.cos(lon)];
    this.source[0] = cosLon * cosLat;
    this.source[1] = sinLon * cosLat;
    this.source[2] = sinLat;
    this.west[0] = sinLon;
    this.west[1] = -cosLon;
    this.north[0] = -cosLon * sinLat;
    this.north[1] = -sinLon * sinLat;
    this.north[2] = cosLat;
  }
}

const axes = new Axes();

/** Arrival after the centre of the Earth, in bins. */
function delayOf(site_dk: Float64Array, d: number): number {
  const [at, n] = [d * SITE, axes.source];
  return -(site_dk[at] * n[0] + (site_dk[at + 1] * n[1] + site_dk[at + 2] * n[2]));
}

/** u^T D v. */
function contract(site_dk: Float64Array, d: number, u: Float64Array, v: Float64Array): number {
  let sum = 0;
  for (let row = 0; row < 3; row++)
    for (let k = 0; k < 3; k++) sum += u[row] * site_dk[d * SITE + 3 + 3 * row + k] * v[k];
  return sum;
}

/** F+ at polarization angle 0; the convention is that of `antennaPatterns`. */
function plusOf(site_dk: Float64Array, d: number): number {
  return contract(site_dk, d, axes.west, axes.west) - contract(site_dk, d, axes.north, axes.north);
}

function crossOf(site_dk: Float64Array, d: number): number {
  return 2 * contract(site_dk, d, axes.west, axes.north);
}

/** The volume in which a source is heard grows as |F|^3, |F|^2 the sum of F+^2 + Fx^2 over the detectors. */
export const skyBlock: ExtrinsicKernels["skyBlock"] = (bin_s, power_s, sky, first, n_s) => {
  const { site_dk, maxDelay, n_d } = sky;
  for (let s = 0; s < n_s; s++) {
    axes.set(sky, first + s);
    let square = 0;
    let bin = 0;
    for (let d = 0; d < n_d; d++) {
      square += plusOf(site_dk, d) ** 2 + crossOf(site_dk, d) ** 2;
      if (d === 0) continue;
      const max = maxDelay[d - 1];
      bin = bin * (2 * max + 1) + Math.round(delayOf(site_dk, d) - delayOf(site_dk, 0)) + max;
    }
    bin_s[s] = bin;
    power_s[s] = square * Math.sqrt(square);
  }
};

/** Directions in ascending order within each bin. */
export const skySort: ExtrinsicKernels["skySort"] = (
  ...[binStart, directions, detectable, bin_s, power_s, n_s, n_bin]
) => {
  binStart.fill(0);
  detectable.fill(0);
  for (let s = 0; s < n_s; s++) {
    binStart[bin_s[s] + 1]++;
    detectable[bin_s[s]] += power_s[s];
  }
  let total = 0;
  for (let k = 0; k < n_bin; k++) total += detectable[k];
  for (let k = 0; k < n_bin; k++) {
    detectable[k] /= total;
    binStart[k + 1] += binStart[k];
  }
  const next = binStart.slice(0, n_bin);
  for (let s = 0; s < n_s; s++) directions[next[bin_s[s]]++] = s;
};

/** Cumulative sums of a probability, and the last bin whose probability is not 0. */
function accumulate(prob_dt: Float64Array, d: number, n_t: number, cumulative_dt: Float64Array): number {
  let sum = 0;
  let last = 0;
  for (let t = 0; t < n_t; t++) {
    sum += prob_dt[d * n_t + t];
    cumulative_dt[d * n_t + t] = sum;
    if (prob_dt[d * n_t + t] > 0) last = t;
  }
  return last;
}

/** The first bin in which the cumulative exceeds `target`, at most `last`: its probability is never 0. */
function findBin(cumulative_dt: Float64Array, start: number, last: number, target: number): number {
  let low = 0;
  let high = last;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative_dt[start + middle] > target) high = middle;
    else low = middle + 1;
  }
  return low;
}

export const drawPoints: ExtrinsicKernels["drawPoints"] = (
  ...[points, prob_dt, u, { binStart, directions, maxDelay }, n_u, n_d, n_t, first, cellPrior]
) => {
  const { index_q, bin_dq, direction_q, prior_q, psi_q, position0_q, cumulative_dt, ld } = points;
  const last_d = Array.from({ length: n_d }, (_, d) => accumulate(prob_dt, d, n_t, cumulative_dt));
  const bin = new Int32Array(n_d);
  let n_q = 0;
  for (let k = 0; k < n_u; k++) {
    let cell = 0;
    for (let d = 0; d < n_d; d++) {
      const target = u[d * n_u + k] * cumulative_dt[(d + 1) * n_t - 1];
      bin[d] = findBin(cumulative_dt, d * n_t, last_d[d], target);
      if (d === 0) continue;
      const max = maxDelay[d - 1];
      const delay = bin[d] - bin[0] + max;
      cell = cell < 0 || delay < 0 || delay > 2 * max ? -1 : cell * (2 * max + 1) + delay;
    }
    if (cell < 0) continue;
    const n = binStart[cell + 1] - binStart[cell];
    if (n === 0) continue;
    index_q[n_q] = first + k;
    for (let d = 0; d < n_d; d++) bin_dq[d * ld + n_q] = bin[d];
    direction_q[n_q] = directions[binStart[cell] + Math.floor(u[(n_d + 2) * n_u + k] * n)];
    prior_q[n_q] = cellPrior * n;
    psi_q[n_q] = Math.PI * u[(n_d + 1) * n_u + k];
    position0_q[n_q] = bin[0] + u[n_d * n_u + k] - 0.5;
    n_q++;
  }
  return n_q;
};

/** [[cos 2psi, sin 2psi], [-sin 2psi, cos 2psi]] applied to F+, Fx. */
export const placePoints: ExtrinsicKernels["placePoints"] = (
  ...[{ position_dq, response_dpq, ld }, direction_q, psi_q, position0_q, sky, n_q]
) => {
  const { site_dk, n_d } = sky;
  for (let q = 0; q < n_q; q++) {
    axes.set(sky, direction_q[q]);
    const [cos, sin] = [Math.cos(2 * psi_q[q]), Math.sin(2 * psi_q[q])];
    for (let d = 0; d < n_d; d++) {
      const [plus, cross] = [plusOf(site_dk, d), crossOf(site_dk, d)];
      position_dq[d * ld + q] = position0_q[q] + (delayOf(site_dk, d) - delayOf(site_dk, 0));
      response_dpq[2 * d * ld + q] = cos * plus + sin * cross;
      response_dpq[(2 * d + 1) * ld + q] = cos * cross - sin * plus;
    }
  }
};
