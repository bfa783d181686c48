/** Entry point of a worker thread: takes messages, answers them. What is computed stands in src/stages. */
import { setImmediate } from "node:timers/promises";
import { DotpeError } from "../errors.ts";
import { type Kernels, loadKernels } from "../kernels/table.ts";
import { type FromWorker, type Job, type SentError, STOP, type ToWorker } from "./protocol.ts";
import { type OpenedJob, openJob } from "./runner.ts";

declare const self: Worker;

let kernels: Kernels;
let urgentSent: Int32Array;
let urgentReceived = 0;
let busy = false;
const waiting: Job[] = [];
const urgent: Job[] = [];

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "close") process.exit(0);
  if (data.type === "open") {
    kernels = loadKernels(data.kernels);
    urgentSent = data.urgentSent;
    answer({ type: "ready" });
    return;
  }
  if (data.job.urgent) urgentReceived++;
  (data.job.urgent ? urgent : waiting).push(data.job);
  if (!busy) void work();
};

async function work(): Promise<void> {
  busy = true;
  for (;;) {
    await urgentArrived();
    const job = urgent.shift() ?? waiting.shift();
    if (job === undefined) break;
    await runJob(job);
  }
  busy = false;
}

async function runJob(job: Job): Promise<void> {
  try {
    const opened = openJob(job, kernels);
    try {
      await runTasks(job, opened);
      answer({ type: "done", id: job.id, result: opened.result(), spans: opened.spans() });
    } finally {
      opened.close();
    }
  } catch (error) {
    Atomics.store(job.counter, STOP, 1);
    answer({ type: "failed", id: job.id, error: sent(error as Error) });
  }
}

/** Lets the messages of all urgent jobs in that were sent so far. */
async function urgentArrived(): Promise<void> {
  while (Atomics.load(urgentSent, 0) > urgentReceived) await setImmediate();
}

async function runTasks(job: Job, opened: OpenedJob<unknown>): Promise<void> {
  while (opened.step()) {
    if (job.urgent || Atomics.load(urgentSent, 0) === urgentReceived) continue;
    await urgentArrived();
    for (let next = urgent.shift(); next; next = urgent.shift()) await runJob(next);
  }
}

function sent(error: Error): SentError {
  const { message, stack } = error;
  return { message, stack, ...(error instanceof DotpeError ? { exit: error.exit, hint: error.hint } : {}) };
}

function answer(message: FromWorker): void {
  self.postMessage(message);
}
