/** Stage 5: the likelihood of every accepted intrinsic sample with every extrinsic sample on the phase grid. */
import { timeSetBasis } from "../gw/low-rank.ts";
import { hash32 } from "../gw/random.ts";
import type { Reference } from "../gw/reference.ts";
import type { Kernels, PhaseTables, TileRows } from "../kernels/table.ts";
import { SharedMaximum, sharedF64, shareF64, shareI32 } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import { type BankBins, type SamplePlan, SampleReader, samplePlan } from "./bank-samples.ts";
import { badWaveform, type Items } from "./incoherent.ts";
import { phaseTables } from "./phases.ts";

/** The extrinsic samples in one detector: response, and the low-rank basis at their arrival times. */
interface DetectorSet {
  readonly rc: number;
  readonly rs: number;
  readonly rp: number;
  readonly q: Float64Array;
  /** (rc + rs, n_e): cosine then sine. */
  readonly basis_ke: Float64Array;
  readonly cosFc_e: Float64Array;
  readonly sinFc_e: Float64Array;
  /** (p, n_e). */
  readonly response_pe: Float64Array;
}

export interface CoherentPlan {
  readonly samples: SamplePlan;
  /** Accepted intrinsic samples, the most promising first. */
  readonly items: Items;
  readonly n_e: number;
  readonly detectors: readonly DetectorSet[];
  readonly phases: PhaseTables;
  /** Keep rows within this of the best lnL. */
  readonly maxDrop: number;
  /** Output: best lnL so far, one in all or one a bank (`bestPerBank`). Written with Atomics. */
  readonly best: Float64Array;
  readonly bestPerBank: boolean;
  /** Output: the time alignment of each item (s). */
  readonly dt_j: Float64Array;
  /** Items, and extrinsic samples, of a task. */
  readonly taskItems: number;
  readonly eBatch: number;
  /** Items whose projections are held at once for one pass over the tiles; extrinsic samples of a tile. */
  readonly iTile: number;
  readonly eTile: number;
  /** One (i, e) pair in so many is looked at, at one phase, whatever its likelihood: see `isProbe`. */
  readonly probeEvery: number;
  readonly seed: number;
}

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

export interface CoherentSettings {
  readonly n_phi: number;
  readonly maxDrop: number;
  readonly bestPerBank: boolean;
  readonly taskItems: number;
  readonly eBatch: number;
  readonly iTile: number;
  readonly eTile: number;
  readonly probeEvery: number;
  readonly seed: number;
}

export interface ExtrinsicSet {
  readonly n_e: number;
  /** F_p of each detector, (d, p, e), and arrival (s from the start of the segment), (d, e). */
  readonly response_dpe: Float64Array;
  readonly arrival_de: Float64Array;
}

export function planCoherent(
  bins: BankBins,
  reference: Reference,
  items: Items,
  set: ExtrinsicSet,
  settings: CoherentSettings,
): CoherentPlan {
  const { n_d } = reference;
  const { n_e, response_dpe, arrival_de } = set;
  const centre_d = new Float64Array(n_d);
  const detectors = Array.from({ length: n_d }, (_, d): DetectorSet => {
    const arrival_e = arrival_de.subarray(d * n_e, (d + 1) * n_e);
    let [low, high] = [Infinity, -Infinity];
    for (const t of arrival_e) [low, high] = [Math.min(low, t), Math.max(high, t)];
    centre_d[d] = (low + high) / 2;
    const { rc, rs, rp, q, ec, es, cosFc_e, sinFc_e } = timeSetBasis(
      bins.fbin,
      arrival_e.map((t) => t - centre_d[d]),
      8,
    );
    const basis_ke = sharedF64((rc + rs) * n_e);
    basis_ke.set(ec.subarray(0, rc * n_e));
    basis_ke.set(es.subarray(0, rs * n_e), rc * n_e);
    const response_pe = shareF64(response_dpe.slice(d * 2 * n_e, (d + 1) * 2 * n_e));
    return {
      rc,
      rs,
      rp,
      q: shareF64(q),
      basis_ke,
      cosFc_e: shareF64(cosFc_e),
      sinFc_e: shareF64(sinFc_e),
      response_pe,
    };
  });
  const weights = Array.from({ length: n_d }, (_, d) => ({ of: reference.coherent, d }));
  const weightSet = {
    weights,
    asdDrift_d: reference.asdDrift_d,
    centre_d,
    alignment: reference.coherentAlignment,
  };
  const { n_phi, ...rest } = settings;
  return {
    ...rest,
    samples: samplePlan(bins, weightSet, "difference"),
    items: { bank_j: shareI32(items.bank_j), i_j: shareI32(items.i_j) },
    n_e,
    detectors,
    phases: phaseTables(bins.mArr, n_phi),
    best: sharedF64(settings.bestPerBank ? bins.banks.length : 1),
    dt_j: sharedF64(items.i_j.length),
  };
}

