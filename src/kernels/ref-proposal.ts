/** Definitions of the kernels in c/proposal.c. */
import type { ExtrinsicKernels } from "./extrinsic-table.ts";

export const convolve: ExtrinsicKernels["convolve"] = (
  ...[out_t, _padded, w_s, kernel_k, n_t, n_s, n_k, centre]
) => {
  out_t.fill(0, 0, n_t);
  for (let s = 0; s < n_s; s++) {
    const w = w_s[s];
    if (w === 0) continue;
    const end = Math.min(n_t, n_k + s - centre);
    for (let t = Math.max(0, s - centre); t < end; t++) out_t[t] += w * kernel_k[t - s + centre];
  }
};

export const delayPrior: ExtrinsicKernels["delayPrior"] = (
  ...[prior_k, _scratch, detectable, weight_k, max1, max2, reach, to1, to2, by1, by2]
) => {
  prior_k.fill(0, 0, 2 * reach + 1);
  let cell = 0;
  for (let delay1 = -max1; delay1 <= max1; delay1++)
    for (let delay2 = -max2; delay2 <= max2; delay2++, cell++)
      prior_k[to1 * delay1 + to2 * delay2 + reach] +=
        detectable[cell] * weight_k[by1 * delay1 + by2 * delay2 + reach];
};

/** einsum of products: 'q, prod_d cd[bin_dq] -> q' summed over c. */
export const proposalDensity: ExtrinsicKernels["proposalDensity"] = (
  ...[density_q, bin_dq, lnl_q, prob_cdt, threshold_c, scale, ld, n_q, n_c, n_d, n_t]
) => {
  for (let c = 0; c < n_c; c++) {
    for (let q = 0; q < n_q; q++) {
      if (!(lnl_q[q] > threshold_c[c])) continue;
      let probability = scale;
      for (let d = 0; d < n_d; d++) probability *= prob_cdt[(c * n_d + d) * n_t + bin_dq[d * ld + q]];
      density_q[q] += probability;
    }
  }
};

export const byTime: ExtrinsicKernels["byTime"] = (dh_dtx, z_rct, n_d, n_m, n_h, n_hp, n_x) => {
  dh_dtx.fill(0);
  const n_t = 2 * n_h;
  for (let d = 0; d < n_d; d++)
    for (let m = 0; m < n_m; m++)
      for (let p = 0; p < 2; p++) {
        const z = ((d * n_m + m) * 2 + p) * 4 * n_hp;
        for (let h = 0; h < n_h; h++) {
          const later = ((d * n_t + n_h + h) * 2 + p) * n_x + 2 * m;
          const earlier = ((d * n_t + n_h - 1 - h) * 2 + p) * n_x + 2 * m;
          dh_dtx[later] = z_rct[z + h];
          dh_dtx[later + 1] = z_rct[z + 2 * n_hp + h];
          dh_dtx[earlier] = z_rct[z + n_hp + h];
          dh_dtx[earlier + 1] = z_rct[z + 3 * n_hp + h];
        }
      }
};

export const incoherentChi2: ExtrinsicKernels["incoherentChi2"] = (chi2_dt, dh_dtx, hh_d, n_d, n_t, n_x) => {
  for (let dt = 0; dt < n_d * n_t; dt++) {
    const at = dt * 2 * n_x;
    let sum = 0;
    for (let x = at; x < at + 2 * n_x; x += 2)
      sum += Math.sqrt(dh_dtx[x] * dh_dtx[x] + dh_dtx[x + 1] * dh_dtx[x + 1]);
    chi2_dt[dt] = (sum * sum) / hh_d[Math.floor(dt / n_t)];
  }
};
