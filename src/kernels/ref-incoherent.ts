/** Twins of c/incoherent.c: layouts in `table.ts`. */
import type { Kernels, PhaseTables } from "./table.ts";

/** Component c = 2 p + P of H at phase o. */
function hComponent(
  hh: Float64Array,
  from: number,
  equal: number,
  c: number,
  phases: PhaseTables,
  o: number,
) {
  let sum = equal;
  for (let k = 0; k < phases.n_k; k++) {
    const at = from + 2 * (3 + 4 * k + c);
    sum += hh[at] * phases.cosK_ko[k * phases.n_op + o] + hh[at + 1] * phases.sinK_ko[k * phases.n_op + o];
  }
  return sum;
}

export const incoherentMax: Kernels["incoherentMax"] = (z, zStart, hh, from, phases, n_m, n_t, symmetric) => {
  const { n_o, n_op, cosM_mo, sinM_mo } = phases;
  const [h00, h11, h01] = [hh[from], hh[from + 2], hh[from + 4]];
  if (!(h00 > 0 && h11 > 0 && h00 < Infinity && h11 < Infinity)) return Number.NaN;
  let best = 0;
  for (let o = 0; o < n_o; o++) {
    const a = hComponent(hh, from, h00, 0, phases, o);
    let b = hComponent(hh, from, h01, 1, phases, o);
    let c = hComponent(hh, from, h01, 2, phases, o);
    const e = hComponent(hh, from, h11, 3, phases, o);
    if (symmetric) b = c = 0.5 * (b + c);
    const scale = 1 / (a * e - b * c);
    for (let t = 0; t < n_t; t++) {
      let d0 = 0;
      let d1 = 0;
      for (let m = 0; m < n_m; m++) {
        const at = zStart + m * 4 * n_t + t;
        const [cos, sin] = [cosM_mo[m * n_op + o], sinM_mo[m * n_op + o]];
        d0 += z[at] * cos + z[at + n_t] * sin;
        d1 += z[at + 2 * n_t] * cos + z[at + 3 * n_t] * sin;
      }
      const lnl = 0.5 * scale * (e * d0 * d0 - (b + c) * d0 * d1 + a * d1 * d1);
      if (lnl > best) best = lnl;
    }
  }
  return best;
};
