/** The states in a checkpoint folder, as somebody sees them who does not go on with the run. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import { type Npz, openNpz } from "../io/npz.ts";
import { N_P } from "../stages/row-files.ts";
import { STEPS } from "../stages/row-steps.ts";

/** In the order of the stages. */
export const STATES = ["first-look", "incoherent", "coherent"] as const;

export interface SavedState {
  readonly name: (typeof STATES)[number];
  readonly bytes: number;
  /** By the file system's clock. */
  readonly saved: string;
  /** Words for what it holds, and how much of it; without them it is damaged. */
  readonly unit?: string;
  readonly done?: number;
  readonly total?: number;
}

/** Those that are there. */
export function savedStates(folder: string): SavedState[] {
  return STATES.flatMap((name) => {
    const path = join(folder, `${name}.npz`);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return [];
    const file = { name, bytes: stat.size, saved: stat.mtime.toISOString() };
    // It may be replaced while it is read: then once more.
    const extent = readExtent(name, path) ?? readExtent(name, path);
    return [{ ...file, ...extent }];
  });
}

function readExtent(of: SavedState["name"], path: string) {
  try {
    return extentOf(of, openNpz(path));
  } catch (error) {
    if (error instanceof DotpeError) return undefined;
    throw error;
  }
}

const UNITS = { scan: "samples, for the best row", rows: "chunks of rows", count: "counts of rows" };

/** How much of its work a state holds: nothing yet if it only says which step is next. @throws DotpeError badData. */
export function extentOf(of: SavedState["name"], npz: Npz): { unit: string; done: number; total: number } {
  const numbers = (name: string) => (npz.has(name) ? npz.get(name).toFloat64() : new Float64Array(0));
  const counted = (done: Float64Array) => ({ done: done.reduce((a, b) => a + b, 0), total: done.length });
  if (of !== "coherent") return { unit: "samples", ...counted(npz.get("done_j").toFloat64()) };
  const step = STEPS[npz.get("step").toFloat64()[0]] ?? "scan";
  if (step !== "rows") return { unit: UNITS[step], ...counted(numbers("done_t")) };
  return { unit: UNITS.rows, done: numbers("written")[0] ?? 0, total: numbers("places").length / (2 * N_P) };
}
