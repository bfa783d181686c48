/** Finds the fastest setting for some work on this machine, within a budget of time. */
import { loadavg } from "node:os";
import { nativeVariants } from "../kernels/native.ts";
import type { Machine } from "../machine/machine.ts";
import { residentMB } from "../machine/memory.ts";
import { scratchF64 } from "../workers/arena.ts";
import { Pool } from "../workers/pool.ts";
import type { LogRecord, TuneLog } from "./log.ts";
import { type Duel, duel, type Timed, timed, wins } from "./measure.ts";
import type { Ask, Search } from "./search.ts";
import type { Point, Setting } from "./setting.ts";
import { place, type TuneSpace, type Where } from "./space.ts";
import type { Workload } from "./workload.ts";

export interface TuneRequest {
  readonly workload: Workload;
  readonly machine: Machine;
  readonly where: Where;
  readonly space: TuneSpace;
  readonly search: Search;
  /** When everything must be done (ms, as performance.now()). */
  readonly deadline: number;
  readonly log: TuneLog;
  /** Bytes that a worker may take. */
  readonly mostBytes: number;
  /** After each measurement. */
  readonly onMeasured?: (candidate: Candidate) => void;
}

export interface Candidate {
  readonly setting: Setting;
  readonly effort: Ask["effort"];
  /** undefined: it could not be used, because of */
  readonly timed: Timed | undefined;
  readonly failed?: string;
  /** Megabytes of a worker, as far as the process has grown. */
  readonly megabytes: number;
  /** That the measurement took. */
  readonly seconds: number;
}

export interface Tuned {
  /** The fastest, or the built-in one if no other is faster by more than chance explains. */
  readonly setting: Setting;
  readonly builtIn: Setting;
  readonly best: Candidate;
  readonly start: Candidate;
  /** The best against the built-in one, in turns; undefined where they are the same. */
  readonly duel: Duel | undefined;
  readonly candidates: readonly Candidate[];
  /** Answers taken from the log of an interrupted tune. */
  readonly resumed: number;
  /** Whether the search had nothing more to ask. */
  readonly finished: boolean;
  readonly warnings: readonly string[];
}

/** Pairs of the last comparison, at least and at most; what is kept for it beyond the time that the least take. */
const PAIRS = { least: 5, most: 15 };
const KEPT_SHARE = 0.12;
/** Load on a core, before anything is measured, and loss of clock that are worth a warning. */
const [HIGH_LOAD, SLOWER] = [0.25, 0.9];
const MAX_OUTLIERS = 0.2;
/** Of a full measurement, warm-up and changes included. */
const USUAL_RUNS = 8;
/** Runs of new threads before they are timed, at least and at most; a gain that is still worth another. */
const [LEAST_WARM, MOST_WARM] = [4, 12];
const WARM = 0.97;

/** @throws what the workload says of itself if the built-in setting gives a wrong answer. */
export async function tune(request: TuneRequest): Promise<Tuned> {
  const bench = new Workbench(request);
  const warnings = loadWarning(request.machine);
  const clock = clockRate();
  try {
    const tuned = await new Tuning(request, bench).run();
    warnings.push(...tuned.warnings, ...clockWarning(clock, clockRate()));
    return { ...tuned, warnings };
  } finally {
    bench.close();
  }
}

/** The pool, arranged for one setting after the other. */
export class Workbench {
  private readonly pool: Pool;
  private arranged = "";
  private readonly before: number;
  private readonly checked = new Map<string, string | undefined>();

  constructor(private readonly request: TuneRequest) {
    const { space, machine, where } = request;
    const first = space.setting(space.start);
    this.pool = new Pool(place(machine, where, first).seats, first.kernel);
    this.pool.start();
    this.before = residentMB();
  }

  /** Whether the threads are others than before. */
  arrange(setting: Setting): boolean {
    const { n_procs, smt, kernel } = setting;
    const wanted = [n_procs, smt, kernel].join();
    if (wanted === this.arranged) return false;
    this.pool.arrange(place(this.request.machine, this.request.where, setting).seats, kernel);
    this.arranged = wanted;
    return true;
  }

  /** Units a second of one run. */
  async rate(setting: Setting): Promise<number> {
    const { workload } = this.request;
    this.arrange(setting);
    const start = performance.now();
    await workload.run(this.pool, setting);
    return workload.units(setting.n_procs) / ((performance.now() - start) / 1000);
  }

