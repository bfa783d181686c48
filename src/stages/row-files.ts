/**
 * The files of the rows while they are written: which chunks are done, where their bytes are, and what has been summed so far
 * stand in `RowProgress` and nowhere else. Chunks are written in their order, whichever thread makes them: a chunk's turn comes
 * when all before it are written, and what must be added up in order (places in the files, shares of the extrinsic samples)
 * is added in the turn.
 */
import { type BatchPlace, fileHead, fileTail } from "../io/arrow-message.ts";
import { PartFile, writeAt } from "../io/atomic-write.ts";
import type { FileSet } from "../io/file-set.ts";
import { readInto } from "../io/input.ts";
import { sharedF64, sharedI32 } from "../workers/arena.ts";
import { BANK_COLUMNS, type EncodedBatch, MERGED_COLUMNS } from "./chunk-batch.ts";
import { type ChunkPairs, N_Q, type PartSums } from "./chunk-rows.ts";
import { type ChunkGrid, chunkAt } from "./chunks.ts";

/** Where a file of another thread of this process is written. */
export type SharedFile = Pick<PartFile, "fd" | "path">;

/** Numbers of a `ChunkPlace`. */
export const N_P = 7;

/** Everything that a pass over the chunks leaves; all on shared memory. */
export interface RowProgress {
  /** [chunks written, why the pass was given up, whether a chunk is just being counted]. With Atomics. */
  readonly turn: Int32Array;
  /** Bytes and rows so far: of the merged file, then of each bank's. In the turn. */
  readonly bytes_f: Float64Array;
  readonly rows_f: Float64Array;
  /** Places of chunks in the bank's file and in the merged one: `placeOf`. In the turn. */
  readonly places: Float64Array;
  /** sum over rows of exp(ln_posterior - shareScale_k), (k, e). In the turn. */
  readonly share_ke: Float64Array;
  readonly shareScale_k: Float64Array;
  /** Of the rows of the banks; of those in the merged file where that has fewer; of those beyond the banks' limits. By part. */
  readonly kept: PartSums;
  readonly merged: PartSums;
  readonly capped: PartSums | undefined;
  /** ln sum exp(ln_posterior) of the probes below the threshold, by part. */
  readonly probes_p: Float64Array;
}

export const WRITTEN = 0;
export const GIVEN_UP = 1;
const COUNTING = 2;
/** Why a pass was given up: a task failed, there are more rows than wanted, a row is better than the best. */
export const FAILED = 1;
export const TOO_MANY = 2;
export const BETTER = 3;

/** Which rows go into the files, of those above the threshold. */
export interface RowCuts {
  /** By bank: into its own file; into the merged one only those above `merged` too. */
  readonly bank_k: readonly number[];
  readonly merged: number;
}

export function rowProgress(
  grid: ChunkGrid,
  n_j: number,
  n_k: number,
  cuts: RowCuts | undefined,
): RowProgress {
  const n_p = n_j * grid.n_spans;
  const kept = sharedF64(n_p * N_Q);
  return {
    turn: sharedI32(3),
    bytes_f: sharedF64(1 + n_k),
    rows_f: sharedF64(1 + n_k),
    places: sharedF64(grid.n_chunks * 2 * N_P),
    share_ke: sharedF64(n_k * grid.n_e),
    shareScale_k: sharedF64(n_k).fill(-Infinity),
    kept,
    merged: cuts === undefined ? kept : sharedF64(n_p * N_Q),
    capped: cuts === undefined ? undefined : sharedF64(n_p * N_Q),
    probes_p: sharedF64(n_p),
  };
}

/** Where a chunk stands in a file, and where in its body two columns do. */
export interface ChunkPlace extends BatchPlace {
  readonly n_rows: number;
  readonly lnPosteriorAt: number;
  readonly weightsAt: number;
  /** Of its bytes, the weights taken as zeros. */
  readonly checksum: number;
}

export type WhichFile = "bank" | "merged";

