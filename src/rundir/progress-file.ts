/** How far a run is, in a file that `dotpe-hpc status` reads. Nothing depends on it. */
import { join } from "node:path";
import * as v from "valibot";
import { DotpeError } from "../errors.ts";
import { writeFileQuickly } from "../io/atomic-write.ts";
import { residentMB } from "../machine/memory.ts";
import type { Reporter, StageProgress } from "../report/reporter.ts";

export const PROGRESS_FILE = "progress.json";
const EVERY = 5_000;

const AMOUNT = v.pipe(v.number(), v.finite(), v.minValue(0));
const TEXT = v.pipe(v.string(), v.maxLength(200));
export const PROGRESS = v.object({
  /** Number of the process that wrote it. */
  process: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  stage: TEXT,
  unit: TEXT,
  done: AMOUNT,
  /** 0 if it is not known. */
  total: AMOUNT,
  /** Done when this process began the stage: by an earlier one. */
  before: AMOUNT,
  /** Since this process began the stage, and the run. */
  stageSeconds: AMOUNT,
  seconds: AMOUNT,
  memoryMB: AMOUNT,
  at: TEXT,
});
export type Progress = v.InferOutput<typeof PROGRESS>;

export class ProgressFile {
  private readonly begun = performance.now();
  private stageBegun = this.begun;
  private now = { stage: "start", unit: "", done: 0, total: 0, before: -1 };
  private readonly timer = setInterval(() => this.write(), EVERY);

  constructor(
    private readonly folder: string,
    private readonly process: number,
    private readonly report: Reporter,
  ) {}

  /** As the one given, but what it is told stands in the file too. */
  get reporter(): Reporter {
    const { report } = this;
    return {
      ...report,
      stage: (name, total, unit) => this.stage(report.stage(name, total, unit), name, total, unit),
    };
  }

  private stage(shown: StageProgress, stage: string, total: number, unit: string): StageProgress {
    this.now = { stage, unit, done: 0, total, before: -1 };
    this.stageBegun = performance.now();
    return {
      update: (done) => {
        if (this.now.before < 0) this.now.before = done;
        this.now.done = done;
        shown.update(done);
      },
      end: (detail) => shown.end(detail),
    };
  }

  /** What cannot be written is left out. */
  write(): void {
    const time = performance.now();
    const progress: Progress = {
      process: this.process,
      ...{ ...this.now, before: Math.max(0, this.now.before) },
      stageSeconds: (time - this.stageBegun) / 1000,
      seconds: (time - this.begun) / 1000,
      memoryMB: residentMB(),
      at: new Date().toISOString(),
    };
    try {
      writeFileQuickly(join(this.folder, PROGRESS_FILE), `${JSON.stringify(progress)}\n`);
    } catch (error) {
      if (!(error instanceof DotpeError)) throw error;
    }
  }

  end(): void {
    clearInterval(this.timer);
  }
}
