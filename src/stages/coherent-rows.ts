/** The rows of stage 5 in the order that does not depend on how the work was cut. */
import type { CoherentResult, RawRows } from "./coherent.ts";

/** Rows of all threads, sorted by item position in the canonical order, then e, then o; j is that position. */
export type SortedRows = RawRows;

/** A run of one thread's rows. */
interface Segment {
  readonly task: number;
  readonly rows: RawRows;
  readonly start: number;
  readonly end: number;
}

export const bestfitLnL = (dh: number, hh: number) => (dh > 0 ? (0.5 * dh * dh) / hh : 0);

/**
 * @param position_j where item j of the plan stands in the canonical order (bank, i ascending)
 * @param keep whether a row belongs to the result, by item of the plan and its best-fit lnL
 */
export function sortRows(
  results: readonly CoherentResult[],
  position_j: Int32Array,
  keep: (j: number, lnl: number) => boolean,
): SortedRows {
  const segments = results.flatMap(({ tasks, rows }) =>
    tasks.map(({ task, end }, k): Segment => ({ task, rows, start: k === 0 ? 0 : tasks[k - 1].end, end })),
  );
  // Tasks are numbered by items, then by extrinsic samples, so rows of one item stand in the order of e.
  segments.sort((a, b) => a.task - b.task);
  const next = new Int32Array(position_j.length + 1);
  forEachKept(segments, keep, (rows, r) => next[position_j[rows.j[r]] + 1]++);
  for (let k = 0; k < position_j.length; k++) next[k + 1] += next[k];
  const n = next[position_j.length];
  const out = {
    ...{ n, j: new Int32Array(n), e: new Int32Array(n), o: new Int32Array(n) },
    ...{ dh: new Float64Array(n), hh: new Float64Array(n) },
  };
  forEachKept(segments, keep, (rows, r) => {
    const position = position_j[rows.j[r]];
    const to = next[position]++;
    out.j[to] = position;
    out.e[to] = rows.e[r];
    out.o[to] = rows.o[r];
    out.dh[to] = rows.dh[r];
    out.hh[to] = rows.hh[r];
  });
  return out;
}

function forEachKept(
  segments: readonly Segment[],
  keep: (j: number, lnl: number) => boolean,
  visit: (rows: RawRows, r: number) => void,
): void {
  for (const { rows, start, end } of segments) {
    for (let r = start; r < end; r++) if (keep(rows.j[r], bestfitLnL(rows.dh[r], rows.hh[r]))) visit(rows, r);
  }
}

/** Probes of all threads, as one segment a thread; their order is made canonical by item, e. */
export function sortProbes(
  results: readonly CoherentResult[],
  position_j: Int32Array,
  keep: (j: number, lnl: number) => boolean,
): SortedRows {
  const asRows = results.map(({ probes }) => ({ tasks: [{ task: 0, end: probes.n }], rows: probes, probes }));
  const rows = sortRows(asRows, position_j, keep);
  const order = Array.from({ length: rows.n }, (_, r) => r).sort(
    (a, b) => rows.j[a] - rows.j[b] || rows.e[a] - rows.e[b],
  );
  return {
    n: rows.n,
    j: Int32Array.from(order, (r) => rows.j[r]),
    e: Int32Array.from(order, (r) => rows.e[r]),
    o: Int32Array.from(order, (r) => rows.o[r]),
    dh: Float64Array.from(order, (r) => rows.dh[r]),
    hh: Float64Array.from(order, (r) => rows.hh[r]),
  };
}
