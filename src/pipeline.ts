/** The inference from its inputs to its run directory: the stages in order. */

import { workThatFits } from "./forecast/fit.ts";
import { readAllColumns } from "./gw/bank.ts";
import { buildDistanceTable } from "./gw/distance.ts";
import { chirpMass5 } from "./gw/prior.ts";
import type { Reference, SingleReference } from "./gw/reference.ts";
import { encodeReference, readReference } from "./gw/reference-file.ts";
import { buildReference, type Search } from "./gw/reference-waveform.ts";
import { writeFileAtomic } from "./io/atomic-write.ts";
import { threadTools } from "./kernels/native.ts";
import { type Machine, thisMachine } from "./machine/machine.ts";
import { type Options, toRunKwargs } from "./options.ts";
import type { Reporter } from "./report/reporter.ts";
import type { RunSummary } from "./report/summary.ts";
import { type StageWork, timingsOf, traceJson } from "./report/timings.ts";
import { rowPaths, writeResults, writeTimings } from "./rundir/results.ts";
import { createRundir, discardRundir } from "./rundir/rundir.ts";
import { readTruth } from "./rundir/truth.ts";
import { shareTable } from "./stages/distance-table.ts";
import { type EvaluateInputs, evaluate } from "./stages/evaluate.ts";
import { type ExtrinsicSamples, N_COMBINE } from "./stages/extrinsic.ts";
import { ExtrinsicStage, extrinsicSet, importExtrinsic } from "./stages/extrinsic-samples.ts";
import { paysFirstLook, worthAnotherLook } from "./stages/first-look.ts";
import { type IncoherentSettings, type Items, planIncoherent } from "./stages/incoherent.ts";
import { finish, type Posterior } from "./stages/posterior.ts";
import { type BankLikelihoods, bestFirst, itemsOf, joined, selectWithin } from "./stages/select.ts";
import { coherentCuts, incoherentCuts, type WorkSettings } from "./stages/settings.ts";
import { countCandidates, type Inputs, readInputs } from "./stages/setup.ts";
import { Stopwatch } from "./stopwatch.ts";
import type { Setting } from "./tune/setting.ts";
import { Pool } from "./workers/pool.ts";

export { planRun } from "./plan.ts";

/** What every stage of a run needs. */
interface Context {
  readonly options: Options;
  readonly inputs: Inputs;
  readonly work: WorkSettings;
  readonly pool: Pool;
  readonly report: Reporter;
  readonly clock: Stopwatch;
}

/**
 * Runs the inference and writes its directory.
 * @param settingFor a tuned setting for such inputs, if there is one
 * @throws DotpeError for everything that the inputs, the options or the machine can cause; nothing is left behind then.
 */
export async function runInference(
  options: Options,
  report: Reporter,
  settingFor: (inputs: Inputs) => Promise<Setting | undefined> = async () => undefined,
  machine: Machine = thisMachine(),
): Promise<RunSummary> {
  const clock = new Stopwatch();
  clock.lap("start");
  const inputs = readInputs(options);
  const truth = options.truth === undefined ? undefined : readTruth(options.truth);
  const imported = options.extrinsicSamples && importExtrinsic(options.extrinsicSamples, options);
  const setting = await chosenSetting(settingFor, inputs, clock);
  const { work, warning } = workThatFits(options, inputs, setting, machine);
  if (warning !== undefined) report.warn(warning);
  const { parentCpus } = work.placement;
  if (parentCpus.length > 0) threadTools().bind(parentCpus);
  const pool = new Pool(work.placement.seats, work.kernel);
  const madeFolders: string[] = [];
  const rundir = createRundir({ ...options, eventName: inputs.event.name }, madeFolders);
  const context = { options, inputs, work, pool, report, clock };
  try {
    pool.start();
    return await runStages(context, rundir, imported || undefined, truth);
  } catch (error) {
    discardRundir(rundir, madeFolders);
    throw error;
  } finally {
    pool.close();
    clock.stop();
  }
}

/** Choosing it is a stage of its own if it took so long (s) that something was measured. */
const MEASURED = 0.5;

async function chosenSetting(
  settingFor: (inputs: Inputs) => Promise<Setting | undefined>,
  inputs: Inputs,
  clock: Stopwatch,
): Promise<Setting | undefined> {
  const begun = performance.now();
  const setting = await settingFor(inputs);
  if (performance.now() - begun > 1000 * MEASURED) clock.lap("tuning");
  return setting;
}

