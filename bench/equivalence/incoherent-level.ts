/** Stage 2 from the reference run's h0: the likelihood of every bank sample in every detector. */
import type { SingleReference } from "../../src/gw/reference.ts";
import { openNpz } from "../../src/io/npz.ts";
import { availableKernels } from "../../src/kernels/table.ts";
import { type Items, planIncoherent } from "../../src/stages/incoherent.ts";
import { itemsOf } from "../../src/stages/select.ts";
import { Pool } from "../../src/workers/pool.ts";
import { runPath } from "../../test/reference-cases.ts";
import { type Level, largestDifference } from "./level.ts";
import type { Subject } from "./subject.ts";

/** The worst over every kernel variant that this machine runs. */
export const incoherentLevel: Level = {
  name: "stage 2",
  quantities: [{ name: "lnL by detector", unit: "absolute", allowed: 1e-7 }],
  async measure(subject) {
    const candidates = subject.banks.map(({ n_i }) => ({ i: Int32Array.from({ length: n_i }, (_, i) => i) }));
    const { n_t, n_phi } = subject.digest.kwargs;
    let worst = 0;
    for (const kernels of availableKernels()) {
      const pool = new Pool(1, kernels);
      const settings = { n_t, n_phi, symmetric: false };
      const lnlike_dj = await likelihoods(subject, pool, subject.reference, itemsOf(candidates), settings);
      const n_j = lnlike_dj.length / subject.event.n_d;
      let first = 0;
      candidates.forEach(({ i }, bank) => {
        const path = runPath(subject.one, "banks", `bank_${bank}`, "incoherent_all.npz");
        const expected = openNpz(path).get("lnlike_di").toFloat64();
        for (let d = 0; d < subject.event.n_d; d++) {
          const found = lnlike_dj.subarray(d * n_j + first, d * n_j + first + i.length);
          const wanted = expected.subarray(d * i.length, (d + 1) * i.length);
          worst = Math.max(worst, largestDifference(found, wanted));
        }
        first += i.length;
      });
    }
    return [worst];
  },
};

/** Stage 2 in this thread. @returns lnL (d, j) */
export async function likelihoods(
  { bins, event }: Subject,
  pool: Pool,
  reference: SingleReference,
  items: Items,
  settings: { readonly n_t: number; readonly n_phi: number; readonly symmetric: boolean },
): Promise<Float64Array> {
  const taskSize = 64;
  const dt = 1 / (2 * event.f[event.n_f - 1]);
  const plan = planIncoherent(bins, reference, items, { ...settings, dt, taskSize, batchSize: 16 });
  await pool.run("incoherent", plan, Math.ceil(items.i_j.length / taskSize));
  return plan.lnlike_dj;
}
