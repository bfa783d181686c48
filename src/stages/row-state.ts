/** A pass over the rows as it is saved, and taken up again. */
import type { State } from "./keeper.ts";
import { type RowProgress, WRITTEN } from "./row-files.ts";

/** The arrays of a pass by name; those of passes with cuts are empty without. */
function arraysOf(progress: RowProgress, dt_j: Float64Array): Record<string, Float64Array> {
  const { bytes_f, rows_f, places, share_ke, shareScale_k, kept, merged, capped, probes_p } = progress;
  const none = new Float64Array(0);
  return {
    ...{ bytes_f, rows_f, places, share_ke, shareScale_k, kept, probes_p, dt_j },
    ...{ merged: merged === kept ? none : merged, capped: capped ?? none },
  };
}

/** @param dt_j time alignments, which are computed with the rows */
export function rowState(progress: RowProgress, dt_j: Float64Array): State {
  return { ...arraysOf(progress, dt_j), written: Int32Array.of(progress.turn[WRITTEN]) };
}

/** The names of a pass' arrays, and how long they must be. */
export function rowStateLengths(progress: RowProgress, dt_j: Float64Array): Record<string, number> {
  const lengths = Object.entries(arraysOf(progress, dt_j)).map(([name, { length }]) => [name, length]);
  return { ...Object.fromEntries(lengths), written: 1 };
}

/** Makes `progress` and `dt_j` what they were when they were saved. */
export function restoreRows(
  saved: Readonly<Record<string, Float64Array>>,
  progress: RowProgress,
  dt_j: Float64Array,
): void {
  for (const [name, values] of Object.entries(arraysOf(progress, dt_j))) values.set(saved[name]);
  progress.turn[WRITTEN] = saved.written[0];
}
