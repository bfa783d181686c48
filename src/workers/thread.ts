/** A worker as the main thread knows it: the jobs that it has not answered yet, and what it is doing. */
import { DotpeError, type ExitName } from "../errors.ts";
import { clipped } from "../io/clipped.ts";
import { sharedF64, sharedI32 } from "./arena.ts";
import type { Done, FromWorker, Job, Ready, Seat, SentError, ToWorker } from "./protocol.ts";
import { N_ACTIVITY } from "./runner.ts";

/** Why a thread did not end its part of a job. */
export class ThreadFault extends Error {
  /** @param tasks of the job that it had done; undefined where nobody knows */
  constructor(
    override readonly cause: Error,
    readonly tasks: readonly number[] | undefined,
  ) {
    super(cause.message);
  }
}

interface Pending {
  readonly job: Job;
  readonly resolve: (done: Done) => void;
  readonly reject: (fault: ThreadFault) => void;
}

export interface ThreadSetting {
  readonly kernels: string;
  readonly seat: Seat;
  readonly recycle: number;
}

/** A worker that ends before it is ready is started so many times. */
const MOST_STARTS = 3;

export class Thread {
  /** Undefined until it has answered `open`. */
  ready: Ready | undefined;
  readonly activity = sharedF64(N_ACTIVITY);
  /** Undefined once it is closed, or does not start at all. */
  private worker: Worker | undefined;
  /** Workers in turn that ended before they were ready. */
  private failedStarts = 0;
  private readonly pending = new Map<number, Pending>();
  /** How many urgent jobs it was sent. */
  private urgentSent = sharedI32(1);
  private setting: ThreadSetting | undefined;

  constructor() {
    this.worker = this.start();
  }

  private start(): Worker {
    const worker = startWorker();
    const own =
      <E>(handle: (event: E) => void) =>
      (event: E) => {
        // What a replaced one still says is nobody's.
        if (worker === this.worker) handle(event);
      };
    worker.onmessage = own(({ data }: MessageEvent<FromWorker>) => this.take(data));
    worker.onerror = own(({ message }: ErrorEvent) => this.died(message));
    worker.addEventListener(
      "close",
      own(() => this.died("it ended")),
    );
    return worker;
  }

  private take(data: FromWorker): void {
    if (data.type === "ready") {
      this.ready = data;
      this.failedStarts = 0;
      return;
    }
    const pending = this.pending.get(data.id);
    this.pending.delete(data.id);
    if (data.type === "failed") pending?.reject(new ThreadFault(revive(data.error), data.tasks));
    else pending?.resolve(data);
    if (data.type === "done" && data.isWorn) {
      const worn = this.worker;
      this.replace();
      worn?.postMessage({ type: "close" } satisfies ToWorker);
    }
  }

  private died(message: string): void {
    // The runtime's message begins with the lines of the program around the place.
    const why = clipped(message.trim().split("\n").at(-1) ?? "");
    const stopped = new DotpeError("tryAgain", `a worker stopped: ${why}`, "Run the command again.");
    this.giveUp(stopped);
    if (this.ready === undefined) this.failedStarts++;
    if (this.failedStarts < MOST_STARTS) this.replace();
    else this.worker = undefined;
  }

  /** Starts a new worker, which gets what this one has not answered. */
  private replace(): void {
    this.urgentSent = sharedI32(1);
    this.activity.fill(0);
    this.worker = this.start();
    if (this.setting !== undefined) this.open(this.setting);
    for (const { job } of this.pending.values()) this.send(job);
  }

  open(setting: ThreadSetting): void {
    this.setting = setting;
    this.ready = undefined;
    const { urgentSent, activity } = this;
    this.worker?.postMessage({ type: "open", ...setting, urgentSent, activity } satisfies ToWorker);
  }

  /** @throws ThreadFault, as a rejection */
  ask(job: Job): Promise<Done> {
    return new Promise((resolve, reject) => {
      if (this.worker === undefined)
        return reject(new ThreadFault(doesNotStart("it ends before it is ready"), undefined));
      this.pending.set(job.id, { job, resolve, reject });
      this.send(job);
    });
  }

  private send(job: Job): void {
    this.worker?.postMessage({ type: "job", job } satisfies ToWorker);
    if (job.urgent) Atomics.add(this.urgentSent, 0, 1);
  }

  /** Nobody waits for it any more. */
  giveUp(error: Error): void {
    const lost = [...this.pending.values()];
    this.pending.clear();
    for (const { reject } of lost) reject(new ThreadFault(error, undefined));
  }

  /** Lets it end by itself. */
  close(): void {
    const { worker } = this;
    this.worker = undefined;
    worker?.postMessage({ type: "close" } satisfies ToWorker);
  }
}

function startWorker(): Worker {
  try {
    return new Worker("./src/workers/worker.ts");
  } catch (error) {
    throw doesNotStart((error as Error).message);
  }
}

function doesNotStart(why: string): DotpeError {
  const hint = "Give fewer --n-procs, or raise the limit of processes (`ulimit -u`).";
  return new DotpeError("tryAgain", `a worker thread does not start: ${why}`, hint);
}

function revive({ exit, hint = "", message, stack }: SentError): Error {
  if (exit !== undefined) return new DotpeError(exit as ExitName, message, hint);
  return Object.assign(new Error(message), { stack });
}
