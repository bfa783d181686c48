/**
 * A chunk as a record batch. The file of all banks has the columns of a bank's own file and two more, so that the body of the
 * one begins with the body of the other. ln_posterior and weights are not compressed: the weights, which take the sum over all
 * rows, are filled in when it is known.
 */
import type { ColumnKind, ColumnSchema } from "../io/arrow-message.ts";
import { BatchBody } from "../io/feather-write.ts";
import { FlatTable, readInt64 } from "../io/flatbuffer.ts";
import type { ChunkRows } from "./chunk-rows.ts";

const BANK_SCHEMA = [
  { name: "i", type: "i64" },
  { name: "e", type: "i64" },
  { name: "o", type: "i64" },
  { name: "lnl_marginalized", type: "f64" },
  { name: "ln_posterior", type: "f64" },
  { name: "bestfit_lnlike", type: "f64" },
  { name: "d_h_1Mpc", type: "f64" },
  { name: "h_h_1Mpc", type: "f64" },
  { name: "weights", type: "f64" },
] as const satisfies readonly ColumnSchema[];

/** Columns of banks/bank_N/prob_samples.feather, and of prob_samples.feather. */
export const BANK_COLUMNS: readonly ColumnSchema[] = BANK_SCHEMA;
export const MERGED_COLUMNS: readonly ColumnSchema[] = [
  ...BANK_SCHEMA,
  { name: "bank_id", type: "utf8" },
  { name: "ln_weight_unnormalized", type: "f64" },
];
const kindsOf = (columns: readonly ColumnSchema[]): ColumnKind[] => columns.map(({ type }) => type);
const [BANK_KINDS, MERGED_KINDS] = [kindsOf(BANK_COLUMNS), kindsOf(MERGED_COLUMNS)];

/** An encoded batch; its arrays are valid until the next is encoded. */
export interface EncodedBatch {
  readonly n_rows: number;
  readonly mergedMetadata: Uint8Array;
  readonly bankMetadata: Uint8Array;
  /** Of the merged file; the first `bankBytes` are those of the bank's. */
  readonly body: Uint8Array;
  readonly bankBytes: number;
  /** Where the values of these columns begin in either body. */
  readonly lnPosteriorAt: number;
  readonly weightsAt: number;
}

/** In front of a buffer: its length, or -1 where it is not compressed. */
const PREFIX_BYTES = 8;

export class BatchEncoder {
  private readonly body = new BatchBody("zstd");
  private words = new Int32Array(0);
  private numbers = new Float64Array(0);

  /** @param i_k bank index of the chunk's k-th part @param lnTotal ln N_k of the bank */
  encode(rows: ChunkRows, i_k: ArrayLike<number>, bankId: string, lnTotal: number): EncodedBatch {
    const { body } = this;
    const { n } = rows;
    if (this.numbers.length < n + 1) {
      this.words = new Int32Array(2 * (rows.e.length + 1));
      this.numbers = new Float64Array(rows.e.length + 1);
    }
    body.start();
    body.addNumbers(this.itemColumn(rows.ends, i_k));
    body.addNumbers(this.integers(rows.e, n));
    body.addNumbers(this.integers(rows.o, n));
    body.addNumbers(bytesOf(rows.lnl, n));
    const lnPosteriorAt = body.addPlain(bytesOf(rows.lnPosterior, n));
    body.addNumbers(bytesOf(rows.bestfit, n));
    body.addNumbers(bytesOf(rows.dh, n));
    body.addNumbers(bytesOf(rows.hh, n));
    const weightsAt = body.addPlain(bytesOf(this.words.fill(0, 0, 2 * n), 2 * n));
    const bankBytes = body.length;
    const id = new TextEncoder().encode(bankId);
    body.addText(this.offsets(n, id.length), repeated(id, n));
    body.addNumbers(this.shifted(rows.lnPosterior, n, lnTotal));
    return {
      n_rows: n,
      mergedMetadata: body.metadata(MERGED_KINDS, n),
      bankMetadata: body.metadata(BANK_KINDS, n, bankBytes),
      body: body.bytes(),
      ...{ bankBytes, lnPosteriorAt, weightsAt },
    };
  }

  private itemColumn(ends: readonly number[], i_k: ArrayLike<number>): Uint8Array {
    let r = 0;
    ends.forEach((end, k) => {
      for (; r < end; r++) {
        this.words[2 * r] = i_k[k];
        this.words[2 * r + 1] = 0;
      }
    });
    return bytesOf(this.words, 2 * r);
  }

  /** As 64-bit integers; none is negative. */
  private integers(values: Int32Array, n: number): Uint8Array {
    const { words } = this;
    for (let r = 0; r < n; r++) {
      words[2 * r] = values[r];
      words[2 * r + 1] = 0;
    }
    return bytesOf(words, 2 * n);
  }

  private offsets(n: number, step: number): Uint8Array {
    const { words } = this;
    for (let r = 0; r <= n; r++) {
      words[2 * r] = r * step;
      words[2 * r + 1] = 0;
    }
    return bytesOf(words, 2 * (n + 1));
  }

  private shifted(values: Float64Array, n: number, by: number): Uint8Array {
    const { numbers } = this;
    for (let r = 0; r < n; r++) numbers[r] = values[r] - by;
    return bytesOf(numbers, n);
  }
}

function bytesOf(values: Int32Array | Float64Array, n: number): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, n * values.BYTES_PER_ELEMENT);
}

function repeated(id: Uint8Array, n: number): Uint8Array {
  const out = new Uint8Array(id.length * n);
  for (let r = 0; r < n; r++) out.set(id, r * id.length);
  return out;
}

type ColumnName = (typeof BANK_SCHEMA)[number]["name"];

/** Columns of a batch that `BatchEncoder` made, decoded when they are asked for. */
export class BatchReader {
  /** (offset, length) of each, 64-bit integers. */
  private readonly buffers: DataView;
  private readonly body: Uint8Array;

  constructor(bytes: Uint8Array, metadataBytes: number) {
    const header = FlatTable.root(bytes.subarray(8, metadataBytes)).table(2);
    if (header === null) throw new Error("a batch has no header");
    this.buffers = header.structs(2, 16);
    this.body = bytes.subarray(metadataBytes);
  }

  numbers(name: Exclude<ColumnName, "i" | "e" | "o">): Float64Array {
    const { buffer, byteOffset, length } = this.unpacked(name);
    return new Float64Array(buffer, byteOffset, length / 8);
  }

  /** 64-bit integers; the low halves, which are all there is, stand at even places. */
  words(name: "i" | "e" | "o"): Int32Array {
    const { buffer, byteOffset, length } = this.unpacked(name);
    return new Int32Array(buffer, byteOffset, length / 4);
  }

  /** At an offset that is a multiple of 8. */
  private unpacked(name: ColumnName): Uint8Array {
    const at = 16 * (2 * BANK_SCHEMA.findIndex((one) => one.name === name) + 1);
    const start = readInt64(this.buffers, at);
    const packed = this.body.subarray(start + PREFIX_BYTES, start + readInt64(this.buffers, at + 8));
    const prefix = new DataView(this.body.buffer, this.body.byteOffset + start, PREFIX_BYTES);
    const isPlain = readInt64(prefix, 0) === -1;
    const bytes = isPlain ? packed : Bun.zstdDecompressSync(packed as Uint8Array<ArrayBuffer>);
    return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  }
}
