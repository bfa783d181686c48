/** Runs on a few samples of the user's own banks, as processes: what the forecast of a whole run starts from. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { callProgram } from "../bench/child.ts";
import { hashOf } from "../gw/random.ts";
import { encodeNpy } from "../io/npy-write.ts";
import { openNpz } from "../io/npz.ts";
import { makeScratchFolder } from "../io/scratch-folder.ts";
import { type Options, toRunKwargs } from "../options.ts";
import { bankId } from "../per-bank.ts";
import type { WorkSettings } from "../stages/settings.ts";
import { countCandidates, type Inputs } from "../stages/setup.ts";

/** Tasks of one kind within one stage. */
export interface TaskSpan {
  readonly kind: string;
  readonly thread: number;
  /** Number of the task in its job. */
  readonly task: number;
  readonly seconds: number;
}

export interface SampleRun {
  /** Bank samples looked at, accepted, extrinsic samples, rows kept. */
  readonly n: number;
  readonly n_accepted: number;
  /** Incoherent ln likelihoods of those accepted, falling; without the sample that was added. */
  readonly lnlikes: readonly number[];
  /** Of that sample; -Infinity without one. */
  readonly added: number;
  readonly n_e: number;
  readonly n_rows: number;
  readonly seconds: Readonly<Record<string, number>>;
  readonly tasks: Readonly<Record<string, readonly TaskSpan[]>>;
  /** From the start of the process to its end, beyond its stages (s). */
  readonly around: number;
  readonly peakMB: number;
}

export interface Samples {
  /** On a few dozen samples: what does not depend on their number. */
  readonly small: SampleRun;
  /** On some thousands spread over the banks, and the sample that the reference waveform is made of. */
  readonly large: SampleRun;
}

const FEW = 64;
/** At least so many, because stage 2 looks at fewer only once. */
const SOME = 2048;
const MANY = 4096;
/** Where stage 2 needs longer than this for `MANY`, fewer are taken (s). */
const PATIENCE = 2;
/** Pairs of accepted and extrinsic samples in the large run, about; and extrinsic samples, at least. */
const PAIRS = 2 ** 18;
const LEAST_EXTRINSIC = 128;

/**
 * Runs the program twice in a folder of its own, which is removed.
 * @throws DotpeError as a run does.
 */
