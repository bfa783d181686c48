/**
 * `make bench`: times every kernel of stages 2 and 5 in every variant that this machine runs, each against its TypeScript
 * definition (ref), on the calls that the program makes for waveforms of the real event. One thread; medians.
 */
import { measure } from "mitata";
import { availableKernels, type Kernels, loadKernels } from "../src/kernels/table.ts";
import {
  flopsOf,
  type KernelName,
  N_WAVEFORMS,
  recordStages,
  replay,
  type StageCalls,
} from "./recorded-calls.ts";

/** Time spent on each measurement, ns. */
const MIN_CPU_TIME = 1e8;
const COLUMNS = [9, 15, 12, 14, 10];

function printLine(cells: readonly string[]): void {
  const padded = cells.map((cell, k) => (k < 3 ? cell.padEnd(COLUMNS[k]) : cell.padStart(COLUMNS[k] ?? 8)));
  console.log(padded.join(" "));
}

/** ns a waveform. */
async function time(kernels: Kernels, name: KernelName, calls: readonly unknown[][]): Promise<number> {
  const { p50 } = await measure(() => replay(kernels, name, calls), { min_cpu_time: MIN_CPU_TIME });
  return p50 / N_WAVEFORMS;
}

async function timeKernel(stage: string, name: KernelName, calls: readonly unknown[][]): Promise<void> {
  const counts = calls.map((args) => flopsOf(name, args));
  const flops = counts.reduce<number>((sum, count) => sum + (count ?? Number.NaN), 0) / N_WAVEFORMS;
  const times: { variant: string; ns: number }[] = [];
  for (const variant of availableKernels()) {
    times.push({ variant, ns: await time(loadKernels(variant), name, calls) });
  }
  const ref = times[times.length - 1].ns;
  for (const { variant, ns } of times) {
    const rate = Number.isNaN(flops) ? "-" : (flops / ns).toFixed(1);
    printLine([stage, name, variant, ns.toFixed(0), rate, `${(ref / ns).toFixed(1)}x`]);
  }
}

async function timeStage({ stage, calls }: StageCalls): Promise<void> {
  for (const [name, ofKernel] of calls) await timeKernel(stage, name, ofKernel);
}

const { stages, sizes } = recordStages();
console.log(`GW170814: ${sizes}; one thread, float64\n`);
printLine(["stage", "kernel", "variant", "ns / waveform", "GFLOP/s", "ref / it"]);
for (const stage of stages) await timeStage(stage);
console.log("\nGFLOP/s: none where the work depends on the data (bounds skip it) or is mostly sines.");
