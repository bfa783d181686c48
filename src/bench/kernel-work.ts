/** What a call of a kernel has to do at least: additions and multiplications, and bytes that come and go. */
import { mayPass } from "../kernels/ref-coherent.ts";
import { type Kernels, loadKernels } from "../kernels/table.ts";
import type { KernelCalls, KernelName } from "./recorded-calls.ts";

export interface Work {
  /** Padding included; NaN where bounds decide. */
  readonly flops: number;
  /** Each array that the call reads or writes, once. */
  readonly bytes: number;
}

/** Of all calls; NaN for kernels of other stages. */
export function workOf({ label, kernel, calls }: KernelCalls): Work {
  const counter = (COUNTERS as Partial<Record<KernelName, (...args: readonly unknown[]) => Work>>)[kernel];
  if (counter === undefined) return { flops: Number.NaN, bytes: Number.NaN };
  const each = calls.map((args) => counter(...args));
  const pruned = label === "incoherentMax";
  return {
    flops: pruned ? Number.NaN : each.reduce((sum, { flops }) => sum + flops, 0),
    bytes: each.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

type Counter<K extends KernelName> = (...args: Parameters<Kernels[K]>) => Work;

/** Reduction of the angle, two polynomials, and the products with the amplitude. */
const SINCOS_FLOPS = 40;
/** A term of <h|h> at one bin: the product of two waveforms, then for each detector; by kind. */
const PRODUCT_FLOPS = [3, 6, 6];
const WEIGHT_FLOPS = [2, 4, 8];

const COUNTERS = {
  waveform: ((_h, _a, _p, _start, _stride, _f, _dt, n_mp, n_b, n_bp) => ({
    flops: n_mp * n_bp * SINCOS_FLOPS,
    bytes: 8 * n_mp * 2 * (n_b + n_bp),
  })) as Counter<"waveform">,
  align: ((_a, _p, _start, _f, _ref, _fit, _fMiddle, n_b) => ({
    flops: 17 * n_b,
    bytes: 8 * 5 * n_b,
  })) as Counter<"align">,
  weighted: ((_g, _w, _h, n_d, n_mp, n_bp) => ({
    flops: 6 * n_d * n_mp * n_bp,
    bytes: 8 * (2 * n_d + 1) * n_mp * 2 * n_bp,
  })) as Counter<"weighted">,
  modeProducts: ((_hh, _h, _w, terms, _size, _n_g, n_s, n_d, n_mp, n_bp) => {
    let flops = 0;
    for (let t = 2; t < terms.length; t += 3) {
      flops += n_s * n_bp * (PRODUCT_FLOPS[terms[t]] + n_d * WEIGHT_FLOPS[terms[t]]);
    }
    return { flops, bytes: 8 * 2 * n_bp * ((terms.length / 3) * n_d + n_s * n_mp) };
  }) as Counter<"modeProducts">,
  project: ((_y, _ldy, _a, _start, _lda, _q, n_r, n_b, n_k) => ({
    flops: 2 * n_r * n_b * n_k,
    bytes: 8 * (n_r * n_b + n_b * n_k + n_r * n_k),
  })) as Counter<"project">,
  expandGrid: ((_z, _y, _ldy, _ec, _es, _cos, _sin, n_r, rc, rs, n_h, first) => ({
    flops: n_r * n_h * (4 * (rc + rs) + 20),
    bytes: 8 * ((rc + rs) * (2 * n_r + n_h) + n_r * 4 * n_h * (first ? 1 : 2)),
  })) as Counter<"expandGrid">,
  weightedSingle: ((_g, _w, _h, n_d, n_mp, n_bp) => ({
    flops: 6 * n_d * n_mp * n_bp,
    bytes: (4 * n_d + 8 * (n_d + 1)) * n_mp * 2 * n_bp,
  })) as Counter<"weightedSingle">,
  projectSingle: ((_y, _ldy, _a, _start, _lda, _q, n_r, n_b, n_k) => ({
    flops: 2 * n_r * n_b * n_k,
    bytes: 4 * (n_r * n_b + n_b * n_k + n_r * n_k),
  })) as Counter<"projectSingle">,
  expandGridSingle: ((_z, _y, _ldy, _ec, _es, _cos, _sin, n_r, rc, rs, n_h, first) => ({
    flops: n_r * n_h * (4 * (rc + rs) + 20),
    bytes: 4 * ((rc + rs) * (2 * n_r + n_h) + n_r * 4 * n_h * (first ? 1 : 2)),
  })) as Counter<"expandGridSingle">,
  widen: ((_out, _x, n) => ({ flops: 0, bytes: 12 * n })) as Counter<"widen">,
  expandSet: ((_dh, _a, _start, _x, _cos, _sin, n_m, n_k, n_e, first) => ({
    flops: n_m * n_e * (4 * n_k + 8),
    bytes: 8 * (n_k * (2 * n_m + n_e) + 2 * n_m * n_e * (first ? 1 : 2)),
  })) as Counter<"expandSet">,
  /** H and its inverse at each phase, the bound of each time, and every time at every phase. */
  incoherentMax: ((_z, _zStart, _hh, _hhStart, { n_k, n_op }, n_m, n_t) => ({
    flops: n_op * (16 * n_k + 40) + n_t * (n_m * 30 + 4) + n_t * n_op * (8 * n_m + 8),
    bytes: 8 * n_m * 4 * n_t,
  })) as Counter<"incoherentMax">,
  /** <h|h> and the bound of each extrinsic sample, and every phase of those that the bound lets pass. */
  coherentTile: ((...args) => {
    const [, hh, dh, , , { n_k, n_op }, n_m, n_d, n_e, n_valid, threshold] = args;
    loadKernels("auto").coherentTile(...args);
    let n_pass = 0;
    for (let e = 0; e < n_valid; e++) {
      if (threshold <= 0 || mayPass(hh, dh, e, n_m, n_k, n_e, threshold)) n_pass++;
    }
    const n_c = 1 + 2 * n_k;
    return {
      flops: n_e * (6 * n_d * n_c + 5 * (n_m + n_k)) + n_pass * n_op * (4 * (n_m + n_k) + 4),
      bytes: 8 * n_e * (2 * n_m + 3 * n_d + n_c),
    };
  }) as Counter<"coherentTile">,
};
