/**
 * Every kernel of stages 2 and 5 in every variant that this machine runs, each against its TypeScript definition (ref) and
 * against what the core can do at most, on the calls that the program makes. One thread; medians.
 */
import { join } from "node:path";
import { measure } from "mitata";
import { readReference } from "../gw/reference-file.ts";
import { openNpz } from "../io/npz.ts";
import { referenceKernels } from "../kernels/ref.ts";
import { availableKernels, type Kernels, loadKernels } from "../kernels/table.ts";
import { parseRunOptions } from "../options.ts";
import { extrinsicSet, importExtrinsic } from "../stages/extrinsic-samples.ts";
import { readInputs } from "../stages/setup.ts";
import { workOf } from "./kernel-work.ts";
import { type Limits, measureLimits } from "./limits.ts";
import type { Problem } from "./problem.ts";
import {
  IN_SINGLE_PRECISION,
  type KernelCalls,
  N_WAVEFORMS,
  recordStages,
  replay,
  type Subject,
} from "./recorded-calls.ts";
import { brief, type Measurement, type Part, percent } from "./table.ts";

/** Calls are short or long, by a factor of a thousand: few at a time keep the whole within `minTime` or three of them. */
const SAMPLING = { min_samples: 3, batch_samples: 16 };

export interface KernelTime {
  readonly stage: string;
  readonly kernel: string;
  readonly variant: string;
  /** A waveform. */
  readonly ns: number;
  /** NaN where bounds decide how much there is to do. */
  readonly gflops: number;
  /** Of the measured peak of this variant's multiply-adds, twice that in single precision; NaN for TypeScript. */
  readonly ofPeak: number;
  /** Each array once. */
  readonly gbps: number;
  /** Time over the least possible: the longer of flops at the peak and bytes at the second-level cache's rate. */
  readonly overRoofline: number;
  /** Time of the definition over this one; NaN in single precision. */
  readonly speedup: number;
}

/** @param minTime spent on each measurement, s */
export async function benchKernels(
  subject: Subject,
  minTime: number,
): Promise<{ times: KernelTime[]; limits: Limits[]; sizes: string }> {
  const { stages, sizes } = recordStages(subject);
  const limits = measureLimits();
  const times: KernelTime[] = [];
  for (const { stage, kernels } of stages) {
    for (const one of kernels) times.push(...(await timeKernel(stage, one, limits, minTime)));
  }
  return { times, limits, sizes };
}

async function timeKernel(
  stage: string,
  work: KernelCalls,
  limits: readonly Limits[],
  minTime: number,
): Promise<KernelTime[]> {
  const total = workOf(work);
  const [flops, bytes] = [total.flops / N_WAVEFORMS, total.bytes / N_WAVEFORMS];
  const isSingle = IN_SINGLE_PRECISION.has(work.kernel);
  const measured: { variant: string; ns: number }[] = [];
  for (const variant of availableKernels()) {
    // No run uses them there, and functions that have seen two kinds of arrays are slow with either from then on.
    if (isSingle && variant === referenceKernels.name) continue;
    measured.push({ variant, ns: await nanoseconds(loadKernels(variant), work, minTime) });
  }
  const ref = isSingle ? Number.NaN : measured[measured.length - 1].ns;
  return measured.map(({ variant, ns }) => {
    const limit = limits.find((one) => one.variant === variant);
    const peak = (limit?.gflops ?? Number.NaN) * (isSingle ? 2 : 1);
    const least = Math.max(flops / peak, bytes / (limit?.cacheGbps ?? Number.NaN));
    return {
      ...{ stage, kernel: work.label, variant, ns },
      ...{ gflops: flops / ns, ofPeak: flops / ns / peak, gbps: bytes / ns },
      ...{ overRoofline: ns / least, speedup: ref / ns },
    };
  });
}

async function nanoseconds(
  kernels: Kernels,
  { kernel, calls }: KernelCalls,
  minTime: number,
): Promise<number> {
  const { p50 } = await measure(() => replay(kernels, kernel, calls), {
    min_cpu_time: 1e9 * minTime,
    ...SAMPLING,
  });
  return p50 / N_WAVEFORMS;
}

const HEAD = [
  ...["kernel", "variant", "ns / waveform", "GFLOP/s", "of the peak", "GB/s", "over roofline", "ref / it"],
];

export async function measureKernels(problem: Problem): Promise<Part> {
  const { times, limits, sizes } = await benchKernels(openSubject(problem), problem.kernelSeconds);
  const rows = times.map(({ stage, kernel, variant, ns, gflops, ofPeak, gbps, overRoofline, speedup }) => [
    ...[`${stage} ${kernel}`, variant, brief(ns), brief(gflops), percent(ofPeak), brief(gbps)],
    ...[
      Number.isFinite(overRoofline) ? `${overRoofline.toFixed(2)}x` : "-",
      Number.isNaN(speedup) ? "-" : `${speedup.toFixed(1)}x`,
    ],
  ]);
  const measurements = times.flatMap(({ stage, kernel, variant, ...time }): Measurement[] => {
    const name = `kernels.${stage.replaceAll(" ", "")}.${kernel.replaceAll(" ", "_")}.${variant}`;
    return [
      { name: `${name}.ns`, value: time.ns, unit: "ns" },
      { name: `${name}.gflops`, value: time.gflops, unit: "GFLOP/s" },
      { name: `${name}.of_peak`, value: time.ofPeak, unit: "share" },
      { name: `${name}.gbps`, value: time.gbps, unit: "GB/s" },
      { name: `${name}.over_roofline`, value: time.overRoofline, unit: "ratio" },
    ];
  });
  const notes = [
    sizes,
    ...limits.map(
      ({ variant, gflops, cacheGbps, memoryGbps }) =>
        `${variant}: multiply-adds at most ${brief(gflops)} GFLOP/s; a = b + 3 c in the second-level cache ${brief(cacheGbps)} GB/s, in memory ${brief(memoryGbps)}`,
    ),
    "GFLOP/s: none where bounds decide how much is done; GB/s: each array once",
    "roofline: the longer of flops at the peak and bytes at the rate of the second-level cache",
  ];
  const ofMachine = limits.flatMap(({ variant, gflops, cacheGbps, memoryGbps }): Measurement[] => [
    { name: `limits.${variant}.gflops`, value: gflops, unit: "GFLOP/s" },
    { name: `limits.${variant}.cache_gbps`, value: cacheGbps, unit: "GB/s" },
    { name: `limits.${variant}.memory_gbps`, value: memoryGbps, unit: "GB/s" },
  ]);
  return {
    title: "kernels, one thread",
    rows: [HEAD, ...rows],
    notes,
    measurements: [...ofMachine, ...measurements],
  };
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
