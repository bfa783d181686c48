/**
 * One list of cases for every implementation of the kernels: random inputs of awkward sizes, laid out as the stages do.
 * A case runs one kernel and returns everything that it wrote.
 */
import { modePairs } from "../src/axes.ts";
import type { Kernels, TileRows } from "../src/kernels/table.ts";
import { type BankBins, type SamplePlan, samplePlan, type WeightSet } from "../src/stages/bank-samples.ts";
import { GridTransform, timeGrid } from "../src/stages/incoherent.ts";
import { phaseTables, roundUp8 } from "../src/stages/phases.ts";

export interface Size {
  readonly n_d: number;
  readonly mArr: readonly number[];
  readonly n_b: number;
  readonly n_phi: number;
  readonly n_t: number;
  readonly n_s: number;
}

/** Bins that fill no whole vector, phases and times odd and even, modes in and out of order. */
export const SIZES: readonly Size[] = [
  { n_d: 1, mArr: [2], n_b: 16, n_phi: 7, n_t: 32, n_s: 1 },
  { n_d: 2, mArr: [2, 1, 3], n_b: 29, n_phi: 50, n_t: 33, n_s: 3 },
  { n_d: 3, mArr: [2, 1, 3, 4], n_b: 43, n_phi: 16, n_t: 64, n_s: 4 },
  { n_d: 3, mArr: [3, 2], n_b: 30, n_phi: 50, n_t: 9, n_s: 5 },
  { n_d: 1, mArr: [4, 2, 3, 1], n_b: 67, n_phi: 7, n_t: 65, n_s: 2 },
];

export function sizeName({ n_d, mArr, n_b, n_phi, n_t, n_s }: Size): string {
  return `n_d ${n_d}, modes ${mArr.join(" ")}, n_b ${n_b}, n_phi ${n_phi}, n_t ${n_t}, n_s ${n_s}`;
}

/** Numbers in (-1, 1), the same in every run (a linear congruential generator). */
export function randomNumbers(n: number, seed: number): Float64Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float64Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 31 - 1;
  });
}

/** An inner product with random weights, for which <h|h> is positive, and random waveforms. */
export interface Model {
  readonly size: Size;
  readonly bins: BankBins;
  readonly set: WeightSet;
  readonly plan: SamplePlan;
  /** Times (s): centre t0 of each detector's grid, spacing, and what the transforms are centred on. */
  readonly t0_d: Float64Array;
  readonly dt: number;
  /** (s, m, p, c, b), bins padded. */
  readonly h_smpcb: Float64Array;
}

export function makeModel(size: Size, seed: number): Model {
  const { n_d, mArr, n_b, n_t } = size;
  const [n_m, n_M] = [mArr.length, modePairs(mArr.length).length];
  const fbin = Float64Array.from({ length: n_b }, (_, b) => 20 * (512 / 20) ** (b / (n_b - 1)));
  const bins: BankBins = { banks: [], mArr, b0: 0, fbin };
  const coherent = {
    dhRe_dmpb: randomNumbers(n_d * n_m * 2 * n_b, seed + 1),
    dhIm_dmpb: randomNumbers(n_d * n_m * 2 * n_b, seed + 2),
    ...hhWeights(n_d, n_m, n_M, n_b, seed + 3),
  };
  const t0_d = Float64Array.from({ length: n_d }, (_, d) => 24.01 + 0.0037 * d);
  const dt = 1 / 1024;
  const { centre } = timeGrid(fbin, dt, n_t);
  const drift_d = [0.98, 1.01, 0.97];
  const norms = Array.from({ length: n_d }, (_, d) => ({ of: coherent, d, drift: drift_d[d] }));
  const set: WeightSet = {
    data: norms.map((norm, d) => ({ ...norm, centre: t0_d[d] + centre })),
    norms,
    alignment: {
      polyfit_b: randomNumbers(n_b, seed + 4).map((x) => 1 + x * x),
      h2plusRe_b: randomNumbers(n_b, seed + 5),
      h2plusIm_b: randomNumbers(n_b, seed + 6),
    },
  };
  const plan = samplePlan(bins, set);
  return { size, bins, set, plan, t0_d, dt, h_smpcb: waveforms(size, plan.n_bp, seed + 7) };
}

/**
 * Weights of <h|h>: a positive real number of each detector and bin, and 5% that differ from pair to pair. Pairs of
 * different modes count twice; the matrix over polarizations of a mode with itself is Hermitian.
 */
function hhWeights(n_d: number, n_m: number, n_M: number, n_b: number, seed: number) {
  const size = n_d * n_M * 4 * n_b;
  const hhRe_dMpPb = new Float64Array(size);
  const hhIm_dMpPb = new Float64Array(size);
  const common = randomNumbers(n_d * n_b, seed).map((x) => 1.2 + x);
  const [re, im] = [randomNumbers(size, seed + 100), randomNumbers(size, seed + 101)];
  const pairs = modePairs(n_m);
  for (let at = 0; at < size; at++) {
    const [b, c, M] = [at % n_b, Math.floor(at / n_b) % 4, Math.floor(at / n_b / 4) % n_M];
    const d = Math.floor(at / n_b / 4 / n_M);
    const [m, m2] = pairs[M];
    const from = m === m2 && c === 2 ? at - n_b : at;
    const sign = m !== m2 || c === 1 ? 1 : c === 2 ? -1 : 0;
    const twice = m === m2 ? 1 : 2;
    hhRe_dMpPb[at] = twice * (common[d * n_b + b] + 0.05 * re[from]);
    hhIm_dMpPb[at] = twice * sign * 0.05 * im[from];
  }
  return { hhRe_dMpPb, hhIm_dMpPb };
}

