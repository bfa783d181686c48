/** The whole run as its user sees it, and its stages within it. */
import { type ChildRun, callProgram, runProgram, stageSeconds } from "./child.ts";
import { type Problem, repeat } from "./problem.ts";
import { brief, type Measurement, type Part, percent, statistics } from "./table.ts";

/** Calls that only start the program, for each repeat: they are short. */
const STARTS = 3;

/** Runs with the program's own choice of threads, shared by the parts that ask for them. */
export class WholeRuns {
  private made: Promise<ChildRun[]> | undefined;

  constructor(private readonly problem: Problem) {}

  get(): Promise<ChildRun[]> {
    const { scratch, inputs, flags, repeats } = this.problem;
    this.made ??= repeat(repeats, () => runProgram(scratch, [...inputs, ...flags]));
    return this.made;
  }
}

export async function measureRun({ repeats }: Problem, whole: WholeRuns): Promise<Part> {
  const runs = await whole.get();
  const starts = await repeat(STARTS * repeats, () => callProgram(["version"]));
  const lines: [label: string, name: string, unit: "s" | "MB", values: number[]][] = [
    ["whole run", "wall", "s", runs.map(({ wall }) => wall)],
    ["processor time", "cpu", "s", runs.map(({ cpu }) => cpu)],
    ["start to first task", "first_task", "s", runs.map(({ firstTask }) => firstTask)],
    ["start-up alone (version)", "start_up", "s", starts.map(({ wall }) => wall)],
    ["peak memory", "peak", "MB", runs.map(({ peakMB }) => peakMB)],
  ];
  const measurements: Measurement[] = [];
  const rows = lines.map(([label, name, unit, values]) => {
    const { median, min, spread } = statistics(values);
    measurements.push({ name: `run.${name}`, value: median, unit });
    return [label, unit, brief(median), brief(min), percent(spread), `${values.length}`];
  });
  const head = ["run", "unit", "median", "least", "spread", "times"];
  const notes = ["start to first task: from the process's start, by its own trace"];
  return { title: "whole run", rows: [head, ...rows], notes, measurements };
}

/** A stage with the earlier ones given by files, so that nothing runs beside it. */
async function alone({ scratch, inputs, flags, repeats, from }: Problem) {
  const run = (given: string[]) =>
    repeat(repeats, () => runProgram(scratch, [...inputs, ...flags, ...given]));
  const noDraw = await run([...from.reference, ...from.extrinsic]);
  const noSearch = await run([...from.reference, ...from.accepted]);
  const of = (runs: ChildRun[], name: string) =>
    statistics(runs.map((one) => stageSeconds(one, name))).median;
  return new Map([
    ["incoherent", of(noDraw, "incoherent")],
    ["extrinsic", of(noSearch, "extrinsic")],
    ["coherent", of(noDraw, "coherent")],
  ]);
}

export async function measureStages(problem: Problem, whole: WholeRuns): Promise<Part> {
  const runs = await whole.get();
  const aloneSeconds = await alone(problem);
  const measurements: Measurement[] = [];
  const rows = runs[0].stages.map(({ name, likelihoods, bytes_read }, k) => {
    const seconds = statistics(runs.map((run) => stageSeconds(run, name)));
    const median = (of: (run: ChildRun) => number) => statistics(runs.map(of)).median;
    const cpu = median((run) => run.stages[k].cpu_seconds);
    const parent = median((run) => run.stages[k].parent_cpu_seconds / run.stages[k].seconds);
    const single = aloneSeconds.get(name) ?? Number.NaN;
    const per = single || seconds.median;
    const add = (what: string, value: number, unit: Measurement["unit"]) =>
      measurements.push({ name: `stages.${name}.${what}`, value, unit });
    add("seconds", seconds.median, "s");
    add("cpu", cpu, "s");
    add("parent_share", parent, "share");
    if (aloneSeconds.has(name)) add("alone", single, "s");
    if (name === "incoherent") add("templates_per_second", problem.n_i / per, "1/s");
    if (likelihoods !== undefined) add("likelihoods_per_second", likelihoods / per, "1/s");
    if (bytes_read !== undefined) add("gigabytes_per_second", bytes_read / per / 1e9, "GB/s");
    return [
      ...[name, brief(seconds.median), brief(seconds.min), percent(seconds.spread), brief(cpu)],
      ...[percent(parent), brief(single)],
      name === "incoherent" ? brief(problem.n_i / per) : "-",
      brief((likelihoods ?? Number.NaN) / per),
      brief((bytes_read ?? Number.NaN) / per / 1e9),
    ];
  });
  const head = [
    "stage",
    "s",
    "least",
    "spread",
    "cpu s",
    "parent",
    "alone s",
    "templates/s",
    "lnl/s",
    "GB/s",
  ];
  const notes = [
    `s: within the whole run, median of ${runs.length}; alone: the stages before it given by files; rates: alone where measured`,
    "parent: share of a core that the main thread used",
  ];
  return { title: "stages", rows: [head, ...rows], notes, measurements };
}
