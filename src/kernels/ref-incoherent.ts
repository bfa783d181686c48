/** Twins of c/incoherent.c: layouts in `table.ts`. */
import { tile2x4 } from "./ref-tile.ts";
import type { Kernels, PhaseTables } from "./table.ts";

const BLOCK = 8;
const MAX_MODES = 32;

/** Inverse of H at each phase: lnL = 1/2 (k0 d0^2 + k1 d0 d1 + k2 d1^2). Grown as needed, kept from call to call. */
let k0_o = new Float64Array(0);
let k1_o = new Float64Array(0);
let k2_o = new Float64Array(0);
let bound_t = new Float64Array(0);
/** Cosine and sine amplitudes of the waves of each m in d_0, then in d_1; d_0 and d_1 of four phases. */
const amplitudes = new Float64Array(4 * MAX_MODES);
const d = new Float64Array(8);

/** Component c = 2 p + P of H at phase o: `equal` + Re sum_k hh_k e^{-i k phi_o}. */
function hComponent(
  hh: Float64Array,
  from: number,
  equal: number,
  c: number,
  { n_k, n_op, cosK_ko, sinK_ko }: PhaseTables,
  o: number,
): number {
  let sum = equal;
  for (let k = 0; k < n_k; k++) {
    const at = from + 2 * (3 + 4 * k + c);
    sum += hh[at] * cosK_ko[k * n_op + o] + hh[at + 1] * sinK_ko[k * n_op + o];
  }
  return sum;
}

/** Cholesky factor of the part of H of equal modes: L L^T = [h00 h01; h01 h11]. */
interface Factor {
  readonly l00: number;
  readonly l10: number;
  readonly l11: number;
}

/**
 * Fills k_o. Returns the largest eigenvalue of L^T H^-1 L over phases, which bounds d^T H^-1 d by it times |L^-1 d|^2, or
 * Infinity where there is no such bound.
 */
function invertH(
  hh: Float64Array,
  from: number,
  phases: PhaseTables,
  symmetric: boolean,
  { l00, l10, l11 }: Factor,
): number {
  const { n_op } = phases;
  if (k0_o.length < n_op) [k0_o, k1_o, k2_o] = [0, 1, 2].map(() => new Float64Array(n_op));
  let kappa = l11 > 0 ? 0 : Infinity;
  for (let o = 0; o < n_op; o++) {
    const a = hComponent(hh, from, hh[from], 0, phases, o);
    let b = hComponent(hh, from, hh[from + 4], 1, phases, o);
    let c = hComponent(hh, from, hh[from + 4], 2, phases, o);
    const e = hComponent(hh, from, hh[from + 2], 3, phases, o);
    if (symmetric) b = c = 0.5 * (b + c);
    const scale = 1 / (a * e - b * c);
    const k0 = e * scale;
    const k1 = -(b + c) * scale;
    const k2 = a * scale;
    k0_o[o] = k0;
    k1_o[o] = k1;
    k2_o[o] = k2;
    const half = 0.5 * k1;
    const m00 = l00 * (k0 * l00 + half * l10) + l10 * (half * l00 + k2 * l10);
    const m01 = (l00 * half + l10 * k2) * l11;
    const m11 = k2 * l11 * l11;
    const difference = 0.5 * (m00 - m11);
    const largest = 0.5 * (m00 + m11) + Math.sqrt(difference * difference + m01 * m01);
    if (!(scale > 0)) kappa = Infinity;
    else if (!(largest <= kappa)) kappa = largest;
  }
  return kappa;
}

/** bound_t of d^T H^-1 d over phases: kappa (sum_m largest singular value of L^-1 z_m)^2. Returns a t of the largest. */
function boundTimes(
  z: Float64Array,
  zStart: number,
  n_m: number,
  n_t: number,
  kappa: number,
  { l00, l10, l11 }: Factor,
): number {
  if (bound_t.length < n_t) bound_t = new Float64Array(n_t);
  const i00 = 1 / l00;
  const i10 = -l10 / (l00 * l11);
  const i11 = 1 / l11;
  let best = 0;
  for (let t = 0; t < n_t; t++) {
    let sum = 0;
    for (let m = 0; m < n_m; m++) {
      const at = zStart + m * 4 * n_t + t;
      const re0 = z[at] * i00;
      const im0 = z[at + n_t] * i00;
      const re1 = z[at + 2 * n_t] * i11 + z[at] * i10;
      const im1 = z[at + 3 * n_t] * i11 + z[at + n_t] * i10;
      const re = re0 * re0 + re1 * re1;
      const im = im0 * im0 + im1 * im1;
      const mixed = 2 * (re0 * im0 + re1 * im1);
      sum += Math.sqrt(0.5 * (re + im + Math.sqrt((re - im) * (re - im) + mixed * mixed)));
    }
    bound_t[t] = (1 + 1e-9) * kappa * sum * sum;
    if (bound_t[t] > bound_t[best]) best = t;
  }
  return best;
}

/** max over o of d^T H^-1 d at the time whose z begin at `at`. */
function largestPhase(
  z: Float64Array,
  at: number,
  n_t: number,
  n_m: number,
  { n_op, n_k, waves_Oxo }: PhaseTables,
): number {
  for (let m = 0; m < n_m; m++) {
    const from = at + m * 4 * n_t;
    amplitudes[2 * m] = z[from];
    amplitudes[2 * m + 1] = z[from + n_t];
    amplitudes[2 * (n_m + m)] = z[from + 2 * n_t];
    amplitudes[2 * (n_m + m) + 1] = z[from + 3 * n_t];
  }
  let best = 0;
  for (let o = 0; o < n_op; o += 4) {
    const block = o - (o % BLOCK);
    const waves = block * 2 * (n_m + n_k) + o - block;
    tile2x4(d, 0, 4, amplitudes, 0, 2 * n_m, waves_Oxo, waves, BLOCK, 2 * n_m);
    for (let j = 0; j < 4; j++) {
      const d0 = d[j];
      const d1 = d[4 + j];
      const value = k0_o[o + j] * d0 * d0 + k1_o[o + j] * d0 * d1 + k2_o[o + j] * d1 * d1;
      if (value > best) best = value;
    }
  }
  return best;
}

/** Bounds only save work: without them every time is visited, and the result is the same. */
export const incoherentMax: Kernels["incoherentMax"] = (z, zStart, hh, from, phases, n_m, n_t, symmetric) => {
  const h00 = hh[from];
  const h11 = hh[from + 2];
  if (!(h00 > 0 && h11 > 0 && h00 < Infinity && h11 < Infinity)) return Number.NaN;
  const l00 = Math.sqrt(h00);
  const l10 = hh[from + 4] / l00;
  const factor = { l00, l10, l11: Math.sqrt(h11 - l10 * l10) };
  const kappa = invertH(hh, from, phases, symmetric, factor);
  const bounded = kappa < 1e300;
  const start = bounded ? boundTimes(z, zStart, n_m, n_t, kappa, factor) : 0;
  let best = largestPhase(z, zStart + start, n_t, n_m, phases);
  for (let t = 0; t < n_t; t++) {
    if (t === start || (bounded && bound_t[t] < best)) continue;
    best = Math.max(best, largestPhase(z, zStart + t, n_t, n_m, phases));
  }
  return 0.5 * best;
};
