/** What the computation says while it runs. The commands decide where it goes; nothing below them prints. */

export interface StageProgress {
  /** @param done of the stage's total, since its start. Call as often as convenient. */
  update(done: number): void;
  /** Ends the stage's line. @param detail what came of it, e.g. '745 of 16,384 accepted'. */
  end(detail?: string): void;
}

/** Main thread only. Stages follow one another: end one before the next begins. */
export interface Reporter {
  /**
   * @param total how many units the stage has; 0 if it is not known.
   * @param unit plural, e.g. 'samples'.
   */
  stage(name: string, total: number, unit: string): StageProgress;
  /** Something worth knowing. */
  note(text: string): void;
  /** Something doubtful. Shown even with --quiet. */
  warn(text: string): void;
}

/** Says nothing. */
export const SILENT_REPORTER: Reporter = {
  stage: () => ({ update: () => {}, end: () => {} }),
  note: () => {},
  warn: () => {},
};
