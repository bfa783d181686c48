/** Stage 5: the likelihood of an accepted intrinsic sample with a tile of extrinsic samples on the phase grid. */
import { hashOf } from "../gw/random.ts";
import { N_PROBE, PROBE } from "../kernels/row-table.ts";
import type { Kernels, TileRows } from "../kernels/table.ts";
import { scratchF64 } from "../workers/arena.ts";
import { SampleReader } from "./bank-samples.ts";
import { tileRange } from "./chunks.ts";
import type { CoherentPlan } from "./coherent-plan.ts";
import { badWaveform } from "./incoherent.ts";

/**
 * The kernels are asked for rows above a threshold looser by this than the one that decides, so that their rounding decides
 * nothing.
 */
export const LOOSE = 1e-6;

export const bestfitLnL = (dh: number, hh: number) => (dh > 0 ? (0.5 * dh * dh) / hh : 0);

/** Which of the thresholds and best values by group a bank has: one for all, or its own. */
export const groupOf = ({ bestPerBank }: Pick<CoherentPlan, "bestPerBank">, bank: number) =>
  bestPerBank ? bank : 0;

/** Coefficients of F+F+, F+Fx, FxFx in <h|h>: component 0 of equal modes, then re and im of each difference. */
function responseCoefficients(
  c_cdx: Float64Array,
  hh_dgc: Float64Array,
  n_d: number,
  n_g: number,
  n_k: number,
): void {
  for (let d = 0; d < n_d; d++) {
    const group = (g: number, c: number) => hh_dgc[(d * n_g + g) * 2 + c];
    const put = (component: number, plus: number, mixed: number, cross: number) => {
      const at = (component * n_d + d) * 3;
      c_cdx[at] = plus;
      c_cdx[at + 1] = mixed;
      c_cdx[at + 2] = cross;
    };
    put(0, group(0, 0), 2 * group(2, 0), group(1, 0));
    for (let k = 0; k < n_k; k++) {
      for (const c of [0, 1]) {
        const g = 3 + 4 * k;
        put(1 + 2 * k + c, group(g, c), group(g + 1, c) + group(g + 2, c), group(g + 3, c));
      }
    }
  }
}

/**
 * Coefficients of `expandSet` from projections y (m, p, c; ldy): a_mcpk = y of the cosine basis, i y of the sine basis.
 * einsum: sum_k (y_pk E_c,ke + i y_pk E_s,ke) F_pe = sum_pk a_pk x_pke.
 */
export function setCoefficients(
  a_mcpk: Float64Array,
  y: Float64Array,
  ldy: number,
  n_m: number,
  { rc, rs }: { readonly rc: number; readonly rs: number },
): void {
  const rank = rc + rs;
  for (let m = 0; m < n_m; m++) {
    for (let p = 0; p < 2; p++) {
      const from = (2 * m + p) * 2 * ldy;
      const re = (4 * m + p) * rank;
      const im = re + 2 * rank;
      for (let k = 0; k < rank; k++) {
        a_mcpk[re + k] = k < rc ? y[from + k] : -y[from + ldy + k];
        a_mcpk[im + k] = k < rc ? y[from + ldy + k] : y[from + k];
      }
    }
  }
}

/** A tile's tables. */
interface TileTables {
  /** First extrinsic sample, and how many. */
  readonly e0: number;
  readonly n: number;
  /** Of each set that has a sample here: its number, F times the basis, the rotation. */
  readonly sets: readonly (readonly [s: number, x: Float64Array, cos: Float64Array, sin: Float64Array])[];
  readonly ff_dxe: Float64Array;
}

/** One thread's evaluator. */
export class Coherent {
  /** Rows that `rowsAbove` or `probes` found; e counts from the tile's first. */
  readonly found: TileRows;
  private readonly reader: SampleReader;
  private readonly tables: (TileTables | undefined)[] = [];
  private readonly h_mpcb: Float64Array;
  private readonly g_smpcb: Float64Array;
  private readonly hh_dgc: Float64Array;
  private readonly y: Float64Array;
  /** By slot: coefficients of <d|h> by set, and of <h|h>. */
  private readonly a_slot: readonly (readonly Float64Array[])[];
  private readonly c_slot: readonly Float64Array[];
  private readonly dh_mce: Float64Array;
  private readonly hh_ce: Float64Array;
  private readonly key = new Int32Array(N_PROBE);

  /** @param n_slots items that are held at once */
  constructor(
    private readonly plan: CoherentPlan,
    private readonly kernels: Kernels,
    n_slots: number,
  ) {
    const { samples, sets, phases, tiles } = plan;
    const { n_m, n_bp, n_d, n_s, products } = samples;
    const n_mp = 2 * n_m;
    const n_c = 1 + 2 * phases.n_k;
    this.reader = new SampleReader(samples, kernels);
    this.h_mpcb = scratchF64(n_mp * 2 * n_bp);
    this.g_smpcb = scratchF64(n_s * n_mp * 2 * n_bp);
    this.hh_dgc = scratchF64(n_d * products.n_g * 2);
    this.y = scratchF64(n_mp * 2 * Math.max(...sets.map((set) => set.rp)));
    this.a_slot = Array.from({ length: n_slots }, () =>
      sets.map(({ rc, rs }) => scratchF64(n_mp * 2 * (rc + rs))),
    );
    this.c_slot = Array.from({ length: n_slots }, () => scratchF64(n_c * n_d * 3));
    this.dh_mce = scratchF64(n_mp * tiles.size);
    this.hh_ce = scratchF64(n_c * tiles.size);
    const room = tiles.size * phases.n_o;
    this.found = {
      ...{ e: new Int32Array(room), o: new Int32Array(room) },
      ...{ dh: new Float64Array(room), hh: new Float64Array(room) },
    };
  }

