/**
 * A workload of the user's own, run and tuned by this program's threads: the default export of the file that `--benchmark`
 * names. docs/benchmark-modules.md explains it; examples/ldpc is one.
 */

/** How the work is cut: what the module may use of the setting. */
export interface Cut {
  /** Units in one call of `run` at most. */
  readonly batch: number;
  /** One of `tiles`; 1 without them. */
  readonly tile: number;
}

/** One thread's part. */
export interface OpenedModule<Part> {
  /** Does the units first <= unit < end. */
  run(first: number, end: number): void;
  /** What this thread has found: structured-cloneable, small. */
  result(): Part;
  close?(): void;
}

export interface BenchmarkModule<Plan = unknown, Part = unknown, Result = unknown> {
  /** Lower-case letters, digits and dashes. */
  readonly name: string;
  /** What one unit of work is called, in the plural: "frames". */
  readonly unit: string;
  /** Values of `Cut.tile` worth trying. */
  readonly tiles?: readonly number[];
  /**
   * Once, in the main thread. What it returns goes to every thread: structured-cloneable; typed arrays over a
   * SharedArrayBuffer are shared, not copied.
   * @param given the --benchmark-option KEY=VALUE of the command line
   */
  prepare(given: Readonly<Record<string, string>>): Plan | Promise<Plan>;
  /** Units of work. */
  size(plan: Plan): number;
  /** Once in every thread for each run: preloads tables, allocates what `run` needs. */
  open(plan: Plan, cut: Cut): OpenedModule<Part>;
  /** In the main thread, of all threads' parts. Their order and number must not change the result. */
  reduce(plan: Plan, parts: readonly Part[]): Result;
  /** Compares the result of the units 0 <= unit < n with a plain implementation. @throws Error that says what differs */
  check(plan: Plan, result: Result, n: number): void;
  /** Lines to print of the result. */
  report?(plan: Plan, result: Result): readonly string[];
}
