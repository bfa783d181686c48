/** Arrow files with columns of every type, and any lie in their metadata: made from parts, so that buffers of all codecs are reached. */
import { compress } from "lz4js";
import { flatBuffer, int8, int16, int32, int64, type Slot } from "../../src/io/flatbuffer-write.ts";
import { bytesOf, joined } from "./bytes.ts";
import { type Bytes, mutateBytes } from "./mutate.ts";
import type { Random } from "./random.ts";

type Codec = "none" | "lz4" | "zstd";

interface MadeType {
  readonly code: number;
  readonly detail: readonly Slot[];
  /** The buffers of n rows. */
  buffers(random: Random, n: number): Uint8Array[];
}

const EMPTY = new Uint8Array(0);
const validity = (random: Random, n: number) =>
  random.chance(0.2) ? new Uint8Array(Math.ceil(n / 8)).fill(random.chance(0.9) ? 255 : 254) : EMPTY;

function plain(code: number, detail: readonly Slot[], bytesPerRow: number): MadeType {
  const values = (random: Random, n: number) => {
    const bytes = random.bytes(Math.ceil(n * bytesPerRow));
    // Integers of eight bytes are small ones.
    if (code === 2 && bytesPerRow === 8 && random.chance(0.9))
      for (let k = 0; k < n; k++) bytes.fill(0, 8 * k + 5, 8 * k + 8);
    return random.chance(0.2) ? bytes.fill(0) : bytes;
  };
  return { code, detail, buffers: (random, n) => [validity(random, n), values(random, n)] };
}

function text(code: number, offsetBytes: 4 | 8): MadeType {
  const buffers = (random: Random, n: number) => {
    const offsets = new DataView(new ArrayBuffer((n + 1) * offsetBytes));
    let at = 0;
    const characters = bytesOf("ab\u00e9\ud83d\ude00".repeat(random.below(8) + 1));
    for (let k = 0; k <= n; k++) {
      offsets.setUint32(k * offsetBytes, at, true);
      at = Math.min(at + random.below(3), characters.length);
      if (random.chance(0.003)) at = random.below(characters.length);
    }
    return [validity(random, n), new Uint8Array(offsets.buffer), characters];
  };
  return { code, detail: [], buffers };
}

const INTEGERS = [8, 16, 32, 64].flatMap((bits) =>
  [0, 1].map((signed) => plain(2, [int32(bits), int8(signed)], bits / 8)),
);
const TEXTS = [text(5, 4), text(20, 8)];
const TYPES: readonly MadeType[] = [
  ...[...INTEGERS, ...TEXTS, ...TEXTS],
  ...[plain(3, [int16(2)], 8), plain(3, [int16(2)], 8), plain(3, [int16(1)], 4), plain(3, [int16(0)], 2)],
  ...[plain(6, [], 1 / 8), plain(8, [int16(0)], 4), plain(10, [int16(2)], 8)],
  { code: 1, detail: [], buffers: () => [] },
];

interface Column {
  readonly name: string;
  readonly type: MadeType;
  /** Of text by number. */
  readonly dictionary?: number;
}

/** A message before its body: its length, padded so that the body begins at a multiple of 8. */
function framed(message: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(8));
  head.setInt32(0, -1, true);
  head.setInt32(4, message.length, true);
  return joined(new Uint8Array(head.buffer), message);
}

/** Mostly itself. */
function lie(random: Random, value: number): number {
  if (!random.chance(0.004)) return value;
  return random.pick([
    -1,
    0,
    1,
    value + 1,
    value - 1,
    8 * value,
    2 ** 28,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 40,
    2 ** 53,
  ]);
}

/** One buffer in the body, behind its length if the batch is compressed. */
function packedBuffer(random: Random, raw: Uint8Array, codec: Codec): Uint8Array {
  let bytes = raw;
  if (random.chance(0.03)) bytes = mutateBytes(random, raw);
  if (codec === "none" || bytes.length === 0) return bytes;
  const prefix = new DataView(new ArrayBuffer(8));
  const isPlain = random.chance(0.1);
  prefix.setBigInt64(
    0,
    BigInt(isPlain ? -1 : lie(random, random.chance(0.98) ? bytes.length : raw.length)),
    true,
  );
  let packed = bytes;
  if (!isPlain) packed = codec === "zstd" ? zstd(random, bytes) : Uint8Array.from(compress(bytes as Bytes));
  if (random.chance(0.04)) packed = mutateBytes(random, packed);
  return joined(new Uint8Array(prefix.buffer), packed);
}

function zstd(random: Random, bytes: Uint8Array): Uint8Array {
  return Bun.zstdCompressSync(bytes as Bytes, { level: random.pick([1, 3, 12]) });
}