async function runStages(
  context: Context,
  rundir: string,
  imported: ExtrinsicSamples | undefined,
  truth: Record<string, number> | undefined,
): Promise<RunSummary> {
  const { options, inputs, pool, report, clock } = context;
  const { event, banks, bins } = inputs;
  const warnings = inputWarnings(inputs, report);
  if (inputs.band.note) report.note(inputs.band.note);
  const stage4 = imported ? undefined : new ExtrinsicStage(context.pool, { event, bins, options });
  const reference = await findReference(context);
  stage4?.begin(reference);
  clock.lap("setup");
  const kept = (await incoherent(context, reference)).map(ascending);
  clock.lap("incoherent");
  const accepted = itemsOf(kept);
  const lnlike_j = joined(kept.map(({ lnlike_i }) => lnlike_i));
  const order = bestFirst(lnlike_j);
  const table = stage4
    ? await stage4.table()
    : shareTable(buildDistanceTable(undefined, context.pool.kernels));
  const drawn = stage4
    ? await draw(context, stage4, accepted, order[0])
    : { samples: imported as ExtrinsicSamples };
  const extrinsic = drawn.samples;
  if (extrinsic.exhausted)
    warnings.push(`extrinsic samples exhausted: ${extrinsic.n_e} of ${options.nExt} exist`);
  clock.lap("extrinsic");
  const set = extrinsicSet(extrinsic, event);
  const given = { bins, reference, accepted, order, lnlike_j, set, table };
  const { rows, results } = await coherent(context, given, extrinsic, rundir);
  clock.lap("coherent");
  const posterior = await finish(pool, {
    banks: banks.map((bank, k) => ({ bank, result: results[k] })),
    rows,
    ...{ extrinsic, n_phi: options.nPhi, frame: reference.frame, options, truth },
  });
  await writeResults(rundir, {
    runKwargs: toRunKwargs(options, { rundir, nExt: extrinsic.n_e }),
    incoherent: banks.map(({ id }, k) => incoherentFiles(id, kept[k])),
    extrinsic: {
      ...{ ...drawn, n_d: event.n_d, response_dpe: set.response_dpe },
      timeshifts: options.saveTimeshifts ? { fbin: bins.fbin, t_de: set.arrival_de } : undefined,
    },
    ...{ rows, results, posterior, reference: encodeReference(reference, event) },
  });
  clock.lap("posterior");
  const counts = { rundir, n_i: countCandidates(inputs), nAccepted: accepted.i_j.length, n_e: extrinsic.n_e };
  writeMeasurements(context, counts);
  return summaryOf(context, posterior, counts, warnings);
}

/** Stage 5. */
async function coherent(
  { options, inputs, work, pool, report }: Context,
  given: Pick<EvaluateInputs, "bins" | "reference" | "accepted" | "order" | "lnlike_j" | "set" | "table">,
  { n_e, log_prior_weights }: ExtrinsicSamples,
  rundir: string,
) {
  const n = given.accepted.i_j.length;
  const progress = report.stage("coherent", n, "samples");
  const settings = {
    n_phi: options.nPhi,
    maxDrop: options.maxBestfitLnlikeDiff,
    bestPerBank: options.compat === "dot_pe",
    seed: options.seed,
    ...coherentCuts(work, n, n_e),
  };
  const { n_int, logPriorWeights } = inputs;
  const evaluated: EvaluateInputs = {
    ...{ ...given, n_int, logPriorWeights, logPriorWeights_e: log_prior_weights, settings },
    sizeLimit: options.sizeLimit,
    paths: rowPaths(rundir, inputs.banks),
  };
  const done = await evaluate(pool, evaluated, (share) => progress.update(Math.floor(share * n)));
  const n_rows = done.results.reduce(
    (sum, { nDistanceMarginalizations }) => sum + nDistanceMarginalizations,
    0,
  );
  progress.end(`${n_rows.toLocaleString("en")} rows`);
  return done;
}

type Counts = Pick<RunSummary, "rundir" | "n_i" | "nAccepted" | "n_e">;

/** timings.json, and the trace if one was asked for: a run is not lost because its trace cannot be written. */
function writeMeasurements({ options, inputs, clock, pool, report }: Context, counts: Counts): void {
  const { bins, event } = inputs;
  const bytesOfSample = 2 * 8 * 2 * bins.mArr.length * bins.fbin.length;
  const n_incoherent = options.loadInds ? 0 : counts.n_i;
  const work: Record<string, StageWork> = {
    incoherent: {
      bytesRead: n_incoherent * bytesOfSample,
      likelihoods: n_incoherent * event.n_d * options.nT * (options.nPhiIncoherent ?? options.nPhi),
    },
    coherent: {
      bytesRead: counts.nAccepted * bytesOfSample,
      likelihoods: counts.nAccepted * counts.n_e * options.nPhi,
    },
  };
  const { history, n_procs, kernels } = pool;
  const measured = { laps: clock.laps(), history, work, n_procs, kernel: kernels.name };
  writeTimings(counts.rundir, timingsOf(measured));
  if (options.trace === undefined) return;
  try {
    writeFileAtomic(options.trace, traceJson(measured));
  } catch (error) {
    report.warn((error as Error).message);
  }
}