export function placeOf({ places }: Pick<RowProgress, "places">, c: number, file: WhichFile): ChunkPlace {
  const at = (2 * c + (file === "bank" ? 0 : 1)) * N_P;
  const [n_rows, offset, metadataBytes, bodyBytes, lnPosteriorAt, weightsAt, checksum] = places.subarray(
    at,
    at + N_P,
  );
  return { n_rows, offset, metadataBytes, bodyBytes, lnPosteriorAt, weightsAt, checksum };
}

/** 52 bits of XXH3. */
function checksumOf(metadata: Uint8Array, body: Uint8Array): number {
  return Number(BigInt.asUintN(52, Bun.hash.xxHash3(body, Bun.hash.xxHash3(metadata))));
}

/** Whether what is counted is whole: no chunk is half counted by a thread that hangs. */
export function isWhole({ turn }: RowProgress): boolean {
  return Atomics.load(turn, COUNTING) === 0;
}

/** Tells the part files of rows, which outlive a process, from others. */
export const ROWS_TAG = "rows";

/** The part files of one run. */
export class RowFiles {
  private constructor(
    readonly merged: PartFile,
    readonly banks: readonly PartFile[],
  ) {}

  /** New files, or those that an earlier process has left. @throws DotpeError cannotCreate. */
  static open(paths: { readonly merged: string; readonly banks: readonly string[] }): RowFiles {
    const made: PartFile[] = [];
    try {
      for (const path of [paths.merged, ...paths.banks]) made.push(PartFile.takeBack(path, ROWS_TAG));
    } catch (error) {
      // They may be an earlier process'.
      for (const file of made) file.close();
      throw error;
    }
    return new RowFiles(made[0], made.slice(1));
  }

  /** Empties the files and begins them. */
  begin(progress: RowProgress): void {
    this.all.forEach((file, f) => {
      const head = headOf(f);
      file.truncate(0);
      writeAt(file, head, 0);
      progress.bytes_f[f] = head.length;
    });
  }

  private get all(): readonly PartFile[] {
    return [this.merged, ...this.banks];
  }

  /**
   * Takes the files as they were when this progress was saved: what was written after is cut off.
   * @returns whether they hold every chunk that is counted
   */
  takeUp(progress: RowProgress, grid: ChunkGrid, bank_j: Int32Array): boolean {
    const { turn, bytes_f } = progress;
    if (this.all.some((file, f) => file.size() < bytes_f[f] || !holdsHead(file, f))) return false;
    this.all.forEach((file, f) => {
      file.truncate(bytes_f[f]);
    });
    for (let c = 0; c < turn[WRITTEN]; c++) {
      const own = this.banks[chunkAt(grid, bank_j, c).bank];
      if (!holds(own, placeOf(progress, c, "bank")) || !holds(this.merged, placeOf(progress, c, "merged")))
        return false;
    }
    return true;
  }

  /** Waits until what is written is on the disk. @throws DotpeError cannotCreate. */
  async sync(): Promise<void> {
    await Promise.all(this.all.map((file) => file.sync()));
  }

  /** Closes the files, which stay. */
  close(): void {
    for (const file of this.all) file.close();
  }

  /** For plans. */
  shared(): { readonly merged: SharedFile; readonly banks: readonly SharedFile[] } {
    const of = ({ fd, path }: PartFile): SharedFile => ({ fd, path });
    return { merged: of(this.merged), banks: this.banks.map(of) };
  }

  /**
   * Ends the files and leaves them to a set.
   * @returns them, still open
   * @throws DotpeError cannotCreate.
   */
  complete(progress: RowProgress, grid: ChunkGrid, bank_j: Int32Array, set: FileSet) {
    const places: ChunkPlace[][] = [[], ...this.banks.map(() => [])];
    for (let c = 0; c < grid.n_chunks; c++) {
      places[0].push(placeOf(progress, c, "merged"));
      places[1 + chunkAt(grid, bank_j, c).bank].push(placeOf(progress, c, "bank"));
    }
    return this.all.map((file, f) => {
      const batches = places[f].filter(({ n_rows }) => n_rows > 0);
      const tail = fileTail(f === 0 ? MERGED_COLUMNS : BANK_COLUMNS, batches);
      writeAt(file, tail, progress.bytes_f[f]);
      const bytes = progress.bytes_f[f] + tail.length;
      set.add(file, bytes);
      return { path: file.path, fd: file.fd, bytes };
    });
  }

