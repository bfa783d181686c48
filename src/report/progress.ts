/**
 * Progress on standard error. On a terminal: one line a stage, rewritten in place, with rate and remaining time.
 * Elsewhere (a log file): a plain line when a stage ends, and one every 30 s while it lasts.
 */
import { colors } from "consola/utils";
import { formatCount, formatDuration, formatRate } from "./format.ts";
import type { Reporter, StageProgress } from "./reporter.ts";

/** Between two rewrites of the line on a terminal. */
export const TERMINAL_INTERVAL_MS = 100;
/** Between two lines of one stage off a terminal. */
export const PLAIN_INTERVAL_MS = 30_000;

/** Of what was told, to take a rate from. */
const LONG_ENOUGH_MS = 1000;

const NAME_WIDTH = 12;
const CLEAR_LINE = "\r\x1b[K";

export interface ProgressSettings {
  write(text: string): void;
  isTerminal: boolean;
  /** Warnings only. */
  quiet: boolean;
  /** Width of the terminal. */
  columns?: number;
  /** Milliseconds on any steady clock. */
  now?: () => number;
}

export function createReporter(settings: ProgressSettings): Reporter {
  const { write, quiet, isTerminal } = settings;
  const now = settings.now ?? (() => performance.now());
  const columns = settings.columns ?? 80;
  /** The line that stands unfinished on the terminal. */
  let standing = "";

  const line = (text: string) => {
    write(standing ? `${CLEAR_LINE}${text}\n${standing}` : `${text}\n`);
  };
  const rewrite = (text: string) => {
    standing = text.slice(0, columns - 1);
    write(CLEAR_LINE + standing);
  };
  const finish = (text: string) => {
    write((standing ? CLEAR_LINE : "") + text + "\n");
    standing = "";
  };

  return {
    stage(name, total, unit) {
      if (quiet) return SILENT;
      const interval = isTerminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS;
      return new Stage(new StageText(name, total, unit), now, interval, isTerminal ? rewrite : line, finish);
    },
    note(text) {
      if (!quiet) line(text);
    },
    warn(text) {
      line(`${isTerminal ? colors.yellow("warning:") : "warning:"} ${text}`);
    },
  };
}

const SILENT: StageProgress = { update() {}, end() {} };

class Stage implements StageProgress {
  readonly #started: number;
  #shown: number;
  #done = 0;
  #ended = false;
  /** The first that was told: what was done before may be an earlier process' work. */
  #first: { done: number; time: number } | undefined;

  constructor(
    readonly text: StageText,
    readonly now: () => number,
    readonly interval: number,
    readonly show: (text: string) => void,
    readonly finish: (text: string) => void,
  ) {
    this.#started = this.#shown = now();
  }

  update(done: number): void {
    this.#done = done;
    const time = this.now();
    this.#first ??= { done, time };
    if (this.#ended || time - this.#shown < this.interval) return;
    this.#shown = time;
    this.show(this.text.running(done, this.seconds(time), this.rate(time)));
  }

  private seconds(time: number): number {
    return (time - this.#started) / 1000;
  }

  /** Units a second, since the first that was told if that is long enough. */
  private rate(time: number): number {
    const { done, time: begun } = this.#first ?? { done: 0, time };
    if (time - begun < LONG_ENOUGH_MS) return this.#done / this.seconds(time);
    return (1000 * (this.#done - done)) / (time - begun);
  }

  end(detail?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const time = this.now();
    this.finish(this.text.ended(this.#done, this.seconds(time), this.rate(time), detail));
  }
}

/** The words of one stage's line. */
class StageText {
  readonly #head: string;

  constructor(
    name: string,
    readonly total: number,
    readonly unit: string,
  ) {
    this.#head = name.padEnd(NAME_WIDTH);
  }

  running(done: number, seconds: number, rate: number): string {
    if (this.total <= 0) return `${this.#head} ${formatCount(done)} ${this.unit}  ${formatDuration(seconds)}`;
    const percent = String(Math.floor((100 * done) / this.total)).padStart(3);
    const progress = `${this.#head} ${percent}%  ${formatCount(done)}/${formatCount(this.total)} ${this.unit}`;
    if (!(rate > 0) || seconds <= 0) return progress;
    const left = Math.max(0, this.total - done) / rate;
    return `${progress}  ${formatRate(rate)}/s  ${formatDuration(left)} left`;
  }

  ended(done: number, seconds: number, perSecond: number, detail?: string): string {
    const counted = done > 0 ? `  ${formatCount(done)} ${this.unit}` : "";
    const rate = perSecond > 0 && seconds > 0 ? `  ${formatRate(perSecond)}/s` : "";
    const time = formatDuration(seconds).padStart(8);
    return `${this.#head} ${time}${counted}${rate}${detail ? `  ${detail}` : ""}`;
  }
}
