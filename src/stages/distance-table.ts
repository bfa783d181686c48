/** The table of the distance marginalization where every thread sees it. */
import type { DistanceTable } from "../gw/distance.ts";
import { shareF64 } from "../workers/arena.ts";

export function shareTable(table: DistanceTable): DistanceTable {
  return { ...table, coefficients: shareF64(table.coefficients) };
}
