/**
 * The definition of every kernel, in plain loops over Float64Arrays, and the fallback where no native code runs.
 * Arguments and layouts: `table.ts`.
 */
import type { Kernels, PhaseTables, TileRows } from "./table.ts";

const TWO_PI = 2 * Math.PI;

/** Math.rint: halves go to the even neighbour, as C's rint. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** einsum: 'mpb, mpb -> mpcb', A exp(i (phase + 2 pi f dt)). */
const waveform: Kernels["waveform"] = (h, amplitude, phase, start, stride, f_b, dt, n_mp, n_b, n_bp) => {
  const omega = TWO_PI * dt;
  for (let row = 0; row < n_mp; row++) {
    const from = start + row * stride;
    const re = row * 2 * n_bp;
    const im = re + n_bp;
    for (let b = 0; b < n_b; b++) {
      const angle = phase[from + b] + omega * f_b[b];
      h[re + b] = amplitude[from + b] * Math.cos(angle);
      h[im + b] = amplitude[from + b] * Math.sin(angle);
    }
    h.fill(0, re + n_b, im);
    h.fill(0, im + n_b, im + n_bp);
  }
};

const align: Kernels["align"] = (amplitude, phase, start, f_b, refPhase_b, fitWeight_b, fMiddle, n_b) => {
  let turns = 0;
  let before = 0;
  let [w0, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0];
  for (let b = 0; b < n_b; b++) {
    const angle = phase[start + b] - refPhase_b[b];
    if (b > 0) turns += roundHalfEven((angle - before) / TWO_PI);
    before = angle;
    const w = fitWeight_b[b] * amplitude[start + b];
    const x = f_b[b] - fMiddle;
    const y = angle - TWO_PI * turns;
    w0 += w;
    wx += w * x;
    wy += w * y;
    wxx += w * x * x;
    wxy += w * x * y;
  }
  return -(w0 * wxy - wx * wy) / (w0 * wxx - wx * wx) / TWO_PI;
};

/** einsum: 'dmpb, mpb -> dmpb' with h conjugated. */
const weighted: Kernels["weighted"] = (g, w, h, n_d, n_mp, n_bp) => {
  for (let d = 0; d < n_d; d++) {
    for (let row = 0; row < n_mp; row++) {
      const re = (d * n_mp + row) * 2 * n_bp;
      const im = re + n_bp;
      const x = row * 2 * n_bp;
      const y = x + n_bp;
      for (let b = 0; b < n_bp; b++) {
        g[re + b] = w[re + b] * h[x + b] + w[im + b] * h[y + b];
        g[im + b] = w[im + b] * h[x + b] - w[re + b] * h[y + b];
      }
    }
  }
};

/** einsum: 'dMpPb, smpb, sMPb -> sdg', the pairs of modes grouped by m' - m. */
const modeProducts: Kernels["modeProducts"] = (hh, h, w, terms, groupSize_g, n_g, n_s, n_d, n_mp, n_bp) => {
  for (let s = 0; s < n_s; s++) {
    const sample = s * n_mp * 2 * n_bp;
    let term = 0;
    for (let g = 0; g < n_g; g++) {
      for (let d = 0; d < n_d; d++) {
        const out = ((s * n_d + d) * n_g + g) * 2;
        hh[out] = hh[out + 1] = 0;
      }
      for (let n = 0; n < groupSize_g[g]; n++, term++) {
        const a = sample + terms[3 * term] * 2 * n_bp;
        const b = sample + terms[3 * term + 1] * 2 * n_bp;
        for (let d = 0; d < n_d; d++) {
          const wr = (term * n_d + d) * 2 * n_bp;
          const wi = wr + n_bp;
          let re = 0;
          let im = 0;
          for (let j = 0; j < n_bp; j++) {
            const xr = h[a + j] * h[b + j] + h[a + n_bp + j] * h[b + n_bp + j];
            const xi = h[a + n_bp + j] * h[b + j] - h[a + j] * h[b + n_bp + j];
            re += w[wr + j] * xr - w[wi + j] * xi;
            im += w[wr + j] * xi + w[wi + j] * xr;
          }
          const out = ((s * n_d + d) * n_g + g) * 2;
          hh[out] += re;
          if (terms[3 * term + 2] === 2) hh[out + 1] += im;
        }
      }
    }
  }
};

/** einsum: 'rb, bk -> rk'. */
const project: Kernels["project"] = (y, ldy, a, start, lda, q, n_r, n_b, n_k) => {
  for (let r = 0; r < n_r; r++) {
    const out = r * ldy;
    y.fill(0, out, out + n_k);
    for (let b = 0; b < n_b; b++) {
      const s = a[start + r * lda + b];
      const row = b * n_k;
      for (let k = 0; k < n_k; k++) y[out + k] += s * q[row + k];
    }
  }
};

