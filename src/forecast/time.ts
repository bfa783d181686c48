/**
 * How long a run takes: what runs on a few samples took, scaled. Each stage is a part that does not depend on the bank and a
 * part that the threads share, per bank sample in stage 2 and per pair of accepted and extrinsic samples in stage 5.
 */
import type { Shares, Sizes } from "./memory.ts";
import { busy, type SampleRun, type Samples, type TaskSpan, tasksOf } from "./samples.ts";

export interface StageTime {
  readonly name: string;
  readonly seconds: number;
}

export interface TimeForecast {
  readonly stages: readonly StageTime[];
  readonly seconds: number;
  /** Of the whole run, if as few or as many are accepted as the samples leave open, and rates differ by `RATE_ERROR`. */
  readonly low: number;
  readonly high: number;
  readonly n_accepted: number;
  readonly n_acceptedLow: number;
  readonly n_acceptedHigh: number;
  readonly n_rows: number;
}

/** Rates of the sample runs against those of long runs: clock, caches and disk are not the same. */
const RATE_ERROR = 0.15;
/** Of a row in the last stage, where files are completed and samples drawn (s): measured with up to 8 million. */
const POSTERIOR_ROW = 0.11e-6;
/** Of a bank sample in the parent alone, after stage 2 (s). */
const SELECT = 0.1e-6;
/** A pass that finds too many rows is given up; the best is searched in all pairs, rows are counted, then made again. */
const PASSES_OF_CUT = 2.8;
/** First tasks of a thread: in them its code is compiled. */
const WARM_UP = 2;

/** Shares and counts that the large run says of the whole one. */
export function measuredShares({ large, addedBest }: Samples, { n_phi }: Sizes): Shares {
  const added = addedBest ? 1 : 0;
  return {
    accepted: Math.max(0, large.n_accepted - added) / Math.max(1, large.n - added),
    rows: Math.min(1, large.n_rows / (large.n_accepted * large.n_e * n_phi)),
  };
}

export function forecastTime(
  samples: Samples,
  sizes: Sizes,
  n_procs: number,
  loadInds: boolean,
): TimeForecast {
  const { large, addedBest } = samples;
  const shares = measuredShares(samples, sizes);
  const { n_candidates } = sizes;
  const isAll = large.n >= n_candidates;
  const counted = large.n_accepted - (addedBest ? 1 : 0);
  const spread = isAll || loadInds ? 0 : 2 * Math.sqrt(counted + 1);
  const scaled = (n: number) =>
    Math.min(n_candidates, Math.max(1, Math.round((n / large.n) * n_candidates) + (addedBest ? 1 : 0)));
  const [middle, low, high] = [counted, Math.max(0, counted - spread), counted + spread].map(scaled);
  const of = (n_accepted: number) => stagesOf(samples, sizes, n_procs, n_accepted, shares.rows);
  const sum = (stages: readonly StageTime[]) => stages.reduce((total, { seconds }) => total + seconds, 0);
  const stages = of(middle);
  return {
    stages,
    seconds: sum(stages),
    low: sum(of(low)) * (1 - RATE_ERROR),
    high: sum(of(high)) * (1 + RATE_ERROR),
    ...{ n_accepted: middle, n_acceptedLow: low, n_acceptedHigh: high },
    n_rows: Math.min(sizes.sizeLimit, Math.round(middle * sizes.n_e * sizes.n_phi * shares.rows)),
  };
}

function stagesOf(
  { small, large }: Samples,
  sizes: Sizes,
  n_procs: number,
  n_accepted: number,
  rowShare: number,
): StageTime[] {
  const rows = n_accepted * sizes.n_e * sizes.n_phi * rowShare;
  const isCut = rows > sizes.sizeLimit;
  const passes = isCut ? PASSES_OF_CUT + sizes.sizeLimit / rows : 1;
  const pairs = n_accepted * sizes.n_e * passes;
  const incoherent = scaledStage(large, "incoherent", n_procs, sizes.n_candidates / large.n);
  return [
    { name: "start", seconds: large.around + large.seconds.start },
    { name: "setup", seconds: small.seconds.setup },
    { name: "incoherent", seconds: incoherent + SELECT * sizes.n_candidates },
    { name: "extrinsic", seconds: large.seconds.extrinsic },
    {
      name: "coherent",
      seconds: scaledStage(large, "coherent", n_procs, pairs / (large.n_accepted * large.n_e)),
    },
    {
      name: "posterior",
      seconds:
        Math.min(small.seconds.posterior, large.seconds.posterior) +
        POSTERIOR_ROW * Math.min(rows, sizes.sizeLimit),
    },
  ];
}

/** What the threads did of a stage, but for their warming up, times `factor`; the rest as it was. */
function scaledStage(
  run: SampleRun,
  name: "incoherent" | "coherent",
  n_procs: number,
  factor: number,
): number {
  const done = tasksOf(run, name);
  const work = busy(done) - warmUp(done);
  return Math.max(0, run.seconds[name] - work / n_procs) + (work * factor) / n_procs;
}

/** What the first tasks of each thread and kind took beyond the median. */
function warmUp(tasks: readonly TaskSpan[]): number {
  let extra = 0;
  for (const ofKind of Map.groupBy(tasks, ({ kind }) => kind).values()) {
    const sorted = ofKind.map(({ seconds }) => seconds).sort((a, b) => a - b);
    const median = sorted[sorted.length >> 1];
    for (const ofThread of Map.groupBy(ofKind, ({ thread }) => thread).values()) {
      for (const { seconds } of ofThread.slice(0, WARM_UP)) extra += Math.max(0, seconds - median);
    }
  }
  return extra;
}
