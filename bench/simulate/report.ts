/** What the simulation says, as tables. */
import { brief, formatTable, percent } from "../../src/bench/table.ts";
import { simulate } from "./engine.ts";
import type { Machine, Outcome } from "./machine.ts";
import type { MeasuredRun } from "./measured.ts";
import { type Model, programOf } from "./model.ts";

/** Serial parts above this share of a run are named. */
const NAMED = 0.02;

export type MachineOf = (workers: number) => Machine;

function run(model: Model, n: number, workers: number, machineOf: MachineOf): Outcome {
  return simulate(programOf(model, n, workers), machineOf(workers));
}

export function checkTable(model: Model, runs: readonly MeasuredRun[], machineOf: MachineOf): string {
  const rows = runs.map(({ n_i, n_procs, laps }) => {
    const predicted = run(model, n_i, n_procs, machineOf).seconds;
    const measured = laps.reduce((sum, { seconds }) => sum + seconds, 0);
    const cpu = laps.reduce((sum, lap) => sum + lap.cpu, 0);
    const ratio = (predicted / measured).toFixed(2);
    return [n_i.toLocaleString("en-US"), `${n_procs}`, brief(predicted), brief(measured), brief(cpu), ratio];
  });
  const head = ["bank", "workers", "predicted s", "measured s", "cpu s", "predicted / measured"];
  return formatTable([head, ...rows]);
}

export function scalingTable(
  model: Model,
  n: number,
  cores: readonly number[],
  machineOf: MachineOf,
): string {
  const alone = run(model, n, 1, machineOf).seconds;
  const rows = cores.map((workers) => {
    const { seconds, losses } = run(model, n, workers, machineOf);
    const share = (lost: number) => percent(lost / (workers * seconds));
    const efficiency = percent(alone / (workers * seconds));
    const { serial, tail, start, latency, slowed } = losses;
    return [
      ...[`${workers}`, brief(seconds), `${brief(alone / seconds)}x`, efficiency],
      ...[serial, tail, start, latency, slowed].map(share),
    ];
  });
  const head = ["workers", "run s", "speed-up", "efficiency"];
  return formatTable([[...head, "serial", "tail", "start", "latency", "slowed"], ...rows]);
}

/** The serial parts of a run that are above 2%: name, seconds, share. */
export function serialTable(model: Model, n: number, workers: number, machineOf: MachineOf): string {
  const { seconds, exposed } = run(model, n, workers, machineOf);
  const parts = [...exposed].sort((a, b) => b[1] - a[1]);
  const rows = parts
    .filter(([, part]) => part > NAMED * seconds)
    .map(([name, part]) => [name, brief(part), percent(part / seconds)]);
  return rows.length === 0 ? "none\n" : formatTable([["serial part", "s", "of the run"], ...rows]);
}
