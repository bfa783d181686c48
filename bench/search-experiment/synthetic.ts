/**
 * Landscapes made up in the likeness of the program's: stage 2 has its best batch where the working set fits the L2 cache
 * and falls slowly above, stage 5 its best tile, tasks that are too large leave threads idle at the end, hyperthreads
 * help or hurt. Every seed is another machine.
 */
import { STREAMS, uniform } from "../../src/gw/random.ts";
import type { Dimension, Knob, Point } from "../../src/tune/setting.ts";
import { type Landscape, RUNS, WARM_UP } from "./landscape.ts";

/** Bank samples for each core in the slice that is measured. */
const SAMPLES_PER_CORE = 16384;
/** One timed run with the best cut of the work. */
const RUN_SECONDS = 0.08;

const COMMON: readonly Dimension[] = [
  { knob: "iBatch", values: [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096] },
  { knob: "batchesPerTask", values: [1, 2, 4, 8] },
  { knob: "iTile", values: [4, 8, 16, 32] },
  { knob: "eTile", values: [32, 64, 128, 256, 512] },
  { knob: "kernel", values: ["x86-64-v4", "x86-64-v3"] },
];
const START: Partial<Record<Knob, number>> = { iBatch: 2, batchesPerTask: 2, iTile: 2, eTile: 2 };

/** @param cores 2, or a large node's */
export function syntheticLandscape(cores: number, seed: number): Landscape {
  const large = cores > 8;
  const dimensions: Dimension[] = large
    ? [
        { knob: "n_procs", values: [4, 8, 16, 32, cores, 2 * cores] },
        ...COMMON,
        { knob: "smt", values: [false, true] },
      ]
    : [{ knob: "n_procs", values: [cores] }, ...COMMON];
  const draw = (counter: number, low: number, high: number) =>
    low + (high - low) * uniform(seed, STREAMS.tuning, 2 ** 40 + counter);
  const best = { batch: draw(0, 3.5, 6), eTile: draw(1, 6, 8), iTile: draw(2, 2.5, 4.5) };
  const slope = { batch: draw(3, 0.02, 0.035), eTile: draw(4, 0.01, 0.05), iTile: draw(5, 0.005, 0.02) };
  const kernel = draw(6, -0.1, 0.1);
  const serial = draw(7, 0.001, 0.01);
  const siblings = draw(8, 0.8, 1.15);
  const stage2 = draw(9, 0.3, 0.7);
  const spread = draw(10, 0.01, 0.03);

  const value = (point: Point, knob: Knob) => {
    const d = dimensions.findIndex((dimension) => dimension.knob === knob);
    return d < 0 ? undefined : dimensions[d].values[point[d]];
  };
  const number = (point: Point, knob: Knob) => Number(value(point, knob));
  const speedUp = (point: Point) => {
    const n = Math.min(cores, number(point, "n_procs"));
    const amdahl = n / (1 + serial * (n - 1));
    return value(point, "smt") ? amdahl * siblings : amdahl;
  };
  const relative = (point: Point) => {
    const iBatch = number(point, "iBatch");
    const batch = Math.log2(iBatch) - best.batch;
    // Small batches pay for each call, large ones leave the cache.
    const time2 = 1 + (batch < 0 ? 0.03 * batch ** 2 : slope.batch * batch);
    const e = Math.log2(number(point, "eTile")) - best.eTile;
    const i = Math.log2(number(point, "iTile")) - best.iTile;
    const time5 = 1 + slope.eTile * e ** 2 + slope.iTile * i ** 2;
    const task = iBatch * number(point, "batchesPerTask");
    const share = SAMPLES_PER_CORE / task;
    // The last tasks end half a task apart, and each one's start costs a little.
    const tasks = 1 + 0.5 / share + 0.0002 * share;
    const v3 = value(point, "kernel") === "x86-64-v3" ? kernel : 0;
    return 1 / ((stage2 * time2 * tasks + (1 - stage2) * time5) * (1 + v3));
  };
  const error: Landscape["error"] = (_, effort) => spread * Math.sqrt(RUNS.full / RUNS[effort]);
  return {
    ...{ error, noise: error, disturbed: 0.05, loss: 0.2 },
    name: `made up, ${cores} cores`,
    space: {
      dimensions,
      key: (point) => {
        const task = number(point, "iBatch") * number(point, "batchesPerTask");
        const fits = !large || value(point, "smt") === number(point, "n_procs") > cores;
        return fits && task <= SAMPLES_PER_CORE ? point.join(" ") : undefined;
      },
      start: dimensions.map(({ knob, values }) =>
        knob === "n_procs" ? values.indexOf(cores) : (START[knob] ?? 0),
      ),
    },
    rate: (point) => speedUp(point) * relative(point),
    seconds: (point, effort) => ((WARM_UP + RUNS[effort]) * RUN_SECONDS) / relative(point),
  };
}
