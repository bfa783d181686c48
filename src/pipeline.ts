/** The inference from its inputs to its run directory: the stages in order. */

import { workThatFits } from "./forecast/fit.ts";
import { buildDistanceTable } from "./gw/distance.ts";
import { chirpMass5 } from "./gw/prior.ts";
import { encodeReference, type ReferenceWithH0 } from "./gw/reference-file.ts";
import { Interrupt } from "./interrupt.ts";
import { writeFileAtomic } from "./io/atomic-write.ts";
import { threadTools } from "./kernels/native.ts";
import { type Machine, thisMachine } from "./machine/machine.ts";
import { type Options, toRunKwargs } from "./options.ts";
import { Relief } from "./relief.ts";
import type { Reporter } from "./report/reporter.ts";
import type { RunSummary } from "./report/summary.ts";
import { type StageWork, type TimingsInput, timingsOf, traceJson } from "./report/timings.ts";
import { type Context, findReference, incoherent } from "./run-incoherent.ts";
import { describeRun } from "./rundir/manifest.ts";
import { ProgressFile } from "./rundir/progress-file.ts";
import { rowPaths, writeResults } from "./rundir/results.ts";
import { openSession, type Session } from "./rundir/session.ts";
import { readTruth } from "./rundir/truth.ts";
import type { ExtrinsicSet } from "./stages/coherent-plan.ts";
import { shareTable } from "./stages/distance-table.ts";
import { type Evaluated, type EvaluateInputs, evaluate } from "./stages/evaluate.ts";
import { type ExtrinsicSamples, N_COMBINE } from "./stages/extrinsic.ts";
import { type Drawn, ExtrinsicStage, extrinsicSet, importExtrinsic } from "./stages/extrinsic-samples.ts";
import type { Items } from "./stages/incoherent.ts";
import { canGoOn, type Keeper } from "./stages/keeper.ts";
import { finish, type Posterior } from "./stages/posterior.ts";
import { type BankLikelihoods, bestFirst, itemsOf, joined } from "./stages/select.ts";
import { coherentCuts } from "./stages/settings.ts";
import { countCandidates, type Inputs, readInputs } from "./stages/setup.ts";
import { Stopwatch } from "./stopwatch.ts";
import type { Setting } from "./tune/setting.ts";
import { Pool } from "./workers/pool.ts";

export { planRun } from "./plan.ts";

/** What a run can be given beside its options. */
export interface Surroundings {
  /** A tuned setting for such inputs, if there is one. */
  readonly settingFor?: (inputs: Inputs) => Promise<Setting | undefined>;
  readonly machine?: Machine;
  readonly interrupt?: Interrupt;
}

/** The run directory was complete: nothing was done. */
export interface AlreadyComplete {
  readonly complete: string;
}

/** How often the main thread looks after the workers (ms). */
const POLL = 100;

/**
 * Runs the inference and writes its directory, or goes on with one that was interrupted.
 * @throws DotpeError for everything that the inputs, the options or the machine can cause. What the same command can go on from
 * stays; else nothing is left behind.
 */
export async function runInference(
  options: Options,
  report: Reporter,
  surroundings: Surroundings = {},
): Promise<RunSummary | AlreadyComplete> {
  const { settingFor = async () => undefined, machine = thisMachine() } = surroundings;
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
  const pool = new Pool(work.placement.seats, work.kernel, {
    recycle: options.recycle,
    everySpan: options.trace !== undefined,
    poll: Math.min(POLL, 1000 * options.checkpointInterval + 1),
    onRedo: (why) => report.warn(`${why}: its work is done again`),
  });
  // They load while the inputs are looked at.
  pool.start();
  try {
    const relief = new Relief(work, pool, options.memoryFraction, machine.allowed, report.warn);
    const { interrupt = new Interrupt() } = surroundings;
    const session = sessionOf({ options, inputs, pool, report }, interrupt, relief);
    if (typeof session === "string") return { complete: session };
    const { checkpoint: keeper } = session;
    const progress = new ProgressFile(keeper.folder, session.number, report);
    try {
      const context = { options, inputs, relief, pool, report: progress.reporter, clock, keeper };
      const summary = await runStages(context, session, imported || undefined, truth);
      session.complete();
      return summary;
    } catch (error) {
      progress.write();
      session.leave(error);
      throw error;
    } finally {
      progress.end();
    }
  } finally {
    pool.close();
    clock.stop();
  }
}

