/** Stage 5: the likelihood of every accepted intrinsic sample with every extrinsic sample on the phase grid. */
import { hash32 } from "../gw/random.ts";
import type { Kernels, TileRows } from "../kernels/table.ts";
import { SharedMaximum, scratchF64 } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import { SampleReader } from "./bank-samples.ts";
import type { CoherentPlan } from "./coherent-plan.ts";
import { badWaveform } from "./incoherent.ts";

/** Rows in the order in which a thread made them. */
export interface RawRows {
  readonly n: number;
  readonly j: Int32Array;
  readonly e: Int32Array;
  readonly o: Int32Array;
  readonly dh: Float64Array;
  readonly hh: Float64Array;
}

export interface CoherentResult {
  /** Task and end of its rows, in the order in which the thread did them. */
  readonly tasks: readonly { readonly task: number; readonly end: number }[];
  readonly rows: RawRows;
  /** The probes: a random subset of all (i, e, o), by counter, for what is known of discarded samples. */
  readonly probes: RawRows;
}

/** So much looser than the final threshold is the one used on the way, so that rounding decides nothing. */
const LOOSE = 1e-6;

/** The phase at which (bank, i, e) is a probe, or -1: a property of the sample, not of how the work is cut. */
export function probePhase(
  bank: number,
  i: number,
  e: number,
  plan: Pick<CoherentPlan, "probeEvery" | "seed">,
  n_o: number,
) {
  const hash = hash32(plan.seed ^ bank, i, e, 0x9e3779b9);
  if (hash % plan.probeEvery !== 0) return -1;
  return hash32(hash, i, e, bank) % n_o;
}

class RowStore implements RawRows {
  n = 0;
  j = new Int32Array(1024);
  e = new Int32Array(1024);
  o = new Int32Array(1024);
  dh = new Float64Array(1024);
  hh = new Float64Array(1024);

  add(j: number, e: number, o: number, dh: number, hh: number): void {
    if (this.n === this.j.length) this.grow();
    this.j[this.n] = j;
    this.e[this.n] = e;
    this.o[this.n] = o;
    this.dh[this.n] = dh;
    this.hh[this.n++] = hh;
  }

  private grow(): void {
    const bigger = <T extends Int32Array | Float64Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    const n = 2 * this.n;
    this.j = bigger(this.j, new Int32Array(n));
    this.e = bigger(this.e, new Int32Array(n));
    this.o = bigger(this.o, new Int32Array(n));
    this.dh = bigger(this.dh, new Float64Array(n));
    this.hh = bigger(this.hh, new Float64Array(n));
  }

  /** Plain data, to be sent to the main thread. */
  data(): RawRows {
    const { n, j, e, o, dh, hh } = this;
    return { n, j, e, o, dh, hh };
  }
}

/** One tile of extrinsic samples, ready for `expandSet`: F times the basis, the rotations, and the products of F. */
class Tile {
  readonly x_s: Float64Array[];
  readonly cos_s: Float64Array[];
  readonly sin_s: Float64Array[];
  readonly ff_dxe: Float64Array;
  /** The sets that have a sample in this tile. */
  active: number[] = [];

  constructor(
    private readonly plan: CoherentPlan,
    private readonly n: number,
  ) {
    this.x_s = plan.sets.map(({ rc, rs }) => scratchF64(2 * (rc + rs) * n));
    this.cos_s = plan.sets.map(() => scratchF64(n));
    this.sin_s = plan.sets.map(() => scratchF64(n));
    this.ff_dxe = scratchF64(plan.samples.n_d * 3 * n);
  }

  fill(e0: number, e1: number): void {
    const { n } = this;
    const { n_e, ff_dxe, sets } = this.plan;
    this.active = [];
    sets.forEach(({ rc, rs, basis_ke, cosFc_e, sinFc_e, response_pe }, s) => {
      const x = this.x_s[s].fill(0);
      const rank = rc + rs;
      let used = false;
      for (let p = 0; p < 2; p++) {
        const f = response_pe.subarray(p * n_e + e0, p * n_e + e1);
        used ||= f.some((value) => value !== 0);
        for (let k = 0; k < rank; k++) {
          const [to, from] = [(p * rank + k) * n, k * n_e + e0];
          for (let e = 0; e < f.length; e++) x[to + e] = f[e] * basis_ke[from + e];
        }
      }
      if (used) this.active.push(s);
      this.cos_s[s].fill(0).set(cosFc_e.subarray(e0, e1));
      this.sin_s[s].fill(0).set(sinFc_e.subarray(e0, e1));
    });
    this.ff_dxe.fill(0);
    for (let x = 0; x * n < this.ff_dxe.length; x++) {
      this.ff_dxe.set(ff_dxe.subarray(x * n_e + e0, x * n_e + e1), x * n);
    }
  }
}

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