function summaryOf(
  { inputs, clock, pool }: Context,
  { summary, parameters, warnings: doubts }: Posterior,
  counts: Counts,
  warnings: readonly string[],
): RunSummary {
  return {
    ...{ event: inputs.event.name, parameters, ...counts },
    lnEvidence: summary.ln_evidence,
    lnEvidenceError: summary.ln_evidence_error,
    nEffective: summary.n_effective,
    nEffectiveI: summary.n_effective_i_merged,
    nEffectiveE: summary.n_effective_e_merged,
    n_rows: summary.n_rows,
    bestfitLnlikeMax: summary.bestfit_lnlike_max,
    stages: clock.laps(),
    peakMemoryMB: clock.peakMB(),
    warnings: [...warnings, ...doubts],
    ...{ kernel: pool.kernels.name, nProcs: pool.n_procs },
  };
}

async function findReference({ options, inputs, pool, report, work }: Context) {
  const { event, band, bins, banks } = inputs;
  if (options.reference !== "native")
    return readReference(options.reference, event, band, bins.mArr, pool.kernels);
  const progress = report.stage("reference waveform", 0, "samples");
  const search: Search = async (reference, items, n_t) => {
    const plan = incoherentPlan({ options, inputs, work, pool }, reference, items, { n_t, symmetric: true });
    await pool.run("incoherent", plan, Math.ceil(items.i_j.length / plan.taskSize));
    return plan;
  };
  const reference = await buildReference(event, band, banks, search, pool.kernels);
  progress.end(reference.source);
  return reference;
}

function incoherentPlan(
  { options, inputs, work, pool }: Pick<Context, "options" | "inputs" | "work" | "pool">,
  reference: SingleReference,
  items: Items,
  how: Pick<IncoherentSettings, "n_t" | "symmetric" | "single">,
) {
  const settings = {
    ...how,
    n_phi: options.nPhiIncoherent ?? options.nPhi,
    dt: 1 / (2 * inputs.event.f[inputs.event.n_f - 1]),
    ...incoherentCuts(work, items.i_j.length),
  };
  return planIncoherent(inputs.bins, reference, items, settings, pool.kernels);
}

/** Stage 2, or what an earlier run has kept of it; and stage 3. */
async function incoherent(context: Context, reference: Reference): Promise<BankLikelihoods[]> {
  const { options, inputs, pool, report } = context;
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
  const look = async (at: Items, single: boolean, onProgress?: (done: number) => void) => {
    const how = { n_t: options.nT, symmetric: options.compat === "none", single };
    const plan = incoherentPlan(context, reference, at, how);
    const nTasks = Math.ceil(at.i_j.length / plan.taskSize);
    await pool.run("incoherent", plan, nTasks, (done) => onProgress?.(Math.min(n, done * plan.taskSize)));
    return plan.lnlike_dj;
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

async function draw({ report }: Context, stage: ExtrinsicStage, accepted: Items, best: number) {
  const progress = report.stage("extrinsic", N_COMBINE, "marginalizations");
  const drawn = await stage.draw(accepted, best, (n) => progress.update(n));
  progress.end(
    `${drawn.samples.n_e.toLocaleString("en")} samples from ${drawn.usedSampleIdx?.length} marginalizations`,
  );
  return drawn;
}

/** A bank's accepted samples by rising index: the order of every sum. */
function ascending({ i, lnlike_i, lnlike_di }: BankLikelihoods): BankLikelihoods {
  const n = i.length;
  const order = Int32Array.from(i.keys()).sort((a, b) => i[a] - i[b]);
  return {
    i: order.map((k) => i[k]),
    lnlike_i: Float64Array.from(order, (k) => lnlike_i[k]),
    lnlike_di: lnlike_di.map((_, at) => lnlike_di[Math.floor(at / n) * n + order[at % n]]),
  };
}

function incoherentFiles(id: string, { i, lnlike_i, lnlike_di }: BankLikelihoods) {
  return { id, inds: i, lnlikes_di: lnlike_di, incoherent_lnlikes: lnlike_i };
}

/** Banks whose chirp masses overlap would count the same waveforms twice in the evidence. */
function inputWarnings({ banks, band }: Inputs, report: Reporter): string[] {
  const warnings = [band.doubt, overlapOf(banks)].filter((text) => text !== null);
  warnings.forEach(report.warn);
  return warnings;
}

function overlapOf(banks: Inputs["banks"]): string | null {
  if (banks.length === 1) return null;
  const ranges = banks.map(({ id, samples: { m1, m2 } }) => {
    let [low, high] = [Infinity, -Infinity];
    m1.forEach((a, i) => {
      const power = chirpMass5(a, m2[i]);
      low = Math.min(low, power);
      high = Math.max(high, power);
    });
    return { id, low, high };
  });
  const clash = ranges.flatMap((a, k) =>
    ranges
      .slice(k + 1)
      .filter((b) => a.low < b.high && b.low < a.high)
      .map((b) => [a.id, b.id]),
  );
  if (clash.length === 0) return null;
  return `banks ${clash.map((pair) => pair.join(" and ")).join(", ")} overlap in chirp mass; the evidence adds banks as if they did not`;
}
