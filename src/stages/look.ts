/** Stage 2's likelihoods of some items, computed in pieces: what is done survives the process. */
import { sharedU8 } from "../workers/arena.ts";
import type { Pool } from "../workers/pool.ts";
import type { IncoherentPlan, Items } from "./incoherent.ts";
import { canGoOn, checkFingerprint, fingerprintOf, type Keeper } from "./keeper.ts";
import { pickItems } from "./select.ts";

export interface Look {
  /** Of the saved state. */
  readonly name: string;
  readonly items: Items;
  /** Rows of the result: 1 or n_d. */
  readonly n_rows: number;
  /** What the result depends on beside the items. */
  readonly fingerprint: number;
  /** The plan for some of the items, cut as is best at the moment. */
  readonly plan: (items: Items) => IncoherentPlan;
}

/**
 * @param onProgress told the number of items done
 * @returns as `IncoherentPlan.lnlike_dj`, of all items
 * @throws DotpeError, runAgain if the run is to end here
 */
export async function lookAt(
  pool: Pool,
  look: Look,
  keeper: Keeper,
  onProgress: (done: number) => void = () => {},
): Promise<Float64Array> {
  const pieces = new Pieces(look, keeper);
  for (;;) {
    const left = pieces.left();
    if (left.length === 0) break;
    const plan = look.plan(left.length === pieces.n ? look.items : pickItems(look.items, left));
    const n_tasks = Math.ceil(left.length / plan.taskSize);
    const done_t = sharedU8(n_tasks);
    const before = pieces.n - left.length;
    const update = (done: number) => onProgress(Math.min(pieces.n, before + done * plan.taskSize));
    try {
      await pool.run("incoherent", plan, n_tasks, update, { done_t, shouldStop: () => keeper.isDue() });
    } catch (error) {
      pieces.take(plan, left, done_t);
      if (canGoOn(error) && keeper.isWorthSaving()) pieces.save();
      throw error;
    }
    const isAtOnce = left.length === pieces.n && done_t.every((done) => done === 1);
    if (isAtOnce && !keeper.isWorthSaving() && !keeper.isEnding()) return plan.lnlike_dj;
    pieces.take(plan, left, done_t);
    // Also when it has just ended: the next stage's states say nothing of this one.
    if (keeper.isDue() || (pieces.isDone() && keeper.isWorthSaving())) pieces.save();
    keeper.goOn();
  }
  return pieces.lnlike_dj;
}

class Pieces {
  readonly n: number;
  readonly lnlike_dj: Float64Array;
  private readonly done_j: Uint8Array;
  private readonly fingerprint: number;

  constructor(
    private readonly look: Look,
    private readonly keeper: Keeper,
  ) {
    const { items, n_rows, name } = look;
    this.n = items.i_j.length;
    this.fingerprint = fingerprintOf([items.bank_j, items.i_j, Float64Array.of(look.fingerprint)]);
    const room = n_rows * this.n;
    const saved = keeper.load(name, { lnlike_dj: room, done_j: this.n, fingerprint: 1 });
    if (saved !== undefined) checkFingerprint(name, saved.fingerprint[0], this.fingerprint);
    this.lnlike_dj = saved?.lnlike_dj ?? new Float64Array(room);
    this.done_j = Uint8Array.from(saved?.done_j ?? new Float64Array(this.n));
  }

  /** Positions of the items that are not done. */
  left(): Int32Array {
    const left = new Int32Array(this.n);
    let n = 0;
    for (let j = 0; j < this.n; j++) if (this.done_j[j] === 0) left[n++] = j;
    return left.subarray(0, n);
  }

  isDone(): boolean {
    return !this.done_j.includes(0);
  }

  /** Takes what the tasks that are done of a piece have computed. */
  take({ lnlike_dj, taskSize }: IncoherentPlan, left: Int32Array, done_t: Uint8Array): void {
    for (let k = 0; k < left.length; k++) {
      if (done_t[Math.floor(k / taskSize)] === 0) continue;
      const j = left[k];
      this.done_j[j] = 1;
      for (let d = 0; d < this.look.n_rows; d++)
        this.lnlike_dj[d * this.n + j] = lnlike_dj[d * left.length + k];
    }
  }

  save(): void {
    const { lnlike_dj, done_j, fingerprint } = this;
    this.keeper.save(this.look.name, { lnlike_dj, done_j, fingerprint: Float64Array.of(fingerprint) });
  }
}
