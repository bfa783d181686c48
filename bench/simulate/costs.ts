/** What threads and messages cost here, and how fast memory is. */
import { sharedF64, sharedI32 } from "../../src/workers/arena.ts";
import type { ToWorker } from "../../src/workers/protocol.ts";
import { N_ACTIVITY } from "../../src/workers/runner.ts";

const WORKER = new URL("../../src/workers/worker.ts", import.meta.url).href;
const ECHO = "self.onmessage = ({ data }) => self.postMessage(data);";
const PINGS = 2000;
const ARRAYS_OF_A_PLAN = 40;
const COPY_BYTES = 256 * 2 ** 20;
const REPEATS = 5;

/** Seconds: of the parent to start a worker, and until the worker can take tasks. */
export async function measureStart(): Promise<{ startParent: number; startWorker: number }> {
  const starts: number[] = [];
  const ready: number[] = [];
  for (let k = 0; k < REPEATS; k++) {
    const begun = performance.now();
    const worker = new Worker(WORKER);
    const seat = { cpus: [], group: 0, node: 0 };
    const shared = { urgentSent: sharedI32(1), activity: sharedF64(N_ACTIVITY) };
    const message: ToWorker = { type: "open", kernels: "auto", ...shared, recycle: Infinity, seat };
    worker.postMessage(message);
    starts.push(performance.now() - begun);
    await new Promise((resolve) => {
      worker.onmessage = resolve;
    });
    ready.push(performance.now() - begun);
    worker.terminate();
  }
  return { startParent: Math.min(...starts) / 1000, startWorker: Math.min(...ready) / 1000 };
}

/** Seconds until a message is seen by another thread: half of there and back. */
export async function measureLatency(): Promise<number> {
  const worker = new Worker(URL.createObjectURL(new Blob([ECHO])));
  const times: number[] = [];
  for (let k = 0; k < PINGS; k++) {
    const begun = performance.now();
    const answer = new Promise((resolve) => {
      worker.onmessage = resolve;
    });
    worker.postMessage(k);
    await answer;
    times.push(performance.now() - begun);
  }
  worker.terminate();
  times.sort((a, b) => a - b);
  return times[PINGS >> 1] / 2000;
}

/** Seconds that the sender of a job is busy with its message: a plan is some shared arrays and some numbers. */
export function measurePost(): number {
  const worker = new Worker(URL.createObjectURL(new Blob(["self.onmessage = () => {};"])));
  const plan = Array.from({ length: ARRAYS_OF_A_PLAN }, () => ({ array: sharedI32(64), n: 64 }));
  const begun = performance.now();
  for (let k = 0; k < PINGS; k++) worker.postMessage(plan);
  const seconds = (performance.now() - begun) / 1000 / PINGS;
  worker.terminate();
  return seconds;
}

/** Bytes a second that one core copies between places in memory, reading and writing counted. */
export function measureCopy(): number {
  const [from, to] = [new Uint8Array(COPY_BYTES).fill(1), new Uint8Array(COPY_BYTES).fill(2)];
  let least = Infinity;
  for (let k = 0; k < REPEATS; k++) {
    const begun = performance.now();
    to.set(from);
    least = Math.min(least, performance.now() - begun);
  }
  return (2 * COPY_BYTES) / (least / 1000);
}
