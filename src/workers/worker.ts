/** Entry point of a worker thread: takes messages, answers them. What is computed stands in src/stages. */
import { setImmediate } from "node:timers/promises";
import { DotpeError } from "../errors.ts";
import { threadTools } from "../kernels/native.ts";
import { type Kernels, loadKernels } from "../kernels/table.ts";
import { thisMachine } from "../machine/machine.ts";
import { withNodeTables } from "./node-tables.ts";
import type { FromWorker, Job, JobKind, Jobs, Seat, SentError, ToWorker } from "./protocol.ts";
import { ACTIVITY, type OpenedJob, openJob } from "./runner.ts";
import { stopTasks } from "./task-queue.ts";

declare const self: Worker;

let kernels: Kernels;
let seat: Seat;
let isBound = false;
let urgentSent: Int32Array;
let urgentReceived = 0;
let activity: Float64Array;
let recycle = Number.POSITIVE_INFINITY;
/** Tasks done so far. */
let done = 0;
/** It has asked to be replaced: whatever it is sent is done by another. */
let isWorn = false;
let busy = false;
const waiting: Job[] = [];
const urgent: Job[] = [];

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "close") process.exit(0);
  if (data.type === "open") {
    ({ seat, urgentSent, activity, recycle } = data);
    // First of all: memory lies in the NUMA node of the thread that writes it first.
    const pinError = sit(seat);
    kernels = loadKernels(data.kernels);
    answer({ type: "ready", pinError, threadId: threadTools().id(), isBound });
    return;
  }
  if (data.job.urgent) urgentReceived++;
  (data.job.urgent ? urgent : waiting).push(data.job);
  if (!busy) void work();
};

/** Binds the thread to its seat; one that was bound before and shall not be any more may be anywhere again. */
function sit({ cpus }: Seat): number {
  const wasBound = isBound;
  isBound = cpus.length > 0;
  if (!isBound && !wasBound) return 0;
  return threadTools().bind(isBound ? cpus : thisMachine().allowed.cpus);
}

async function work(): Promise<void> {
  busy = true;
  while (!isWorn) {
    await urgentArrived();
    const job = urgent.shift() ?? waiting.shift();
    if (job === undefined) break;
    await runJob(job);
  }
  busy = false;
}

async function runJob(job: Job): Promise<void> {
  let opened: OpenedJob<unknown> | undefined;
  try {
    const { kind, queue, tables, everySpan } = job;
    if (!job.urgent) activity[ACTIVITY.longest] = 0;
    const plan = tables === undefined ? job.plan : withNodeTables(job.plan, tables, seat.node);
    opened = await openJob({ kind, plan, queue, everySpan }, kernels, seat.group, activity);
    await runTasks(job, opened);
    const [result, spans] = [opened.result() as Jobs[JobKind]["result"], opened.spans()];
    isWorn = !job.urgent && done >= recycle;
    answer({ type: "done", id: job.id, result, spans, isWorn });
  } catch (error) {
    stopTasks(job.queue);
    answer({ type: "failed", id: job.id, error: sent(error as Error), tasks: opened ? opened.tasks() : [] });
  } finally {
    opened?.close();
  }
}

/** Lets the messages of all urgent jobs in that were sent so far. */
async function urgentArrived(): Promise<void> {
  while (Atomics.load(urgentSent, 0) > urgentReceived) await setImmediate();
}

async function runTasks(job: Job, opened: OpenedJob<unknown>): Promise<void> {
  while ((job.urgent || done < recycle) && opened.step()) {
    done++;
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
