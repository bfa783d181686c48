/** How the work is cut, and who does it. None of this changes a result. */
import { type Machine, thisMachine } from "../machine/machine.ts";
import { type Placement, placeWorkers } from "../machine/placement.ts";
import type { OptionName } from "../option-table.ts";
import type { Options } from "../options.ts";
import type { Setting } from "../tune/setting.ts";

export interface WorkSettings {
  readonly n_procs: number;
  readonly placement: Placement;
  /** A name for `loadKernels`. */
  readonly kernel: string;
  /** Bank samples of a task in stage 2, and those that a thread reads at once. */
  readonly taskItems: number;
  readonly batchItems: number;
  readonly iTile: number;
  /** A multiple of 8. */
  readonly eTile: number;
}

/** Fewer bank samples than this are done sooner by one thread than workers take to start. */
export const WORTH_WORKERS = 512;

/** What is used where nothing is given or tuned. */
export const BUILT_IN = { iBatch: 16, batchesPerTask: 4, iTile: 16, eTile: 128, kernel: "auto", smt: false };

/** @param tuned a setting for this machine: it holds where no flag says otherwise */
export function workSettings(
  options: Options,
  n_candidates: number,
  tuned?: Setting,
  machine: Machine = thisMachine(),
): WorkSettings {
  const given = (name: OptionName) => options.given.includes(name);
  const base = tuned ?? BUILT_IN;
  const n_procs = options.nProcs ?? automaticProcs(options, n_candidates, tuned);
  const placement = placeWorkers(machine.topology, machine.allowed, {
    smt: given("smt") ? options.smt : base.smt,
    ...{ placement: options.placement, numa: options.numa, reserve: options.reserve, n_procs },
  });
  const batchItems = options.iBatch ?? base.iBatch;
  return {
    n_procs: placement.seats.length,
    placement,
    kernel: given("kernel") ? options.kernel : base.kernel,
    taskItems: batchItems * (options.batchesPerTask ?? base.batchesPerTask),
    batchItems,
    iTile: options.iTile ?? base.iTile,
    eTile: roundUp8(options.eTile ?? base.eTile),
  };
}

/** undefined: as many as may be used. */
function automaticProcs({ hpc, numa, reserve }: Options, n_candidates: number, tuned: Setting | undefined) {
  if (hpc === "manual" || n_candidates < WORTH_WORKERS) return 1;
  // A part of the machine was asked for: the tuned number was found on all of it.
  return numa === undefined && reserve === undefined ? tuned?.n_procs : undefined;
}

const roundUp8 = (n: number) => Math.ceil(n / 8) * 8;

/** Fewest bank samples of a task of stage 2. */
const LEAST_TASK = 4;

/** Of n bank samples, those of a task of stage 2; of other work, units. No thread should wait long for another's last task. */
export function itemsOfTask(
  { taskItems, n_procs }: Pick<WorkSettings, "taskItems" | "n_procs">,
  n: number,
  least = LEAST_TASK,
): number {
  return Math.max(least, Math.min(taskItems, Math.ceil(n / (4 * n_procs))));
}

/** Of each thread, tasks whose waveforms the disk is reading. */
const TASKS_AHEAD = 2;

/** Of n bank samples that stage 2 looks at, from the disk. */
export function incoherentCuts(work: Pick<WorkSettings, "taskItems" | "batchItems" | "n_procs">, n: number) {
  const { batchItems, n_procs } = work;
  return { taskSize: itemsOfTask(work, n), batchSize: batchItems, ahead: TASKS_AHEAD * n_procs };
}

/** About this many probes of discarded samples. */
const N_PROBES = 65_536;

/** Of a coherent stage of so many accepted samples. */
export function coherentCuts(
  { iTile, eTile }: Pick<WorkSettings, "iTile" | "eTile">,
  n_accepted: number,
  n_e: number,
) {
  return { iTile, eTile, probeEvery: Math.max(1, Math.floor((n_accepted * n_e) / N_PROBES)) };
}
