/** Stage 5, the rows: a task evaluates a chunk, marginalizes its rows over distance and publishes them. */
import { type DistanceTable, lnLikeMarginalized } from "../gw/distance.ts";
import { logSumExp } from "../gw/special.ts";
import type { Kernels } from "../kernels/table.ts";
import { SharedMaximum } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import { ChunkPublisher, type PublisherPlan } from "./chunk-publisher.ts";
import { ChunkRows } from "./chunk-rows.ts";
import { type Chunk, chunkAt } from "./chunks.ts";
import { bestfitLnL, Coherent, groupOf, LOOSE } from "./coherent.ts";
import type { CoherentPlan } from "./coherent-plan.ts";
import { BETTER, FAILED } from "./row-files.ts";

export interface RowPlan extends PublisherPlan {
  readonly coherent: CoherentPlan;
  readonly table: DistanceTable;
  /** By group: the best lnL, as far as it is known. The rows within `coherent.maxDrop` of it are the result. */
  readonly best: Float64Array;
}

/** Probes whose contribution cannot reach this share, as a logarithm, of the largest are not worth their integral. */
const NEGLIGIBLE = -40;

/** A task is a chunk. */
export function openRows(plan: RowPlan, kernels: Kernels): TaskRunner<null> {
  const chunkRows = new RowMaker(plan, kernels);
  const publisher = new ChunkPublisher(plan, kernels);
  const { writer } = publisher;
  const orGiveUp = (action: () => void) => {
    try {
      action();
    } catch (error) {
      writer.giveUp(FAILED);
      throw error;
    }
  };
  return {
    run(c) {
      if (writer.isGivenUp()) return;
      orGiveUp(() => {
        const chunk = chunkAt(plan.grid, plan.items.bank_j, c);
        if (chunkRows.fill(chunk)) publisher.publish(c, chunk, chunkRows.rows);
        else writer.giveUp(BETTER);
      });
    },
    result() {
      orGiveUp(() => writer.finish());
      return null;
    },
    close: () => chunkRows.close(),
  };
}

/** One thread's chunks, one after the other. */
class RowMaker {
  readonly rows = new ChunkRows();
  private readonly evaluator: Coherent;
  private readonly nSlots: number;
  private readonly maximum: SharedMaximum;
  /** Rows of a few items, tile by tile, and (slot, end) of what each has in a tile; of one item they are in order at once. */
  private readonly raw: ChunkRows;
  private readonly pieces: { slot: number; end: number }[] = [];
  private readonly probes_slot: Probe[][];

  constructor(
    private readonly plan: RowPlan,
    private readonly kernels: Kernels,
  ) {
    const { coherent, grid } = plan;
    this.nSlots = Math.min(coherent.iTile, grid.mostItems);
    this.raw = this.nSlots === 1 ? this.rows : new ChunkRows();
    this.evaluator = new Coherent(coherent, kernels, this.nSlots);
    this.maximum = new SharedMaximum(plan.best);
    this.probes_slot = Array.from({ length: this.nSlots }, () => []);
  }

  /** Makes the rows of a chunk; false if one is better than the best. */
  fill(chunk: Chunk): boolean {
    const { rows, plan } = this;
    rows.clear();
    for (let j0 = chunk.j0; j0 < chunk.j1; j0 += this.nSlots) {
      if (!this.someItems(chunk, j0, Math.min(j0 + this.nSlots, chunk.j1))) return false;
    }
    lnLikeMarginalized(plan.table, rows.dh, rows.hh, rows.lnl, rows.n, this.kernels.distanceMarginal);
    return true;
  }

  private someItems(chunk: Chunk, j0: number, j1: number): boolean {
    const { evaluator, plan, raw, pieces, probes_slot } = this;
    const { coherent, grid, progress } = plan;
    const { perSpan } = coherent.tiles;
    if (raw !== this.rows) raw.clear();
    pieces.length = 0;
    for (const probes of probes_slot) probes.length = 0;
    for (let j = j0; j < j1; j++) evaluator.prepare(j, j - j0);
    for (let t = chunk.span * perSpan; t < (chunk.span + 1) * perSpan; t++) {
      for (let j = j0; j < j1; j++) if (!this.oneTile(j, j - j0, t)) return false;
    }
    for (let j = j0; j < j1; j++) {
      this.collect(j - j0);
      const p = j * grid.n_spans + chunk.span;
      const probes = probes_slot[j - j0];
      progress.probes_p[p] = plan.logPriorWeights_j[j] + probesLnSum(probes, plan, this.kernels);
    }
    return true;
  }

