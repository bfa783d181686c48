/**
 * The program as a function of bank and workers, fitted to measured runs.
 *
 * Of each stage: what the parent does while no task runs, what it does beside tasks, and its tasks. Each is a + b n, n the
 * bank samples, from two banks; results per row stop growing at the size limit. What one more thread costs (its code is
 * compiled anew) comes from processor times with few and with many threads.
 */
import { hash32 } from "../../src/gw/random.ts";
import type { JobStep, Step } from "./machine.ts";
import type { Kind, Lap, MeasuredRun } from "./measured.ts";

/** Of both banks with 1 and 2 threads, and of the smaller one with many. */
export interface Measurements {
  readonly small1: MeasuredRun;
  readonly small2: MeasuredRun;
  readonly smallMany: MeasuredRun;
  readonly large1: MeasuredRun;
  readonly large2: MeasuredRun;
  readonly sizeLimit: number;
}

type Line = (n: number) => number;

interface KindModel {
  readonly name: string;
  /** Runs while the stage's main job does. */
  readonly beside: boolean;
  readonly jobs: number;
  /** Tasks measured with one thread, in all jobs. */
  readonly tasks: Line;
  /** Of all tasks, warm. */
  readonly seconds: Line;
  readonly bytes: Line;
  readonly warmUp: number;
  /** Of the parent for each worker, s. */
  readonly gather: number;
  /** Relative durations along a job, mean 1. */
  readonly shape: readonly number[];
}

export interface LapModel {
  readonly name: string;
  readonly exposed: Line;
  readonly beside: Line;
  readonly kinds: readonly KindModel[];
}

export interface Model {
  readonly laps: readonly LapModel[];
}

/** Stages whose parent works on rows, of which there are no more than the size limit. */
const OF_ROWS = ["coherent", "posterior"];
const WAITS_FOR_DISK = ["start", "posterior"];
/** A kind of task with more than this share of its time within the main one's is its neighbour, not its successor. */
const BESIDE = 0.5;
/** As src/pipeline.ts and src/stages/settings.ts cut stage 2. */
const [MOST_ITEMS, FEWEST_ITEMS, TASKS_A_WORKER] = [64, 4, 4];

/** The line through two measurements, neither falling nor below 0 at n = 0. */
export function lineThrough(n0: number, y0: number, n1: number, y1: number): Line {
  const slope = (y1 - y0) / (n1 - n0);
  if (slope <= 0) return () => (y0 + y1) / 2;
  const start = y0 - slope * n0;
  return start < 0 ? (n) => (y1 / n1) * n : (n) => start + slope * n;
}

/** @param post of the parent to send a job to a worker, s */
export function fitModel(measurements: Measurements, post: number): Model {
  const { small1, small2, smallMany, large1, large2, sizeLimit } = measurements;
  const [n0, n1] = [small1.n_i, large1.n_i];
  const rowLimit = (sizeLimit / Math.max(1, large1.n_rows)) * n1;
  const more = smallMany.n_procs - small2.n_procs;
  const laps = small1.laps.map((lap, k): LapModel => {
    const capped: (line: Line) => Line = OF_ROWS.includes(lap.name)
      ? (line) => (n) => line(Math.min(n, rowLimit))
      : (line) => line;
    const [few, large] = [small2.laps[k], large2.laps[k]];
    const besides = (one: Lap) => Math.max(0, one.parentCpu - one.noTask);
    const many = smallMany.laps[k];
    const fit = {
      ...{ n0, n1, warmUp: Math.max(0, many.cpu - few.cpu) / more },
      gather: Math.max(0, (many.parentCpu - few.parentCpu) / (more * jobsIn(few)) - post),
    };
    return {
      name: lap.name,
      exposed: capped(lineThrough(n0, exposedOf(few), n1, exposedOf(large))),
      beside: capped(lineThrough(n0, besides(few), n1, besides(large))),
      kinds: lap.kinds.map((kind) => kindModel(kind, lap, large1.laps[k], few, fit)),
    };
  });
  return { laps };
}

/** What tasks wait for: where nothing waits for the disk, no more than the parent computed. */
function exposedOf({ name, noTask, parentCpu }: Lap): number {
  return WAITS_FOR_DISK.includes(name) ? noTask : Math.min(noTask, parentCpu);
}

function jobsIn({ kinds }: Lap): number {
  return Math.max(
    1,
    kinds.reduce((sum, { jobs }) => sum + jobs, 0),
  );
}

interface Fit {
  readonly n0: number;
  readonly n1: number;
  readonly warmUp: number;
  readonly gather: number;
}