export function openCoherent(plan: CoherentPlan, kernels: Kernels): TaskRunner<CoherentResult> {
  const { samples, items, n_e, sets, phases, maxDrop, bestPerBank, dt_j, taskItems, eBatch, iTile, eTile } =
    plan;
  const { n_b, n_bp, n_m, n_d, n_s, w_smpcb, products } = samples;
  const { terms, groupSize_g, n_g, w } = products;
  const n_mp = 2 * n_m;
  const n_j = items.i_j.length;
  const n_chunks = Math.ceil(n_e / eBatch);
  const n_c = 1 + 2 * phases.n_k;
  const maximum = new SharedMaximum(plan.best);
  const reader = new SampleReader(samples, kernels);
  const h_mpcb = scratchF64(n_mp * 2 * n_bp);
  const g_smpcb = scratchF64(n_s * n_mp * 2 * n_bp);
  const hh_dgc = scratchF64(n_d * n_g * 2);
  const y = scratchF64(n_mp * 2 * Math.max(...sets.map((set) => set.rp)));
  /** For each sample of the batch: coefficients of <d|h> by set, and of <h|h>. */
  const a_batch = sets.map(({ rc, rs }) =>
    Array.from({ length: iTile }, () => scratchF64(n_mp * 2 * (rc + rs))),
  );
  const c_batch = Array.from({ length: iTile }, () => scratchF64(n_c * n_d * 3));
  const tile = new Tile(plan, eTile);
  const dh_mce = scratchF64(n_mp * eTile);
  const hh_ce = scratchF64(n_c * eTile);
  const room = eTile * phases.n_o;
  const found: TileRows = {
    e: new Int32Array(room),
    o: new Int32Array(room),
    dh: new Float64Array(room),
    hh: new Float64Array(room),
  };
  const rows = new RowStore();
  const probes = new RowStore();
  const tasks: { task: number; end: number }[] = [];

  const prepare = (j0: number, j1: number) => {
    for (let j = j0; j < j1; j++) {
      dt_j[j] = reader.read(items.bank_j[j], items.i_j[j], h_mpcb);
      kernels.modeProducts(hh_dgc, h_mpcb, w, terms, groupSize_g, n_g, 1, n_d, n_mp, n_bp);
      if (!Number.isFinite(hh_dgc[0] + hh_dgc[2])) throw badWaveform(samples, items.bank_j[j], items.i_j[j]);
      responseCoefficients(c_batch[j - j0], hh_dgc, n_d, n_g, phases.n_k);
      kernels.weighted(g_smpcb, w_smpcb, h_mpcb, n_s, n_mp, n_bp);
      sets.forEach((set, s) => {
        const { q, rp } = set;
        kernels.project(y, rp, g_smpcb, s * n_mp * 2 * n_bp, n_bp, q, 2 * n_mp, n_b, rp);
        setCoefficients(a_batch[s][j - j0], y, rp, n_m, set);
      });
    }
  };

  const sampleOnTile = (j: number, slot: number, e0: number, e1: number) => {
    if (tile.active.length === 0) dh_mce.fill(0);
    tile.active.forEach((s, n) => {
      const { rc, rs } = sets[s];
      const tables = [tile.x_s[s], tile.cos_s[s], tile.sin_s[s]] as const;
      kernels.expandSet(dh_mce, a_batch[s][slot], 0, ...tables, n_m, 2 * (rc + rs), eTile, n === 0);
    });
    const bank = bestPerBank ? items.bank_j[j] : 0;
    let best = maximum.get(bank);
    const threshold = best - maxDrop - LOOSE;
    const c_cdx = c_batch[slot];
    const n = kernels.coherentTile(
      found,
      hh_ce,
      dh_mce,
      c_cdx,
      tile.ff_dxe,
      phases,
      n_m,
      n_d,
      eTile,
      e1 - e0,
      threshold,
    );
    for (let r = 0; r < n; r++) {
      const [dh, hh] = [found.dh[r], found.hh[r]];
      rows.add(j, e0 + found.e[r], found.o[r], dh, hh);
      if (dh > 0) best = Math.max(best, (0.5 * dh * dh) / hh);
    }
    maximum.offer(bank, best);
    probe(j, e0, e1);
  };

  const probe = (j: number, e0: number, e1: number) => {
    for (let e = e0; e < e1; e++) {
      const o = probePhase(items.bank_j[j], items.i_j[j], e, plan, phases.n_o);
      if (o < 0) continue;
      let [dh, hh] = [0, hh_ce[e - e0]];
      for (let m = 0; m < n_m; m++) {
        const at = m * phases.n_op + o;
        dh +=
          dh_mce[2 * m * eTile + e - e0] * phases.cosM_mo[at] +
          dh_mce[(2 * m + 1) * eTile + e - e0] * phases.sinM_mo[at];
      }
      for (let k = 0; k < phases.n_k; k++) {
        const at = k * phases.n_op + o;
        hh +=
          hh_ce[(1 + 2 * k) * eTile + e - e0] * phases.cosK_ko[at] +
          hh_ce[(2 + 2 * k) * eTile + e - e0] * phases.sinK_ko[at];
      }
      probes.add(j, e, o, dh, hh);
    }
  };

  const someItems = (j0: number, j1: number, eStart: number, eEnd: number) => {
    prepare(j0, j1);
    for (let e0 = eStart; e0 < eEnd; e0 += eTile) {
      const e1 = Math.min(e0 + eTile, eEnd);
      tile.fill(e0, e1);
      for (let j = j0; j < j1; j++) sampleOnTile(j, j - j0, e0, e1);
    }
  };

  return {
    run(task) {
      const [block, chunk] = [Math.floor(task / n_chunks), task % n_chunks];
      const end = Math.min((block + 1) * taskItems, n_j);
      for (let j0 = block * taskItems; j0 < end; j0 += iTile) {
        someItems(j0, Math.min(j0 + iTile, end), chunk * eBatch, Math.min((chunk + 1) * eBatch, n_e));
      }
      tasks.push({ task, end: rows.n });
    },
    result: () => ({ tasks, rows: rows.data(), probes: probes.data() }),
    close: () => reader.close(),
  };
}
