/** The threads that compute. With one process the tasks run in the main thread, by the same code. */
import { DotpeError } from "../errors.ts";
import { threadTools } from "../kernels/native.ts";
import { type Kernels, loadKernels } from "../kernels/table.ts";
import { sharedU8 } from "./arena.ts";
import { nodeTables } from "./node-tables.ts";
import type { Job, JobKind, Jobs, Seat, Spans } from "./protocol.ts";
import { openJob, traitsOf } from "./runner.ts";
import { isStopped, stopTasks, taskQueue, tasksDone } from "./task-queue.ts";
import { Thread, ThreadFault } from "./thread.ts";
import { Watch } from "./watch.ts";

/** How often progress is read (ms). */
const POLL = 100;
/** A job is done so many times again where its tasks failed for no fault of the data. */
const MOST_REDONE = 3;

export interface RunSettings {
  /** Is done before the rest of a job that is running: for short steps of something that goes on beside it. */
  readonly urgent?: boolean;
  /** By task, shared: 1 if it is done. Those that are are left out, and those that are done now are marked. */
  readonly done_t?: Uint8Array;
  /** Asked now and then: once it says so no further task is begun, and the job returns with what is done. */
  readonly shouldStop?: () => boolean;
  /** Called when a thread will not end its part, so that no other waits for it. */
  readonly onLost?: () => void;
}

/** What thread `thread` (from 1; 0 is the main thread) did of a job. */
export interface ThreadSpans {
  readonly thread: number;
  readonly kind: JobKind;
  readonly spans: Spans;
}

export interface PoolSettings {
  /** A thread is replaced after so many tasks. */
  readonly recycle?: number;
  /** Whether the history has every task's span (as it is without this), or one a job and thread: that does not grow with the tasks. */
  readonly everySpan?: boolean;
  /** How often a job is looked after (ms). */
  readonly poll?: number;
  /** Told of work that is done again. */
  readonly onRedo?: (why: string) => void;
}

/** Of a thread that the system puts where it likes. */
const ANYWHERE: Seat = { cpus: [], group: 0, node: 0 };

/** One turn of a job over the threads: what they return, and why those that failed did. */
interface Round<K extends JobKind> {
  readonly results: Jobs[K]["result"][];
  readonly faults: readonly ThreadFault[];
}

export class Pool {
  /** All that were started; those without a seat are idle. */
  private readonly threads: Thread[] = [];
  private seats: readonly Seat[] = [];
  private isStarted = false;
  private nextId = 0;
  private loaded: Kernels;
  /** What was done so far, by job and thread. */
  readonly history: ThreadSpans[] = [];
  private readonly tools = threadTools();
  /** Whether any thread was ever bound. */
  private hasBound = false;

  /**
   * @param seats one a thread, or how many threads
   * @param kernels a name for `loadKernels`; every thread uses the same variant
   */
  constructor(
    seats: number | readonly Seat[],
    kernels: string,
    private readonly settings: PoolSettings = {},
  ) {
    this.seats = typeof seats === "number" ? new Array<Seat>(seats).fill(ANYWHERE) : seats;
    this.loaded = loadKernels(kernels);
  }

  get n_procs(): number {
    return this.seats.length;
  }

  get kernels(): Kernels {
    return this.loaded;
  }

  /** Why a thread could not be bound to its CPUs: the system's error number. */
  get pinError(): number {
    return this.threads.find(({ ready }) => ready?.pinError)?.ready?.pinError ?? 0;
  }

  /** Starts the workers; they load while the main thread reads its files. */
  start(): void {
    this.isStarted = true;
    this.sit();
  }

  /** Other seats and kernels for the jobs to come. Call it while no job runs. */
  arrange(seats: readonly Seat[], kernels: string): void {
    this.seats = seats;
    this.loaded = loadKernels(kernels);
    if (this.isStarted) this.sit();
  }

  /** The first `n` threads go on, the others end. Call it while no job runs. */
  shrink(n: number): void {
    this.seats = this.seats.slice(0, n);
    for (const thread of this.threads.splice(n)) thread.close();
  }

  private sit(): void {
    if (this.n_procs === 1) return;
    const { recycle = Number.POSITIVE_INFINITY } = this.settings;
    this.seats.forEach((seat, k) => {
      this.threads[k] ??= new Thread();
      this.threads[k].open({ kernels: this.kernels.name, seat, recycle });
    });
  }

  /**
   * Runs all tasks of a job; jobs asked for while others run wait in line. Tasks that failed for no fault of the data (a worker
   * stopped, a passing fault of the machine) are done again, a few times, if the job is one of which that can be done.
   * @param onProgress told the number of tasks done, now and then
   * @returns one result or more of each thread that was asked, no more threads than tasks, in no particular order
   * @throws what a task threw; DotpeError runAgain if a thread hangs
   */
  async run<K extends JobKind>(
    kind: K,
    plan: Jobs[K]["plan"],
    nTasks: number,
    onProgress: (tasksDone: number) => void = () => {},
    settings: RunSettings = {},
  ): Promise<Jobs[K]["result"][]> {
    const { done_t = sharedU8(nTasks) } = settings;
    const { isRedoable, isGathered } = traitsOf(kind, plan);
    const results: Jobs[K]["result"][] = [];
    for (let nFaulty = 0; ; ) {
      const job = this.newJob(kind, plan, done_t, settings.urgent ?? false);
      const { results: more, faults } = await this.round(job, onProgress, settings);
      results.push(...more);
      if (faults.length > 0) {
        // What the data cause goes before what passes.
        const { cause } = faults.find((fault) => !isPassing(fault.cause)) ?? faults[0];
        if (!isRedoable || !isPassing(cause) || ++nFaulty > MOST_REDONE) throw cause;
        this.settings.onRedo?.(cause.message);
        if (isGathered) forget(faults, done_t, results);
      } else if (isStopped(job.queue) || tasksDone(job.queue) === nTasks) return results;
      // Else threads that were replaced have left before the end.
    }
  }

