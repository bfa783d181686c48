/** Stage 2: the likelihood of every bank sample in each detector alone, maximised over phase and time. */
import { DotpeError } from "../errors.ts";
import type { BankItems } from "../gw/bank-items.ts";
import { placeOf } from "../gw/bank-reader.ts";
import { timeGridBands } from "../gw/low-rank.ts";
import type { SingleReference } from "../gw/reference.ts";
import { referenceKernels } from "../kernels/ref.ts";
import type { Kernels, PhaseTables } from "../kernels/table.ts";
import { scratchF32, scratchF64, sharedF64, shareI32 } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import { type BankBins, type SamplePlan, SampleReader, samplePlan } from "./bank-samples.ts";
import { phaseTables, roundUp8 } from "./phases.ts";
import { SingleTransform } from "./single-transform.ts";

export type Items = BankItems;

/** One band of the time grid, with its tables padded to n_h times. */
export interface GridBand {
  readonly b0: number;
  readonly b1: number;
  readonly rc: number;
  readonly rs: number;
  readonly rp: number;
  readonly q: Float64Array;
  readonly ec_kh: Float64Array;
  readonly es_kh: Float64Array;
  readonly cosFc_h: Float64Array;
  readonly sinFc_h: Float64Array;
}

export interface TimeGrid {
  readonly bands: readonly GridBand[];
  /** Half the grid, padded to a multiple of 8. */
  readonly n_h: number;
  /** Position of a time that is in the grid but was not asked for (odd n_t), or -1. */
  readonly extra: number;
}

export interface IncoherentPlan {
  readonly samples: SamplePlan;
  readonly items: Items;
  readonly grid: TimeGrid;
  readonly phases: PhaseTables;
  readonly symmetric: boolean;
  /** The transforms to time in single precision: see `first-look.ts`. */
  readonly single: boolean;
  /** Items of a task, and items that a thread reads at once. */
  readonly taskSize: number;
  readonly batchSize: number;
  /** See `IncoherentSettings`. */
  readonly ahead: number;
  /** Output (d, j); in single precision (j), summed over d, Infinity where it does not suffice. */
  readonly lnlike_dj: Float64Array;
}

/** Samples whose <h|h> share a load of the weights. */
const SHARE = 4;

/**
 * The grid t = centre + tau of n_t times spaced by dt around t0: t0 + (k - floor(n_t / 2)) dt.
 * @returns the grid and its centre - t0 (s): the grid is symmetric about half a step.
 */
export function timeGrid(
  fbin: Float64Array,
  dt: number,
  n_t: number,
  kernels: Kernels = referenceKernels,
): { grid: TimeGrid; centre: number } {
  const plan = timeGridBands(fbin, dt, n_t, 8, kernels);
  const n_h = roundUp8(plan.n_h);
  const pad = (rows: Float64Array, n: number) => {
    const out = sharedF64(n * n_h);
    for (let k = 0; k < n; k++) out.set(rows.subarray(k * plan.n_h, (k + 1) * plan.n_h), k * n_h);
    return out;
  };
  const share = (values: Float64Array) => {
    const out = sharedF64(values.length);
    out.set(values);
    return out;
  };
  const bands = plan.bands.map(({ b0, b1, rc, rs, rp, q, ec, es, cosFc_h, sinFc_h }) => ({
    ...{ b0, b1, rc, rs, rp, q: share(q), ec_kh: pad(ec, rc), es_kh: pad(es, rs) },
    ...{ cosFc_h: pad(cosFc_h, 1), sinFc_h: pad(sinFc_h, 1) },
  }));
  const odd = n_t % 2 === 1;
  return { grid: { bands, n_h, extra: odd ? plan.n_h - 1 : -1 }, centre: odd ? 0.5 * dt : -0.5 * dt };
}

