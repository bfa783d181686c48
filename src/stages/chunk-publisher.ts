/** From the rows of a chunk, marginalized over distance, to its sums and its bytes in the files. */
import { DotpeError } from "../errors.ts";
import type { Kernels } from "../kernels/table.ts";
import { BatchEncoder, type EncodedBatch } from "./chunk-batch.ts";
import { ChunkRows, ChunkSums, type PartSums } from "./chunk-rows.ts";
import type { Chunk, ChunkGrid } from "./chunks.ts";
import type { Items } from "./incoherent.ts";
import { type RowCuts, RowWriter, type WriterPlan } from "./row-files.ts";

export interface PublisherPlan extends WriterPlan {
  readonly grid: ChunkGrid;
  readonly items: Items;
  /** By item, and by extrinsic sample. */
  readonly logPriorWeights_j: Float64Array;
  readonly logPriorWeights_e: Float64Array;
  /** By bank: ln N_k, and name. */
  readonly lnTotal_k: readonly number[];
  readonly bankIds: readonly string[];
  readonly cuts: RowCuts | undefined;
}

/** One thread's publisher. */
export class ChunkPublisher {
  readonly writer: RowWriter;
  private readonly sums: ChunkSums;
  private readonly encoder = new BatchEncoder();
  /** Only where there are cuts: rows of the bank's file, of the merged one, of neither. */
  private readonly split = [new ChunkRows(), new ChunkRows(), new ChunkRows()] as const;
  private readonly mergedEncoder = new BatchEncoder();

  constructor(
    private readonly plan: PublisherPlan,
    kernels: Pick<Kernels, "partSums">,
  ) {
    this.writer = new RowWriter(plan);
    this.sums = new ChunkSums(kernels);
  }

  /**
   * Publishes chunk c; a thread's chunks come in rising order.
   * @param rows all but `lnPosterior`, which is written here
   * @throws DotpeError notFinite for a row that is not finite, cannotCreate.
   */
  publish(c: number, chunk: Chunk, rows: ChunkRows): void {
    if (this.plan.cuts === undefined) this.publishAll(c, chunk, rows);
    else this.publishSome(c, chunk, rows, this.plan.cuts);
  }

  private publishAll(c: number, chunk: Chunk, rows: ChunkRows): void {
    this.add(chunk, rows, this.plan.progress.kept);
    const batch = this.encoded(chunk, rows, this.encoder);
    this.writer.submit({ c, bank: chunk.bank, forBank: batch, forMerged: batch, pairs: this.sums.pairs });
  }

  private publishSome(c: number, chunk: Chunk, rows: ChunkRows, cuts: RowCuts): void {
    const { kept, merged, capped } = this.plan.progress;
    const [ours, theirs, others] = this.split;
    ChunkRows.split(rows, cuts.bank_k[chunk.bank], ours, others);
    if (capped !== undefined) this.add(chunk, others, capped);
    ChunkRows.split(ours, cuts.merged, theirs, others);
    this.add(chunk, theirs, merged);
    this.add(chunk, ours, kept);
    const forBank = this.encoded(chunk, ours, this.encoder);
    const forMerged = theirs.n === ours.n ? forBank : this.encoded(chunk, theirs, this.mergedEncoder);
    this.writer.submit({ c, bank: chunk.bank, forBank, forMerged, pairs: this.sums.pairs });
  }

  private add({ j0, span }: Chunk, rows: ChunkRows, sums: PartSums): void {
    const { grid, logPriorWeights_j, logPriorWeights_e } = this.plan;
    const partOf = (k: number) => (j0 + k) * grid.n_spans + span;
    const weightOf = (k: number) => logPriorWeights_j[j0 + k];
    if (!this.sums.add(rows, sums, partOf, weightOf, logPriorWeights_e)) this.refuse(j0, rows);
  }

  private refuse(j0: number, rows: ChunkRows): never {
    const { items, bankIds } = this.plan;
    const columns = { dh: rows.dh, hh: rows.hh, lnlMarginalized: rows.lnl };
    for (const [name, values] of Object.entries(columns)) {
      const r = values.subarray(0, rows.n).findIndex((value) => !Number.isFinite(value));
      if (r < 0) continue;
      const j = j0 + rows.ends.findIndex((end) => r < end);
      const place = `i ${items.i_j[j]}, e ${rows.e[r]}, o ${rows.o[r]}`;
      throw new DotpeError(
        "notFinite",
        `${bankIds[items.bank_j[j]]}: row (${place}): ${name}: found ${values[r]}, expected a finite number`,
        "Look at this bank sample's waveform and this extrinsic sample; leave the sample out of the bank.",
      );
    }
    throw new Error("a row is not finite, and none is found");
  }

  private encoded({ bank, j0, j1 }: Chunk, rows: ChunkRows, encoder: BatchEncoder): EncodedBatch | undefined {
    if (rows.n === 0) return undefined;
    const { items, bankIds, lnTotal_k } = this.plan;
    return encoder.encode(rows, items.i_j.subarray(j0, j1), bankIds[bank], lnTotal_k[bank]);
  }
}