  private async round<K extends JobKind>(
    job: Job<K>,
    onProgress: (tasksDone: number) => void,
    settings: RunSettings,
  ): Promise<Round<K>> {
    if (this.n_procs === 1 || !this.isStarted) return this.runHere(job, onProgress, settings);
    const { poll = POLL } = this.settings;
    const threads = this.threads.slice(0, Math.min(this.n_procs, job.queue.n_tasks));
    const watch = new Watch(job.kind, poll);
    const timer = setInterval(() => {
      onProgress(tasksDone(job.queue));
      this.loosen();
      if (settings.shouldStop?.()) stopTasks(job.queue);
      try {
        watch.look(threads.map(({ activity, ready }) => ({ activity, threadId: ready?.threadId ?? 0 })));
      } catch (error) {
        stopTasks(job.queue);
        settings.onLost?.();
        for (const thread of threads) thread.giveUp(error as Error);
      }
    }, poll);
    try {
      const asked = threads.map((thread) =>
        thread.ask(job).catch((fault) => {
          stopTasks(job.queue);
          settings.onLost?.();
          throw fault;
        }),
      );
      // Every worker answers before anything is thrown: a task still running would write into the plan's arrays.
      const answers = await Promise.allSettled(asked);
      const faults = answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : []));
      const results = answers.flatMap((answer, k) => {
        if (answer.status === "rejected") return [];
        const { result, spans } = answer.value;
        if (spans.length > 0) this.history.push({ thread: k + 1, kind: job.kind, spans });
        return [result as Jobs[K]["result"]];
      });
      return { results, faults };
    } finally {
      clearInterval(timer);
    }
  }

  /** The runtime's own threads (compiler, collector) are not to stay on the CPU of the worker that happened to start them. */
  private loosen(): void {
    const ready = this.threads.map((thread) => thread.ready);
    const bound = ready.flatMap((one) => (one?.isBound ? [one.threadId] : []));
    this.hasBound ||= bound.length > 0;
    // One that has not told its number may just have bound itself.
    if (this.hasBound && !ready.includes(undefined)) this.tools.loosen(bound);
  }

  private newJob<K extends JobKind>(
    kind: K,
    plan: Jobs[K]["plan"],
    done_t: Uint8Array,
    urgent: boolean,
  ): Job<K> {
    const { inOrder, tables } = traitsOf(kind, plan);
    const nTasks = done_t.length;
    const seats = this.seats.slice(0, nTasks);
    const most = (of: (seat: Seat) => number) => seats.reduce((n, seat) => Math.max(n, of(seat) + 1), 1);
    const n_nodes = most(({ node }) => node);
    return {
      ...{ id: this.nextId++, urgent, kind, plan, everySpan: this.settings.everySpan ?? true },
      queue: taskQueue(nTasks, inOrder ? 1 : most(({ group }) => group), done_t),
      tables: n_nodes > 1 && tables.length > 0 ? nodeTables(tables, n_nodes) : undefined,
    };
  }

  private async runHere<K extends JobKind>(
    job: Job<K>,
    onProgress: (tasksDone: number) => void,
    { shouldStop }: RunSettings,
  ): Promise<Round<K>> {
    const { poll = POLL } = this.settings;
    try {
      const opened = await openJob(job, this.kernels);
      try {
        let shown = performance.now();
        while (opened.step()) {
          if (performance.now() - shown < poll) continue;
          onProgress(tasksDone(job.queue));
          await Bun.sleep(0);
          if (shouldStop?.()) stopTasks(job.queue);
          shown = performance.now();
        }
        this.history.push({ thread: 0, kind: job.kind, spans: opened.spans() });
        return { results: [opened.result()], faults: [] };
      } finally {
        opened.close();
      }
    } catch (error) {
      return { results: [], faults: [new ThreadFault(error as Error, undefined)] };
    }
  }

  /** Lets the workers end by themselves. */
  close(): void {
    for (const thread of this.threads) thread.close();
    this.threads.length = 0;
  }
}

/** Whether the same task may well succeed another time. */
export function isPassing(error: Error): boolean {
  return !(error instanceof DotpeError) || error.exit === "tryAgain";
}

/** Tasks of which what they returned is lost are to be done again. */
function forget(faults: readonly ThreadFault[], done_t: Uint8Array, results: unknown[]): void {
  if (faults.every(({ tasks }) => tasks !== undefined)) {
    for (const task of faults.flatMap(({ tasks }) => tasks ?? [])) done_t[task] = 0;
    return;
  }
  results.length = 0;
  done_t.fill(0);
}
