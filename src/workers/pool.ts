/** The threads that compute. With one process the tasks run in the main thread, by the same code. */
import { DotpeError, type ExitName } from "../errors.ts";
import { threadTools } from "../kernels/native.ts";
import { type Kernels, loadKernels } from "../kernels/table.ts";
import { sharedI32 } from "./arena.ts";
import { nodeTables } from "./node-tables.ts";
import type { Done, FromWorker, Job, JobKind, Jobs, Seat, SentError, Spans, ToWorker } from "./protocol.ts";
import { openJob, traitsOf } from "./runner.ts";
import { taskQueue, tasksDone } from "./task-queue.ts";

/** How often progress is read (ms). */
const POLL = 100;

export interface RunSettings {
  /** Is done before the rest of a job that is running: for short steps of something that goes on beside it. */
  readonly urgent?: boolean;
}

/** What thread `thread` (from 1; 0 is the main thread) did of a job. */
export interface ThreadSpans {
  readonly thread: number;
  readonly kind: JobKind;
  readonly spans: Spans;
}

interface Pending {
  readonly resolve: (done: Done) => void;
  readonly reject: (error: Error) => void;
}

/** A worker and the jobs that it has not answered yet, by id. */
interface Thread {
  readonly worker: Worker;
  /** As the system numbers it, if it is bound; 0 if not; undefined until it has said so. */
  id: number | undefined;
  readonly pending: Map<number, Pending>;
  /** How many urgent jobs it was sent. */
  readonly urgentSent: Int32Array;
}

/** Of a thread that the system puts where it likes. */
const ANYWHERE: Seat = { cpus: [], group: 0, node: 0 };

export class Pool {
  /** All that were started; those without a seat are idle. */
  private readonly threads: Thread[] = [];
  private seats: readonly Seat[] = [];
  private isStarted = false;
  private nextId = 0;
  private loaded: Kernels;
  /** Every task done so far, by job and thread. */
  readonly history: ThreadSpans[] = [];
  private readonly tools = threadTools();
  /** Whether any thread was ever bound. */
  private hasBound = false;
  /** Why a thread could not be bound to its CPUs: the system's error number. */
  pinError = 0;

  /**
   * @param seats one a thread, or how many threads
   * @param kernels a name for `loadKernels`; every thread uses the same variant
   */
  constructor(seats: number | readonly Seat[], kernels: string) {
    this.seats = typeof seats === "number" ? new Array<Seat>(seats).fill(ANYWHERE) : seats;
    this.loaded = loadKernels(kernels);
  }

  get n_procs(): number {
    return this.seats.length;
  }

