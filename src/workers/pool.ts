/** The threads that compute. With one process the tasks run in the main thread, by the same code. */
import { DotpeError, type ExitName } from "../errors.ts";
import { type Kernels, loadKernels } from "../kernels/table.ts";
import { sharedI32 } from "./arena.ts";
import {
  DONE,
  type Done,
  type FromWorker,
  type Job,
  type JobKind,
  type Jobs,
  type SentError,
  type Spans,
  type ToWorker,
} from "./protocol.ts";
import { openJob } from "./runner.ts";

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
  readonly pending: Map<number, Pending>;
  /** How many urgent jobs it was sent. */
  readonly urgentSent: Int32Array;
}

export class Pool {
  private readonly threads: Thread[] = [];
  private nextId = 0;
  readonly kernels: Kernels;
  /** Every task done so far, by job and thread. */
  readonly history: ThreadSpans[] = [];

  /** @param kernels a name for `loadKernels`; every thread uses the same variant. */
  constructor(
    readonly n_procs: number,
    kernels: string,
  ) {
    this.kernels = loadKernels(kernels);
  }

  /** Starts the workers; they load while the main thread reads its files. */
  start(): void {
    if (this.n_procs === 1) return;
    for (let k = 0; k < this.n_procs; k++) this.threads.push(this.startThread());
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
    };
    worker.onerror = ({ message }) => {
      const stopped = new DotpeError("tryAgain", `a worker stopped: ${message}`, "Run the command again.");
      for (const id of [...pending.keys()]) settle(id)?.reject(stopped);
    };
    const urgentSent = sharedI32(1);
    const open: ToWorker = { type: "open", kernels: this.kernels.name, urgentSent };
    worker.postMessage(open);
    return { worker, pending, urgentSent };
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
    const job: Job<K> = { id: this.nextId++, urgent, kind, plan, nTasks, counter: sharedI32(3) };
    if (this.threads.length === 0) return [await this.runHere(job, onProgress)];
    const timer = setInterval(() => onProgress(Atomics.load(job.counter, DONE)), POLL);
    try {
      const asked = this.threads.slice(0, nTasks).map((thread) => ask(thread, job));
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

  private async runHere<K extends JobKind>(job: Job<K>, onProgress: (tasksDone: number) => void) {
    const opened = openJob(job, this.kernels);
    try {
      let shown = performance.now();
      while (opened.step()) {
        if (performance.now() - shown < POLL) continue;
        onProgress(Atomics.load(job.counter, DONE));
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
