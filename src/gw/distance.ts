/**
 * Likelihood marginalized over luminosity distance, prior 4 pi d^2 up to d_max divided by the volume within d_max.
 *
 * With dh = <d|h>, hh = <h|h> at 1 Mpc, s = sqrt(hh), z = dh / s and v = s / d, the integral has two parameters, z and
 * a = s / d_max:
 *
 *   L = exp(z^2 / 2) 3 a^3 J(a, z),     J(a, z) = integral from a to infinity of v^-4 exp(-(v - z)^2 / 2) dv.
 *
 * `buildDistanceTable` tabulates F = ln(3 a^3 J) on a uniform grid of (x, y) as coefficients of a tensor quintic B-spline,
 *
 *   x = ln a + STRETCH (R(a - z) - R(-z)),   R(s) = (s + LEAD + sqrt((s + LEAD)^2 + SOFT^2)) / 2,
 *   y = q / sqrt(REACH^2 + q^2) + SLOPE q,   q = z - Z_MID.
 *
 * x resolves the edge of the prior, a = z + O(1), at every z (R is a smooth ramp that starts before it); y is fine at
 * z = 5 to 9, where far sources (lnL near 0) and the likelihood's peak compete, and coarse above.
 * With these constants |error| of lnL is below 1e-8 (2e-8 for z above 60) for overlaps z of -6 to 100, sqrt(hh) above 0.75 (at 1 Mpc, for the
 * default d_max) and a - z < 10; outside that range `lnLikeMarginalized` integrates instead of interpolating.
 */

import { distanceMarginal, distanceRows, logAOf, splineFilter } from "../kernels/ref-distance.ts";
import type { Kernels } from "../kernels/table.ts";

export const D_LUMINOSITY_MAX = 15000;

/** Tabulated range: sqrt(hh) / d_max from SMALLEST_A up to at least TOP_SIGMA above the overlap; overlaps. */
const SMALLEST_A = 5e-5;
const TOP_SIGMA = 10;
const Z_RANGE = [-6, 100] as const;
const X_STEP = 0.082;
const Y_STEP = 0.0036;
const STRETCH = 0.5;
const LEAD = 12;
const SOFT = 10;
const Z_MID = 7.5;
const REACH = 8;
const SLOPE = 0.0015;
/** Nodes beyond the range on every side: 4 are lost to the filter, 3 are reached by the splines. */
const MARGIN = 8;

export type DistanceTable = {
  /** (n_y, n_x) B-spline coefficients. */
  coefficients: Float64Array;
  n_x: number;
  n_y: number;
  /** Coordinates of coefficient (0, 0). */
  xFirst: number;
  yFirst: number;
  /** Mpc. */
  dMax: number;
};

/**
 * All that a kernel needs beside the coefficients, in this order: n_x, n_y, xFirst, yFirst, dMax, X_STEP, Y_STEP, STRETCH,
 * LEAD, SOFT, Z_MID, REACH, SLOPE, MARGIN (rows nearer than MARGIN cells to the table's rim are to be integrated instead).
 */
export function distanceTableHeader(table: DistanceTable): Float64Array {
  const { n_x, n_y, xFirst, yFirst, dMax } = table;
  return Float64Array.of(
    ...[n_x, n_y, xFirst, yFirst, dMax, X_STEP, Y_STEP],
    ...[STRETCH, LEAD, SOFT, Z_MID, REACH, SLOPE, MARGIN],
  );
}

type Rule = { node: Float64Array; weight: Float64Array };

