/** A user's own workload as a tuner measures it, and as `run --benchmark` does it. */
import { DotpeError } from "../errors.ts";
import { itemsOfTask } from "../stages/settings.ts";
import { Pool } from "../workers/pool.ts";
import type { BenchmarkModule } from "./benchmark-module.ts";
import { loadModule, type ModulePlan } from "./module-job.ts";
import type { Setting } from "./setting.ts";
import type { Workload } from "./workload.ts";

/** Units that the module checks, and that tell how long one takes. */
const CHECKED = 64;
/** Of a timed run, s. */
const RUN_SECONDS = 0.05;

type Cut = Pick<Setting, "n_procs" | "iBatch" | "batchesPerTask" | "iTile">;

export class ModuleWorkload implements Workload {
  readonly unit: string;
  readonly knobs: Workload["knobs"];
  readonly builtIn: Workload["builtIn"];
  /** Of the whole work. */
  readonly n_units: number;
  /** Results by the number of units. */
  private readonly expected = new Map<number, string>();
  private last: { readonly n: number; readonly result: unknown } | undefined;

  private constructor(
    private readonly module: BenchmarkModule,
    private readonly path: string,
    private readonly prepared: unknown,
    /** Units for each worker in a timed run. */
    private perWorker = CHECKED,
  ) {
    const tiles = module.tiles?.length ? [...module.tiles] : [1];
    this.unit = module.unit;
    this.n_units = module.size(prepared);
    this.knobs = {
      iBatch: [16, 32, 64, 128, 256, 512, 1024],
      ...{ batchesPerTask: [1, 2, 4, 8], iTile: tiles, eTile: [1], kernel: ["ref"] },
    };
    this.builtIn = { iBatch: 64, batchesPerTask: 1, iTile: tiles[0], eTile: 1, kernel: "ref" };
  }

  /** @throws DotpeError noInput, badData; whatever the module throws. */
  static async open(path: string, given: Readonly<Record<string, string>>): Promise<ModuleWorkload> {
    const module = await loadModule(path);
    const workload = new ModuleWorkload(module, path, await module.prepare(given));
    await workload.findSize();
    return workload;
  }

  private async findSize(): Promise<void> {
    const n = Math.min(this.n_units, CHECKED);
    const start = performance.now();
    await this.solveAlone(n);
    const rate = n / ((performance.now() - start) / 1000);
    this.perWorker = Math.max(CHECKED, Math.round(RUN_SECONDS * rate));
  }

  /** Does the units 0 <= unit < n. */
  async solve(pool: Pool, cut: Cut, n: number): Promise<unknown> {
    const plan = this.plan(cut, n);
    const parts = await pool.run("module", plan, Math.ceil(n / plan.taskSize));
    return this.module.reduce(this.prepared, parts);
  }

  private plan({ n_procs, iBatch, batchesPerTask, iTile }: Cut, n: number): ModulePlan {
    const taskSize = itemsOfTask({ taskItems: iBatch * batchesPerTask, n_procs }, n, 1);
    const cut = { batch: Math.min(iBatch, taskSize), tile: iTile };
    return { path: this.path, prepared: this.prepared, cut, n_units: n, taskSize };
  }

  /** Lines of the result, as the module reports them. */
  report(result: unknown): readonly string[] {
    return this.module.report?.(this.prepared, result) ?? [JSON.stringify(result)];
  }

  get name(): string {
    return this.module.name;
  }

  units(n_procs: number): number {
    return Math.min(this.n_units, this.perWorker * n_procs);
  }

  async run(pool: Pool, setting: Setting): Promise<void> {
    const n = this.units(setting.n_procs);
    this.last = { n, result: await this.solve(pool, setting, n) };
  }

  /** The result of so many units must be the same whatever the setting: it is also found by one thread, by the built-in cut. */
  async check(): Promise<string | undefined> {
    if (this.last === undefined) return "nothing was computed";
    const { n, result } = this.last;
    const expected = this.expected.get(n) ?? JSON.stringify(await this.solveAlone(n));
    this.expected.set(n, expected);
    if (JSON.stringify(result) === expected) return undefined;
    return "the result is not the one of a single thread: it depends on how the work is cut";
  }

  private solveAlone(n: number): Promise<unknown> {
    return this.solve(new Pool(1, "ref"), { ...this.builtIn, n_procs: 1 }, n);
  }

  async checkDefinition(): Promise<string | undefined> {
    const n = Math.min(this.n_units, CHECKED);
    const result = await this.solveAlone(n);
    try {
      this.module.check(this.prepared, result, n);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  key(setting: Setting): string {
    const { cut, taskSize } = this.plan(setting, this.units(setting.n_procs));
    return [taskSize, cut.batch, cut.tile].join();
  }

  broken(reason: string): Error {
    const hint =
      "The module's `check`, or a result that depends on how the work is cut: docs/benchmark-modules.md.";
    return new DotpeError("badData", `${this.path}: ${reason}`, hint);
  }

  leastBytes(): number {
    return 0;
  }

  close(): void {}
}
