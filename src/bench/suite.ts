/** The benchmark: its parts, one after the other, each printed as it ends. */
import { rmSync } from "node:fs";
import { makeScratchFolder } from "../io/scratch-folder.ts";
import { finiteOnly, type Recorded } from "./compare.ts";
import { measureKernels } from "./kernels.ts";
import { machineName, openProblem, type Problem, type SizeName } from "./problem.ts";
import { measureCrossover, measureScaling } from "./scaling.ts";
import { formatPart, type Part } from "./table.ts";
import { measureRun, measureStages, WholeRuns } from "./whole-run.ts";

type Measure = (problem: Problem, whole: WholeRuns, size: SizeName) => Promise<Part>;

const MEASURES = {
  kernels: measureKernels,
  stages: measureStages,
  run: measureRun,
  scaling: measureScaling,
  crossover: measureCrossover,
} satisfies Record<string, Measure>;

export type PartName = keyof typeof MEASURES;
export const PART_NAMES = Object.keys(MEASURES) as PartName[];

export interface SuiteSettings {
  readonly size: SizeName;
  readonly parts: readonly PartName[];
  /** Event and banks; none: made up. */
  readonly inputs: readonly string[];
}

/** @throws DotpeError for inputs that a run would refuse. */
export async function runSuite(
  { size, parts, inputs }: SuiteSettings,
  print: (text: string) => Promise<void>,
): Promise<Recorded> {
  const scratch = makeScratchFolder("dotpe-hpc-bench-");
  try {
    const problem = await openProblem(size, inputs, scratch);
    const machine = machineName();
    await print(`${machine}\n${problem.label}\n\n`);
    const whole = new WholeRuns(problem);
    const measured: Part[] = [];
    for (const name of PART_NAMES.filter((one) => parts.includes(one))) {
      const part = await MEASURES[name](problem, whole);
      measured.push(part);
      await print(formatPart(part));
    }
    const measurements = finiteOnly(measured.flatMap((part) => part.measurements));
    return { size, problem: problem.label, machine, measurements };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
