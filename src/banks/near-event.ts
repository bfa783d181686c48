/** Which samples of a bank are near an event: the first stages of a run, as `dotpe-hpc run` does them with its defaults. */
import type { EventBand } from "../gw/band.ts";
import type { Bank } from "../gw/bank.ts";
import type { BankItems } from "../gw/bank-items.ts";
import type { Event } from "../gw/event.ts";
import type { ReferenceWithH0 } from "../gw/reference-file.ts";
import { buildReference, type Search } from "../gw/reference-waveform.ts";
import { paysFirstLook } from "../stages/first-look.ts";
import { planIncoherent } from "../stages/incoherent.ts";
import { BUILT_IN, incoherentCuts } from "../stages/settings.ts";
import type { Pool } from "../workers/pool.ts";

/** Times and orbital phases of stage 2, and how far below the best samples count. */
const N_T = 128;
const N_PHI = 50;
export const MAX_DROP = 20;

export interface Near {
  readonly reference: ReferenceWithH0;
  /** Stage 2's ln likelihood (i), all detectors. */
  readonly lnlike_i: Float64Array;
  /** Samples within MAX_DROP of the best, best first. */
  readonly near: readonly number[];
}

/**
 * @param onProgress told the share of samples that have been looked at
 * @throws DotpeError as `buildReference` and stage 2 do.
 */
export async function nearEvent(
  bank: Bank,
  event: Event,
  band: EventBand,
  pool: Pool,
  onProgress: (share: number) => void,
): Promise<Near> {
  const bins = { banks: [bank], mArr: bank.config.m_arr, b0: band.b0, fbin: band.fbin };
  const { iBatch, batchesPerTask } = BUILT_IN;
  const look = async (
    reference: Parameters<Search>[0],
    items: BankItems,
    n_t: number,
    single: boolean,
    onDone: (share: number) => void = () => {},
  ) => {
    const n = items.i_j.length;
    const work = { taskItems: iBatch * batchesPerTask, batchItems: iBatch, n_procs: pool.n_procs };
    const settings = {
      ...{ n_t, n_phi: N_PHI, dt: 1 / (2 * event.f[event.n_f - 1]), symmetric: true, single },
      ...incoherentCuts(work, n),
    };
    const plan = planIncoherent(bins, reference, items, settings, pool.kernels);
    const n_tasks = Math.ceil(n / settings.taskSize);
    await pool.run("incoherent", plan, n_tasks, (done) => onDone(done / n_tasks));
    return plan;
  };
  const search: Search = (reference, items, n_t) => look(reference, items, n_t, false);
  const reference = await buildReference(event, band, [bank], search, pool.kernels);
  const all = { bank_j: new Int32Array(bank.n_i), i_j: Int32Array.from({ length: bank.n_i }, (_, i) => i) };
  // Single precision is enough to say who is near.
  const { lnlike_dj } = await look(reference, all, N_T, paysFirstLook(bank.n_i, pool.kernels), onProgress);
  const lnlike_i = new Float64Array(bank.n_i);
  for (let k = 0; k < lnlike_dj.length; k++) lnlike_i[k % bank.n_i] += lnlike_dj[k];
  let best = -Infinity;
  for (const lnl of lnlike_i) if (lnl > best && lnl < Infinity) best = lnl;
  const near: number[] = [];
  for (let i = 0; i < bank.n_i; i++) if (lnlike_i[i] >= best - MAX_DROP) near.push(i);
  near.sort((a, b) => lnlike_i[b] - lnlike_i[a] || a - b);
  return { reference, lnlike_i, near };
}