  async measure(setting: Setting, effort: Ask["effort"]): Promise<Candidate> {
    const { workload, mostBytes } = this.request;
    const start = performance.now();
    const isNew = this.arrange(setting);
    let most = residentMB();
    const run = async () => {
      await workload.run(this.pool, setting);
      most = Math.max(most, residentMB());
    };
    if (isNew) await warmUp(run);
    const found = await timed(run, workload.units(setting.n_procs), effort);
    const megabytes = Math.max(0, most - this.before) / setting.n_procs;
    const wrong = (await workload.check()) ?? (await this.definition(setting.kernel));
    const large = 1e6 * megabytes > mostBytes ? `${megabytes.toFixed(0)} MB a worker` : undefined;
    const failed = wrong === undefined ? large : `wrong answer: ${wrong}`;
    const seconds = (performance.now() - start) / 1000;
    return { setting, effort, megabytes, seconds, timed: failed ? undefined : found, failed };
  }

  private async definition(kernel: string): Promise<string | undefined> {
    if (!this.checked.has(kernel))
      this.checked.set(kernel, await this.request.workload.checkDefinition(kernel));
    return this.checked.get(kernel);
  }

  close(): void {
    this.pool.close();
  }
}

class Tuning {
  private readonly candidates: Candidate[] = [];
  private readonly byKey = new Map<string, Candidate>();
  private readonly warnings: string[] = [];
  private resumed = 0;
  /** Seconds that a full measurement takes, about. */
  private usual = 0;

  constructor(
    private readonly request: TuneRequest,
    private readonly bench: Workbench,
  ) {}

  async run(): Promise<Tuned> {
    const { space, search } = this.request;
    const start = await this.answer({ point: space.start, effort: "full" });
    if (start.timed === undefined) throw this.request.workload.broken(start.failed ?? "");
    const finished = await this.ask(search);
    const best = this.best(start);
    const found = best === start ? undefined : await this.compare(best.setting, start.setting);
    // The rates of the comparison: when the first candidate was timed, the threads had just begun.
    const candidates = this.candidates.map((one) => {
      const rate = one === best ? found?.rates[0] : one === start ? found?.rates[1] : undefined;
      return rate === undefined || one.timed === undefined ? one : { ...one, timed: { ...one.timed, rate } };
    });
    const at = (one: Candidate) => candidates[this.candidates.indexOf(one)];
    const sum = (of: (timed: Timed) => number) =>
      this.candidates.reduce((n, { timed }) => n + (timed ? of(timed) : 0), 0);
    const [outliers, runs] = [sum(({ outliers: n }) => n), sum(({ n }) => n)];
    if (outliers > MAX_OUTLIERS * runs)
      this.warnings.push(
        `${outliers} of ${runs} timed runs were far from the others: the machine is not quiet`,
      );
    return {
      setting: found && wins(found) ? best.setting : start.setting,
      ...{ builtIn: start.setting, best: at(best), start: at(start), duel: found, candidates },
      ...{ resumed: this.resumed, finished, warnings: this.warnings },
    };
  }

  /** By the search, which knows what is chance; else the fastest, quick ones too: the comparison will tell. */
  private best(start: Candidate): Candidate {
    const point = this.request.search.best?.();
    const believed = point && (this.known(point, "full") ?? this.known(point, "quick"));
    if (believed?.timed !== undefined) return believed;
    return longest(this.candidates).reduce((a, b) => (rateOf(b) > rateOf(a) ? b : a), start);
  }

  /** Asks the search until it has no question or there is no time; whether it had no question. */
  private async ask(search: Search): Promise<boolean> {
    for (let ask = search.ask(); ask !== undefined; ask = search.ask()) {
      if (!this.hasTime(ask)) return false;
      const { timed } = await this.answer(ask);
      search.tell(ask, timed);
    }
    return true;
  }

  /** A last comparison must fit in as well. */
  private hasTime({ point, effort }: Ask): boolean {
    if (this.known(point, effort) !== undefined) return true;
    const { deadline } = this.request;
    const kept = 2 * PAIRS.least * (this.candidates[0].timed?.seconds ?? 0);
    const needed = effort === "full" ? this.usual : 0.6 * this.usual;
    return performance.now() / 1000 + needed + kept * (1 + KEPT_SHARE) < deadline / 1000;
  }

