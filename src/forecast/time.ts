/**
 * How long a run takes: what runs on a few samples took, scaled. Each stage is a part that does not depend on the bank and a
 * part that the threads share, per bank sample in stage 2 and per pair of accepted and extrinsic samples in stage 5.
 */
import type { Shares, Sizes } from "./memory.ts";
import { type SampleRun, type Samples, type TaskSpan, tasksOf } from "./samples.ts";

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
/**
 * A pass that finds too many rows is given up at the limit; then all pairs are evaluated three times: for the best, to count
 * the rows, to make those within the limit. Of a pass that writes everything, evaluating is this share and writing the rest.
 */
const EVALUATING = 0.2;

/** Accepted samples of the whole run. */
interface Accepted {
  readonly expected: number;
  readonly low: number;
  readonly high: number;
}

/** Likelihoods from which the tail beyond the best is guessed, at most. */
const TAIL = 20;

/**
 * The best sample of a bank is better than the best of a few, and with it the threshold rises. How much, an exponential tail
 * says: too much, since likelihoods end somewhere. No more at all is too little. Expected is the middle.
 */
export function acceptedOf({ large }: Samples, n: number, maxDrop: number, loadInds: boolean): Accepted {
  const { lnlikes, added } = large;
  const n_known = lnlikes.length + (added > -Infinity ? 1 : 0);
  if (loadInds) return { expected: n, low: n, high: n };
  if (large.n >= n) return { expected: n_known, low: n_known, high: n_known };
  const k = Math.min(TAIL, lnlikes.length - 1);
  const mean = lnlikes.slice(0, k).reduce((sum, lnl) => sum + lnl, 0) / k;
  const scale = k > 0 ? mean - lnlikes[k] : 0;
  const least = Math.max(lnlikes[0] ?? 0, added);
  const most = Math.max(least, (lnlikes[0] ?? 0) + scale * Math.log(n / large.n));
  const above = (best: number) => lnlikes.filter((lnl) => lnl > best - maxDrop).length;
  const scaled = (count: number) => Math.min(n, Math.max(1, Math.round((count / large.n) * n)));
  const [few, many] = [above(most), above(least)];
  return {
    expected: scaled(above((most + least) / 2)),
    low: scaled(few - 2 * Math.sqrt(few)),
    high: scaled(many + 2 * Math.sqrt(many + 1)),
  };
}

/** Of the rows of the large run; of `n_accepted` samples. */
export function measuredShares(
  { large }: Samples,
  { n_phi, n_candidates }: Sizes,
  n_accepted: number,
): Shares {
  return {
    accepted: n_accepted / n_candidates,
    rows: Math.min(1, large.n_rows / (large.n_accepted * large.n_e * n_phi)),
  };
}

export function forecastTime(
  samples: Samples,
  sizes: Sizes,
  n_procs: number,
  accepted: Accepted,
): TimeForecast {
  const { rows } = measuredShares(samples, sizes, accepted.expected);
  const of = (n_accepted: number) => stagesOf(samples, sizes, n_procs, n_accepted, rows);
  const sum = (stages: readonly StageTime[]) => stages.reduce((total, { seconds }) => total + seconds, 0);
  const stages = of(accepted.expected);
  return {
    stages,
    seconds: sum(stages),
    low: sum(of(accepted.low)) * (1 - RATE_ERROR),
    high: sum(of(accepted.high)) * (1 + RATE_ERROR),
    ...{ n_accepted: accepted.expected, n_acceptedLow: accepted.low, n_acceptedHigh: accepted.high },
    n_rows: Math.min(sizes.sizeLimit, Math.round(accepted.expected * sizes.n_e * sizes.n_phi * rows)),
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
  const passes = isCut ? 3 * EVALUATING + 2 * (1 - EVALUATING) * (sizes.sizeLimit / rows) : 1;
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

/** What the threads did of a stage when their code was compiled, times `factor`; the rest as it was. */
function scaledStage(
  run: SampleRun,
  name: "incoherent" | "coherent",
  n_procs: number,
  factor: number,
): number {
  // Tasks of stage 2 are alike: those that take longer were disturbed. Those of stage 5 differ by their rows.
  const work = steadySeconds(tasksOf(run, name), name === "incoherent" ? lowerQuartile : mean) / n_procs;
  return Math.max(0, run.seconds[name] - work) + work * factor;
}

/** What all tasks would take if each took what is typical of the later half of its job's tasks in its thread. */
function steadySeconds(tasks: readonly TaskSpan[], typical: (seconds: readonly number[]) => number): number {
  let sum = 0;
  for (const ofThread of Map.groupBy(tasks, ({ thread }) => thread).values()) {
    // A job begins where the numbers of the tasks fall.
    for (let start = 0; start < ofThread.length; ) {
      let end = start + 1;
      while (end < ofThread.length && ofThread[end].task > ofThread[end - 1].task) end++;
      const later = ofThread.slice(start + ((end - start) >> 1), end);
      sum += (end - start) * typical(later.map(({ seconds }) => seconds));
      start = end;
    }
  }
  return sum;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const lowerQuartile = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 2];
