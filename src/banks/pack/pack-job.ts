/** Packs the chunks of a bank: a task is a chunk. Chunks are written in their order, whichever thread made them. */
import { DotpeError } from "../../errors.ts";
import { type BankFiles, BankReader, placeOf } from "../../gw/bank-reader.ts";
import { MAGIC } from "../../gw/pack-file.ts";
import type { PackModel } from "../../gw/pack-model.ts";
import { type PartFile, writeAt } from "../../io/atomic-write.ts";
import { firstNotFinite } from "../../io/finite.ts";
import { sharedF64, sharedI32 } from "../../workers/arena.ts";
import type { TaskRunner } from "../../workers/protocol.ts";
import { ChunkEncoder, type PackErrors } from "./encode.ts";

export interface PackPlan {
  readonly from: BankFiles;
  readonly model: PackModel;
  readonly chunkItems: number;
  readonly file: Pick<PartFile, "path" | "fd">;
  /** The chunk that is written next; whether a thread has failed. With Atomics. */
  readonly turn: Int32Array;
  /** Where it begins. In the turn. */
  readonly end: Float64Array;
  /** Outputs (c). */
  readonly length_c: Int32Array;
  readonly crc_c: Int32Array;
}

const NEXT = 0;
const FAILED = 1;
/** A thread that waits looks this often (ms) whether another has failed. */
const LOOK = 100;

export function packPlan(plan: Omit<PackPlan, "turn" | "end" | "length_c" | "crc_c">): PackPlan {
  const n_c = Math.ceil(plan.from.n_i / plan.chunkItems);
  const end = sharedF64(1);
  end[0] = MAGIC.length;
  return { ...plan, turn: sharedI32(2), end, length_c: sharedI32(n_c), crc_c: sharedI32(n_c) };
}

export function openPackJob(plan: PackPlan): TaskRunner<PackErrors> {
  const { from, chunkItems, turn, end } = plan;
  const reader = new BankReader(from);
  const encoder = new ChunkEncoder(plan.model, chunkItems);
  const samples = new SampleCopies(reader, chunkItems);
  const write = (c: number, chunk: Uint8Array) => {
    for (let next = Atomics.load(turn, NEXT); next !== c; next = Atomics.load(turn, NEXT)) {
      if (Atomics.load(turn, FAILED) !== 0) return;
      Atomics.wait(turn, NEXT, next, LOOK);
    }
    const at = end[0];
    end[0] += chunk.length;
    plan.length_c[c] = chunk.length;
    plan.crc_c[c] = Bun.hash.crc32(chunk as Uint8Array<ArrayBuffer>) | 0;
    Atomics.store(turn, NEXT, c + 1);
    Atomics.notify(turn, NEXT);
    writeAt(plan.file, chunk, at);
  };
  return {
    run(c) {
      try {
        const first = c * chunkItems;
        const n = Math.min(chunkItems, from.n_i - first);
        samples.load(first, n, plan.model.steps !== null);
        write(c, encoder.encode(samples.amplitude, samples.phase, n));
      } catch (error) {
        Atomics.store(turn, FAILED, 1);
        Atomics.notify(turn, NEXT);
        throw error;
      }
    },
    result: () => encoder.errors,
    close: () => reader.close(),
  };
}

/** Samples that may be of several blocks, next to each other. */
export class SampleCopies {
  /** (l, m, p, b) */
  readonly amplitude: Float64Array;
  readonly phase: Float64Array;
  private readonly size: number;

  constructor(
    private readonly reader: BankReader,
    n: number,
  ) {
    const { n_m, n_b } = reader.bank;
    this.size = 2 * n_m * n_b;
    [this.amplitude, this.phase] = [0, 1].map(() => new Float64Array(n * this.size));
  }

  /**
   * Loads n samples from `first` on.
   * @throws DotpeError notFinite; badData for an amplitude below zero where there may be none.
   */
  load(first: number, n: number, mayRound: boolean): void {
    const { reader, size } = this;
    for (let i = first; i < first + n; ) {
      const end = Math.min(first + n, reader.blockEnd(i));
      reader.load(i, end);
      const count = (end - i) * size;
      this.amplitude.set(reader.amplitude.subarray(0, count), (i - first) * size);
      this.phase.set(reader.phase.subarray(0, count), (i - first) * size);
      i = end;
    }
    for (const values of [this.amplitude, this.phase]) {
      const at = firstNotFinite(values.subarray(0, n * size));
      if (at !== -1) throw this.refusal("notFinite", first, at, values[at], "a finite number");
    }
    const below = mayRound ? this.amplitude.subarray(0, n * size).findIndex((a) => a < 0) : -1;
    if (below !== -1)
      throw this.refusal("badData", first, below, this.amplitude[below], "amplitudes of at least 0");
  }

  private refusal(
    exit: "notFinite" | "badData",
    first: number,
    at: number,
    found: number,
    expected: string,
  ): DotpeError {
    const i = first + Math.floor(at / this.size);
    const { paths } = placeOf(this.reader.bank, i);
    return new DotpeError(
      exit,
      `${paths.join(" or ")}: bank sample ${i}: found ${found}, expected ${expected}`,
      exit === "notFinite"
        ? "Copy or make the bank again; `dotpe-hpc bank check` lists what is wrong."
        : "Pack it without --tolerance, which keeps every bit.",
    );
  }
}
