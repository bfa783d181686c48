/** What takes the sums over all rows: the weights in the files, and the rows that were drawn, read back from them. */
import { sampleDistance } from "../gw/distance.ts";
import { STREAMS, uniform } from "../gw/random.ts";
import { writeAt } from "../io/atomic-write.ts";
import { readInto } from "../io/input.ts";
import { sharedF64, sharedI32 } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import type { CoherentRows } from "./bank-posterior.ts";
import { BatchReader } from "./chunk-batch.ts";
import { chunkAt } from "./chunks.ts";
import { type ChunkPlace, placeOf, type RowFiles, type SharedFile } from "./row-files.ts";
import { type SampleRows, TABLE_COUNTER } from "./sample-table.ts";

/** What is needed to give rows their weights, and to read them. */
export interface WrittenRows extends Omit<CoherentRows, "files"> {
  readonly files: ReturnType<RowFiles["shared"]>;
  /** By bank: ln sum exp(ln_posterior) of its rows. */
  readonly lnSum_k: readonly number[];
  /** ln sum exp(ln_posterior - ln N_k) of the merged file's rows. */
  readonly lnMerged: number;
}

export interface FinishPlan extends WrittenRows {
  /** Picks firstPick_c[c] <= x < firstPick_c[c + 1] lie in chunk c: pick_x names them. */
  readonly firstPick_c: Int32Array;
  readonly pick_x: Int32Array;
  /** So many picks are draws; of the others only what the table shows is wanted. */
  readonly n_draws: number;
  /** By pick: the sum of the weights of its chunk's rows up to it, rising in a chunk. */
  readonly target: Float64Array;
  /** Of their distances. */
  readonly seed: number;
  /** Output, by pick. */
  readonly picked: SampleRows;
}

/** Room for n rows. */
export function sampleRows(n: number): SampleRows {
  return {
    ...{ bank: sharedI32(n), i: sharedI32(n), e: sharedI32(n), o: sharedI32(n) },
    ...{ lnl_marginalized: sharedF64(n), ln_posterior: sharedF64(n), bestfit_lnlike: sharedF64(n) },
    ...{ d_h_1Mpc: sharedF64(n), h_h_1Mpc: sharedF64(n), d_luminosity: sharedF64(n) },
  };
}

/** A task is a chunk. */
export function openFinish(plan: FinishPlan): TaskRunner<null> {
  const { grid, bank_j, progress, files, lnSum_k, lnTotal_k, lnMerged } = plan;
  const [forWeights, forBatch] = [new Room(), new Room()];
  return {
    run(c) {
      const { bank } = chunkAt(grid, bank_j, c);
      const [own, merged] = [placeOf(progress, c, "bank"), placeOf(progress, c, "merged")];
      writeWeights(files.banks[bank], own, lnSum_k[bank], forWeights);
      const weights = writeWeights(files.merged, merged, lnTotal_k[bank] + lnMerged, forWeights);
      if (plan.firstPick_c[c + 1] > plan.firstPick_c[c]) pickIn(plan, c, bank, weights, forBatch);
    },
    result: () => null,
  };
}

/** Memory that is used again for each chunk. */
class Room {
  private buffer = new ArrayBuffer(0);

  bytes(n: number): Uint8Array<ArrayBuffer> {
    if (this.buffer.byteLength < n) this.buffer = new ArrayBuffer(2 * n);
    return new Uint8Array(this.buffer, 0, n);
  }
}

/** weights = exp(ln_posterior - lnSum), written where the batch has left room for them; valid until `room` is used again. */
function writeWeights(file: SharedFile, place: ChunkPlace, lnSum: number, room: Room): Float64Array {
  const { n_rows, offset, metadataBytes, lnPosteriorAt, weightsAt } = place;
  const bytes = room.bytes(8 * n_rows);
  const values = new Float64Array(bytes.buffer, 0, n_rows);
  if (n_rows === 0) return values;
  readInto(file, bytes, offset + metadataBytes + lnPosteriorAt);
  for (let r = 0; r < n_rows; r++) values[r] = Math.exp(values[r] - lnSum);
  writeAt(file, bytes, offset + metadataBytes + weightsAt);
  return values;
}

/** The merged file's rows of a chunk, which has some; valid until `room` is used again. */
export function readChunk(
  { progress, files }: Pick<WrittenRows, "progress" | "files">,
  c: number,
  room = new Room(),
): BatchReader {
  const { offset, metadataBytes, bodyBytes } = placeOf(progress, c, "merged");
  const bytes = room.bytes(metadataBytes + bodyBytes);
  readInto(files.merged, bytes, offset);
  return new BatchReader(bytes, metadataBytes);
}

function pickIn(plan: FinishPlan, c: number, bank: number, weights: Float64Array, room: Room): void {
  const { firstPick_c, pick_x, target, seed, picked, n_draws } = plan;
  const batch = readChunk(plan, c, room);
  const picks = pick_x.subarray(firstPick_c[c], firstPick_c[c + 1]);
  const rows = rowsAt(weights, picks, target);
  for (const name of ["i", "e", "o"] as const) {
    const words = batch.words(name);
    picks.forEach((pick, x) => {
      picked[name][pick] = words[2 * rows[x]];
    });
  }
  const isTableOnly = picks.every((pick) => pick >= n_draws);
  for (const name of isTableOnly ? FOR_TABLE : FLOATS) {
    const values = batch.numbers(name);
    picks.forEach((pick, x) => {
      picked[name][pick] = values[rows[x]];
    });
  }
  const { d_h_1Mpc, h_h_1Mpc } = picked;
  for (const pick of picks) {
    picked.bank[pick] = bank;
    const counter = pick < n_draws ? pick : TABLE_COUNTER + pick - n_draws;
    const share = uniform(seed, STREAMS.distance, counter);
    picked.d_luminosity[pick] = sampleDistance(share, d_h_1Mpc[pick], h_h_1Mpc[pick]);
  }
}

/** The first row up to which the weights add up to more than the target of each pick; targets rise. */
function rowsAt(weights: Float64Array, picks: Int32Array, target: Float64Array): Int32Array {
  const last = weights.findLastIndex((weight) => weight > 0);
  let [row, sum] = [-1, 0];
  return picks.map((pick) => {
    while (row < last && !(sum > target[pick])) sum += weights[++row];
    return row;
  });
}

const FOR_TABLE = ["d_h_1Mpc", "h_h_1Mpc"] as const;
const FLOATS = [...FOR_TABLE, "lnl_marginalized", "ln_posterior", "bestfit_lnlike"] as const;