/** The table of a record batch, and its body. */
function batch(random: Random, columns: readonly MadeType[], n_rows: number, codec: Codec) {
  const nodes: number[] = [];
  const spans: number[] = [];
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const type of columns) {
    const buffers = type.buffers(random, n_rows);
    const n_null = buffers[0]?.length ? random.below(2) : 0;
    nodes.push(lie(random, n_rows), lie(random, n_null));
    for (const raw of buffers) {
      const bytes = packedBuffer(random, raw, codec);
      spans.push(lie(random, random.chance(0.005) ? random.below(at + 1) : at), lie(random, bytes.length));
      const padded = new Uint8Array(Math.ceil(bytes.length / 8) * 8);
      padded.set(bytes);
      parts.push(padded);
      at += padded.length;
    }
  }
  const compression: Slot =
    codec === "none" ? undefined : { table: [int8(lie(random, codec === "lz4" ? 0 : 1)), int8(0)] };
  const table: Slot[] = [
    int64(lie(random, n_rows)),
    { words: Float64Array.from(nodes), n: lie(random, columns.length) },
    { words: Float64Array.from(spans), n: lie(random, spans.length / 2) },
    compression,
  ];
  return { table, body: joined(...parts) };
}

function schemaTable(random: Random, columns: readonly Column[]): readonly Slot[] {
  const fields = columns.map(({ name, type, dictionary }): readonly Slot[] => {
    const index = random.pick(INTEGERS);
    const encoding: Slot =
      dictionary === undefined
        ? undefined
        : {
            table: [int64(lie(random, dictionary)), random.chance(0.5) ? undefined : { table: index.detail }],
          };
    return [
      { text: name },
      int8(1),
      int8(lie(random, type.code)),
      { table: type.detail },
      encoding,
      { tables: [] },
    ];
  });
  return [random.chance(0.01) ? int16(1) : undefined, { tables: fields }];
}

/** A file of a few columns, batches and dictionaries: right but for a lie here and there. */
export function hostileArrow(random: Random): Bytes {
  const columns = Array.from({ length: 1 + random.below(4) }, (_, k): Column => {
    const name = random.chance(0.02) ? random.pick(["c0", "__proto__", "../../x", ""]) : `c${k}`;
    return random.chance(0.2)
      ? { name, type: random.pick(TEXTS), dictionary: k }
      : { name, type: random.pick(TYPES) };
  });
  const codec = random.pick(["none", "lz4", "zstd"] as const);
  const chunks: Uint8Array[] = [bytesOf("ARROW1\0\0")];
  let offset = 8;
  const blocksOf = (messages: readonly { header: number; table: readonly Slot[]; body: Uint8Array }[]) => {
    const words = messages.flatMap(({ header, table, body }) => {
      const message = framed(
        flatBuffer([int16(4), int8(lie(random, header)), { table }, int64(body.length)]),
      );
      const block = [lie(random, offset), lie(random, message.length), lie(random, body.length)];
      if (random.chance(0.005)) block[0] = 8 + random.below(offset);
      chunks.push(message, body);
      offset += message.length + body.length;
      return block;
    });
    return { words: Float64Array.from(words), n: words.length / 3 };
  };
  const categories = columns.flatMap(({ type, dictionary }) => {
    if (dictionary === undefined) return [];
    return Array.from({ length: 1 + random.below(2) }, () => {
      const { table, body } = batch(random, [type], 200, codec);
      return { header: 2, table: [int64(dictionary), { table }] as const, body };
    });
  });
  const dictionaries = blocksOf(categories);
  // Of a column by number, the numbers are bytes here: 32 bits where the schema does not say.
  const stored = columns.map(({ type, dictionary }) => (dictionary === undefined ? type : INDEX));
  const records = blocksOf(
    Array.from({ length: random.below(4) }, () => ({
      header: 3,
      ...batch(
        random,
        stored,
        random.below(20),
        random.chance(0.97) ? codec : random.pick(["none", "zstd"] as const),
      ),
    })),
  );
  const footer = flatBuffer([int16(4), { table: schemaTable(random, columns) }, dictionaries, records]);
  const size = new Uint8Array(4);
  new DataView(size.buffer).setInt32(0, lie(random, footer.length), true);
  return joined(...chunks, footer, size, bytesOf("ARROW1"));
}

/** Numbers below 128 in each byte, so that they are in a dictionary of 200 if they are read as bytes; zeros otherwise. */
const INDEX: MadeType = {
  code: 2,
  detail: [],
  buffers: (random, n) => {
    const bytes = new Uint8Array(8 * n);
    if (random.chance(0.7)) for (let k = 0; k < n; k++) bytes[k] = random.below(110);
    return [validity(random, n), bytes];
  },
};