  private known(point: Point, effort: Ask["effort"]): Candidate | undefined {
    const key = this.request.space.key(point);
    return key === undefined
      ? undefined
      : (this.byKey.get(`full ${key}`) ?? this.byKey.get(`${effort} ${key}`));
  }

  private async answer(ask: Ask): Promise<Candidate> {
    const { space, log, onMeasured, workload } = this.request;
    const before = this.known(ask.point, ask.effort);
    if (before !== undefined) return before;
    const setting = space.setting(ask.point);
    const logged = log.take(ask);
    const found: Candidate =
      logged === undefined
        ? await this.bench.measure(setting, ask.effort)
        : fromLog(logged, setting, workload.units(setting.n_procs));
    if (logged === undefined) {
      const { timed, failed, seconds, megabytes } = found;
      const measured = timed && { rate: timed.rate, error: timed.error, n: timed.n };
      const warning = log.append({ ...ask, seconds, measured, failed, memory: 1e6 * megabytes });
      if (warning !== undefined) this.warnings.push(warning);
    } else this.resumed++;
    if (ask.effort === "full") this.learn(found);
    this.candidates.push(found);
    this.byKey.set(`${ask.effort} ${space.key(ask.point)}`, found);
    onMeasured?.(found);
    return found;
  }

  /** How long a full measurement takes; the first one also started threads and asked for the definition. */
  private learn({ seconds, timed }: Candidate): void {
    this.usual = this.usual === 0 ? USUAL_RUNS * (timed?.seconds ?? 0) : (this.usual + seconds) / 2;
  }

  private compare(best: Setting, builtIn: Setting): Promise<Duel> {
    const { deadline } = this.request;
    const rates = [() => this.bench.rate(best), () => this.bench.rate(builtIn)] as const;
    const start = performance.now();
    const pair = (n: number) => (performance.now() - start) / Math.max(1, n);
    const enough = (n: number) =>
      n >= PAIRS.most || (n >= PAIRS.least && performance.now() + pair(n) > deadline);
    return duel(rates, enough);
  }
}

/** Runs until it gets no faster: threads compile their code while they work, and clocks rise. */
async function warmUp(run: () => Promise<void>): Promise<void> {
  let best = Infinity;
  for (let k = 0; k < MOST_WARM; k++) {
    const start = performance.now();
    await run();
    const taken = performance.now() - start;
    if (k >= LEAST_WARM && taken > WARM * best) return;
    best = Math.min(best, taken);
  }
}

/** One measurement of each setting. */
export function longest(candidates: readonly Candidate[]): Candidate[] {
  const bySetting = new Map<string, Candidate>();
  for (const one of candidates) {
    const key = JSON.stringify(one.setting);
    if (one.effort === "full" || !bySetting.has(key)) bySetting.set(key, one);
  }
  return [...bySetting.values()];
}

const rateOf = ({ timed }: Candidate): number => timed?.rate ?? 0;

function fromLog(record: LogRecord, setting: Setting, work: number): Candidate {
  const { effort, measured, failed, memory = 0, seconds } = record;
  const timed = measured && { ...measured, outliers: 0, seconds: work / measured.rate };
  return { setting, effort, timed, failed, megabytes: memory / 1e6, seconds };
}

function loadWarning({ allowed }: Machine): string[] {
  const [load] = loadavg();
  if (load <= HIGH_LOAD * allowed.cpus.length) return [];
  return [`load ${load.toFixed(2)} before the first measurement: other programs disturb what is measured`];
}

/** Multiply-adds of the main thread, a second. */
function clockRate(): number {
  const [variant] = nativeVariants();
  if (variant === undefined) return Number.NaN;
  const { fmaPeak } = variant.loadLimits();
  const out = scratchF64(8);
  let best = 0;
  for (let k = 0; k < 5; k++) {
    const start = performance.now();
    best = Math.max(best, fmaPeak(out, 200_000) / (performance.now() - start));
  }
  return best;
}

function clockWarning(before: number, after: number): string[] {
  if (!(after < SLOWER * before)) return [];
  const lost = Math.round(100 * (1 - after / before));
  return [
    `this core was ${lost}% slower at the end than at the beginning: the clock changes, rates are uncertain`,
  ];
}