const expandGrid: Kernels["expandGrid"] = (z, y, ldy, ec, es, cosFc, sinFc, n_r, rc, rs, n_h, first) => {
  for (let r = 0; r < n_r; r++) {
    const re = 2 * r * ldy;
    const im = re + ldy;
    const out = r * 4 * n_h;
    if (first) z.fill(0, out, out + 4 * n_h);
    for (let h = 0; h < n_h; h++) {
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let k = 0; k < rc; k++) {
        a += y[re + k] * ec[k * n_h + h];
        b += y[im + k] * ec[k * n_h + h];
      }
      for (let k = 0; k < rs; k++) {
        c += y[re + rc + k] * es[k * n_h + h];
        d += y[im + rc + k] * es[k * n_h + h];
      }
      const [cos, sin] = [cosFc[h], sinFc[h]];
      z[out + h] += (a - d) * cos - (b + c) * sin;
      z[out + n_h + h] += (a + d) * cos + (b - c) * sin;
      z[out + 2 * n_h + h] += (b + c) * cos + (a - d) * sin;
      z[out + 3 * n_h + h] += (b - c) * cos - (a + d) * sin;
    }
  }
};

const expandSet: Kernels["expandSet"] = (dh, y, start, ldy, x, cosFc, sinFc, n_m, rc, rs, n_e, first) => {
  const rank = rc + rs;
  for (let m = 0; m < n_m; m++) {
    const out = m * 2 * n_e;
    if (first) dh.fill(0, out, out + 2 * n_e);
    for (let e = 0; e < n_e; e++) {
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let p = 0; p < 2; p++) {
        const re = start + (m * 2 + p) * 2 * ldy;
        const im = re + ldy;
        for (let k = 0; k < rc; k++) {
          const basis = x[(p * rank + k) * n_e + e];
          a += y[re + k] * basis;
          b += y[im + k] * basis;
        }
        for (let k = rc; k < rank; k++) {
          const basis = x[(p * rank + k) * n_e + e];
          c += y[re + k] * basis;
          d += y[im + k] * basis;
        }
      }
      dh[out + e] += (a - d) * cosFc[e] - (b + c) * sinFc[e];
      dh[out + n_e + e] += (b + c) * cosFc[e] + (a - d) * sinFc[e];
    }
  }
};

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

const incoherentMax: Kernels["incoherentMax"] = (z, zStart, hh, from, phases, n_m, n_t, symmetric) => {
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

/** einsum: 'cdx, dxe -> ce'. */
function hhTile(
  hh: Float64Array,
  c_cdx: Float64Array,
  ff: Float64Array,
  n_c: number,
  n_x: number,
  n_e: number,
) {
  hh.fill(0, 0, n_c * n_e);
  for (let c = 0; c < n_c; c++) {
    for (let x = 0; x < n_x; x++) {
      const s = c_cdx[c * n_x + x];
      for (let e = 0; e < n_e; e++) hh[c * n_e + e] += s * ff[x * n_e + e];
    }
  }
}

/** An upper bound over phases of lnL passes the threshold: |dh| <= sum_m |dh_m|, hh >= hh_0 - sum_k |hh_k|. */
function mayPass(
  hh: Float64Array,
  dh: Float64Array,
  e: number,
  n_m: number,
  n_k: number,
  n_e: number,
  thr: number,
) {
  let low = hh[e];
  let sum = 0;
  for (let k = 0; k < n_k; k++) low -= Math.hypot(hh[(1 + 2 * k) * n_e + e], hh[(2 + 2 * k) * n_e + e]);
  for (let m = 0; m < n_m; m++) sum += Math.hypot(dh[2 * m * n_e + e], dh[(2 * m + 1) * n_e + e]);
  return sum * sum * (1 + 1e-9) >= 2 * thr * low;
}

const coherentTile: Kernels["coherentTile"] = (
  ...[rows, hh, dh, c_cdx, ff, phases, n_m, n_d, n_e, n_valid, threshold]
) => {
  const { n_o, n_op, n_k, cosM_mo, sinM_mo, cosK_ko, sinK_ko } = phases;
  hhTile(hh, c_cdx, ff, 1 + 2 * n_k, 3 * n_d, n_e);
  let n_r = 0;
  for (let e = 0; e < n_valid; e++) {
    if (threshold > 0 && !mayPass(hh, dh, e, n_m, n_k, n_e, threshold)) continue;
    for (let o = 0; o < n_o; o++) {
      let d = 0;
      let h = hh[e];
      for (let m = 0; m < n_m; m++) {
        d += dh[2 * m * n_e + e] * cosM_mo[m * n_op + o] + dh[(2 * m + 1) * n_e + e] * sinM_mo[m * n_op + o];
      }
      for (let k = 0; k < n_k; k++) {
        const at = (1 + 2 * k) * n_e + e;
        h += hh[at] * cosK_ko[k * n_op + o] + hh[at + n_e] * sinK_ko[k * n_op + o];
      }
      const lnl = d > 0 ? (0.5 * d * d) / h : 0;
      if (lnl > threshold) n_r = appendRow(rows, n_r, e, o, d, h);
    }
  }
  return n_r;
};

function appendRow(rows: TileRows, n: number, e: number, o: number, dh: number, hh: number): number {
  rows.e[n] = e;
  rows.o[n] = o;
  rows.dh[n] = dh;
  rows.hh[n] = hh;
  return n + 1;
}

export const referenceKernels: Kernels = {
  name: "ref",
  waveform,
  align,
  weighted,
  modeProducts,
  project,
  expandGrid,
  expandSet,
  incoherentMax,
  coherentTile,
};