function waveforms({ mArr, n_b, n_s }: Size, n_bp: number, seed: number): Float64Array {
  const rows = n_s * mArr.length * 2 * 2;
  const values = randomNumbers(rows * n_b, seed);
  const out = new Float64Array(rows * n_bp);
  for (let row = 0; row < rows; row++) out.set(values.subarray(row * n_b, (row + 1) * n_b), row * n_bp);
  return out;
}

/** <h|h> of the model's waveforms by group, and one sample's transforms to its time grids. */
export function productsOf(model: Model, kernels: Kernels, n_s = model.size.n_s): Float64Array {
  const { n_bp, n_m, n_d, products } = model.plan;
  const { w, terms, groupSize_g, n_g } = products;
  const hh_sdgc = new Float64Array(n_s * n_d * n_g * 2);
  kernels.modeProducts(hh_sdgc, model.h_smpcb, w, terms, groupSize_g, n_g, n_s, n_d, 2 * n_m, n_bp);
  return hh_sdgc;
}

export function weightedOf(model: Model, kernels: Kernels): Float64Array {
  const { n_bp, n_m, n_s, w_smpcb } = model.plan;
  const g_smpcb = new Float64Array(w_smpcb.length);
  kernels.weighted(g_smpcb, w_smpcb, model.h_smpcb, n_s, 2 * n_m, n_bp);
  return g_smpcb;
}

export function gridOf(model: Model, kernels: Kernels): { z_rct: Float64Array; n_t: number } {
  const { plan, bins, dt, size } = model;
  const { grid } = timeGrid(bins.fbin, dt, size.n_t);
  const transform = new GridTransform(grid, plan.n_s * 2 * plan.n_m, plan.n_bp, kernels);
  transform.run(weightedOf(model, kernels));
  return { z_rct: transform.z_rct, n_t: 2 * grid.n_h };
}

/** Largest lnL of the first waveform in each detector. */
export function incoherentOf(model: Model, kernels: Kernels, symmetric: boolean): Float64Array {
  const { n_m, n_d, products } = model.plan;
  const phases = phaseTables(model.bins.mArr, model.size.n_phi);
  const hh_gc = productsOf(model, kernels, 1);
  const { z_rct, n_t } = gridOf(model, kernels);
  return Float64Array.from({ length: n_d }, (_, d) => {
    const [zStart, hhStart] = [d * 2 * n_m * 2 * n_t, d * products.n_g * 2];
    return kernels.incoherentMax(z_rct, zStart, hh_gc, hhStart, phases, n_m, n_t, symmetric);
  });
}

/** Inputs of `coherentTile`: <d|h> by mode, responses of random samples, coefficients of one waveform. */
export interface TileInputs {
  readonly dh_mce: Float64Array;
  readonly c_cdx: Float64Array;
  readonly ff_dxe: Float64Array;
  readonly n_e: number;
  readonly n_valid: number;
}

export function randomTile({ n_d, mArr }: Size, n_k: number, n_e: number, seed: number): TileInputs {
  const n_c = 1 + 2 * n_k;
  const c_cdx = randomNumbers(n_c * n_d * 3, seed);
  for (let d = 0; d < n_d; d++) c_cdx.set([15 + d, 0.5, 20 - d], 3 * d);
  const f_dpe = randomNumbers(n_d * 2 * n_e, seed + 1);
  const ff_dxe = new Float64Array(n_d * 3 * n_e);
  for (let d = 0; d < n_d; d++) {
    for (let e = 0; e < n_e; e++) {
      const [plus, cross] = [0.3 + f_dpe[2 * d * n_e + e] / 4, f_dpe[(2 * d + 1) * n_e + e]];
      ff_dxe[3 * d * n_e + e] = plus * plus;
      ff_dxe[(3 * d + 1) * n_e + e] = plus * cross;
      ff_dxe[(3 * d + 2) * n_e + e] = cross * cross;
    }
  }
  return { dh_mce: randomNumbers(mArr.length * 2 * n_e, seed + 2), c_cdx, ff_dxe, n_e, n_valid: n_e - 3 };
}

export type Rows = Record<"e" | "o" | "dh" | "hh", Float64Array>;

