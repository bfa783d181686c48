/**
 * The program's own work as a tuner measures it: stage 2 (both its looks) and stage 5 (scan, rows, distance, sums, encoding) on
 * a slice of a bank that lies in memory, by the plans and the tasks of a run.
 */
import { join } from "node:path";
import { linkBank } from "../bench/linked-bank.ts";
import { equalVariants } from "../kernels/native.ts";
import { loadKernels } from "../kernels/table.ts";
import type { Topology } from "../machine/topology.ts";
import type { Options } from "../options.ts";
import { runInference } from "../pipeline.ts";
import { SILENT_REPORTER } from "../report/reporter.ts";
import { rowSteps } from "../stages/evaluate.ts";
import type { IncoherentPlan } from "../stages/incoherent.ts";
import { RowFiles } from "../stages/row-files.ts";
import { BUILT_IN, itemsOfTask } from "../stages/settings.ts";
import { type Inputs, readInputs } from "../stages/setup.ts";
import { Pool } from "../workers/pool.ts";
import { type Answers, differenceByBlock, differenceFromDefinition, firstBlock } from "./answers.ts";
import { coherentPlanOf, type Problem, Problems } from "./problems.ts";
import type { Setting } from "./setting.ts";
import { writeSlice } from "./slice.ts";
import type { Workload } from "./workload.ts";

/** Bank samples that are kept in memory (50 MB of usual ones), and that each worker has to do: some tens of milliseconds. */
const BLOCK = 1024;

/** 64 to 4096, and what the second-level cache holds an eighth of to twice. */
const USUAL_BATCHES = [64, 128, 256, 512, 1024, 2048, 4096];
const MOST_SMALL_BATCH = 32;

function batches(cacheBytes: number, sampleBytes: number): number[] {
  const fitting = [4, 8, BUILT_IN.iBatch, MOST_SMALL_BATCH].filter(
    (n) => n * sampleBytes >= cacheBytes / 8 && n * sampleBytes <= 2 * cacheBytes,
  );
  return [...new Set([...fitting, BUILT_IN.iBatch, ...USUAL_BATCHES])].sort((a, b) => a - b);
}

type Cut = Pick<Setting, "n_procs" | "iBatch" | "batchesPerTask" | "iTile" | "eTile">;

export class Likelihoods implements Workload {
  readonly unit = "likelihoods";
  private expected: Answers | undefined;
  private last: Answers | undefined;

  readonly knobs: Workload["knobs"];
  readonly builtIn: Workload["builtIn"];

  private constructor(
    private readonly problems: Problems,
    private readonly files: RowFiles,
    private readonly sampleBytes: number,
    { kernel }: Options,
    { caches }: Topology,
  ) {
    const kernels = kernel === "auto" ? equalVariants() : [loadKernels(kernel).name];
    const level2 = caches.find(({ level, type }) => level === 2 && type !== "instruction");
    this.knobs = {
      iBatch: batches(level2?.bytes ?? 2 ** 20, sampleBytes),
      ...{ batchesPerTask: [1, 2, 4, 8], iTile: [4, 8, 16, 32], eTile: [64, 128, 256, 512], kernel: kernels },
    };
    this.builtIn = { ...BUILT_IN, kernel: kernels[0] };
  }

  /**
   * Prepares the slice: runs the inference on it once.
   * @param inputs of the run that is to be tuned, which `options` describe
   * @param n_candidates bank samples that it looks at
   * @param most workers of a candidate
   * @throws DotpeError as a run does.
   */
  static async open(
    options: Options,
    inputs: Inputs,
    n_candidates: number,
    scratch: string,
    most: number,
    topology: Topology,
  ): Promise<Likelihoods> {
    const [slice, bank, base] = ["slice", "bank", "base"].map((name) => join(scratch, name));
    const n = writeSlice(inputs, slice, BLOCK);
    linkBank(slice, bank, n * most);
    const onSlice = { ...options, ...WHOLE_BANK, banks: [slice], rundir: base, eventDir: undefined };
    await runInference(onSlice, SILENT_REPORTER);
    const onBank = { ...onSlice, banks: [bank] };
    const read = readInputs(onBank);
    const problems = new Problems(onBank, read, base, n, n_candidates);
    const paths = { merged: join(scratch, "merged.feather"), banks: [join(scratch, "bank.feather")] };
    const files = RowFiles.open(paths);
    const { mArr, fbin } = read.bins;
    return new Likelihoods(problems, files, 2 * 8 * 2 * mArr.length * fbin.length, options, topology);
  }

  units(n_procs: number): number {
    return this.problems.sizes(n_procs).likelihoods;
  }

  async run(pool: Pool, setting: Setting): Promise<void> {
    this.last = await this.solve(pool, this.problems.blocks(setting.n_procs), setting);
    this.expected ??= firstBlock(this.last, setting.n_procs, this.problems.n_d);
  }

  private async solve(pool: Pool, problem: Problem, cut: Cut): Promise<Answers> {
    const look = async (plan: IncoherentPlan) => {
      const n = plan.items.i_j.length;
      const { iBatch, batchesPerTask, n_procs } = cut;
      const taskSize = itemsOfTask({ taskItems: iBatch * batchesPerTask, n_procs }, n);
      plan.lnlike_dj.fill(0);
      await pool.run("incoherent", { ...plan, taskSize, batchSize: iBatch }, Math.ceil(n / taskSize));
      return plan.lnlike_dj;
    };
    const first = problem.first && (await look(problem.first));
    const second = await look(problem.second);
    const coherent = coherentPlanOf(problem, cut);
    const { progress } = await rowSteps(pool, problem.rows(cut), coherent, this.files).run();
    return { first, second, kept: progress.kept };
  }

  check(): string | undefined {
    if (this.last === undefined || this.expected === undefined) return "nothing was computed";
    return differenceByBlock(this.last, this.expected, this.problems.n_d);
  }

  async checkDefinition(name: string): Promise<string | undefined> {
    const cut = { n_procs: 1, iBatch: 4, batchesPerTask: 1, iTile: 2, eTile: 64 };
    const few = this.problems.few();
    const answers = async (kernel: string) => {
      const { second, kept } = await this.solve(new Pool(1, kernel), { ...few, first: undefined }, cut);
      return { second: second.slice(), kept };
    };
    return differenceFromDefinition(await answers(name), await answers("ref"));
  }

  key({ n_procs, iBatch, batchesPerTask, iTile, eTile }: Setting): string {
    const { n_first, n_second } = this.problems.sizes(n_procs);
    const taskItems = iBatch * batchesPerTask;
    const tasks = [n_first, n_second].map((of) => itemsOfTask({ taskItems, n_procs }, of));
    return [...tasks, Math.min(iBatch, tasks[0]), iTile, eTile].join();
  }

  /** A defect of the program, not of its input. */
  broken(reason: string): Error {
    return new Error(`the built-in setting: ${reason}`);
  }

  leastBytes({ iBatch }: Setting): number {
    return iBatch * this.sampleBytes;
  }

  close(): void {
    this.files.discard();
  }
}

/** What a run on the slice does not take over: the slice has been chosen by it. */
const WHOLE_BANK = {
  ...{ nInt: [undefined], preselectedIndices: [undefined], bankLogwOverride: [undefined] },
  ...{ indsPath: [undefined], loadInds: false, iIntStart: 0, truth: undefined, trace: undefined },
  ...{ reference: "native", sizeLimit: 10_000_000 },
} as const;