  /** Reads item j into a slot. @throws DotpeError notFinite. */
  prepare(j: number, slot: number): void {
    const { plan, kernels, h_mpcb, g_smpcb, hh_dgc, y } = this;
    const { samples, items, sets, phases } = plan;
    const { n_m, n_b, n_bp, n_d, n_s, w_smpcb, products } = samples;
    const { terms, groupSize_g, n_g, w } = products;
    const n_mp = 2 * n_m;
    plan.dt_j[j] = this.reader.read(items.bank_j[j], items.i_j[j], h_mpcb);
    kernels.modeProducts(hh_dgc, h_mpcb, w, terms, groupSize_g, n_g, 1, n_d, n_mp, n_bp);
    if (!Number.isFinite(hh_dgc[0] + hh_dgc[2])) throw badWaveform(samples, items.bank_j[j], items.i_j[j]);
    responseCoefficients(this.c_slot[slot], hh_dgc, n_d, n_g, phases.n_k);
    kernels.weighted(g_smpcb, w_smpcb, h_mpcb, n_s, n_mp, n_bp);
    for (let s = 0; s < sets.length; s++) {
      const { q, rp } = sets[s];
      kernels.project(y, rp, g_smpcb, s * n_mp * 2 * n_bp, n_bp, q, 2 * n_mp, n_b, rp);
      setCoefficients(this.a_slot[slot][s], y, rp, n_m, sets[s]);
    }
  }

  /** Rows of the item in a slot with tile t whose lnL exceeds the threshold, e then o ascending; how many. */
  rowsAbove(slot: number, t: number, threshold: number): number {
    const { plan, kernels, dh_mce, hh_ce } = this;
    const { samples, sets, phases, tiles } = plan;
    const { n_m, n_d } = samples;
    const tables = this.tablesOf(t);
    const a_s = this.a_slot[slot];
    let first = true;
    for (const [s, x, cos, sin] of tables.sets) {
      const { rc, rs } = sets[s];
      kernels.expandSet(dh_mce, a_s[s], 0, x, cos, sin, n_m, 2 * (rc + rs), tiles.size, first);
      first = false;
    }
    if (first) dh_mce.fill(0);
    const { ff_dxe, n } = tables;
    const c_cdx = this.c_slot[slot];
    const sizes = [n_m, n_d, tiles.size, n] as const;
    return kernels.coherentTile(this.found, hh_ce, dh_mce, c_cdx, ff_dxe, phases, ...sizes, threshold);
  }

  /** First extrinsic sample of a tile, and how many it has. */
  rangeOf(t: number): { readonly e0: number; readonly n: number } {
    return this.tablesOf(t);
  }

  /**
   * The probes of item (bank, i) in tile t, after `rowsAbove`: in the place of its rows. Which they are is a property of
   * (bank, i, e), not of how the work is cut. @returns how many
   */
  probes(bank: number, i: number, t: number): number {
    const { plan, kernels, key } = this;
    const { samples, phases, tiles, seed, probeEvery } = plan;
    const { e0, n } = this.tablesOf(t);
    key[PROBE.half] = hashOf(seed ^ bank, i);
    key[PROBE.bank] = bank;
    key[PROBE.i] = i;
    key[PROBE.e0] = e0;
    key[PROBE.every] = probeEvery;
    return kernels.probeTile(this.found, this.dh_mce, this.hh_ce, phases, samples.n_m, tiles.size, n, key);
  }

  close(): void {
    this.reader.close();
  }

  private tablesOf(t: number): TileTables {
    this.tables[t] ??= tileTables(this.plan, t);
    return this.tables[t];
  }
}

function tileTables({ sets, ff_tdxe, grid, tiles, samples }: CoherentPlan, t: number): TileTables {
  const { size } = tiles;
  const [e0, e1] = tileRange(grid, tiles, t);
  const part = (values: Float64Array, n: number) => values.subarray(t * n, (t + 1) * n);
  return {
    e0,
    n: e1 - e0,
    sets: sets.flatMap(({ rc, rs, x_tpke, cosFc_te, sinFc_te, used_t }, s) => {
      if (used_t[t] === 0) return [];
      return [[s, part(x_tpke, 2 * (rc + rs) * size), part(cosFc_te, size), part(sinFc_te, size)] as const];
    }),
    ff_dxe: part(ff_tdxe, samples.n_d * 3 * size),
  };
}
