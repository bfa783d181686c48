/** Definitions of the kernels in c/distance.c. */
import type { Kernels } from "./table.ts";

const weightX = new Float64Array(6);
const weightY = new Float64Array(6);

/** The six quintic B-splines that are not zero at a place t in [0, 1) of a grid cell, times 120. */
function splineWeights(t: number, weight: Float64Array): void {
  const u = 1 - t;
  const t2 = t * t;
  const t5 = t2 * t2 * t;
  weight[0] = u * u * u * u * u;
  weight[1] = 26 + t * (-50 + t * (20 + t * (20 + t * (-20 + t * 5))));
  weight[2] = 66 + t2 * (-60 + t2 * (30 - 10 * t));
  weight[3] = 26 + t * (50 + t * (20 + t * (-20 + t * (-20 + t * 10))));
  weight[4] = 1 + t * (5 + t * (10 + t * (10 + t * (5 - t * 5))));
  weight[5] = t5;
}

/** The coordinates x, y of the table are those of src/gw/distance.ts. */
export const distanceMarginal: Kernels["distanceMarginal"] = (lnl_j, dh_j, hh_j, n, coefficients, header) => {
  const [n_x, n_y, xFirst, yFirst, dMax, xStep, yStep, stretch, lead, soft, zMid, reach, slope, margin] =
    header;
  const ramp = (s: number) => 0.5 * (s + lead + Math.sqrt((s + lead) * (s + lead) + soft * soft));
  let n_outside = 0;
  for (let j = 0; j < n; j++) {
    const norm = Math.sqrt(hh_j[j]);
    const z = dh_j[j] / norm;
    const a = norm / dMax;
    const q = z - zMid;
    const x = (Math.log(a) + stretch * (ramp(a - z) - ramp(-z)) - xFirst) / xStep;
    const y = (q / Math.sqrt(reach * reach + q * q) + slope * q - yFirst) / yStep;
    const column = Math.floor(x);
    const row = Math.floor(y);
    if (!(column >= margin && column < n_x - margin && row >= margin && row < n_y - margin)) {
      lnl_j[j] = Number.NaN;
      n_outside++;
      continue;
    }
    splineWeights(x - column, weightX);
    splineWeights(y - row, weightY);
    let sum = 0;
    let start = (row - 2) * n_x + column - 2;
    for (let r = 0; r < 6; r++) {
      let line = 0;
      for (let k = 0; k < 6; k++) line += weightX[k] * coefficients[start + k];
      sum += weightY[r] * line;
      start += n_x;
    }
    lnl_j[j] = sum / 14400 + 0.5 * z * z;
  }
  return n_outside;
};

interface RampConstants {
  readonly stretch: number;
  readonly lead: number;
  readonly soft: number;
}

/** ln a of an x at one z, by Newton's method from a nearby ln a. */
export function logAOf(
  x: number,
  z: number,
  rampAtZero: number,
  nearby: number,
  { stretch, lead, soft }: RampConstants,
): number {
  let logA = nearby;
  for (let iteration = 0; iteration < 50; iteration++) {
    const a = Math.exp(logA);
    const s = a - z + lead;
    const root = Math.sqrt(s * s + soft * soft);
    const excess = logA + stretch * (0.5 * (s + root) - rampAtZero) - x;
    const step = excess / (1 + 0.5 * stretch * (1 + s / root) * a);
    logA -= step;
    if (Math.abs(step) < 1e-6) break;
  }
  return logA;
}

export const distanceRows: Kernels["distanceRows"] = (
  ...[values_yx, z_y, logA_y, shape_y, header, node, weight, n_node, n_y, n_x]
) => {
  const [, , xFirst, , , xStep, , stretch, lead, soft] = header;
  const constants = { stretch, lead, soft };
  for (let y = 0; y < n_y; y++) {
    const z = z_y[y];
    const s = lead - z;
    const rampAtZero = 0.5 * (s + Math.sqrt(s * s + soft * soft));
    let logA = logA_y[y];
    let a = Math.exp(logA);
    let stepBefore = 0;
    let shape = shape_y[y];
    let integral = Math.exp(shape - 3 * logA) / 3;
    values_yx[y * n_x + n_x - 1] = shape;
    for (let k = n_x - 2; k >= 0; k--) {
      const next = logAOf(xFirst + k * xStep, z, rampAtZero, logA + stepBefore, constants);
      const aNext = Math.exp(next);
      const [middle, half] = [0.5 * (aNext + a), 0.5 * (a - aNext)];
      let sum = 0;
      for (let j = 0; j < n_node; j++) {
        const v = middle + half * node[j];
        const v2 = v * v;
        sum += (weight[j] * Math.exp(-0.5 * (v - z) * (v - z))) / (v2 * v2);
      }
      integral += half * sum;
      stepBefore = next - logA;
      logA = next;
      a = aNext;
      shape = Math.log(3 * integral) + 3 * logA;
      values_yx[y * n_x + k] = shape;
    }
  }
};

/** Taylor coefficients of 1 / (1 + t / 4 + t^2 / 120), the inverse of a quintic B-spline's values, t the second difference. */
const INVERSE_FILTER = [-1 / 4, 13 / 240, -11 / 960, 139 / 57600];

/** Quasi-interpolation: node values to coefficients along one axis. */
export const splineFilter: Kernels["splineFilter"] = (out_yx, values_yx, line, n_y, n_x, alongX) => {
  out_yx.set(values_yx);
  const [n, stride, n_line, lineStride] = alongX ? [n_x, 1, n_y, n_x] : [n_y, n_x, n_x, 1];
  for (let j = 0; j < n_line; j++) {
    const start = j * lineStride;
    for (let k = 0; k < n; k++) line[k] = values_yx[start + k * stride];
    for (const weight of INVERSE_FILTER) {
      let before = line[0];
      for (let k = 1; k < n - 1; k++) {
        const here = line[k];
        line[k] = before - 2 * here + line[k + 1];
        before = here;
        out_yx[start + k * stride] += weight * line[k];
      }
      line[0] = 0;
      line[n - 1] = 0;
    }
  }
};