function kindModel(
  kind: Kind,
  lap: Lap,
  largeLap: Lap,
  withTwo: Lap,
  { n0, n1, warmUp, gather }: Fit,
): KindModel {
  const large = largeLap.kinds.find(({ name }) => name === kind.name) ?? kind;
  const sum = ({ seconds }: Kind) => seconds.reduce((all, one) => all + one, 0);
  const [core, largeCore] = [coreShare(lap), coreShare(largeLap)];
  const lapBusy = lap.kinds.reduce((all, one) => all + sum(one), 0);
  // A stage's warm-up is shared by its kinds of tasks, and is no more than a part of what a single thread took.
  const own = Math.min((warmUp * sum(kind)) / lapBusy, (core * sum(kind)) / 2);
  const main = mainKind(withTwo);
  const same = withTwo.kinds.find(({ name }) => name === kind.name);
  const beside = same !== undefined && main !== undefined && same !== main && overlap(same, main) > BESIDE;
  const bytes = kind.name === mainKind(lap)?.name ? [lap.bytes, largeLap.bytes] : [0, 0];
  return {
    ...{ name: kind.name, jobs: kind.jobs, beside, warmUp: own, gather },
    tasks: lineThrough(n0, kind.seconds.length, n1, large.seconds.length),
    seconds: lineThrough(n0, core * sum(kind) - own, n1, Math.max(largeCore * sum(large) - own, 0)),
    bytes: lineThrough(n0, bytes[0], n1, bytes[1]),
    shape: large.seconds.map((one) => (one * large.seconds.length) / sum(large)),
  };
}

/** With one thread: the share of a stage in which it had a core. The rest went to other programs. */
function coreShare({ parentCpu, seconds }: Lap): number {
  return parentCpu > 0 ? Math.min(1, parentCpu / seconds) : 1;
}

/** Share of a that lies within b. */
function overlap(a: Kind, b: Kind): number {
  return (Math.min(a.to, b.to) - Math.max(a.from, b.from)) / (a.to - a.from);
}

function mainKind({ kinds }: Lap): Kind | undefined {
  const total = ({ seconds }: Kind) => seconds.reduce((all, one) => all + one, 0);
  return kinds.length === 0 ? undefined : kinds.reduce((a, b) => (total(b) > total(a) ? b : a));
}

/** What a run on n bank samples with so many workers does. */
export function programOf(model: Model, n: number, workers: number): Step[] {
  return model.laps.flatMap((lap, k): Step[] => {
    const jobs = (beside: boolean) =>
      lap.kinds
        .filter((kind) => kind.beside === beside)
        .flatMap((kind) => jobsOf(lap.name, kind, n, workers, k));
    const main: Step[] = [{ type: "serial", name: lap.name, seconds: lap.exposed(n) }, ...jobs(false)];
    const chain = spread(`${lap.name}, beside`, lap.beside(n), jobs(true));
    return [{ type: "beside", main, chain }];
  });
}

/** What the parent does beside, before, between and after its jobs. */
function spread(name: string, seconds: number, jobs: readonly Step[]): Step[] {
  const part: Step = { type: "serial", name, seconds: seconds / (jobs.length + 1) };
  return [part, ...jobs.flatMap((job) => [job, part])];
}

function jobsOf(lap: string, kind: KindModel, n: number, workers: number, stream: number): JobStep[] {
  const tasks = Math.max(1, Math.round(tasksOf(lap, kind, n, workers) / kind.jobs));
  const { shape, bytes } = kind;
  const drawn = (j: number) =>
    Float64Array.from({ length: tasks }, (_, k) => drawAlong(shape, k, tasks, stream, j));
  return Array.from({ length: kind.jobs }, (_, j): JobStep => {
    const relative = drawn(j);
    const scale = kind.seconds(n) / kind.jobs / relative.reduce((sum, one) => sum + one, 0);
    return {
      ...{ type: "job", name: kind.name, n: tasks, urgent: kind.beside },
      ...{ warmUp: kind.warmUp, gather: kind.gather },
      seconds: (k) => relative[k] * scale,
      bytes: () => bytes(n) / kind.jobs / tasks,
    };
  });
}

/** A measured duration near the place that task k of n has in its job: the most promising tasks come first. */
function drawAlong(shape: readonly number[], k: number, n: number, stream: number, job: number): number {
  const m = shape.length;
  const width = m / 10;
  const at = ((k + 0.5) / n) * m + width * (hash32(stream, job, k, 1) / 2 ** 32 - 0.5);
  return shape[Math.min(m - 1, Math.max(0, Math.floor(at)))];
}

/** Stage 2 is cut by the number of workers too; all else is cut by the problem alone. */
function tasksOf(lap: string, kind: KindModel, n: number, workers: number): number {
  const measured = kind.tasks(n);
  if (kind.name !== "incoherent") return measured;
  const items = lap === "incoherent" ? n : (measured * MOST_ITEMS) / kind.jobs;
  const size = Math.max(FEWEST_ITEMS, Math.min(MOST_ITEMS, Math.ceil(items / (TASKS_A_WORKER * workers))));
  return kind.jobs * Math.ceil(items / size);
}
