/** How the work is cut. None of this changes a result. */
import { allowedCores } from "../machine/cores.ts";
import type { Options } from "../options.ts";

export interface WorkSettings {
  readonly n_procs: number;
  /** Bank samples of a task in stage 2. */
  readonly taskItems: number;
  readonly iTile: number;
  /** A multiple of 8. */
  readonly eTile: number;
}

/** Fewer bank samples than this are done sooner by one thread than workers take to start. */
const WORTH_WORKERS = 512;
const DEFAULTS = { iBatch: 64, batchesPerTask: 1, iTile: 16, eTile: 128 };

export function workSettings(options: Options, n_candidates: number): WorkSettings {
  const cores = options.hpc === "manual" ? 1 : allowedCores();
  const few = options.hpc === "auto" && n_candidates < WORTH_WORKERS;
  const iBatch = options.iBatch ?? DEFAULTS.iBatch;
  return {
    n_procs: options.nProcs ?? (few ? 1 : cores),
    taskItems: iBatch * (options.batchesPerTask ?? DEFAULTS.batchesPerTask),
    iTile: options.iTile ?? DEFAULTS.iTile,
    eTile: Math.ceil((options.eTile ?? DEFAULTS.eTile) / 8) * 8,
  };
}

/** About this many probes of discarded samples. */
const N_PROBES = 65_536;

/** Of a coherent stage of so many accepted samples. */
export function coherentCuts({ iTile, eTile }: WorkSettings, n_accepted: number, n_e: number) {
  return { iTile, eTile, probeEvery: Math.max(1, Math.floor((n_accepted * n_e) / N_PROBES)) };
}