  discard(): void {
    for (const file of this.all) file.discard();
  }
}

/** What stands in a file before its first chunk: in the merged one (f = 0), or in that of a bank. */
export function headOf(f: number): Uint8Array<ArrayBuffer> {
  return fileHead(f === 0 ? MERGED_COLUMNS : BANK_COLUMNS);
}

type ReadFile = Pick<PartFile, "fd" | "path">;

export function holdsHead(file: ReadFile, f: number): boolean {
  const head = headOf(f);
  const bytes = new Uint8Array(head.length);
  return canRead(file, bytes, 0) && Buffer.compare(bytes, head) === 0;
}

/** Whether a chunk stands where it was counted, as it was written. */
export function holds(file: ReadFile, place: ChunkPlace): boolean {
  const { n_rows, offset, metadataBytes, bodyBytes, weightsAt, checksum } = place;
  if (n_rows === 0) return true;
  const bytes = new Uint8Array(metadataBytes + bodyBytes);
  if (!canRead(file, bytes, offset)) return false;
  const [metadata, body] = [bytes.subarray(0, metadataBytes), bytes.subarray(metadataBytes)];
  body.fill(0, weightsAt, weightsAt + 8 * n_rows);
  return checksumOf(metadata, body) === checksum;
}

function canRead(file: ReadFile, bytes: Uint8Array, offset: number): boolean {
  try {
    readInto(file, bytes, offset);
    return true;
  } catch {
    return false;
  }
}

/** What a chunk has for the files, ready for its turn. */
interface Ready {
  readonly c: number;
  readonly bank: number;
  readonly forBank: EncodedBatch | undefined;
  readonly forMerged: EncodedBatch | undefined;
  readonly pairs: ChunkPairs;
}

/** Chunks, and bytes of them, that a thread keeps until their turn comes, before it waits. */
const MOST_WAITING = 4;
const MOST_WAITING_BYTES = 2 ** 23;
/** How often a waiting thread looks whether the pass was given up (ms). */
const LOOK = 100;

export interface WriterPlan {
  readonly progress: RowProgress;
  readonly files: ReturnType<RowFiles["shared"]>;
  readonly n_e: number;
  /** The pass is given up when a file has more rows. */
  readonly sizeLimit: number;
}

/** One thread's access to the files. */
export class RowWriter {
  private readonly waiting: Ready[] = [];

  constructor(private readonly plan: WriterPlan) {}

  isGivenUp(): boolean {
    return Atomics.load(this.plan.progress.turn, GIVEN_UP) !== 0;
  }

  giveUp(reason: number): void {
    const { turn } = this.plan.progress;
    Atomics.compareExchange(turn, GIVEN_UP, 0, reason);
    Atomics.notify(turn, WRITTEN);
  }

  /** Writes a chunk if its turn has come, else keeps a copy. Chunks come in rising order. */
  submit(ready: Ready): void {
    const { turn } = this.plan.progress;
    this.writeWaiting();
    if (Atomics.load(turn, WRITTEN) === ready.c) this.write(ready);
    else {
      const { forBank, forMerged, pairs } = ready;
      const copy = copied(forBank);
      this.waiting.push({
        ...ready,
        ...{ forBank: copy, forMerged: forMerged === forBank ? copy : copied(forMerged) },
        pairs: {
          ...pairs,
          e: pairs.e.slice(0, pairs.ends.at(-1)),
          sum: pairs.sum.slice(0, pairs.ends.at(-1)),
        },
      });
      while (this.isFull()) this.waitForFirst();
    }
    this.writeWaiting();
  }

  private isFull(): boolean {
    const bytes = this.waiting.reduce((sum, { forMerged }) => sum + (forMerged?.body.length ?? 0), 0);
    return !this.isGivenUp() && (this.waiting.length > MOST_WAITING || bytes > MOST_WAITING_BYTES);
  }