export async function measureSamples(options: Options, inputs: Inputs, work: WorkSettings): Promise<Samples> {
  const scratch = makeScratchFolder("dotpe-hpc-estimate-");
  try {
    const total = countCandidates(inputs);
    const base = { options, work, scratch };
    const few = spread(inputs, FEW);
    const small = await runOn({ ...base, chosen: few, n_e: Math.min(options.nExt, LEAST_EXTRINSIC) });
    const isNative = options.reference === "native";
    const reference = isNative ? join(scratch, "run", "reference.npz") : options.reference;
    const best = isNative ? bestSample(reference) : undefined;
    const seconds2 = busy(tasksOf(small, "incoherent")) / small.n / work.n_procs;
    const most = options.loadInds ? SOME / 4 : seconds2 * MANY > PATIENCE ? SOME : MANY;
    const chosen = spread(inputs, most);
    const added = best && addSample(chosen, inputs, best) ? best : undefined;
    const accepted = Math.max(0.02, small.n_accepted / small.n) * Math.min(most, total);
    const n_e = Math.max(LEAST_EXTRINSIC, Math.min(options.nExt, Math.floor(PAIRS / accepted)));
    // The reference of the small run lies in its folder: it is kept until now.
    const kept = join(scratch, "reference.npz");
    if (isNative) writeFileSync(kept, readFileSync(reference));
    const large = await runOn({ ...base, chosen, n_e, added, reference: isNative ? kept : reference });
    return { small, large };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Samples that stand together: what a thread reads at once. */
const RUN = 16;

/**
 * About n of the samples that are looked at, by bank: runs of them, one in each of equal parts, anywhere in it, since banks may
 * have a period.
 */
function spread({ candidates }: Inputs, n: number): number[][] {
  const total = candidates.reduce((sum, { i }) => sum + i.length, 0);
  return candidates.map(({ i }, k) => {
    const n_k = Math.min(i.length, Math.max(1, Math.round((n * i.length) / total)));
    if (n_k === i.length) return [...i].sort((a, b) => a - b);
    const parts = Math.max(1, Math.round(n_k / RUN));
    return Array.from({ length: parts }, (_, q) => {
      const [first, end] = [q, q + 1].map((part) => Math.floor((part * i.length) / parts));
      const room = Math.max(1, end - first - RUN + 1);
      const start = first + ((hashOf(k, q) >>> 0) % room);
      return [...i.subarray(start, Math.min(start + RUN, end))];
    })
      .flat()
      .sort((a, b) => a - b);
  });
}

function bestSample(reference: string): readonly [bank: number, i: number] | undefined {
  const npz = openNpz(reference);
  if (!npz.has("bank_sample")) return undefined;
  const [bank, i] = npz.get("bank_sample").toFloat64();
  return [bank, i];
}

/** Whether the sample was missing; those that the run would not look at are not added. */
function addSample(
  chosen: number[][],
  { candidates }: Inputs,
  [bank, i]: readonly [number, number],
): boolean {
  if (chosen[bank]?.includes(i) !== false || !candidates[bank].i.includes(i)) return false;
  chosen[bank].push(i);
  chosen[bank].sort((a, b) => a - b);
  return true;
}

const NO_LIMIT = 1e12;

interface ToRun {
  readonly options: Options;
  readonly work: WorkSettings;
  readonly scratch: string;
  readonly chosen: readonly (readonly number[])[];
  readonly n_e: number;
  readonly added?: readonly [bank: number, i: number];
  readonly reference?: string;
}

async function runOn({ options, work, scratch, chosen, n_e, added, reference }: ToRun): Promise<SampleRun> {
  const indices = Object.fromEntries(
    chosen.map((i, k) => {
      const path = join(scratch, `indices_${k}.npy`);
      writeFileSync(path, encodeNpy([i.length], { dtype: "i8", data: Int32Array.from(i) }));
      return [bankId(k), path];
    }),
  );
  const kwargs: Record<string, unknown> = {
    ...toRunKwargs(options),
    ...{ event: resolve(options.event), bank_folder: options.banks.map((folder) => resolve(folder)) },
    ...{ n_ext: n_e, n_procs: work.n_procs, kernel: work.kernel, i_batch: work.batchItems },
    ...{ i_tile: work.iTile, e_tile: work.eTile },
    batches_per_task: Math.max(1, Math.round(work.taskItems / work.batchItems)),
    // Rows beyond the limit make the stage another one: they are counted here, and reckoned with later.
    size_limit: NO_LIMIT,
    ...{ rundir: null, event_dir: null, i_int_start: 0, truth: null, save_timeshifts: false },
    ...(reference !== undefined && { reference }),
    ...(options.loadInds ? { inds_path: indices } : { preselected_indices: indices }),
  };
  kwargs.blocksize = kwargs.single_detector_blocksize = kwargs.i_batch;
  const config = join(scratch, "run.json");
  writeFileSync(config, JSON.stringify(kwargs));
  const [rundir, trace] = [join(scratch, "run"), join(scratch, "trace.json")];
  rmSync(rundir, { recursive: true, force: true });
  const flags = ["--config", config, "--rundir", rundir, "--trace", trace, "--quiet", "--no-tune"];
  const { wall } = await callProgram(["run", ...flags]);
  return readRun(rundir, trace, wall, chosen, added);
}

interface Timings {
  readonly total_seconds: number;
  readonly peak_memory_mb: number;
  readonly stages: readonly { readonly name: string; readonly seconds: number }[];
}

interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly tid: number;
  readonly args?: { readonly task: number };
}

function readRun(
  rundir: string,
  trace: string,
  wall: number,
  chosen: readonly (readonly number[])[],
  added: ToRun["added"],
): SampleRun {
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  const timings: Timings = read(join(rundir, "timings.json"));
  const summary = read(join(rundir, "summary_results.json"));
  const kwargs = read(join(rundir, "run_kwargs.json"));
  const events: TraceEvent[] = read(trace).traceEvents;
  const stages = events.filter(({ cat }) => cat === "stage");
  const tasks: Record<string, TaskSpan[]> = {};
  for (const { name: kind, cat, ts = 0, dur = 0, tid: thread, args } of events) {
    if (cat !== "task") continue;
    const stage = stages.findLast((one) => (one.ts ?? 0) <= ts)?.name ?? "setup";
    tasks[stage] ??= [];
    tasks[stage].push({ kind, thread, task: args?.task ?? 0, seconds: dur / 1e6 });
  }
  const accepted = chosen.flatMap((_, bank) => {
    const npz = openNpz(join(rundir, "banks", bankId(bank), "intrinsic_samples.npz"));
    const lnlikes = npz.get("incoherent_lnlikes").toFloat64();
    return [...npz.get("inds").toInt32()].map((i, at) => ({ bank, i, lnlike: lnlikes[at] }));
  });
  const isAdded = ({ bank, i }: { bank: number; i: number }) => bank === added?.[0] && i === added[1];
  const others = accepted.filter((one) => !isAdded(one));
  return {
    n: chosen.flat().length - (added === undefined ? 0 : 1),
    n_accepted: accepted.length,
    lnlikes: others.map(({ lnlike }) => lnlike).sort((a, b) => b - a),
    added: accepted.find(isAdded)?.lnlike ?? -Infinity,
    ...{ n_e: kwargs.n_ext, n_rows: summary.n_rows },
    seconds: Object.fromEntries(timings.stages.map(({ name, seconds }) => [name, seconds])),
    ...{ tasks, around: wall - timings.total_seconds, peakMB: timings.peak_memory_mb },
  };
}

/** Tasks that grow with the bank, of a stage: those of stage 4 run beside them, and the scan finds the best soon. */
const GROWING = { incoherent: "incoherent", coherent: "rows" };

/** In the order in which they began. */
export function tasksOf({ tasks }: SampleRun, stage: keyof typeof GROWING): readonly TaskSpan[] {
  return (tasks[stage] ?? []).filter(({ kind }) => kind === GROWING[stage]);
}

/** Seconds of all threads together. */
export function busy(tasks: readonly TaskSpan[]): number {
  return tasks.reduce((sum, { seconds }) => sum + seconds, 0);
}