/** Gauss-Legendre nodes and weights on [-1, 1], by Newton's method on the Legendre polynomial. */
function gaussLegendre(n: number): Rule {
  const node = new Float64Array(n);
  const weight = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    let x = -Math.cos((Math.PI * (j + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let iteration = 0; iteration < 8; iteration++) {
      let previous = 1;
      let value = x;
      for (let k = 2; k <= n; k++)
        [previous, value] = [value, ((2 * k - 1) * x * value - (k - 1) * previous) / k];
      slope = (n * (x * value - previous)) / (x * x - 1);
      x -= value / slope;
    }
    node[j] = x;
    weight[j] = 2 / ((1 - x * x) * slope * slope);
  }
  return { node, weight };
}

/** Logarithm below the largest integrand at which a panel no longer counts. */
const NEGLIGIBLE = 60;
const PANEL = gaussLegendre(16);
const CELL = gaussLegendre(5);

/** Integral of v^-4 exp(-(v - z)^2 / 2 + shift) over [low, high]. */
function integrate(rule: Rule, low: number, high: number, z: number, shift: number): number {
  const middle = 0.5 * (low + high);
  const half = 0.5 * (high - low);
  let sum = 0;
  for (let j = 0; j < rule.node.length; j++) {
    const v = middle + half * rule.node[j];
    const v2 = v * v;
    sum += (rule.weight[j] * Math.exp(shift - 0.5 * (v - z) * (v - z))) / (v2 * v2);
  }
  return half * sum;
}

function logIntegrand(v: number, z: number): number {
  return -4 * Math.log(v) - 0.5 * (v - z) * (v - z);
}

/** Panels of the exact quadrature from v = a upwards: edges and integrals times exp(shift), negligible ones left out. */
function panels(a: number, z: number): { edges: [number, number][]; parts: number[]; shift: number } {
  const excess = Math.max(a - z, 0);
  const top = z + Math.sqrt(excess * excess + 90);
  const width = Math.min(1, (top - a) / 8);
  const peak = 0.5 * (z + Math.sqrt(Math.max(z * z - 16, 0)));
  const largest = Math.max(logIntegrand(a, z), peak > a ? logIntegrand(peak, z) : Number.NEGATIVE_INFINITY);
  const edges: [number, number][] = [];
  const parts: number[] = [];
  // At such a z nothing but the peak matters, however small a is; panels from a on could be too many to count.
  let low = z > 100 ? Math.max(a, z - 50) : a;
  while (low < top) {
    const high = Math.min(3 * low, low + width, top);
    if (Math.max(logIntegrand(low, z), logIntegrand(high, z)) > largest - NEGLIGIBLE) {
      edges.push([low, high]);
      parts.push(integrate(PANEL, low, high, z, -largest));
    }
    low = high;
  }
  return { edges, parts, shift: -largest };
}

/** F = ln(3 a^3 J(a, z)) by quadrature, to about 1e-13. */
export function logEvidenceShape(a: number, z: number): number {
  const { parts, shift } = panels(a, z);
  let sum = 0;
  for (let j = parts.length - 1; j >= 0; j--) sum += parts[j];
  return Math.log(3 * sum) + 3 * Math.log(a) - shift;
}

function ramp(s: number): number {
  return 0.5 * (s + LEAD + Math.sqrt((s + LEAD) * (s + LEAD) + SOFT * SOFT));
}

function xOf(a: number, z: number): number {
  return Math.log(a) + STRETCH * (ramp(a - z) - ramp(-z));
}

function yOf(z: number): number {
  const q = z - Z_MID;
  return q / Math.sqrt(REACH * REACH + q * q) + SLOPE * q;
}

/** The z of a y, by Newton's method from a nearby z. */
function zOf(y: number, nearby: number): number {
  let z = nearby;
  for (let iteration = 0; iteration < 50; iteration++) {
    const q = z - Z_MID;
    const root = Math.sqrt(REACH * REACH + q * q);
    const step = (yOf(z) - y) / ((REACH * REACH) / (root * root * root) + SLOPE);
    z -= step;
    if (Math.abs(step) < 1e-12) break;
  }
  return z;
}

/**
 * The table for one d_max (Mpc): about 190,000 coefficients.
 * Along each z the integral grows panel by panel from large to small a, so a node costs one 5-point panel.
 */
export function buildDistanceTable(
  dMax = D_LUMINOSITY_MAX,
  kernels: Pick<Kernels, "distanceRows" | "splineFilter"> = { distanceRows, splineFilter },
): DistanceTable {
  const yFirst = yOf(Z_RANGE[0]) - MARGIN * Y_STEP;
  const n_y = Math.ceil((yOf(Z_RANGE[1]) - yFirst) / Y_STEP) + MARGIN + 1;
  const z_y = new Float64Array(n_y);
  let xTop = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < n_y; j++) {
    z_y[j] = zOf(yFirst + j * Y_STEP, j === 0 ? Z_RANGE[0] : z_y[j - 1]);
    xTop = Math.max(xTop, xOf(Math.max(z_y[j], 0) + TOP_SIGMA, z_y[j]));
  }
  const xFirst = Math.log(SMALLEST_A) - MARGIN * X_STEP;
  const n_x = Math.ceil((xTop - xFirst) / X_STEP) + MARGIN + 1;
  const table = { coefficients: new Float64Array(n_y * n_x), n_x, n_y, xFirst, yFirst, dMax };
  const logA_y = z_y.map((z) => logAtTop(xFirst + (n_x - 1) * X_STEP, z));
  const shape_y = z_y.map((z, j) => logEvidenceShape(Math.exp(logA_y[j]), z));
  const [values, scratch] = [new Float64Array(n_y * n_x), new Float64Array(8 * n_y + 2 * n_x)];
  const { node, weight } = CELL;
  const header = distanceTableHeader(table);
  kernels.distanceRows(values, z_y, logA_y, shape_y, header, node, weight, node.length, n_y, n_x);
  const filtered = new Float64Array(n_y * n_x);
  kernels.splineFilter(filtered, values, scratch, n_y, n_x, true);
  kernels.splineFilter(table.coefficients, filtered, scratch, n_y, n_x, false);
  return table;
}

