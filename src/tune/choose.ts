/** The setting of a run: remembered, measured now, or none. */
import { DotpeError } from "../errors.ts";
import { availableKernels } from "../kernels/table.ts";
import { type Machine, thisMachine } from "../machine/machine.ts";
import type { Options } from "../options.ts";
import { WORTH_WORKERS } from "../stages/settings.ts";
import { countCandidates, type Inputs } from "../stages/setup.ts";
import { listCached, readCached, writeCached } from "./cache.ts";
import { settingText } from "./cache-list.ts";
import type { CacheEntry, Usable } from "./entry.ts";
import { inScratch } from "./scratch.ts";
import { DEFAULT_SEARCH, type TuneHow, type TuneOutcome, tuneSession } from "./session.ts";
import type { Setting } from "./setting.ts";
import { shapeClass } from "./shape.ts";
import { kernelIdentity, type Signature, signatureOf } from "./signature.ts";
import { mostWorkers, type Where } from "./space.ts";

export interface Choice {
  /** undefined: the built-in one. */
  readonly setting: Setting | undefined;
  /** Where it comes from, for people. */
  readonly reason: string;
  readonly warnings: readonly string[];
}

/** Time (s) for a tune before a run: long runs gain more by it. */
const BUDGET = { least: 5, most: 20, samplesPerSecond: 25_000 };

/** What the options of a run say of where its threads may be. */
export function whereOf({ placement, numa, reserve }: Options): Where {
  return { placement, numa, reserve };
}

/** Of the work of a run on this machine. */
export function signatureOfRun(options: Options, inputs: Inputs, { topology, allowed }: Machine): Signature {
  const { event, bins } = inputs;
  const { kernel, kernelHash } = kernelIdentity(options.kernel);
  const sizes = { n_d: event.n_d, n_m: bins.mArr.length, n_b: bins.fbin.length, n_t: options.nT };
  const n = { n_phi: options.nPhi, n_e: options.nExt, n_i: countCandidates(inputs) };
  const work = [shapeClass({ ...sizes, ...n }), ...placeText(whereOf(options))].join(" ");
  return signatureOf(topology, allowed, kernel, kernelHash, work);
}

/** A part of the machine has settings of its own. */
export function placeText({ numa, reserve, placement }: Where): string[] {
  return [
    ...(numa === undefined ? [] : [`node ${numa}`]),
    ...(reserve === undefined ? [] : [`reserve ${reserve}`]),
    ...(placement === "auto" ? [] : [placement]),
  ];
}

export function usableHere({ allowed }: Machine): Usable {
  return { workers: allowed.cpus.length, kernels: availableKernels() };
}

/**
 * @param tell told that a tune begins, since it takes a while
 * @throws whatever a tune throws; a cache that cannot be used is a warning
 */
export async function chooseSetting(
  options: Options,
  inputs: Inputs,
  tell: (text: string) => void,
): Promise<Choice> {
  const none = (reason: string): Choice => ({ setting: undefined, reason, warnings: [] });
  if (options.hpc === "manual") return none("built-in, by --hpc manual");
  const n = countCandidates(inputs);
  if (n < WORTH_WORKERS) return none(`built-in: ${n} bank samples are too few to tune for`);
  const machine = thisMachine();
  const signature = signatureOfRun(options, inputs, machine);
  const { found, warnings } = readCached(signature, usableHere(machine));
  if (found !== undefined) return chosen(found.entry, `tuned ${found.entry.created.slice(0, 10)}`, warnings);
  const near = similar(signature, machine);
  if (near !== undefined)
    return chosen(near, `tuned for similar work, ${near.signature.parts.workload}`, warnings);
  if (!options.tune) return { ...none("built-in: nothing is tuned here, and --no-tune"), warnings };
  const seconds = Math.min(BUDGET.most, Math.max(BUDGET.least, n / BUDGET.samplesPerSecond));
  tell(
    `nothing is known of this machine: measuring for ${seconds.toFixed(0)} s what is fastest (once; --no-tune skips it)`,
  );
  const how = {
    ...{ search: DEFAULT_SEARCH, seed: 0, budgetSeconds: seconds, started: performance.now() },
    ...{ where: whereOf(options), mostBytes: undefined, memoryFraction: options.memoryFraction },
  };
  const outcome = await tuneRun(options, inputs, n, machine, signature, how).catch(unlessDefect);
  if (typeof outcome === "string")
    return { ...none("built-in"), warnings: [...warnings, `not tuned: ${outcome}`] };
  const written = writeCached(outcome.entry);
  const all = [...warnings, ...outcome.warnings, ...("warning" in written ? [written.warning] : [])];
  return chosen(outcome.entry, "tuned now", all);
}

/** What the machine can cause (no memory, no place for the slice) does not end a run; a wrong answer does. */
function unlessDefect(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof DotpeError || code !== undefined) return message;
  throw error;
}

function chosen({ setting, gain }: CacheEntry, reason: string, warnings: readonly string[]): Choice {
  return { setting, reason: `${settingText(setting)} (${reason}, ${gain.toFixed(2)}x built-in)`, warnings };
}

/** What was tuned on this machine, in the same place of it, for the sizes nearest to these. */
function similar({ parts }: Signature, machine: Machine): CacheEntry | undefined {
  const wanted = workOf(parts);
  const usable = usableHere(machine);
  const entries = listCached().found.flatMap(({ entry }) => {
    const found = workOf(entry.signature.parts);
    const isLike = Object.entries(parts).every(
      ([name, text]) => name === "workload" || entry.signature.parts[name] === text,
    );
    if (!isLike || found?.place !== wanted?.place || entry.setting.n_procs > usable.workers) return [];
    return [{ entry, distance: distance(found?.sizes ?? [], wanted?.sizes ?? []) }];
  });
  return entries.sort((a, b) => a.distance - b.distance)[0]?.entry;
}

/** Sizes of a run's work, as `shapeClass` writes them, and its place; undefined for a module's. */
function workOf({ workload = "" }: Readonly<Record<string, string>>) {
  const found = /^d(\d+) m(\d+) b(\d+) t(\d+) o(\d+) e(\d+) i(\d+)([kM]?)(.*)$/.exec(workload);
  if (found === null) return undefined;
  const sizes = found.slice(1, 8).map(Number);
  sizes[6] *= { k: 2 ** 10, M: 2 ** 20 }[found[8]] ?? 1;
  return { sizes, place: found[9] };
}

/** Steps by a factor of two. */
function distance(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, size, k) => sum + Math.abs(Math.log2(size / b[k])), 0);
}

/** Measures on a slice of the run's own banks, for a run on so many of their samples. */
export function tuneRun(
  options: Options,
  inputs: Inputs,
  n_candidates: number,
  machine: Machine,
  signature: Signature,
  how: TuneHow,
): Promise<TuneOutcome> {
  return inScratch(async (scratch) => {
    const { Likelihoods } = await import("./likelihoods.ts");
    const most = mostWorkers(machine, how.where);
    const workload = await Likelihoods.open(options, inputs, n_candidates, scratch, most, machine.topology);
    try {
      return await tuneSession(workload, machine, signature, how);
    } finally {
      workload.close();
    }
  });
}