export interface IncoherentSettings {
  readonly n_t: number;
  readonly n_phi: number;
  /** Spacing of the time grid (s): 1 / (2 f_max). */
  readonly dt: number;
  readonly symmetric: boolean;
  readonly single?: boolean;
  readonly taskSize: number;
  readonly batchSize: number;
  /** So many tasks before it is done, a task's samples are asked for from the disk; 0 or not given: they are in memory. */
  readonly ahead?: number;
}

export function planIncoherent(
  bins: BankBins,
  reference: SingleReference,
  items: Items,
  settings: IncoherentSettings,
  kernels: Kernels = referenceKernels,
): IncoherentPlan {
  const { grid, centre } = timeGrid(bins.fbin, settings.dt, settings.n_t, kernels);
  const samples = samplePlan(bins, {
    data: reference.single.map((of, d) => ({
      ...{ of, d: 0, drift: reference.asdDrift_d[d], centre: reference.arrival_d[d] + centre },
    })),
    norms: reference.single.map((of, d) => ({ of, d: 0, drift: reference.asdDrift_d[d] })),
    alignment: reference.singleAlignment,
  });
  return {
    samples,
    items: { bank_j: shareI32(items.bank_j), i_j: shareI32(items.i_j) },
    grid,
    phases: phaseTables(bins.mArr, settings.n_phi),
    symmetric: settings.symmetric,
    single: settings.single ?? false,
    taskSize: settings.taskSize,
    ahead: settings.ahead ?? 0,
    batchSize: settings.batchSize,
    lnlike_dj: sharedF64((settings.single ? 1 : reference.n_d) * items.i_j.length),
  };
}

/** What every thread reads for every sample. */
export function incoherentTables({ samples, grid, phases }: IncoherentPlan): Float64Array[] {
  return [
    ...[samples.w_smpcb, samples.products.w, phases.waves_Oxo],
    ...grid.bands.flatMap(({ q, ec_kh, es_kh, cosFc_h, sinFc_h }) => [q, ec_kh, es_kh, cosFc_h, sinFc_h]),
  ];
}

/** Transforms the products g = w conj(h) of one sample to the times of a grid. */
export class GridTransform {
  readonly z_rct: Float64Array;
  private readonly y: Float64Array;
  private readonly ldy: number;

  constructor(
    private readonly grid: TimeGrid,
    private readonly n_rows: number,
    private readonly n_bp: number,
    private readonly kernels: Kernels,
  ) {
    this.ldy = Math.max(...grid.bands.map((band) => band.rp));
    this.y = scratchF64(2 * n_rows * this.ldy);
    this.z_rct = scratchF64(n_rows * 4 * grid.n_h);
  }

  run(g_rcb: Float64Array): void {
    const { n_h, bands, extra } = this.grid;
    bands.forEach((band, k) => {
      const { b0, b1, rc, rs, rp, q, ec_kh, es_kh, cosFc_h, sinFc_h } = band;
      this.kernels.project(this.y, this.ldy, g_rcb, b0, this.n_bp, q, 2 * this.n_rows, b1 - b0, rp);
      const tables = [ec_kh, es_kh, cosFc_h, sinFc_h] as const;
      this.kernels.expandGrid(this.z_rct, this.y, this.ldy, ...tables, this.n_rows, rc, rs, n_h, k === 0);
    });
    clearExtra(this.z_rct, this.n_rows, n_h, extra);
  }
}

/** Leaves nothing at the time that was not asked for: see `TimeGrid`. */
export function clearExtra(z_rct: Float64Array, n_rows: number, n_h: number, extra: number): void {
  if (extra < 0) return;
  for (let r = 0; r < n_rows; r++) {
    z_rct[r * 4 * n_h + extra] = 0;
    z_rct[r * 4 * n_h + 2 * n_h + extra] = 0;
  }
}

