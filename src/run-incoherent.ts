/** The first half of a run: the reference waveform, and the bank samples that go on. */
import { readAllColumns } from "./gw/bank.ts";
import type { Reference, SingleReference } from "./gw/reference.ts";
import { readReference } from "./gw/reference-file.ts";
import { buildReference, type Search } from "./gw/reference-waveform.ts";
import type { Options } from "./options.ts";
import type { Relief } from "./relief.ts";
import type { Reporter } from "./report/reporter.ts";
import { paysFirstLook, worthAnotherLook } from "./stages/first-look.ts";
import { type IncoherentSettings, type Items, planIncoherent } from "./stages/incoherent.ts";
import { fingerprintOf, type Keeper } from "./stages/keeper.ts";
import { lookAt } from "./stages/look.ts";
import { type BankLikelihoods, itemsOf, joined, selectWithin } from "./stages/select.ts";
import { incoherentCuts } from "./stages/settings.ts";
import type { Inputs } from "./stages/setup.ts";
import type { Stopwatch } from "./stopwatch.ts";
import type { Pool } from "./workers/pool.ts";

/** What every stage of a run needs. */
export interface Context {
  readonly options: Options;
  readonly inputs: Inputs;
  /** How the work is cut. */
  readonly relief: Relief;
  readonly pool: Pool;
  readonly report: Reporter;
  readonly clock: Stopwatch;
  readonly keeper: Keeper;
}

export async function findReference({ options, inputs, pool, report, relief }: Context) {
  const { event, band, bins, banks } = inputs;
  if (options.reference !== "native")
    return readReference(options.reference, event, band, bins.mArr, pool.kernels);
  const progress = report.stage("reference waveform", 0, "samples");
  const search: Search = async (reference, items, n_t) => {
    const plan = incoherentPlan({ options, inputs, relief, pool }, reference, items, {
      n_t,
      symmetric: true,
    });
    await pool.run("incoherent", plan, Math.ceil(items.i_j.length / plan.taskSize));
    return plan;
  };
  const reference = await buildReference(event, band, banks, search, pool.kernels);
  progress.end(reference.source);
  return reference;
}

function incoherentPlan(
  { options, inputs, relief, pool }: Pick<Context, "options" | "inputs" | "relief" | "pool">,
  reference: SingleReference,
  items: Items,
  how: Pick<IncoherentSettings, "n_t" | "symmetric" | "single">,
) {
  const settings = {
    ...how,
    n_phi: options.nPhiIncoherent ?? options.nPhi,
    dt: 1 / (2 * inputs.event.f[inputs.event.n_f - 1]),
    ...incoherentCuts(relief.work, items.i_j.length),
  };
  return planIncoherent(inputs.bins, reference, items, settings, pool.kernels);
}

/** Stage 2, or what an earlier run has kept of it; and stage 3: the samples of each bank by rising index, the order of every sum. */
export async function incoherent(context: Context, reference: Reference): Promise<BankLikelihoods[]> {
  return (await accepted(context, reference)).map(ascending);
}

async function accepted(context: Context, reference: Reference): Promise<BankLikelihoods[]> {
  const { options, inputs, pool, report, keeper } = context;
  const items = itemsOf(inputs.candidates);
  const n = items.i_j.length;
  const maxDrop = options.maxIncoherentLnlikeDrop;
  const select = (of: Items, lnlike_dj: Float64Array) =>
    selectWithin(of, lnlike_dj, inputs.banks.length, maxDrop);
  if (options.loadInds) {
    inputs.banks.forEach(readAllColumns);
    return select(items, knownLikelihoods(inputs));
  }
  const progress = report.stage("incoherent", n, "samples");
  const { arrival_d, asdDrift_d, single: weights } = reference;
  const fingerprint = fingerprintOf([arrival_d, asdDrift_d, ...weights.flatMap((of) => Object.values(of))]);
  const look = (at: Items, single: boolean, onProgress?: (done: number) => void) => {
    const how = { n_t: options.nT, symmetric: options.compat === "none", single };
    const name = single ? "first-look" : "incoherent";
    const plan = (items: Items) => incoherentPlan(context, reference, items, how);
    const n_rows = single ? 1 : inputs.event.n_d;
    return lookAt(pool, { name, items: at, n_rows, fingerprint, plan }, keeper, onProgress);
  };
  const several = paysFirstLook(n, pool.kernels);
  // The main thread has nothing else to do meanwhile.
  const readColumns = async () => inputs.banks.forEach(readAllColumns);
  const [first] = await Promise.all([look(items, several, (done) => progress.update(done)), readColumns()]);
  const close = several ? worthAnotherLook(items, first, maxDrop) : items;
  const kept = select(close, several ? await look(close, false) : first);
  const n_kept = kept.reduce((sum, { i }) => sum + i.length, 0);
  progress.end(`${n_kept.toLocaleString("en")} of ${n.toLocaleString("en")} accepted`);
  return kept;
}

/** (d, j), zero where the file has indices alone: then every sample goes on. */
function knownLikelihoods({ candidates, event }: Inputs): Float64Array {
  const rows = Array.from({ length: event.n_d }, (_, d) =>
    candidates.map(({ i, lnlike_di }) => {
      const n = i.length;
      return lnlike_di?.subarray(d * n, (d + 1) * n) ?? new Float64Array(n);
    }),
  );
  return joined(rows.flat());
}

function ascending({ i, lnlike_i, lnlike_di }: BankLikelihoods): BankLikelihoods {
  const n = i.length;
  const order = Int32Array.from(i.keys()).sort((a, b) => i[a] - i[b]);
  return {
    i: order.map((k) => i[k]),
    lnlike_i: Float64Array.from(order, (k) => lnlike_i[k]),
    lnlike_di: lnlike_di.map((_, at) => lnlike_di[Math.floor(at / n) * n + order[at % n]]),
  };
}
