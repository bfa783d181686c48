/** A user's own workload (`benchmark-module.ts`) as a job of the pool. */
import { pathToFileURL } from "node:url";
import { DotpeError } from "../errors.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import type { BenchmarkModule, Cut } from "./benchmark-module.ts";

export interface ModulePlan {
  /** Of the file, absolute. */
  readonly path: string;
  /** What the module's `prepare` has returned. */
  readonly prepared: unknown;
  readonly cut: Cut;
  /** Units 0 <= unit < n_units are done; so many in a task. */
  readonly n_units: number;
  readonly taskSize: number;
}

const FUNCTIONS = ["prepare", "size", "open", "reduce", "check"] as const;

/** @throws DotpeError noInput: it cannot be loaded; badData: it is not such a module. */
export async function loadModule(path: string): Promise<BenchmarkModule> {
  let loaded: { readonly default?: unknown };
  try {
    loaded = await import(pathToFileURL(path).href);
  } catch (error) {
    const hint = "Give a TypeScript or JavaScript file; docs/benchmark-modules.md has an example.";
    throw new DotpeError("noInput", `${path}: cannot be loaded: ${(error as Error).message}`, hint);
  }
  const given = (loaded.default ?? {}) as Record<string, unknown>;
  const bad = (field: string, found: unknown, expected: string) =>
    new DotpeError(
      "badData",
      `${path}: default export: ${field}: found ${typeof found}, expected ${expected}`,
      "docs/benchmark-modules.md says what such a file exports.",
    );
  for (const name of FUNCTIONS) {
    if (typeof given[name] !== "function") throw bad(name, given[name], "a function");
  }
  if (typeof given.name !== "string" || !/^[a-z0-9-]{1,64}$/.test(given.name))
    throw bad("name", given.name, "lower-case letters, digits and dashes");
  if (typeof given.unit !== "string") throw bad("unit", given.unit, "a string");
  const tiles = given.tiles ?? [1];
  if (!Array.isArray(tiles) || !tiles.every((tile) => Number.isInteger(tile) && tile > 0))
    throw bad("tiles", given.tiles, "an array of whole numbers above 0");
  return guarded(given as unknown as BenchmarkModule, path);
}

/** The module with what it throws made an error of the file, which the user can mend. `check` stays as it is: it reports. */
function guarded(module: BenchmarkModule, path: string): BenchmarkModule {
  const blame = (where: string, error: unknown): never => {
    if (error instanceof DotpeError) throw error;
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    const hint = "The file says so itself; DOTPE_DEBUG=1 shows where.";
    throw Object.assign(new DotpeError("badData", `${path}: ${where}: ${message}`, hint), { stack });
  };
  const guard = <A extends unknown[], R>(where: string, call: (...given: A) => R) => {
    return (...given: A): R => {
      try {
        const result = call(...given);
        return result instanceof Promise ? (result.catch((error) => blame(where, error)) as R) : result;
      } catch (error) {
        return blame(where, error);
      }
    };
  };
  return {
    ...{ name: module.name, unit: module.unit, tiles: module.tiles },
    prepare: guard("prepare", (given) => module.prepare(given)),
    size: guard("size", (plan) => {
      const n = module.size(plan);
      if (Number.isSafeInteger(n) && n > 0) return n;
      throw new Error(`found ${n}, expected a whole number above 0`);
    }),
    open: guard("open", (plan, cut) => {
      const opened = module.open(plan, cut);
      return {
        run: guard("run", (first, end) => opened.run(first, end)),
        result: guard("result", () => opened.result()),
        close: guard("close", () => opened.close?.()),
      };
    }),
    reduce: guard("reduce", (plan, parts) => module.reduce(plan, parts)),
    check: (plan, result, n) => module.check(plan, result, n),
    ...(module.report && { report: guard("report", (plan, result) => module.report!(plan, result)) }),
  };
}

export async function openModule(plan: ModulePlan): Promise<TaskRunner<unknown>> {
  const { cut, n_units, taskSize } = plan;
  const module = await loadModule(plan.path);
  const opened = module.open(plan.prepared, cut);
  return {
    run(task) {
      const end = Math.min((task + 1) * taskSize, n_units);
      for (let unit = task * taskSize; unit < end; unit += cut.batch) {
        opened.run(unit, Math.min(unit + cut.batch, end));
      }
    },
    result: () => opened.result(),
    close: () => opened.close?.(),
  };
}
