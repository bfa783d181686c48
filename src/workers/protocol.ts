/**
 * What crosses between the main thread and the workers, and who may write what.
 *
 * A job is a plan (plain data; its arrays are shared) cut into tasks 0 .. n_tasks - 1. Every thread takes the next task
 * from shared counters (`task-queue.ts`) until none is left, then returns its reduced result. During a job
 *   - the arrays of a plan are read only, but for those its stage names as output;
 *   - an output element is written by the one task it belongs to, so no two threads write the same place;
 *   - counters and shared maxima are written with Atomics only.
 * The main thread reads outputs after every worker has answered `done`.
 *
 * Jobs wait in line in every worker. An urgent one is taken between two tasks of the one that runs: `urgentSent` counts
 * those that were sent to the worker, so that in the middle of a job it knows when to look at its messages.
 */
import type { Again, AgainPlan } from "../banks/again-job.ts";
import type { MadeBlock } from "../banks/block-writer.ts";
import type { CheckPlan, CheckResult } from "../banks/check-job.ts";
import type { PackErrors } from "../banks/pack/encode.ts";
import type { FitPlan } from "../banks/pack/fit-job.ts";
import type { PackPlan } from "../banks/pack/pack-job.ts";
import type { UnpackPlan } from "../banks/pack/unpack-job.ts";
import type { WaveformPlan } from "../banks/waveform-job.ts";
import type { SkyPlan } from "../gw/sky-dictionary.ts";
import type { LimitPlan, LimitRate } from "../machine/limit-job.ts";
import type { FileSum, HashPlan } from "../rundir/hash-job.ts";
import type { CountPlan, ScanPlan } from "../stages/coherent-scan.ts";
import type {
  CandidatePlan,
  CandidateResult,
  MixturePlan,
  PreparationPlan,
  PreparationResult,
  TemperingPlan,
} from "../stages/extrinsic-tasks.ts";
import type { IncoherentPlan } from "../stages/incoherent.ts";
import type { FinishPlan } from "../stages/row-finish.ts";
import type { RowPlan } from "../stages/row-pass.ts";
import type { ModulePlan } from "../tune/module-job.ts";
import type { NodeTables } from "./node-tables.ts";
import type { TaskQueue } from "./task-queue.ts";

/** Plan and per-thread result of each kind of job. */
export interface Jobs {
  incoherent: { plan: IncoherentPlan; result: null };
  scan: { plan: ScanPlan; result: null };
  count: { plan: CountPlan; result: null };
  rows: { plan: RowPlan; result: null };
  finish: { plan: FinishPlan; result: null };
  preparation: { plan: PreparationPlan; result: PreparationResult };
  skySort: { plan: SkyPlan; result: null };
  tempering: { plan: TemperingPlan; result: null };
  candidates: { plan: CandidatePlan; result: CandidateResult };
  mixture: { plan: MixturePlan; result: null };
  hash: { plan: HashPlan; result: FileSum[] };
  limits: { plan: LimitPlan; result: LimitRate };
  module: { plan: ModulePlan; result: unknown };
  waveforms: { plan: WaveformPlan; result: MadeBlock[] };
  packFit: { plan: FitPlan; result: null };
  pack: { plan: PackPlan; result: PackErrors };
  unpack: { plan: UnpackPlan; result: MadeBlock[] };
  again: { plan: AgainPlan; result: Again[] };
  checkBank: { plan: CheckPlan; result: CheckResult };
}

export type JobKind = keyof Jobs;

export interface Job<K extends JobKind = JobKind> {
  readonly id: number;
  readonly urgent: boolean;
  readonly kind: K;
  readonly plan: Jobs[K]["plan"];
  readonly queue: TaskQueue;
  /** Whether each task's span is wanted. */
  readonly everySpan: boolean;
  /** Only if the threads are on several NUMA nodes. */
  readonly tables: NodeTables | undefined;
}

/** Where a thread has its place. */
export interface Seat {
  /** The CPUs that it is bound to; empty: wherever the system puts it. */
  readonly cpus: readonly number[];
  /** Threads of one group share a last-level cache; numbered from 0. */
  readonly group: number;
  /** NUMA nodes that have threads are numbered from 0. */
  readonly node: number;
}

/**
 * When a thread was busy with the tasks of one job: (task, start, end) of each, ms since 1970; or of all together, as if they had
 * followed each other without a pause.
 */
export type Spans = Float64Array;

/** One thread's state of a job. */
export interface TaskRunner<R> {
  run(task: number): void;
  result(): R;
  /** Gives back what the job holds open, also after a failure. */
  close?(): void;
}

export type ToWorker =
  | {
      readonly type: "open";
      readonly kernels: string;
      readonly urgentSent: Int32Array;
      /** Where the thread says what it does: `ACTIVITY`. */
      readonly activity: Float64Array;
      readonly seat: Seat;
      /** After so many tasks the thread asks to be replaced. */
      readonly recycle: number;
    }
  | { readonly type: "job"; readonly job: Job }
  | { readonly type: "close" };

export interface SentError {
  /** Of a DotpeError; absent for a defect. */
  readonly exit?: string;
  readonly hint?: string;
  readonly message: string;
  readonly stack?: string;
}

export interface Done {
  readonly type: "done";
  readonly id: number;
  readonly result: Jobs[JobKind]["result"];
  readonly spans: Spans;
  /** It has done `recycle` tasks, and answers nothing more. */
  readonly isWorn: boolean;
}

export interface Ready {
  readonly type: "ready";
  /** 0, or the system's error number of binding it to its CPUs. */
  readonly pinError: number;
  /** As the system numbers it; 0 where that is not known. */
  readonly threadId: number;
  readonly isBound: boolean;
}

export interface Failed {
  readonly type: "failed";
  readonly id: number;
  readonly error: SentError;
  /** Tasks of the job that it had done before; undefined where they were not kept. */
  readonly tasks: readonly number[] | undefined;
}

export type FromWorker = Ready | Done | Failed;
