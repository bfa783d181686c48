/** Twins of c/noise.c: layouts in `setup-table.ts`. */
import type { SetupKernels } from "./setup-table.ts";

export const powerSums: SetupKernels["powerSums"] = (sums, re_f, im_f, weight_f, f, n_f) => {
  sums.fill(0, 0, 3);
  for (let k = 0; k < n_f; k++) {
    const power = weight_f[k] * (re_f[k] * re_f[k] + im_f[k] * im_f[k]);
    sums[0] += power;
    sums[1] += power * power;
    sums[2] += power * f[k];
  }
};

/** einsum: 'f, f, f -> f' with h conjugated. */
export const matched: SetupKernels["matched"] = (
  z_cf,
  dRe_f,
  dIm_f,
  hRe_f,
  hIm_f,
  weight_f,
  scale,
  stride,
  n_f,
) => {
  for (let k = 0; k < n_f; k++) {
    const w = scale * weight_f[k];
    z_cf[k] = w * (dRe_f[k] * hRe_f[k] + dIm_f[k] * hIm_f[k]);
    z_cf[stride + k] = w * (dIm_f[k] * hRe_f[k] - dRe_f[k] * hIm_f[k]);
  }
};

export const withoutHoles: SetupKernels["withoutHoles"] = (kept, good_j, x_j, limit, maxRun, n) => {
  let n_kept = 0;
  for (let j = 0; j < n; j++) {
    const start = j;
    while (j < n && !(Math.abs(x_j[j]) > limit)) j++;
    const isHole = j - start > maxRun;
    good_j.fill(isHole ? 0 : 1, start, j);
    if (j < n) good_j[j] = 1;
    for (let k = isHole ? j : start; k < Math.min(j + 1, n); k++) kept[n_kept++] = x_j[k];
  }
  return n_kept;
};

/** Sorts `values` in place. */
function median(values: Float64Array): number {
  values.sort();
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

export const medianDeviation: SetupKernels["medianDeviation"] = (x_j, n) => {
  const values = x_j.subarray(0, n);
  const centre = median(values);
  for (let j = 0; j < n; j++) values[j] = Math.abs(values[j] - centre);
  return median(values);
};

export const spread: SetupKernels["spread"] = (good_j, x_j, limit, margin, n) => {
  for (let j = 0; j < n; j++) if (Math.abs(x_j[j]) > limit) good_j[j] = 0;
  // 2: good, but near a bad one.
  let last = -margin - 1;
  for (let j = 0; j < n; j++) {
    if (good_j[j] === 0) last = j;
    else if (j - last <= margin) good_j[j] = 2;
  }
  last = n + margin;
  for (let j = n - 1; j >= 0; j--) {
    if (good_j[j] === 0) last = j;
    else if (last - j <= margin) good_j[j] = 2;
  }
  const kept = x_j.subarray(0, n).filter((_, j) => good_j[j] === 1);
  const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length;
  return Math.sqrt(kept.reduce((sum, value) => sum + (value - mean) ** 2, 0) / kept.length);
};
