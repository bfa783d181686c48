/** The distance marginalization of many rows, in parallel. */
import { type DistanceTable, lnLikeMarginalized } from "../gw/distance.ts";
import { shareF64 } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";

export interface DistancePlan {
  readonly table: DistanceTable;
  readonly dh_r: Float64Array;
  readonly hh_r: Float64Array;
  /** Output. */
  readonly lnl_r: Float64Array;
}

/** Rows of a task. */
export const ROWS_PER_TASK = 4096;

/** The table on shared memory. */
export function shareTable(table: DistanceTable): DistanceTable {
  return { ...table, coefficients: shareF64(table.coefficients) };
}

export function openDistance({ table, dh_r, hh_r, lnl_r }: DistancePlan): TaskRunner<null> {
  return {
    run(task) {
      const [r0, r1] = [task * ROWS_PER_TASK, Math.min((task + 1) * ROWS_PER_TASK, dh_r.length)];
      lnLikeMarginalized(
        table,
        dh_r.subarray(r0, r1),
        hh_r.subarray(r0, r1),
        lnl_r.subarray(r0, r1),
        r1 - r0,
      );
    },
    result: () => null,
  };
}
