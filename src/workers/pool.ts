/** The threads that compute. With one process the tasks run in the main thread, by the same code. */
import { DotpeError, type ExitName } from "../errors.ts";
import { type Kernels, loadKernels } from "../kernels/table.ts";
import { sharedI32 } from "./arena.ts";
import {
  DONE,
  type FromWorker,
  type Job,
  type JobKind,
  type Jobs,
  type SentError,
  type ToWorker,
} from "./protocol.ts";
import { openJob } from "./runner.ts";

/** How often progress is read (ms). */
const POLL = 50;

export class Pool {
  private readonly workers: Worker[] = [];
  readonly kernels: Kernels;

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
    for (let k = 0; k < this.n_procs; k++) {
      const worker = new Worker("./src/workers/worker.ts");
      this.workers.push(worker);
      worker.postMessage({ type: "open", kernels: this.kernels.name } satisfies ToWorker);
    }
  }

  /**
   * Runs all tasks of a job.
   * @param onProgress told the number of tasks done, now and then
   * @returns one result a thread, in no particular order
   * @throws what a task threw
   */
  async run<K extends JobKind>(
    kind: K,
    plan: Jobs[K]["plan"],
    nTasks: number,
    onProgress: (tasksDone: number) => void = () => {},
  ): Promise<Jobs[K]["result"][]> {
    const job: Job<K> = { kind, plan, nTasks, counter: sharedI32(3) };
    if (this.workers.length === 0) return [await this.runHere(job, onProgress)];
    const timer = setInterval(() => onProgress(Atomics.load(job.counter, DONE)), POLL);
    try {
      // Every worker answers before anything is thrown: a task still running would write into the plan's arrays.
      const answers = await Promise.allSettled(this.workers.map((worker) => this.ask(worker, job)));
      const failed = answers.find((answer) => answer.status === "rejected");
      if (failed) throw failed.reason;
      return answers.map((answer) => (answer as PromiseFulfilledResult<Jobs[K]["result"]>).value);
    } finally {
      clearInterval(timer);
    }
  }

  private async runHere<K extends JobKind>(job: Job<K>, onProgress: (tasksDone: number) => void) {
    const opened = openJob(job, this.kernels);
    let shown = performance.now();
    while (opened.step()) {
      if (performance.now() - shown < POLL) continue;
      onProgress(Atomics.load(job.counter, DONE));
      await Bun.sleep(0);
      shown = performance.now();
    }
    return opened.result();
  }

  private ask<K extends JobKind>(worker: Worker, job: Job<K>): Promise<Jobs[K]["result"]> {
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        if (data.type === "done") resolve(data.result as Jobs[K]["result"]);
        else if (data.type === "failed") reject(revive(data.error));
      };
      worker.onerror = (event) => {
        reject(new DotpeError("tryAgain", `a worker stopped: ${event.message}`, "Run the command again."));
      };
      worker.postMessage({ type: "job", job } as ToWorker);
    });
  }

  /** Lets the workers end by themselves. */
  close(): void {
    for (const worker of this.workers) worker.postMessage({ type: "close" } satisfies ToWorker);
    this.workers.length = 0;
  }
}

function revive(error: SentError): Error {
  if (error.exit !== undefined)
    return new DotpeError(error.exit as ExitName, error.message, error.hint ?? "");
  return Object.assign(new Error(error.message), { stack: error.stack });
}
