/** Definition of the kernel in c/distance.c. */
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