  /** Adds the rows of an item in a tile to `raw`. */
  private oneTile(j: number, slot: number, t: number): boolean {
    const { evaluator, plan, raw } = this;
    const { coherent, items } = plan;
    const group = groupOf(coherent, items.bank_j[j]);
    const best = this.maximum.get(group);
    const threshold = best - coherent.maxDrop;
    const n = evaluator.rowsAbove(slot, t, threshold - LOOSE);
    const { e0 } = evaluator.rangeOf(t);
    raw.reserve(n);
    const most = copyRows(evaluator.found, n, e0, threshold, raw);
    this.pieces.push({ slot, end: raw.n });
    this.probe(j, slot, t, threshold);
    if (!(most > best)) return true;
    this.maximum.offer(group, most);
    return false;
  }

  /** Moves what an item has in `raw` to the rows. */
  private collect(slot: number): void {
    let start = 0;
    for (const piece of this.raw === this.rows ? [] : this.pieces) {
      if (piece.slot === slot && piece.end > start) this.rows.append(this.raw, start, piece.end);
      start = piece.end;
    }
    this.rows.endPart();
  }

  private probe(j: number, slot: number, t: number, threshold: number): void {
    const { evaluator, plan } = this;
    const { items } = plan;
    const { e0 } = evaluator.rangeOf(t);
    const { e, dh, hh } = evaluator.found;
    const n = evaluator.probes(items.bank_j[j], items.i_j[j], t);
    for (let k = 0; k < n; k++) {
      if (bestfitLnL(dh[k], hh[k]) > threshold) continue;
      this.probes_slot[slot].push({ e: e0 + e[k], dh: dh[k], hh: hh[k] });
    }
  }

  close(): void {
    this.evaluator.close();
  }
}

/** Appends the rows above the threshold; the largest lnL of all. */
function copyRows(found: Coherent["found"], n: number, e0: number, threshold: number, to: ChunkRows): number {
  let most = 0;
  let at = to.n;
  for (let r = 0; r < n; r++) {
    const dh = found.dh[r];
    const hh = found.hh[r];
    const lnl = bestfitLnL(dh, hh);
    if (lnl > most) most = lnl;
    if (!(lnl > threshold)) continue;
    to.e[at] = e0 + found.e[r];
    to.o[at] = found.o[r];
    to.dh[at] = dh;
    to.hh[at] = hh;
    to.bestfit[at++] = lnl;
  }
  to.n = at;
  return most;
}

/** A probe below the threshold. */
interface Probe {
  readonly e: number;
  readonly dh: number;
  readonly hh: number;
}

/** ln sum exp(lnL marginalized over distance + log prior weight of e). */
function probesLnSum(probes: readonly Probe[], plan: RowPlan, kernels: Kernels): number {
  const { table, logPriorWeights_e } = plan;
  const terms = (some: readonly Probe[]) => {
    const lnl = new Float64Array(some.length);
    const [dh, hh] = [Float64Array.from(some, (one) => one.dh), Float64Array.from(some, (one) => one.hh)];
    lnLikeMarginalized(table, dh, hh, lnl, some.length, kernels.distanceMarginal);
    return lnl.map((value, k) => value + logPriorWeights_e[some[k].e]);
  };
  // Marginalizing only lowers lnL.
  const bounds = probes.map(({ e, dh, hh }) => bestfitLnL(dh, hh) + logPriorWeights_e[e]);
  const most = bounds.reduce((best, bound, k) => (bound > bounds[best] ? k : best), 0);
  const [least] = terms(probes.slice(most, most + 1));
  return logSumExp(terms(probes.filter((_, k) => !(bounds[k] < least + NEGLIGIBLE))));
}
