/** What a tuner measures: some work that can be done again and again by any setting, with an answer that can be checked. */
import type { Pool } from "../workers/pool.ts";
import type { Setting } from "./setting.ts";

/** The knobs that are the work's own: who does it is the tuner's. */
export type WorkKnob = "iBatch" | "batchesPerTask" | "iTile" | "eTile" | "kernel";

export interface Workload {
  /** What one unit of work is called, in the plural: "likelihoods". */
  readonly unit: string;
  /** Values worth trying, rising; and the built-in one, which is among them. */
  readonly knobs: { readonly [K in WorkKnob]: readonly Setting[K][] };
  readonly builtIn: Pick<Setting, WorkKnob>;
  /** Units that `run` does with so many workers: each has about as much to do, however many they are. */
  units(n_procs: number): number;
  /** Does the work once, on a pool that is arranged for the setting. */
  run(pool: Pool, setting: Setting): Promise<void>;
  /** What is wrong with the answer of the last `run`; undefined if nothing is. */
  check(): string | undefined | Promise<string | undefined>;
  /** Asks the definition of the work for a part of the answer: what differs with these kernels; undefined if nothing does. */
  checkDefinition(kernel: string): Promise<string | undefined>;
  /** Settings with the same key do the same work, with the same number of workers, kernels and hardware threads. */
  key(setting: Setting): string;
  /** Bytes that a thread needs at least. */
  leastBytes(setting: Setting): number;
  /** The error of a built-in setting that gives a wrong answer. */
  broken(reason: string): Error;
  close(): void;
}