/** Takes the run directory: from here on an interruption is handled by the work itself. */
function sessionOf(
  { options, inputs, pool, report }: Pick<Context, "options" | "inputs" | "pool" | "report">,
  interrupt: Interrupt,
  relief: Relief,
) {
  const { banks, event } = inputs;
  const manifest = describeRun(options, banks, { kernel: pool.kernels.name, threads: pool.n_procs });
  const { note, warn } = report;
  const session = openSession({ options, eventName: event.name, manifest, interrupt, relief, note, warn });
  if (typeof session !== "string") interrupt.begin();
  return session;
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
  session: Session,
  imported: ExtrinsicSamples | undefined,
  truth: Record<string, number> | undefined,
): Promise<RunSummary> {
  const { options, inputs, report, clock, keeper } = context;
  const { event, bins } = inputs;
  const warnings = inputWarnings(inputs, report);
  if (inputs.band.note) report.note(inputs.band.note);
  const stage4 = imported ? undefined : new ExtrinsicStage(context.pool, { event, bins, options });
  const reference = await findReference(context);
  stage4?.begin(reference);
  clock.lap("setup");
  keeper.goOn();
  const kept = await incoherent(context, reference);
  context.relief.hasBatches = false;
  clock.lap("incoherent");
  keeper.goOn();
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
  keeper.goOn();
  const set = extrinsicSet(extrinsic, event);
  const given = { bins, reference, accepted, order, lnlike_j, set, table };
  const evaluated = await coherent(context, given, extrinsic, session.rundir);
  clock.lap("coherent");
  const found = { reference, kept, drawn, set, evaluated, truth };
  const counts = {
    ...{ rundir: session.rundir, n_i: countCandidates(inputs) },
    ...{ nAccepted: accepted.i_j.length, n_e: extrinsic.n_e },
  };
  const posterior = await keptIfItFails(evaluated, keeper, () => writeFound(context, session, found, counts));
  if (options.trace !== undefined) writeTrace(options.trace, measurements(context, counts), report);
  return summaryOf(context, posterior, counts, warnings);
}

/** What the stages have found. */
interface Found {
  readonly reference: ReferenceWithH0;
  readonly kept: readonly BankLikelihoods[];
  readonly drawn: Drawn;
  readonly set: ExtrinsicSet;
  readonly evaluated: Evaluated;
  readonly truth: Record<string, number> | undefined;
}

/** Stage 6, and the files. */
async function writeFound(
  context: Context,
  session: Session,
  { reference, kept, drawn, set, evaluated, truth }: Found,
  counts: Counts,
): Promise<Posterior> {
  const { options, inputs, pool, keeper, clock } = context;
  const { event, banks, bins } = inputs;
  const { rows, results } = evaluated;
  const { rundir } = session;
  const extrinsic = drawn.samples;
  const given = {
    banks: banks.map((bank, k) => ({ bank, result: results[k] })),
    ...{ rows, extrinsic, n_phi: options.nPhi, frame: reference.frame, options, truth },
  };
  const posterior = await finish(pool, given, keeper);
  session.checkIsOurs();
  const files = {
    runKwargs: toRunKwargs(options, { rundir, nExt: extrinsic.n_e }),
    incoherent: banks.map(({ id }, k) => incoherentFiles(id, kept[k])),
    extrinsic: {
      ...{ ...drawn, n_d: event.n_d, response_dpe: set.response_dpe },
      timeshifts: options.saveTimeshifts ? { fbin: bins.fbin, t_de: set.arrival_de } : undefined,
    },
    ...{ rows, results, posterior, reference: encodeReference(reference, event) },
  };
  const timings = () => {
    clock.lap("posterior");
    return timingsOf(measurements(context, counts));
  };
  await writeResults(rundir, files, pool, () => keeper.goOn(), timings);
  return posterior;
}

/** Rows that are written are saved, if what follows fails for a reason that can pass. */
async function keptIfItFails<T>({ keep, rows }: Evaluated, keeper: Keeper, action: () => Promise<T>) {
  try {
    return await action();
  } catch (error) {
    // The first failure is the one to tell.
    if (canGoOn(error) && keeper.isWorthSaving()) await keep().catch(() => {});
    rows.files.close();
    throw error;
  }
}

/** Stage 5. */
async function coherent(
  { options, inputs, relief, pool, report, keeper }: Context,
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
    ...coherentCuts(relief.work, n, n_e),
  };
  const { n_int, logPriorWeights } = inputs;
  const evaluated: EvaluateInputs = {
    ...{ ...given, n_int, logPriorWeights, logPriorWeights_e: log_prior_weights, settings },
    sizeLimit: options.sizeLimit,
    paths: rowPaths(rundir, inputs.banks),
  };
  const update = (share: number) => progress.update(Math.floor(share * n));
  const done = await evaluate(pool, evaluated, update, keeper);
  const n_rows = done.results.reduce(
    (sum, { nDistanceMarginalizations }) => sum + nDistanceMarginalizations,
    0,
  );
  progress.end(`${n_rows.toLocaleString("en")} rows`);
  return done;
}

type Counts = Pick<RunSummary, "rundir" | "n_i" | "nAccepted" | "n_e">;

/** Where the time went. */
function measurements({ options, inputs, clock, pool, keeper }: Context, counts: Counts): TimingsInput {
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
  return { laps: clock.laps(), history, work, n_procs, kernel: kernels.name, kept: keeper.spent };
}

/** A run is not lost because its trace cannot be written. */
function writeTrace(path: string, measured: TimingsInput, { warn }: Reporter): void {
  try {
    writeFileAtomic(path, traceJson(measured));
  } catch (error) {
    warn((error as Error).message);
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

async function draw({ report }: Context, stage: ExtrinsicStage, accepted: Items, best: number) {
  const progress = report.stage("extrinsic", N_COMBINE, "marginalizations");
  const drawn = await stage.draw(accepted, best, (n) => progress.update(n));
  progress.end(
    `${drawn.samples.n_e.toLocaleString("en")} samples from ${drawn.usedSampleIdx?.length} marginalizations`,
  );
  return drawn;
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
