/** Runs a program on a machine, as the program's pool does: one parent, workers that take the next task of a job. */
import { Clock } from "./clock.ts";
import type { JobStep, Losses, Machine, Outcome, Step } from "./machine.ts";

interface Job {
  readonly step: JobStep;
  next: number;
  answers: number;
  readonly done: () => void;
}

interface Worker {
  readonly domain: number;
  /** Ready, and without a task. */
  idle: boolean;
  readonly waiting: Job[];
  readonly urgent: Job[];
  /** Interrupted for urgent ones; the last is the one to go on with. */
  readonly open: Job[];
  readonly warm: Set<string>;
}

interface ParentWork {
  readonly name: string;
  readonly seconds: number;
  readonly begun: () => void;
  readonly then: () => void;
}

/** @returns what happened, with the losses of all workers */
export function simulate(program: readonly Step[], machine: Machine): Outcome {
  return new Run(machine).all(program);
}

class Run {
  private readonly clock: Clock;
  private readonly workers: Worker[];
  private readonly losses: Losses = { serial: 0, tail: 0, latency: 0, start: 0, slowed: 0 };
  private readonly exposed = new Map<string, number>();
  private readonly parentQueue: ParentWork[] = [];
  private parent: ParentWork | undefined;
  /** Jobs whose code the parent has compiled: without workers it runs them itself. */
  private readonly warm = new Set<string>();
  private busy = 0;
  private starting = 0;
  private work = 0;

  constructor(private readonly machine: Machine) {
    this.clock = new Clock(machine);
    const n = machine.workers === 1 ? 0 : machine.workers;
    this.workers = Array.from({ length: n }, (_, k) => ({
      ...{ domain: Math.floor(k / machine.coresPerDomain), idle: false },
      ...{ waiting: [], urgent: [], open: [], warm: new Set<string>() },
    }));
  }

  all(program: readonly Step[]): Outcome {
    let end = -1;
    this.startWorkers();
    this.sequence(program, 0, () => {
      end = this.clock.now;
    });
    while (end < 0)
      if (!this.clock.step((seconds) => this.account(seconds))) throw new Error("nothing to do");
    const { losses, exposed, work } = this;
    return { seconds: end, work, losses, exposed };
  }

  private startWorkers(): void {
    const { startParent, startWorker } = this.machine.costs;
    const start = (worker: Worker) => {
      this.starting++;
      const done = () => {
        this.starting--;
        worker.idle = true;
        this.look(worker);
      };
      this.clock.begin(startWorker, { domain: worker.domain, demand: 0, done });
    };
    this.toEach("starting workers", startParent, 0, start);
  }

  /** Something that the parent does for every worker, without a break; it reaches each `latency` later. */
  private toEach(name: string, seconds: number, latency: number, reach: (worker: Worker) => void): void {
    const { workers, clock } = this;
    const begun = () => {
      workers.forEach((worker, k) => {
        clock.after((k + 1) * seconds + latency, () => reach(worker));
      });
    };
    this.compute(name, workers.length * seconds, () => {}, begun);
  }

  private sequence(steps: readonly Step[], at: number, then: () => void): void {
    if (at === steps.length) then();
    else this.step(steps[at], () => this.sequence(steps, at + 1, then));
  }

  private step(step: Step, then: () => void): void {
    if (step.type === "serial") this.compute(step.name, step.seconds, then);
    else if (step.type === "job") this.job(step, then);
    else this.both(step.main, step.chain, then);
  }

  private both(main: readonly Step[], chain: readonly Step[], then: () => void): void {
    let left = 2;
    const one = () => {
      left--;
      if (left === 0) then();
    };
    this.sequence(main, 0, one);
    this.sequence(chain, 0, one);
  }

  /** Work of the parent: one thing at a time. */
  private compute(name: string, seconds: number, then: () => void, begun = () => {}): void {
    this.parentQueue.push({ name, seconds, begun, then });
    if (this.parent === undefined) this.nextOfParent();
  }

  private nextOfParent(): void {
    const work = this.parentQueue.shift();
    this.parent = work;
    if (work === undefined) return;
    const done = () => {
      this.parent = undefined;
      work.then();
      if (this.parent === undefined) this.nextOfParent();
    };
    work.begun();
    this.clock.begin(work.seconds, { domain: 0, demand: 0, done });
  }

  private job(step: JobStep, then: () => void): void {
    if (this.workers.length === 0) this.jobHere(step, 0, then);
    else this.jobOfWorkers(step, then);
  }

  private jobOfWorkers(step: JobStep, then: () => void): void {
    const { post, latency } = this.machine.costs;
    const done = () => this.compute(`gathering ${step.name}`, this.workers.length * step.gather, then);
    const job: Job = { step, next: 0, answers: 0, done };
    this.toEach(`sending ${step.name}`, post, latency, (worker) => {
      (step.urgent ? worker.urgent : worker.waiting).push(job);
      if (worker.idle) this.look(worker);
    });
  }

  /** Without workers: in the parent. */
  private jobHere(step: JobStep, k: number, then: () => void): void {
    if (k === step.n) {
      then();
      return;
    }
    const seconds = step.seconds(k);
    this.work += seconds;
    const warmUp = this.warm.has(step.name) ? 0 : step.warmUp;
    this.warm.add(step.name);
    const done = () => this.jobHere(step, k + 1, then);
    this.clock.begin(seconds + warmUp, { domain: 0, demand: rate(step.bytes(k), seconds), done });
  }

  /** A worker without a task: an urgent job, the one it was at, the next in line. */
  private look(worker: Worker): void {
    const fresh = worker.urgent.shift() ?? (worker.open.length === 0 ? worker.waiting.shift() : undefined);
    if (fresh !== undefined) worker.open.push(fresh);
    const job = worker.open.at(-1);
    worker.idle = job === undefined;
    if (job === undefined) return;
    if (job.next < job.step.n) {
      this.task(worker, job);
      return;
    }
    worker.open.pop();
    this.clock.after(this.machine.costs.latency, () => {
      job.answers++;
      if (job.answers === this.workers.length) job.done();
    });
    this.look(worker);
  }

  private task(worker: Worker, job: Job): void {
    const { step } = job;
    const k = job.next++;
    const seconds = step.seconds(k);
    const warmUp = worker.warm.has(step.name) ? 0 : step.warmUp;
    worker.warm.add(step.name);
    const began = this.clock.now;
    this.busy++;
    const done = () => {
      this.busy--;
      this.work += seconds;
      this.losses.start += warmUp;
      this.losses.slowed += Math.max(0, this.clock.now - began - seconds - warmUp);
      this.look(worker);
    };
    const demand = rate(step.bytes(k), seconds + warmUp);
    this.clock.begin(seconds + warmUp, { domain: worker.domain, demand, done });
  }

  /** Idle workers wait for whatever is going on meanwhile. */
  private account(seconds: number): void {
    const { losses, workers, starting, busy, parent } = this;
    losses.start += starting * seconds;
    const idle = (workers.length - starting - busy) * seconds;
    if (busy > 0) losses.tail += idle;
    else if (parent !== undefined) losses.serial += idle;
    else losses.latency += idle;
    if (busy === 0 && parent !== undefined)
      this.exposed.set(parent.name, (this.exposed.get(parent.name) ?? 0) + seconds);
  }
}

function rate(bytes: number, seconds: number): number {
  return seconds > 0 ? bytes / seconds : 0;
}
