/** Entry point of a worker thread: takes messages, answers them. What is computed stands in src/stages. */
import { DotpeError } from "../errors.ts";
import { type Kernels, loadKernels } from "../kernels/table.ts";
import { type FromWorker, STOP, type ToWorker } from "./protocol.ts";
import { openJob } from "./runner.ts";

declare const self: Worker;

let kernels: Kernels;

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  try {
    if (data.type === "open") {
      kernels = loadKernels(data.kernels);
      answer({ type: "ready" });
    } else if (data.type === "job") {
      try {
        const opened = openJob(data.job, kernels);
        while (opened.step());
        answer({ type: "done", result: opened.result() });
      } catch (error) {
        Atomics.store(data.job.counter, STOP, 1);
        throw error;
      }
    } else {
      process.exit(0);
    }
  } catch (error) {
    const { message, stack } = error as Error;
    const known = error instanceof DotpeError ? { exit: error.exit, hint: error.hint } : {};
    answer({ type: "failed", error: { message, stack, ...known } });
  }
};

function answer(message: FromWorker): void {
  self.postMessage(message);
}
