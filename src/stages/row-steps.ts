/**
 * The way to the rows: the best likelihood is guessed, the rows near it are written; if a row was better than the guess, or there
 * are too many, the best is found for certain, likelihoods are counted if need be, and the rows are written again. Every step can
 * be interrupted: where it is, and what it has, is saved.
 */
import { sharedF64, sharedI32, sharedU8, shareF64 } from "../workers/arena.ts";
import { isPassing, type Pool } from "../workers/pool.ts";
import type { JobKind, Jobs } from "../workers/protocol.ts";
import type { CoherentPlan } from "./coherent-plan.ts";
import { cutsOf, N_BINS, nScanTasks } from "./coherent-scan.ts";
import type { EvaluateInputs } from "./evaluate.ts";
import { canGoOn, checkFingerprint, type Keeper, type State } from "./keeper.ts";
import { FAILED, GIVEN_UP, isWhole, type RowCuts, type RowFiles, TOO_MANY, WRITTEN } from "./row-files.ts";
import type { RowPlan } from "./row-pass.ts";
import { restoreRows, rowState, rowStateLengths } from "./row-state.ts";

/**
 * The coherent lnL of a sample is larger than its incoherent one by less than this, nearly always: the grids of times and
 * phases are not the same. Where it is more, the rows are made twice.
 */
const MARGIN = 1;
/** A pass is taken up again so many times after a fault of the machine. */
const MOST_FAULTS = 3;

export const STEPS = ["scan", "rows", "count"] as const;
type Step = (typeof STEPS)[number];

/** Name of the saved state: where the steps are, and what the one that runs has. */
const STATE = "coherent";

export interface RowSurroundings {
  readonly pool: Pool;
  readonly inputs: EvaluateInputs;
  readonly coherent: CoherentPlan;
  readonly files: RowFiles;
  readonly keeper: Keeper;
  /** What the rows depend on. */
  readonly fingerprint: number;
  /** The plan of a pass. */
  readonly plan: (best: Float64Array, cuts: RowCuts | undefined) => RowPlan;
  /** Told the share of a pass that is done. */
  readonly onProgress: (share: number) => void;
}

export class RowSteps {
  private step: Step = "scan";
  /** The best is known for certain, or being found. */
  private isCertain = false;
  /** Why the last pass was given up. */
  private reason = 0;
  /** By group: the best lnL, and what was taken for it in the last pass. */
  private best: Float64Array;
  private before: Float64Array;
  private cuts: RowCuts | undefined;
  /** There is a saved state. */
  private isSaved = false;
  /** The step has something saved that it has not looked at. */
  private isTakenUp = false;
  private last: RowPlan | undefined;

  constructor(private readonly given: RowSurroundings) {
    const { coherent, keeper, fingerprint } = given;
    const n_groups = coherent.bestPerBank ? coherent.samples.banks.length : 1;
    this.best = sharedF64(n_groups);
    this.before = new Float64Array(n_groups);
    const lengths = { step: 1, isCertain: 1, reason: 1, best: n_groups, before: n_groups, cuts: undefined };
    const saved = keeper.load(STATE, { ...lengths, fingerprint: 1 });
    if (saved === undefined) return;
    checkFingerprint(STATE, saved.fingerprint[0], fingerprint);
    this.step = STEPS[saved.step[0]] ?? "scan";
    this.isCertain = saved.isCertain[0] === 1;
    this.reason = saved.reason[0];
    this.best.set(saved.best);
    this.before.set(saved.before);
    const { cuts } = saved;
    if (cuts.length > 1) this.cuts = { merged: cuts[0], bank_k: Array.from(cuts.subarray(1)) };
    this.isTakenUp = this.isSaved = true;
  }

  /** @returns the pass that wrote all rows. @throws DotpeError, runAgain if the run is to end here. */
  async run(): Promise<RowPlan> {
    const { keeper } = this.given;
    for (;;) {
      const plan = await this[this.step]();
      if (plan !== undefined) {
        if (keeper.isWorthSaving()) await this.saveRows(plan);
        return plan;
      }
      this.isTakenUp = false;
      // A step that is done; or rows that were given up: their files are emptied, and are not to be taken up again.
      if (this.isSaved || keeper.isWorthSaving()) this.save({});
    }
  }

  /** Saves the finished pass. */
  async keep(): Promise<void> {
    if (this.last !== undefined) await this.saveRows(this.last);
  }

  private async scan(): Promise<undefined> {
    const { inputs, coherent } = this.given;
    const bound_j = inputs.lnlike_j.map((lnl) => (lnl > 0 && !this.isCertain ? lnl + MARGIN : Infinity));
    const plan = { coherent, order: inputs.order, bound_j, best: this.best };
    const done_t = sharedU8(nScanTasks(plan));
    const saved = this.detail({ done_t: done_t.length });
    if (saved !== undefined) done_t.set(saved.done_t);
    await this.pieces("scan", plan, done_t, () => ({ done_t }));
    const isBetter = this.best.some((value, k) => value > this.before[k]);
    this.step = !this.isCertain || isBetter ? "rows" : "count";
    if (this.step === "count" && this.reason !== TOO_MANY) throw new Error("a row is better than the best");
  }

