/**
 * Every kernel of stages 2 and 5 in every variant that this machine runs, each against its TypeScript definition (ref), on
 * the calls that the program makes. One thread; medians.
 */
import { join } from "node:path";
import { measure } from "mitata";
import { readReference } from "../gw/reference-file.ts";
import { openNpz } from "../io/npz.ts";
import { availableKernels, type Kernels, loadKernels } from "../kernels/table.ts";
import { parseRunOptions } from "../options.ts";
import { extrinsicSet, importExtrinsic } from "../stages/extrinsic-samples.ts";
import { readInputs } from "../stages/setup.ts";
import type { Problem } from "./problem.ts";
import {
  flopsOf,
  type KernelName,
  N_WAVEFORMS,
  recordStages,
  replay,
  type Subject,
} from "./recorded-calls.ts";
import { brief, type Measurement, type Part } from "./table.ts";

/** Calls are short or long, by a factor of a thousand: few at a time keep the whole within `minTime` or three of them. */
const SAMPLING = { min_samples: 3, batch_samples: 16 };

export interface KernelTime {
  readonly stage: string;
  readonly kernel: KernelName;
  readonly variant: string;
  /** A waveform. */
  readonly ns: number;
  /** NaN where the work depends on the data or is mostly sines. */
  readonly gflops: number;
  /** Time of the definition over this one. */
  readonly speedup: number;
}

/** @param minTime spent on each measurement, s */
export async function benchKernels(
  subject: Subject,
  minTime: number,
): Promise<{ times: KernelTime[]; sizes: string }> {
  const { stages, sizes } = recordStages(subject);
  const times: KernelTime[] = [];
  for (const { stage, calls } of stages) {
    for (const [kernel, ofKernel] of calls)
      times.push(...(await timeKernel(stage, kernel, ofKernel, minTime)));
  }
  return { times, sizes };
}

async function timeKernel(
  stage: string,
  kernel: KernelName,
  calls: readonly unknown[][],
  minTime: number,
): Promise<KernelTime[]> {
  const flops = calls.reduce((sum, args) => sum + (flopsOf(kernel, args) ?? Number.NaN), 0) / N_WAVEFORMS;
  const measured: { variant: string; ns: number }[] = [];
  for (const variant of availableKernels()) {
    measured.push({ variant, ns: await nanoseconds(loadKernels(variant), kernel, calls, minTime) });
  }
  const ref = measured[measured.length - 1].ns;
  return measured.map(({ variant, ns }) => {
    return { stage, kernel, variant, ns, gflops: flops / ns, speedup: ref / ns };
  });
}

async function nanoseconds(
  kernels: Kernels,
  name: KernelName,
  calls: readonly unknown[][],
  minTime: number,
): Promise<number> {
  const { p50 } = await measure(() => replay(kernels, name, calls), {
    min_cpu_time: 1e9 * minTime,
    ...SAMPLING,
  });
  return p50 / N_WAVEFORMS;
}

export async function measureKernels(problem: Problem): Promise<Part> {
  const { times, sizes } = await benchKernels(openSubject(problem), problem.kernelSeconds);
  const rows = times.map(({ stage, kernel, variant, ns, gflops, speedup }) => [
    ...[`${stage} ${kernel}`, variant, brief(ns), brief(gflops), `${speedup.toFixed(1)}x`],
  ]);
  const measurements = times.flatMap(({ stage, kernel, variant, ns, gflops }): Measurement[] => {
    const name = `kernels.${stage.replaceAll(" ", "")}.${kernel}.${variant}`;
    return [
      { name: `${name}.ns`, value: ns, unit: "ns" },
      { name: `${name}.gflops`, value: gflops, unit: "GFLOP/s" },
    ];
  });
  const head = ["kernel", "variant", "ns / waveform", "GFLOP/s", "ref / it"];
  const notes = [
    sizes,
    "GFLOP/s: none where the work depends on the data (bounds skip it) or is mostly sines",
  ];
  return { title: "kernels, one thread", rows: [head, ...rows], notes, measurements };
}

/** From the first run's directory. */
function openSubject({ inputs, base }: Problem): Subject {
  const { event, bins, band, banks } = readInputs(parseRunOptions([...inputs]));
  const file = (...parts: string[]) => join(base, ...parts);
  return {
    ...{ event, bins },
    reference: readReference(file("reference.npz"), event, band, bins.mArr, loadKernels("auto")),
    extrinsic: extrinsicSet(
      importExtrinsic(file("extrinsic_samples.feather"), { nExt: 0, given: [] }),
      event,
    ),
    accepted: openNpz(file("banks", banks[0].id, "intrinsic_samples.npz"))
      .get("inds")
      .toInt32(),
  };
}
