/** The states in a checkpoint folder, as somebody sees them who does not go on with the run. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import { type Npz, openNpz } from "../io/npz.ts";
import { N_P } from "../stages/row-files.ts";
import { STEPS } from "../stages/row-steps.ts";

/** In the order of the stages. */
export const STATES = ["first-look", "incoherent", "coherent"] as const;
export type StateName = (typeof STATES)[number];

export interface SavedState {
  readonly name: StateName;
  readonly bytes: number;
  /** By the file system's clock. */
  readonly saved: string;
  /** What it holds: samples of stage 2, of the search for the best row, of the count of rows; or chunks of rows. */
  readonly of?: "samples" | "best" | "count" | "rows";
  readonly done?: number;
  readonly total?: number;
  /** It cannot be read. */
  readonly damage?: string;
}

const OF = { scan: "best", rows: "rows", count: "count" } as const;

/** Those that are there. */
export function savedStates(folder: string): SavedState[] {
  return STATES.flatMap((name) => {
    const path = join(folder, `${name}.npz`);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined || !existsSync(path)) return [];
    const { size: bytes, mtime } = stat;
    const file = { name, bytes, saved: mtime.toISOString() };
    try {
      return [{ ...file, ...extentOf(name, openNpz(path)) }];
    } catch (error) {
      if (!(error instanceof DotpeError)) throw error;
      return [{ ...file, damage: error.message }];
    }
  });
}

/** How much of the work of its kind a state holds. @throws DotpeError badData. */
export function extentOf(name: StateName, npz: Npz): Pick<SavedState, "of" | "done" | "total"> {
  const numbers = (of: string) => npz.get(of).toFloat64();
  if (name !== "coherent") return { of: "samples", ...counted(numbers("done_j")) };
  const of = OF[STEPS[numbers("step")[0]] ?? "scan"];
  if (of !== "rows") return { of, ...counted(numbers("done_t")) };
  return { of, done: numbers("written")[0], total: numbers("places").length / (2 * N_P) };
}

function counted(done: Float64Array) {
  return { done: done.reduce((sum, one) => sum + one, 0), total: done.length };
}
