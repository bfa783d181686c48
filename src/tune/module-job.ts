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
  return given as unknown as BenchmarkModule;
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
