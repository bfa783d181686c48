/** What a fuzzed format is made of. */
import type { Bytes } from "./mutate.ts";
import type { Random } from "./random.ts";

/** Where a reader tells how far it came. */
export interface Probe {
  /** The last stage named is how deep the input went. */
  reach(stage: string): void;
  /**
   * Bytes that the input has proved to hold: numbers as the doubles they are read as, an entry that was unpacked and agreed with
   * its checksum, text as its characters and 64 bytes an item. What is only claimed does not count.
   */
  holds(bytes: number): void;
}

export interface Format {
  readonly name: string;
  /** Files are written as `input.<extension>`. */
  readonly extension: string;
  /** Stages of `read`, in their order; the last one: everything was read. */
  readonly stages: readonly string[];
  /** Whole files, or files worth changing. */
  seeds(): readonly Bytes[] | Promise<readonly Bytes[]>;
  /** One hostile file. @param corpus the seeds, and inputs that went a way of their own */
  make(random: Random, corpus: readonly Bytes[]): Bytes;
  /** Reads all there is to read. Throws what the readers throw. */
  read(path: string, probe: Probe): void;
}