  get kernels(): Kernels {
    return this.loaded;
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

  private sit(): void {
    if (this.n_procs === 1) return;
    this.seats.forEach((seat, k) => {
      this.threads[k] ??= this.startThread();
      const { worker, urgentSent } = this.threads[k];
      this.threads[k].id = undefined;
      worker.postMessage({ type: "open", kernels: this.kernels.name, urgentSent, seat } satisfies ToWorker);
    });
  }

  private startThread(): Thread {
    const worker = new Worker("./src/workers/worker.ts");
    const pending = new Map<number, Pending>();
    const settle = (id: number) => {
      const job = pending.get(id);
      pending.delete(id);
      return job;
    };
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.type === "done") settle(data.id)?.resolve(data);
      else if (data.type === "failed") settle(data.id)?.reject(revive(data.error));
      else {
        this.pinError ||= data.pinError;
        thread.id = data.threadId;
      }
    };
    worker.onerror = ({ message }) => {
      const stopped = new DotpeError("tryAgain", `a worker stopped: ${message}`, "Run the command again.");
      for (const id of [...pending.keys()]) settle(id)?.reject(stopped);
    };
    const thread: Thread = { worker, id: undefined, pending, urgentSent: sharedI32(1) };
    return thread;
  }

  /**
   * Runs all tasks of a job; jobs asked for while others run wait in line.
   * @param onProgress told the number of tasks done, now and then
   * @returns one result of each thread that was asked, no more threads than tasks, in no particular order
   * @throws what a task threw
   */
  async run<K extends JobKind>(
    kind: K,
    plan: Jobs[K]["plan"],
    nTasks: number,
    onProgress: (tasksDone: number) => void = () => {},
    { urgent = false }: RunSettings = {},
  ): Promise<Jobs[K]["result"][]> {
    const seats = this.seats.slice(0, nTasks);
    const job = this.newJob(kind, plan, nTasks, urgent, seats);
    if (this.n_procs === 1 || !this.isStarted) return [await this.runHere(job, onProgress)];
    const timer = setInterval(() => {
      onProgress(tasksDone(job.queue));
      this.loosen();
    }, POLL);
    try {
      const asked = seats.map((_, k) => ask(this.threads[k], job));
      // Every worker answers before anything is thrown: a task still running would write into the plan's arrays.
      const answers = await Promise.allSettled(asked);
      const failed = answers.find((answer) => answer.status === "rejected");
      if (failed) throw failed.reason;
      return answers.map((answer, k) => {
        const { result, spans } = (answer as PromiseFulfilledResult<Done>).value;
        if (spans.length > 0) this.history.push({ thread: k + 1, kind, spans });
        return result as Jobs[K]["result"];
      });
    } finally {
      clearInterval(timer);
    }
  }

  /** The runtime's own threads (compiler, collector) are not to stay on the CPU of the worker that happened to start them. */
  private loosen(): void {
    const ids = this.threads.map(({ id }) => id);
    const bound = ids.filter((id) => id !== undefined && id > 0) as number[];
    this.hasBound ||= bound.length > 0;
    // One that has not told its number may just have bound itself.
    if (this.hasBound && !ids.includes(undefined)) this.tools.loosen(bound);
  }

  private newJob<K extends JobKind>(
    kind: K,
    plan: Jobs[K]["plan"],
    nTasks: number,
    urgent: boolean,
    seats: readonly Seat[],
  ): Job<K> {
    const { inOrder, tables } = traitsOf(kind, plan);
    const most = (of: (seat: Seat) => number) => seats.reduce((n, seat) => Math.max(n, of(seat) + 1), 1);
    const n_nodes = most(({ node }) => node);
    return {
      ...{ id: this.nextId++, urgent, kind, plan },
      queue: taskQueue(nTasks, inOrder ? 1 : most(({ group }) => group)),
      tables: n_nodes > 1 && tables.length > 0 ? nodeTables(tables, n_nodes) : undefined,
    };
  }

  private async runHere<K extends JobKind>(job: Job<K>, onProgress: (tasksDone: number) => void) {
    const opened = await openJob(job, this.kernels);
    try {
      let shown = performance.now();
      while (opened.step()) {
        if (performance.now() - shown < POLL) continue;
        onProgress(tasksDone(job.queue));
        await Bun.sleep(0);
        shown = performance.now();
      }
      this.history.push({ thread: 0, kind: job.kind, spans: opened.spans() });
      return opened.result();
    } finally {
      opened.close();
    }
  }

  /** Lets the workers end by themselves. */
  close(): void {
    for (const { worker } of this.threads) worker.postMessage({ type: "close" } satisfies ToWorker);
    this.threads.length = 0;
  }
}

function ask({ worker, pending, urgentSent }: Thread, job: Job): Promise<Done> {
  return new Promise((resolve, reject) => {
    pending.set(job.id, { resolve, reject });
    worker.postMessage({ type: "job", job } satisfies ToWorker);
    if (job.urgent) Atomics.add(urgentSent, 0, 1);
  });
}

function revive(error: SentError): Error {
  if (error.exit !== undefined)
    return new DotpeError(error.exit as ExitName, error.message, error.hint ?? "");
  return Object.assign(new Error(error.message), { stack: error.stack });
}