/** One thread's way from a waveform to its products with the data at the times of the grid. */
function openTransform({ samples, grid, single }: IncoherentPlan, kernels: Kernels) {
  const { n_bp, n_m, n_d, w_smpcb } = samples;
  const n_mp = 2 * n_m;
  const size = n_d * n_mp * 2 * n_bp;
  if (single) {
    const transform = new SingleTransform(grid, n_d * n_mp, n_bp, kernels);
    const g_dmpcb = scratchF32(size);
    const run = (h_mpcb: Float64Array) => {
      kernels.weightedSingle(g_dmpcb, w_smpcb, h_mpcb, n_d, n_mp, n_bp);
      transform.run(g_dmpcb);
    };
    return { run, z_rct: transform.z_rct, n_t: 2 * transform.n_h };
  }
  const transform = new GridTransform(grid, n_d * n_mp, n_bp, kernels);
  const g_dmpcb = scratchF64(size);
  const run = (h_mpcb: Float64Array) => {
    kernels.weighted(g_dmpcb, w_smpcb, h_mpcb, n_d, n_mp, n_bp);
    transform.run(g_dmpcb);
  };
  return { run, z_rct: transform.z_rct, n_t: 2 * grid.n_h };
}

export function openIncoherent(plan: IncoherentPlan, kernels: Kernels): TaskRunner<null> {
  const { samples, items, phases, symmetric, single, taskSize, batchSize, ahead, lnlike_dj } = plan;
  const { n_bp, n_m, n_d, products } = samples;
  const n_mp = 2 * n_m;
  const n_j = items.i_j.length;
  const reader = new SampleReader(samples, kernels);
  const { run: transform, z_rct, n_t } = openTransform(plan, kernels);
  const h_smpcb = scratchF64(SHARE * n_mp * 2 * n_bp);
  const h_s = Array.from({ length: SHARE }, (_, s) =>
    h_smpcb.subarray(s * n_mp * 2 * n_bp, (s + 1) * n_mp * 2 * n_bp),
  );
  const hh_sdgc = scratchF64(SHARE * n_d * products.n_g * 2);

  const few = (j0: number, n_s: number) => {
    for (let s = 0; s < n_s; s++) reader.read(items.bank_j[j0 + s], items.i_j[j0 + s], h_s[s]);
    const { w, terms, groupSize_g, n_g } = products;
    kernels.modeProducts(hh_sdgc, h_smpcb, w, terms, groupSize_g, n_g, n_s, n_d, n_mp, n_bp);
    // A task that is done again begins anew.
    if (single) lnlike_dj.fill(0, j0, j0 + n_s);
    for (let s = 0; s < n_s; s++) {
      transform(h_s[s]);
      for (let d = 0; d < n_d; d++) {
        const hhStart = (s * n_d + d) * n_g * 2;
        const zStart = d * n_mp * 2 * n_t;
        const sizes = [n_m, n_t, symmetric] as const;
        const lnl = kernels.incoherentMax(z_rct, zStart, hh_sdgc, hhStart, phases, ...sizes);
        const known = Number.isFinite(lnl);
        if (single) lnlike_dj[j0 + s] += known ? lnl : Number.POSITIVE_INFINITY;
        else if (known) lnlike_dj[d * n_j + j0 + s] = lnl;
        else throw badWaveform(samples, items.bank_j[j0 + s], items.i_j[j0 + s]);
      }
    }
  };
  return {
    run(task) {
      if (ahead > 0) {
        const next = (task + ahead) * taskSize;
        reader.prefetch(items, next, Math.min(next + taskSize, n_j));
      }
      const end = Math.min((task + 1) * taskSize, n_j);
      for (let j = task * taskSize; j < end; j += SHARE) {
        if (!reader.holds(items.bank_j[j], items.i_j[j])) reader.load(items, j, Math.min(j + batchSize, end));
        few(j, Math.min(SHARE, end - j));
      }
    },
    result: () => null,
    close: () => reader.close(),
  };
}

export function badWaveform({ banks }: SamplePlan, bank: number, i: number): DotpeError {
  const { paths, at } = placeOf(banks[bank], i);
  return new DotpeError(
    "notFinite",
    `${paths.join(" or ")}: waveform of sample ${at} (bank sample ${i}): ` +
      "found NaN, infinity or zero amplitude, expected finite numbers",
    "Copy or make the bank again.",
  );
}
