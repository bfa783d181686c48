/** What threads gain: against the same threads' worth of independent processes, and against none for a small bank. */
import { type ChildRun, runProgram, stageSeconds } from "./child.ts";
import { type Problem, repeat } from "./problem.ts";
import { brief, type Measurement, type Part, percent, statistics } from "./table.ts";

const STAGES = ["incoherent", "coherent"];
/** Below this (s) a stage's time is mostly the start of its workers and the clock. */
const SHORT = 0.2;

/** One process with n threads, and n processes with one thread each. */
interface Round {
  readonly threads: ChildRun;
  readonly processes: readonly ChildRun[];
}

/** In turns, so that both see the same hour of a machine that others use too. */
async function rounds({ scratch, inputs, flags, repeats, from }: Problem, n: number): Promise<Round[]> {
  const run = (n_procs: number) => {
    const given = [...from.reference, ...from.extrinsic, "--n-procs", `${n_procs}`];
    return runProgram(scratch, [...inputs, ...flags, ...given]);
  };
  return repeat(repeats, async () => {
    const threads = await run(n);
    return { threads, processes: await Promise.all(Array.from({ length: n }, () => run(1))) };
  });
}

/**
 * Stages 2 and 5 on 1, 2 and all cores. n processes at once, each alone on one thread with the whole work, show what the
 * cores, caches and memory can do together: efficiency is the rate of one process with n threads over theirs.
 */
export async function measureScaling(problem: Problem): Promise<Part> {
  const { cores } = problem;
  const measurements: Measurement[] = [];
  const rows: string[][] = [];
  let shortest = Infinity;
  for (const n of new Set([1, Math.min(2, cores), cores])) {
    const measured = await rounds(problem, n);
    for (const stage of STAGES) {
      const one = statistics(measured.map(({ threads }) => stageSeconds(threads, stage))).median;
      const many = statistics(measured.map(({ processes }) => meanSeconds(processes, stage))).median;
      const ratio = ({ threads, processes }: Round) =>
        meanSeconds(processes, stage) / (n * stageSeconds(threads, stage));
      const efficiency = statistics(measured.map(ratio)).median;
      shortest = Math.min(shortest, one);
      rows.push([stage, `${n}`, brief(one), brief(many), percent(efficiency)]);
      const name = `scaling.${stage}.${n}`;
      measurements.push({ name: `${name}.seconds`, value: one, unit: "s" });
      if (n > 1) measurements.push({ name: `${name}.efficiency`, value: efficiency, unit: "share" });
    }
  }
  const head = ["stage", "n", "n threads s", "n processes s", "efficiency"];
  const notes = [
    "n processes: each one thread and all the work, at the same time; efficiency: ratio of the rates",
    "n = 1 compares a run with its like: what is off 100% there is chance",
  ];
  if (shortest < SHORT)
    notes.push(`a stage took ${brief(shortest)} s only: give a larger bank for a figure to rely on`);
  return {
    title: "scaling of the stages over threads",
    rows: [head, ...sortedRows(rows)],
    notes,
    measurements,
  };
}

function meanSeconds(processes: readonly ChildRun[], stage: string): number {
  return processes.reduce((sum, child) => sum + stageSeconds(child, stage), 0) / processes.length;
}

/** By stage, then by threads. */
function sortedRows(rows: readonly string[][]): string[][] {
  return STAGES.flatMap((stage) => rows.filter(([name]) => name === stage));
}

export interface CrossoverPoint {
  readonly n: number;
  readonly inline: number;
  readonly workers: number;
}

/**
 * The number of bank samples from which workers should be used: choosing so at every point loses least, by the logarithm of
 * the time; between two points by the logarithm of n. 0 for always, Infinity for never.
 */
export function crossoverOf(points: readonly CrossoverPoint[]): number {
  const gain = points.map(({ inline, workers }) => Math.log(inline / workers));
  const loss = (split: number) => gain.reduce((sum, one, k) => sum + Math.max(0, k < split ? one : -one), 0);
  let best = 0;
  for (let split = 1; split <= points.length; split++) if (loss(split) < loss(best)) best = split;
  if (best === 0) return 0;
  if (best === points.length) return Infinity;
  const [a, b] = [points[best - 1], points[best]];
  const [lost, won] = [Math.max(0, -gain[best - 1]), Math.max(0, gain[best])];
  return a.n * (b.n / a.n) ** (lost / (lost + won));
}

export async function measureCrossover(problem: Problem): Promise<Part> {
  const { scratch, inputs, flags, repeats, cores } = problem;
  const title = "one thread or workers, by size of the bank";
  if (cores === 1)
    return { title, rows: [["bank"]], notes: ["one core: there is nothing to compare"], measurements: [] };
  const run = async (n: number, n_procs: number) => {
    const bank = inputs.slice(0, 2);
    const { wall } = await runProgram(scratch, [
      ...[...bank, ...flags, "--n-int", `${n}`, "--n-procs", `${n_procs}`],
    ]);
    return wall;
  };
  const points: CrossoverPoint[] = [];
  for (const n of problem.crossover) {
    const pairs = await repeat(repeats, async () => [await run(n, 1), await run(n, cores)]);
    const least = (k: number) => statistics(pairs.map((pair) => pair[k])).min;
    points.push({ n, inline: least(0), workers: least(1) });
  }
  const samples = crossoverOf(points);
  const rows = points.map(({ n, inline, workers }) => [
    ...[`${n}`, brief(inline), brief(workers), `${(workers / inline).toFixed(2)}x`],
  ]);
  const measurements = points.flatMap(({ n, inline, workers }): Measurement[] => [
    { name: `crossover.${n}.inline`, value: inline, unit: "s" },
    { name: `crossover.${n}.workers`, value: workers, unit: "s" },
  ]);
  measurements.push({ name: "crossover.samples", value: samples, unit: "samples" });
  return {
    title,
    rows: [["bank samples", "1 thread s", `${cores} workers s`, "workers / 1 thread"], ...rows],
    notes: [`whole runs, least of ${repeats}; ${conclusion(samples, points)}`],
    measurements,
  };
}

function conclusion(samples: number, points: readonly CrossoverPoint[]): string {
  if (samples === 0) return `workers pay from the smallest bank tried (${points[0]?.n})`;
  if (samples === Infinity) return `workers do not pay up to the largest bank tried (${points.at(-1)?.n})`;
  return `workers pay from about ${Math.round(samples)} samples`;
}
