/**
 * Predicts runs on larger machines and banks: a discrete-event simulation of the program's threads, fed with what runs
 * here took.
 *
 *   bun bench/simulate.ts --event EVENT.npz --bank SMALL --bank LARGE --save measured.json
 *   bun bench/simulate.ts --from measured.json --sizes 1048576,16777216 --cores 4,64,192
 *
 * SMALL and LARGE are banks of different sizes (bench/make-bank.ts makes the larger one); nothing else should run while
 * they are measured. The machine: --cores-per-domain and --bandwidth-gb of a NUMA domain, --disk-gb for a bank that is
 * not in memory yet. docs/scaling.md explains the tables.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { measureCopy, measureLatency, measurePost, measureStart } from "./simulate/costs.ts";
import type { Costs, Machine } from "./simulate/machine.ts";
import { leastOf, type MeasuredRun, measureRun } from "./simulate/measured.ts";
import { fitModel, type Measurements } from "./simulate/model.ts";
import { checkTable, scalingTable, serialTable } from "./simulate/report.ts";

/** Threads of the run that shows what one more thread costs. */
const MANY = 8;
const FLAGS = ["--n-phi", "50", "--n-t", "128", "--seed", "1"];
/** As dotpe-hpc's --size-limit. */
const SIZE_LIMIT = 1e7;

const OPTIONS = {
  event: { type: "string" },
  bank: { type: "string", multiple: true },
  binary: { type: "string", default: join(import.meta.dir, "../dist/dotpe-hpc") },
  "n-ext": { type: "string", default: "1024" },
  repeats: { type: "string", default: "5" },
  "large-repeats": { type: "string", default: "2" },
  save: { type: "string" },
  from: { type: "string" },
  sizes: { type: "string", default: `${2 ** 20},${2 ** 24}` },
  cores: { type: "string", default: "4,8,16,32,64,96,128,192" },
  "cores-per-domain": { type: "string", default: "96" },
  "bandwidth-gb": { type: "string", default: "300" },
  "disk-gb": { type: "string" },
} as const;

interface Saved {
  readonly measurements: Measurements;
  readonly costs: Costs;
  /** Bytes a second of one core here. */
  readonly copy: number;
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

async function measure(values: Values): Promise<Saved> {
  const [small, large] = values.bank ?? [];
  if (!values.event || !large)
    throw new Error("expected --event E --bank SMALL --bank LARGE, or --from FILE");
  const event = resolve(values.event);
  const flags = [...FLAGS, "--n-ext", values["n-ext"]];
  const runs = async (bank: string, n_procs: number) => {
    const made: MeasuredRun[] = [];
    const times = Number(bank === large ? values["large-repeats"] : values.repeats);
    for (let k = 0; k < times; k++) {
      console.error(`${bank}, ${n_procs} threads, run ${k + 1}`);
      made.push(await measureRun(values.binary, [event, resolve(bank)], flags, n_procs));
    }
    return leastOf(made);
  };
  const costs = { ...(await measureStart()), latency: await measureLatency(), post: measurePost() };
  const measurements = {
    ...{ small1: await runs(small, 1), small2: await runs(small, 2), smallMany: await runs(small, MANY) },
    ...{ large1: await runs(large, 1), large2: await runs(large, 2) },
    sizeLimit: SIZE_LIMIT,
  };
  return { measurements, costs, copy: measureCopy() };
}

function numbers(list: string): number[] {
  return list.split(",").map(Number);
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const saved: Saved = values.from ? JSON.parse(readFileSync(values.from, "utf8")) : await measure(values);
  if (values.save) writeFileSync(values.save, JSON.stringify(saved) + "\n");
  const { measurements, costs, copy } = saved;
  const model = fitModel(measurements, costs.post);
  const machineOf =
    (bandwidth: number, disk: number) =>
    (workers: number): Machine => ({
      ...{ workers, bandwidth, disk, coresPerDomain: Number(values["cores-per-domain"]) },
      costs,
    });
  const { small1, small2, large1, large2 } = measurements;
  const micro = (seconds: number) => `${(1e6 * seconds).toFixed(0)} us`;
  console.log(
    `here: a worker starts in ${micro(costs.startWorker)} (parent ${micro(costs.startParent)}), a message takes ` +
      `${micro(costs.latency)}, a job ${micro(costs.post)} to send to each worker; one core copies ${(copy / 1e9).toFixed(1)} GB/s\n`,
  );
  console.log(checkTable(model, [small1, small2, large1, large2], machineOf(Infinity, Infinity)));
  const disk = values["disk-gb"] === undefined ? Infinity : 1e9 * Number(values["disk-gb"]);
  const larger = machineOf(1e9 * Number(values["bandwidth-gb"]), disk);
  for (const n of numbers(values.sizes)) {
    console.log(`bank of ${n.toLocaleString("en-US")}`);
    console.log(scalingTable(model, n, numbers(values.cores), larger));
    console.log(`serial parts above 2% with 64 workers:\n${serialTable(model, n, 64, larger)}`);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
process.exit();