export function nCoherentTasks(plan: CoherentPlan): number {
  return Math.ceil(plan.items.i_j.length / plan.taskItems) * Math.ceil(plan.n_e / plan.eBatch);
}

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
  readonly x_dpke: Float64Array[];
  readonly cos_de: Float64Array[];
  readonly sin_de: Float64Array[];
  readonly ff_dxe: Float64Array;

  constructor(
    private readonly plan: CoherentPlan,
    private readonly n: number,
  ) {
    this.x_dpke = plan.detectors.map(({ rc, rs }) => new Float64Array(2 * (rc + rs) * n));
    this.cos_de = plan.detectors.map(() => new Float64Array(n));
    this.sin_de = plan.detectors.map(() => new Float64Array(n));
    this.ff_dxe = new Float64Array(plan.detectors.length * 3 * n);
  }

  fill(e0: number, e1: number): void {
    const { n } = this;
    const { n_e } = this.plan;
    const length = e1 - e0;
    this.ff_dxe.fill(0);
    this.plan.detectors.forEach(({ rc, rs, basis_ke, cosFc_e, sinFc_e, response_pe }, d) => {
      const x = this.x_dpke[d].fill(0);
      const rank = rc + rs;
      for (let p = 0; p < 2; p++) {
        const f = response_pe.subarray(p * n_e + e0, p * n_e + e1);
        for (let k = 0; k < rank; k++) {
          const [to, from] = [(p * rank + k) * n, k * n_e + e0];
          for (let e = 0; e < length; e++) x[to + e] = f[e] * basis_ke[from + e];
        }
      }
      this.cos_de[d].fill(0).set(cosFc_e.subarray(e0, e1));
      this.sin_de[d].fill(0).set(sinFc_e.subarray(e0, e1));
      for (let e = 0; e < length; e++) {
        const [plus, cross] = [response_pe[e0 + e], response_pe[n_e + e0 + e]];
        this.ff_dxe[d * 3 * n + e] = plus * plus;
        this.ff_dxe[(d * 3 + 1) * n + e] = plus * cross;
        this.ff_dxe[(d * 3 + 2) * n + e] = cross * cross;
      }
    });
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

export function openCoherent(plan: CoherentPlan, kernels: Kernels): TaskRunner<CoherentResult> {
  const {
    samples,
    items,
    n_e,
    detectors,
    phases,
    maxDrop,
    bestPerBank,
    dt_j,
    taskItems,
    eBatch,
    iTile,
    eTile,
  } = plan;
  const { n_b, n_bp, n_m, n_d, w_dmpcb, products } = samples;
  const { terms, groupSize_g, n_g, w } = products;
  const n_mp = 2 * n_m;
  const n_j = items.i_j.length;
  const n_chunks = Math.ceil(n_e / eBatch);
  const n_c = 1 + 2 * phases.n_k;
  const maximum = new SharedMaximum(plan.best);
  const reader = new SampleReader(samples, kernels);
  const h_mpcb = new Float64Array(n_mp * 2 * n_bp);
  const g_dmpcb = new Float64Array(n_d * n_mp * 2 * n_bp);
  const hh_dgc = new Float64Array(n_d * n_g * 2);
  const ldy = Math.max(...detectors.map((set) => set.rp));
  const y_d = detectors.map(() => new Float64Array(n_mp * 2 * ldy));
  /** For each sample of the batch: its projections by detector, and its coefficients. */
  const y_batch = detectors.map(() => new Float64Array(iTile * n_mp * 2 * ldy));
  const c_batch = Array.from({ length: iTile }, () => new Float64Array(n_c * n_d * 3));
  const tile = new Tile(plan, eTile);
  const dh_mce = new Float64Array(n_mp * eTile);
  const hh_ce = new Float64Array(n_c * eTile);
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
      kernels.weighted(g_dmpcb, w_dmpcb, h_mpcb, n_d, n_mp, n_bp);
      detectors.forEach(({ q, rp }, d) => {
        kernels.project(y_d[d], ldy, g_dmpcb, d * n_mp * 2 * n_bp, n_bp, q, 2 * n_mp, n_b, rp);
        y_batch[d].set(y_d[d], (j - j0) * n_mp * 2 * ldy);
      });
    }
  };

  const sampleOnTile = (j: number, slot: number, e0: number, e1: number) => {
    for (let d = 0; d < n_d; d++) {
      const { rc, rs } = detectors[d];
      const start = slot * n_mp * 2 * ldy;
      const tables = [tile.x_dpke[d], tile.cos_de[d], tile.sin_de[d]] as const;
      kernels.expandSet(dh_mce, y_batch[d], start, ldy, ...tables, n_m, rc, rs, eTile, d === 0);
    }
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
  };
}
