/** The candidates of a tune: what this machine and this work leave to choose. */
import type { Machine } from "../machine/machine.ts";
import { type Placement, type PlacementOptions, placeWorkers } from "../machine/placement.ts";
import type { Dimension, Knob, KnobValue, Point, Setting, Space } from "./setting.ts";
import type { Workload } from "./workload.ts";

/** Where workers may be: what the user has said of it. */
export type Where = Pick<PlacementOptions, "placement" | "numa" | "reserve">;

const FEWER_WORKERS = [4, 8, 16, 32];

export function place(
  { topology, allowed }: Machine,
  where: Where,
  setting: Pick<PlacementOptions, "n_procs" | "smt">,
): Placement {
  return placeWorkers(topology, allowed, { ...where, smt: setting.smt, n_procs: setting.n_procs });
}

/** As many workers as may be used with one a core, and with one a hardware thread. */
function workersPer(machine: Machine, where: Where): { core: number; thread: number } {
  const most = (smt: boolean) => place(machine, where, { smt, n_procs: undefined }).seats.length;
  return { core: most(false), thread: most(true) };
}

/** Workers of any candidate. */
export function mostWorkers(machine: Machine, where: Where): number {
  const { core, thread } = workersPer(machine, where);
  return Math.max(core, thread);
}

export interface TuneSpace extends Space {
  setting(point: Point): Setting;
  /** Workers of a candidate at most. */
  readonly most: number;
}

/** @param mostBytes of a worker: candidates that need more are left out */
export function tuneSpace(machine: Machine, where: Where, workload: Workload, mostBytes: number): TuneSpace {
  const { knobs, builtIn } = workload;
  const { core: perCore, thread: perThread } = workersPer(machine, where);
  const smt = perThread > perCore ? [false, true] : [false];
  const dimensions: Dimension[] = [
    { knob: "n_procs", values: workerNumbers([perCore, perThread]) },
    { knob: "iBatch", values: knobs.iBatch },
    { knob: "batchesPerTask", values: knobs.batchesPerTask },
    { knob: "iTile", values: knobs.iTile },
    { knob: "eTile", values: knobs.eTile },
    { knob: "kernel", values: knobs.kernel },
    { knob: "smt", values: smt },
  ];
  const setting = (point: Point) =>
    Object.fromEntries(dimensions.map(({ knob, values }, k) => [knob, values[point[k]]])) as never as Setting;
  const start: Setting = { ...builtIn, n_procs: perCore, smt: false };
  const key = (point: Point) => {
    const one = setting(point);
    if (workload.leastBytes(one) > mostBytes) return undefined;
    // Hardware threads are used when there is no core left: with fewer workers the choice changes nothing.
    if (one.smt !== one.n_procs > perCore) return undefined;
    return [one.n_procs, one.kernel, one.smt, workload.key(one)].join(" ");
  };
  return {
    ...{ dimensions, key, setting },
    start: dimensions.map(({ knob, values }) => nearest(values, start[knob as Knob])),
    most: Math.max(...(dimensions[0].values as readonly number[])),
  };
}

function workerNumbers(most: readonly number[]): number[] {
  const all = [...FEWER_WORKERS.map((n) => Math.min(n, most[0])), ...most];
  return [...new Set(all)].sort((a, b) => a - b);
}

function nearest(values: readonly KnobValue[], wanted: KnobValue): number {
  const at = values.indexOf(wanted);
  if (at >= 0 || typeof wanted !== "number") return Math.max(0, at);
  const distances = values.map((value) => Math.abs(Math.log((value as number) / wanted)));
  return distances.indexOf(Math.min(...distances));
}