  /** Writes all that is still waiting. */
  finish(): void {
    while (this.waiting.length > 0 && !this.isGivenUp()) this.waitForFirst();
  }

  private waitForFirst(): void {
    const { turn } = this.plan.progress;
    const written = Atomics.load(turn, WRITTEN);
    if (written < this.waiting[0].c) Atomics.wait(turn, WRITTEN, written, LOOK);
    this.writeWaiting();
  }

  private writeWaiting(): void {
    const { turn } = this.plan.progress;
    while (this.waiting.length > 0 && Atomics.load(turn, WRITTEN) === this.waiting[0].c)
      this.write(this.waiting.shift() as Ready);
  }

  /** First the bytes, which may fail; then, which cannot, what is counted. */
  private write({ c, bank, forBank, forMerged, pairs }: Ready): void {
    if (this.isGivenUp()) return;
    const { progress, files, sizeLimit } = this.plan;
    const own = forBank && batchOf(forBank, forBank.bankMetadata, forBank.bankBytes);
    const merged = forMerged && batchOf(forMerged, forMerged.mergedMetadata, forMerged.body.length);
    if (own !== undefined) this.put(files.banks[bank], 1 + bank, own);
    if (merged !== undefined) this.put(files.merged, 0, merged);
    Atomics.store(progress.turn, COUNTING, 1);
    if (own !== undefined) {
      this.count(2 * c, 1 + bank, own);
      this.addShares(bank, pairs);
    }
    if (merged !== undefined) this.count(2 * c + 1, 0, merged);
    if (Math.max(progress.rows_f[0], progress.rows_f[1 + bank]) > sizeLimit) this.giveUp(TOO_MANY);
    Atomics.store(progress.turn, WRITTEN, c + 1);
    Atomics.store(progress.turn, COUNTING, 0);
    Atomics.notify(progress.turn, WRITTEN);
  }

  private put(file: SharedFile, f: number, { metadata, body }: Batch): void {
    const offset = this.plan.progress.bytes_f[f];
    writeAt(file, metadata, offset);
    writeAt(file, body, offset + metadata.length);
  }

  private count(place: number, f: number, { batch, metadata, body }: Batch): void {
    const { bytes_f, rows_f, places } = this.plan.progress;
    const { n_rows, lnPosteriorAt, weightsAt } = batch;
    const lengths = [metadata.length, body.length] as const;
    const checksum = checksumOf(metadata, body);
    places.set([n_rows, bytes_f[f], ...lengths, lnPosteriorAt, weightsAt, checksum], place * N_P);
    bytes_f[f] += metadata.length + body.length;
    rows_f[f] += n_rows;
  }

  private addShares(bank: number, { scales, ends, e, sum }: ChunkPairs): void {
    const { n_e, progress } = this.plan;
    const share_e = progress.share_ke.subarray(bank * n_e, (bank + 1) * n_e);
    let start = 0;
    scales.forEach((scale, k) => {
      const before = progress.shareScale_k[bank];
      if (scale > before) {
        const factor = Math.exp(before - scale);
        for (let x = 0; x < n_e; x++) share_e[x] *= factor;
        progress.shareScale_k[bank] = scale;
      }
      const factor = Math.exp(scale - progress.shareScale_k[bank]);
      for (let x = start; x < ends[k]; x++) share_e[e[x]] += factor * sum[x];
      start = ends[k];
    });
  }
}

/** What one file gets of a chunk. */
interface Batch {
  readonly batch: EncodedBatch;
  readonly metadata: Uint8Array;
  readonly body: Uint8Array;
}

function batchOf(batch: EncodedBatch, metadata: Uint8Array, bodyBytes: number): Batch {
  return { batch, metadata, body: batch.body.subarray(0, bodyBytes) };
}

function copied(batch: EncodedBatch | undefined): EncodedBatch | undefined {
  return batch && { ...batch, body: batch.body.slice() };
}