  /** How many rows there are by lnL, and what keeps at most the limit of each bank, and of all together. */
  private async count(): Promise<undefined> {
    const { coherent, inputs } = this.given;
    if (this.cuts !== undefined) throw new Error("a row is better than the best");
    const threshold = this.best.map((value) => value - coherent.maxDrop);
    const [low, high] = [Math.max(0, Math.min(...threshold)), Math.max(...this.best)];
    const rows_kb = sharedI32(inputs.bins.banks.length * N_BINS);
    const plan = { coherent, threshold, low, high, rows_kb };
    const done_t = sharedU8(coherent.items.i_j.length);
    const saved = this.detail({ done_t: done_t.length, rows_kb: rows_kb.length });
    if (saved !== undefined) {
      done_t.set(saved.done_t);
      rows_kb.set(saved.rows_kb);
    }
    await this.pieces("count", plan, done_t, () => ({ done_t, rows_kb }));
    this.cuts = cutsOf(plan, inputs.sizeLimit);
    this.step = "rows";
  }

  /** One pass over the rows; undefined if it was given up. */
  private async rows(): Promise<RowPlan | undefined> {
    const { pool, keeper, onProgress } = this.given;
    const plan = this.begin();
    const { turn } = plan.progress;
    const { n_chunks } = plan.grid;
    const giveUp = () => {
      Atomics.compareExchange(turn, GIVEN_UP, 0, FAILED);
      Atomics.notify(turn, WRITTEN);
    };
    for (let faults = 0; turn[WRITTEN] < n_chunks; ) {
      const done_t = sharedU8(n_chunks).fill(1, 0, turn[WRITTEN]);
      const watched = { done_t, shouldStop: () => keeper.isDue(), onLost: giveUp };
      try {
        await pool.run("rows", plan, n_chunks, (done) => onProgress(done / n_chunks), watched);
      } catch (error) {
        const canBeSaved = isWhole(plan.progress);
        if (!canBeSaved || !isPassing(error as Error) || ++faults > MOST_FAULTS) {
          if (canBeSaved && canGoOn(error) && keeper.isWorthSaving()) await this.saveRows(plan);
          throw error;
        }
        turn[GIVEN_UP] = 0;
        continue;
      }
      this.reason = turn[GIVEN_UP];
      if (this.reason !== 0) return this.again();
      if (keeper.isDue()) await this.saveRows(plan);
      keeper.goOn();
    }
    this.last = plan;
    return plan;
  }

  /** A pass, from where it was saved or from the beginning. */
  private begin(): RowPlan {
    const { files, coherent, plan: planOf } = this.given;
    const make = () => planOf(shareF64(this.best.slice()), this.cuts);
    const plan = make();
    const saved = this.detail(rowStateLengths(plan.progress, coherent.dt_j));
    if (saved !== undefined) {
      restoreRows(saved, plan.progress, coherent.dt_j);
      if (files.takeUp(plan.progress, plan.grid, plan.items.bank_j)) return plan;
    }
    // Also if the disk has lost what was saved.
    const fresh = saved === undefined ? plan : make();
    files.begin(fresh.progress);
    return fresh;
  }

  /** After a pass that was given up: what to do first. */
  private again(): undefined {
    if (this.isCertain && this.reason !== TOO_MANY) throw new Error("a row is better than the best");
    this.step = this.isCertain ? "count" : "scan";
    if (!this.isCertain) {
      this.isCertain = true;
      this.before = this.best.slice();
      this.best.fill(0);
    }
  }

  private async pieces<K extends JobKind>(
    kind: K,
    plan: Jobs[K]["plan"],
    done_t: Uint8Array,
    detail: () => State,
  ): Promise<void> {
    const { pool, keeper } = this.given;
    while (done_t.includes(0)) {
      try {
        await pool.run(kind, plan, done_t.length, undefined, { done_t, shouldStop: () => keeper.isDue() });
      } catch (error) {
        if (canGoOn(error) && keeper.isWorthSaving()) this.save(detail());
        throw error;
      }
      if (keeper.isDue()) this.save(detail());
      keeper.goOn();
    }
  }

  /** What was saved of the step that is taken up. */
  private detail<const N extends string>(lengths: Readonly<Record<N, number | undefined>>) {
    return this.isTakenUp ? this.given.keeper.load(STATE, lengths) : undefined;
  }

  private async saveRows(plan: RowPlan): Promise<void> {
    // First what is counted must be on the disk.
    const begun = performance.now();
    await this.given.files.sync();
    this.save(rowState(plan.progress, this.given.coherent.dt_j), begun);
  }

  private save(detail: State, begun?: number): void {
    const { keeper, fingerprint } = this.given;
    const { step, isCertain, reason, best, before, cuts } = this;
    const where = {
      ...{ step: Int32Array.of(STEPS.indexOf(step)), isCertain: Int32Array.of(isCertain ? 1 : 0) },
      ...{ reason: Int32Array.of(reason), best, before, fingerprint: Float64Array.of(fingerprint) },
      cuts: cuts === undefined ? new Float64Array(0) : Float64Array.of(cuts.merged, ...cuts.bank_k),
    };
    keeper.save(STATE, { ...where, ...detail }, begun);
    this.isSaved = true;
  }
}