/** ln a of the largest x of a row. */
function logAtTop(x: number, z: number): number {
  const constants = { stretch: STRETCH, lead: LEAD, soft: SOFT };
  return logAOf(x, z, ramp(-z), Math.log(Math.max(z, 0) + TOP_SIGMA), constants);
}

/**
 * lnL marginalized over distance. Rows outside the table are integrated (slow, about 10 us).
 * @param dh_j,hh_j inner products <d|h>, <h|h> at 1 Mpc @param out_j written @param n rows
 * @param spline the kernel that evaluates the table
 * A row with hh not positive or not finite gives NaN.
 */
export function lnLikeMarginalized(
  table: DistanceTable,
  dh_j: Float64Array,
  hh_j: Float64Array,
  out_j: Float64Array,
  n: number,
  spline: Kernels["distanceMarginal"] = distanceMarginal,
): void {
  if (spline(out_j, dh_j, hh_j, n, table.coefficients, distanceTableHeader(table)) === 0) return;
  for (let j = 0; j < n; j++)
    if (Number.isNaN(out_j[j])) out_j[j] = lnLikeIntegrated(dh_j[j], hh_j[j], table.dMax);
}

/** lnL marginalized over distance up to dMax (Mpc), by quadrature: the definition of `lnLikeMarginalized`. */
export function lnLikeIntegrated(dh: number, hh: number, dMax = D_LUMINOSITY_MAX): number {
  const norm = Math.sqrt(hh);
  const z = dh / norm;
  if (!(norm > 0 && norm < Number.POSITIVE_INFINITY && Number.isFinite(z))) return Number.NaN;
  return logEvidenceShape(norm / dMax, z) + 0.5 * z * z;
}

/**
 * The distance (Mpc) below which a share u of the conditional posterior lies,
 * p(d) proportional to d^2 exp(-(sqrt(hh) / d - dh / sqrt(hh))^2 / 2) on (0, dMax]; NaN if hh is not positive.
 * @param u in [0, 1) @param dh,hh inner products at 1 Mpc
 */
export function sampleDistance(u: number, dh: number, hh: number, dMax = D_LUMINOSITY_MAX): number {
  const norm = Math.sqrt(hh);
  const z = dh / norm;
  if (!(norm > 0 && norm < Number.POSITIVE_INFINITY && Number.isFinite(z))) return Number.NaN;
  const { edges, parts, shift } = panels(norm / dMax, z);
  let total = 0;
  for (let j = parts.length - 1; j >= 0; j--) total += parts[j];
  let wanted = u * total;
  let j = parts.length - 1;
  for (; j > 0 && wanted > parts[j]; j--) wanted -= parts[j];
  return Math.min(norm / solvePanel(edges[j], parts[j], wanted, z, shift), dMax);
}

/** The v in a panel with the integral `wanted` between v and its upper edge: Newton's method kept inside by bisection. */
function solvePanel(edge: [number, number], part: number, wanted: number, z: number, shift: number): number {
  let [low, high] = edge;
  const top = high;
  let v = high - (high - low) * Math.min(wanted / part, 1);
  for (let iteration = 0; iteration < 60; iteration++) {
    const excess = integrate(PANEL, v, top, z, shift) - wanted;
    if (excess > 0) low = v;
    else high = v;
    const newton = v + excess / Math.exp(logIntegrand(v, z) + shift);
    const next = newton > low && newton < high ? newton : 0.5 * (low + high);
    if (Math.abs(next - v) < 1e-14 * v) break;
    v = next;
  }
  return v;
}