export function tileRows(
  { dh_mce, c_cdx, ff_dxe, n_e, n_valid }: TileInputs,
  { mArr, n_d, n_phi }: Pick<Size, "mArr" | "n_d" | "n_phi">,
  kernels: Kernels,
  threshold: number,
): Rows {
  const phases = phaseTables(mArr, n_phi);
  const hh_ce = new Float64Array((1 + 2 * phases.n_k) * n_e);
  const room = n_e * n_phi;
  const rows: TileRows = {
    e: new Int32Array(room),
    o: new Int32Array(room),
    dh: new Float64Array(room),
    hh: new Float64Array(room),
  };
  const sizes = [mArr.length, n_d, n_e, n_valid] as const;
  const n = kernels.coherentTile(rows, hh_ce, dh_mce, c_cdx, ff_dxe, phases, ...sizes, threshold);
  const { e, o, dh, hh } = rows;
  return {
    e: Float64Array.from(e.subarray(0, n)),
    o: Float64Array.from(o.subarray(0, n)),
    dh: dh.slice(0, n),
    hh: hh.slice(0, n),
  };
}

/** A threshold on lnL that about a third of the rows pass, far from each of them. */
export function clearThreshold({ dh, hh }: Rows): number {
  const lnl = dh
    .map((d, r) => (0.5 * d * d) / hh[r])
    .filter((_, r) => dh[r] > 0)
    .sort();
  const from = Math.floor((2 * lnl.length) / 3);
  let widest = from;
  for (let r = from; r < Math.min(from + 50, lnl.length - 1); r++)
    if (lnl[r + 1] - lnl[r] > lnl[widest + 1] - lnl[widest]) widest = r;
  return (lnl[widest] + lnl[widest + 1]) / 2;
}

export interface KernelCase {
  readonly name: string;
  run(kernels: Kernels): Record<string, Float64Array>;
}

/** Every kernel on inputs of one size. */
export function casesOf(size: Size, seed: number): KernelCase[] {
  const model = makeModel(size, seed);
  const { n_bp, n_b, n_m } = model.plan;
  const n_mp = 2 * n_m;
  const stride = n_b + 5;
  const start = 3;
  const amplitude = randomNumbers(start + n_mp * stride, seed + 20).map((x) => 1.1 + x);
  const phase = randomNumbers(start + n_mp * stride, seed + 21).map((x) => 400 * x);
  const smooth = Float64Array.from(phase, (_, k) => 3e3 / (k + 20) + 0.01 * k);
  const f_b = new Float64Array(n_bp);
  f_b.set(model.bins.fbin);
  const fitWeight_b = randomNumbers(n_b, seed + 22).map((x) => 1.5 + x);
  const { refPhase_b } = model.plan;
  const [n_r, lda] = [4 * (size.n_s + 1), n_bp + 8];
  const a = randomNumbers(5 + n_r * lda, seed + 23);
  const projections = [8, 16, 24, 40, 48, 56].map((n_k): KernelCase => {
    const q = randomNumbers(n_b * n_k, seed + 24);
    return {
      name: `project to rank ${n_k}`,
      run(kernels) {
        const y = new Float64Array(n_r * (n_k + 8));
        kernels.project(y, n_k + 8, a, 5, lda, q, n_r, n_b, n_k);
        return { y };
      },
    };
  });
  return [
    {
      name: "waveform",
      run(kernels) {
        const h = new Float64Array(n_mp * 2 * n_bp).fill(7);
        kernels.waveform(h, amplitude, phase, start, stride, f_b, 0.0123, n_mp, n_b, n_bp);
        return { h };
      },
    },
    {
      name: "align",
      run(kernels) {
        const middle = (f_b[0] + f_b[n_b - 1]) / 2;
        const args = [f_b, refPhase_b, fitWeight_b, middle, n_b] as const;
        return { dt: Float64Array.of(kernels.align(amplitude, smooth, start, ...args)) };
      },
    },
    { name: "weighted", run: (kernels) => ({ g: weightedOf(model, kernels) }) },
    { name: "modeProducts", run: (kernels) => ({ hh: productsOf(model, kernels) }) },
    ...projections,
    expandSetCase(size, seed + 30),
    { name: "project and expandGrid", run: (kernels) => ({ z: gridOf(model, kernels).z_rct }) },
    ...[true, false].map((symmetric) => ({
      name: `incoherentMax, ${symmetric ? "symmetric" : "as the reference has it"}`,
      run: (kernels: Kernels) => ({ lnl: incoherentOf(model, kernels, symmetric) }),
    })),
  ];
}

function expandSetCase({ mArr, n_t }: Size, seed: number): KernelCase {
  const [n_k, n_m] = [18, mArr.length];
  const n_e = roundUp8(n_t);
  const a = randomNumbers(3 + n_m * 2 * n_k, seed);
  const x = randomNumbers(n_k * n_e, seed + 1);
  const [cos, sin] = [randomNumbers(n_e, seed + 2), randomNumbers(n_e, seed + 3)];
  return {
    name: "expandSet",
    run(kernels) {
      const dh = new Float64Array(n_m * 2 * n_e).fill(9);
      kernels.expandSet(dh, a, 3, x, cos, sin, n_m, n_k, n_e, true);
      kernels.expandSet(dh, a, 0, x, sin, cos, n_m, n_k, n_e, false);
      return { dh };
    },
  };
}
