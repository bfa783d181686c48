/** Settings of the work with which a run fits the memory that it may use. */
import { DotpeError } from "../errors.ts";
import { type Machine, thisMachine } from "../machine/machine.ts";
import type { Options } from "../options.ts";
import { formatMegabytes } from "../report/format.ts";
import { BUILT_IN, type WorkSettings, workSettings } from "../stages/settings.ts";
import { countCandidates, type Inputs } from "../stages/setup.ts";
import type { Setting } from "../tune/setting.ts";
import { assumedShares, forecastMemory, sizesOf, totalMB } from "./memory.ts";

export interface FittingWork {
  readonly work: WorkSettings;
  /** What was reduced, and why; undefined if nothing was. */
  readonly warning: string | undefined;
}

/**
 * As `workSettings`; where the forecast exceeds `memoryFraction` of the allowed memory, batches and then threads are reduced.
 * @throws DotpeError tryAgain if not even one thread fits.
 */
export function workThatFits(
  options: Options,
  inputs: Inputs,
  tuned?: Setting,
  machine: Machine = thisMachine(),
): FittingWork {
  const n = countCandidates(inputs);
  const [sizes, shares] = [sizesOf(inputs, options), assumedShares(options)];
  const most = (options.memoryFraction * machine.allowed.memoryBytes) / 1e6;
  const needed = (work: WorkSettings) => totalMB(forecastMemory(sizes, work, shares));
  const asked = workSettings(options, n, tuned, machine);
  if (!(needed(asked) > most)) return { work: asked, warning: undefined };
  const iBatch = Math.min(asked.batchItems, BUILT_IN.iBatch);
  for (let n_procs = asked.n_procs; n_procs > 0; n_procs = Math.floor(n_procs / 2)) {
    const given = [...options.given, "nProcs" as const];
    const work = workSettings({ ...options, given, nProcs: n_procs, iBatch }, n, tuned, machine);
    if (needed(work) > most) continue;
    const from = `${asked.n_procs} threads with batches of ${asked.batchItems}`;
    const to = `${n_procs} with ${iBatch}`;
    const why = `${formatMegabytes(needed(asked))} of memory would be needed, ${formatMegabytes(most)} may be used`;
    return { work, warning: `${from} are reduced to ${to}: ${why}` };
  }
  const least = workSettings({ ...options, nProcs: 1, iBatch }, n, tuned, machine);
  throw new DotpeError(
    "tryAgain",
    `memory: found ${formatMegabytes(most)} that may be used (${options.memoryFraction} of what is allowed), ` +
      `expected at least ${formatMegabytes(needed(least))}`,
    "Ask for more (sbatch --mem), lower --n-ext or --size-limit, or raise --memory-fraction; `dotpe-hpc machine` shows the limits.",
  );
}
