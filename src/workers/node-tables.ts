/**
 * Tables of a plan in the memory of each NUMA node: a page lies in the node of the thread that first writes it, so the first
 * thread of a node that takes a job copies them there, and the others of the node wait for it.
 */
import { sharedF64, sharedI32 } from "./arena.ts";

export interface NodeTables {
  /** Arrays of the plan, read only; and room for them in each node. */
  readonly originals: readonly Float64Array[];
  readonly copies_n: readonly (readonly Float64Array[])[];
  /** By node: 0 nobody has begun, 1 being copied, 2 ready. With Atomics. */
  readonly state_n: Int32Array;
}

const [BEGUN, READY] = [1, 2];

/** @param n_nodes of the threads that are asked */
export function nodeTables(originals: readonly Float64Array[], n_nodes: number): NodeTables {
  const room = () => originals.map(({ length }) => sharedF64(length));
  return { originals, copies_n: Array.from({ length: n_nodes }, room), state_n: sharedI32(n_nodes) };
}

/** The plan with the node's own tables. In workers only: it waits. */
export function withNodeTables<P>(plan: P, { originals, copies_n, state_n }: NodeTables, node: number): P {
  const copies = copies_n[node];
  if (Atomics.compareExchange(state_n, node, 0, BEGUN) === 0) {
    for (let k = 0; k < copies.length; k++) copies[k].set(originals[k]);
    Atomics.store(state_n, node, READY);
    Atomics.notify(state_n, node);
  } else {
    Atomics.wait(state_n, node, BEGUN);
  }
  return replaced(plan, new Map(originals.map((table, k) => [table as unknown, copies[k]])));
}

/** A copy of plain data in which some objects are others. */
function replaced<T>(value: T, by: ReadonlyMap<unknown, unknown>): T {
  const other = by.get(value);
  if (other !== undefined) return other as T;
  if (Array.isArray(value)) return value.map((item) => replaced(item, by)) as T;
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, replaced(item, by)])) as T;
}
