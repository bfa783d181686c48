/** The machines that are simulated, and the work: a program of serial parts and jobs cut into tasks. */

export interface Machine {
  /** Threads that take tasks; the parent is one more, but with 1 worker it does everything itself. */
  readonly workers: number;
  /** Cores of a NUMA domain; workers fill one after the other, the parent sits in the first. */
  readonly coresPerDomain: number;
  /** Bytes a second that a domain's memory gives its cores together. */
  readonly bandwidth: number;
  /** Bytes a second of the file system for what is not in memory yet; Infinity: all of it is. */
  readonly disk: number;
  readonly costs: Costs;
}

/** Seconds. */
export interface Costs {
  /** Of the parent to start one worker, and of the worker until it can take tasks. */
  readonly startParent: number;
  readonly startWorker: number;
  /** Of the parent to send a job to one worker. */
  readonly post: number;
  /** Until a message is seen. */
  readonly latency: number;
}

export type Step =
  | { readonly type: "serial"; readonly name: string; readonly seconds: number }
  | JobStep
  /** Two chains of steps at once; what the parent computes for one waits for the other. */
  | { readonly type: "beside"; readonly main: readonly Step[]; readonly chain: readonly Step[] };

export interface JobStep {
  readonly type: "job";
  readonly name: string;
  readonly n: number;
  /** Seconds of task k on a core of its own, and the bytes that it reads. */
  readonly seconds: (k: number) => number;
  readonly bytes: (k: number) => number;
  /** What the first task of this name takes more in a thread: its code is compiled there. */
  readonly warmUp: number;
  /** What the parent does with one worker's results, s. */
  readonly gather: number;
  /** Taken between two tasks of another job. */
  readonly urgent: boolean;
}

/** Where the time of the workers went, as seconds summed over them. */
export interface Losses {
  /** The parent computed, and there was no task. */
  serial: number;
  /** Others still had a task, and there was none left. */
  tail: number;
  /** Messages on their way. */
  latency: number;
  /** Starting workers, compiling their code. */
  start: number;
  /** Tasks slowed by memory, disk or a shared core. */
  slowed: number;
}

export interface Outcome {
  readonly seconds: number;
  /** Summed over tasks, as if each had a core and the memory for itself. */
  readonly work: number;
  readonly losses: Readonly<Losses>;
  /** Seconds of the run by the serial part that every worker waited for. */
  readonly exposed: ReadonlyMap<string, number>;
}

export function domainsOf({ workers, coresPerDomain }: Machine): number {
  return Math.max(1, Math.ceil(workers / coresPerDomain));
}
