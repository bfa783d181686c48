/** The states of a run's stages: one file each in the checkpoint folder, replaced as a whole. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { DotpeError } from "../errors.ts";
import type { Interrupt } from "../interrupt.ts";
import { writeFileAtomic } from "../io/atomic-write.ts";
import { encodeNpz, type NpzEntry, openNpz } from "../io/npz.ts";
import type { Relief } from "../relief.ts";
import type { Keeper, State } from "../stages/keeper.ts";

/** Saving shall take less than one part in so many of the time. */
const MOST_OVERHEAD = 200;
/** What took longer than this (s) is saved when an error ends it. */
const WORTH_SAVING = 10;
/** Entry that tells whose state it is. */
const RUN = "run";

export interface CheckpointSettings {
  /** Id of the run. */
  readonly run: string;
  /** s */
  readonly interval: number;
  readonly interrupt: Interrupt;
  /** @throws DotpeError if the directory is no longer this process'. */
  readonly checkIsOurs: () => void;
  readonly relief: Pick<Relief, "isShort" | "relieve">;
  /** Before the first state is saved. */
  readonly beforeFirst: () => void;
  readonly warn: (text: string) => void;
}

export class Checkpoint implements Keeper {
  private saved = performance.now();
  private isDueAfter: number;
  private hasState = false;
  private dueSince: number | undefined;
  /** How often states were saved, and the seconds from when a job was asked to pause for it until it was done. */
  readonly spent = { saved: 0, seconds: 0 };

  constructor(
    readonly folder: string,
    private readonly settings: CheckpointSettings,
  ) {
    this.isDueAfter = settings.interval * 1000;
  }

  isEnding(): boolean {
    return this.settings.interrupt.signal !== undefined;
  }

  isDue(): boolean {
    const now = performance.now();
    const isDue = this.isEnding() || now - this.saved >= this.isDueAfter || this.settings.relief.isShort();
    if (isDue) this.dueSince ??= now;
    return isDue;
  }

  goOn(): void {
    const { interrupt, relief } = this.settings;
    const { signal } = interrupt;
    if (signal !== undefined) throw stopped(signal, dirname(this.folder));
    relief.relieve();
  }

  isWorthSaving(): boolean {
    const { interval } = this.settings;
    return performance.now() - this.saved >= 1000 * Math.min(interval, WORTH_SAVING);
  }

  /** Whether there is a state that a process can go on from. */
  get isKept(): boolean {
    return this.hasState;
  }

  save(name: string, state: State, begun = performance.now()): void {
    this.settings.checkIsOurs();
    if (this.spent.saved === 0) this.settings.beforeFirst();
    const entries = Object.entries(state).map(([of, values]) => entryOf(of, values));
    const run: NpzEntry = { name: RUN, shape: [], dtype: "U", data: [this.settings.run] };
    writeFileAtomic(this.path(name), encodeNpz([run, ...entries]));
    this.hasState = true;
    this.saved = performance.now();
    this.spent.saved++;
    this.spent.seconds += (this.saved - Math.min(begun, this.dueSince ?? begun)) / 1000;
    this.dueSince = undefined;
    this.isDueAfter = Math.max(1000 * this.settings.interval, MOST_OVERHEAD * this.cost(begun));
  }

  /** With an interval of 0 every opportunity is wanted, whatever it costs. */
  private cost(begun: number): number {
    return this.settings.interval === 0 ? 0 : this.saved - begun;
  }

  load<const N extends string>(name: string, lengths: Readonly<Record<N, number | undefined>>) {
    const path = this.path(name);
    if (!existsSync(path)) return undefined;
    try {
      const file = openNpz(path);
      if (file.get(RUN).toStrings()[0] !== this.settings.run) return undefined;
      const wanted = Object.entries<number | undefined>(lengths);
      const arrays = wanted.map(([of, length]) => {
        const values = file.has(of) ? file.get(of).toFloat64() : undefined;
        return values !== undefined && (length ?? values.length) === values.length ? values : undefined;
      });
      if (arrays.includes(undefined)) return undefined;
      this.hasState = true;
      return Object.fromEntries(wanted.map(([of], k) => [of, arrays[k]])) as Record<N, Float64Array>;
    } catch (error) {
      // What cannot be read now may be read later: nothing is lost by waiting.
      if (!(error instanceof DotpeError) || error.exit !== "badData") throw passing(error);
      this.settings.warn(`${error.message}; what it held is computed again`);
      return undefined;
    }
  }

  private path(name: string): string {
    return join(this.folder, `${name}.npz`);
  }
}

function passing(error: unknown): unknown {
  return error instanceof DotpeError ? new DotpeError("tryAgain", error.message, error.hint) : error;
}

function stopped(signal: string, rundir: string): DotpeError {
  return new DotpeError(
    "runAgain",
    `stopped by ${signal}; what is done is saved`,
    `The same command goes on from there, and so does \`dotpe-hpc run --resume ${rundir}\`.`,
  );
}

function entryOf(name: string, values: State[string]): NpzEntry {
  const shape = [values.length];
  if (values instanceof Float64Array) return { name, shape, dtype: "f8", data: values };
  if (values instanceof Uint8Array) return { name, shape, dtype: "u1", data: values };
  return { name, shape, dtype: "i8", data: values };
}
