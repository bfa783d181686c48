/** Fuzzing Feather: files put together from parts, and the metadata of whole ones changed. */
import { DotpeError } from "../../src/errors.ts";
import { type FeatherTable, readFeather } from "../../src/io/feather.ts";
import { encodeFeather } from "../../src/io/feather-write.ts";
import featherFiles from "../fixtures/feather-files.json";
import { hostileArrow } from "./arrow-parts.ts";
import { fromBase64 } from "./bytes.ts";
import type { Format, Probe } from "./format.ts";
import { type Bytes, changeField, type Field, mutateBytes, type Range } from "./mutate.ts";
import type { Random } from "./random.ts";
import { ARROW_TOKENS } from "./tokens.ts";

/** Where the metadata of a file stand: its footer, and what comes before the bodies of the batches. */
function metadataOf(bytes: Bytes): Range[] {
  const view = new DataView(bytes.buffer);
  const end = Math.max(0, bytes.length - 10);
  const length = bytes.length < 18 ? 0 : Math.max(0, Math.min(view.getInt32(end, true), end));
  const ranges: Range[] = [
    [end - length, bytes.length],
    [end - length, bytes.length],
  ];
  // Every message begins with FFFFFFFF and its length.
  for (let at = 8; at + 8 <= end - length; at += 8) {
    if (view.getInt32(at, true) !== -1) continue;
    const n = view.getInt32(at + 4, true);
    if (n > 0 && n < 4096) ranges.push([at, Math.min(at + 8 + n, bytes.length)]);
  }
  return ranges;
}

function mutateFeather(random: Random, base: Bytes, other: Bytes): Bytes {
  const hot = metadataOf(base);
  if (random.chance(0.5)) return mutateBytes(random, base, { other, tokens: ARROW_TOKENS, hot });
  const bytes = base.slice();
  const fieldIn = ([from, to]: Range): Field => {
    const size = random.pick([2, 4, 4, 8] as const);
    return [from + random.below(Math.max(1, (to - from) / size)) * size, size];
  };
  for (let n = 1 + random.below(3); n > 0; n--) {
    changeField(random, bytes, fieldIn(random.pick(hot)), [fieldIn(random.pick(hot))]);
  }
  return bytes;
}

/** Every column, as numbers or as text. */
function readColumn(table: FeatherTable, name: string, probe: Probe): void {
  try {
    probe.holds(table.f64(name).byteLength);
  } catch (error) {
    if (!(error instanceof DotpeError) || !/expected numbers/.test(error.message)) throw error;
    probe.holds(table.strings(name).reduce((sum, text) => sum + 64 + 2 * text.length, 0));
  }
}

export const feather: Format = {
  name: "feather",
  extension: "feather",
  stages: ["metadata", "a column", "every column"],
  seeds: () => [
    ...Object.values(featherFiles.files).map(fromBase64),
    ...[featherFiles.nulls, featherFiles.nested, featherFiles.empty, featherFiles.repetitive.file].map(
      fromBase64,
    ),
    ...(["none", "lz4", "zstd"] as const).map((compression) =>
      encodeFeather(
        [
          { name: "x", type: "f64", data: Float64Array.from({ length: 50 }, (_, k) => k >> 3) },
          { name: "i", type: "i64", data: Int32Array.from({ length: 50 }, (_, k) => k >> 4) },
          { name: "id", type: "utf8", data: Array.from({ length: 50 }, (_, k) => `bank_${k >> 4}`) },
        ],
        { compression },
      ),
    ),
  ],
  make: (random, corpus) =>
    random.chance(0.5)
      ? hostileArrow(random)
      : mutateFeather(random, random.pick(corpus), random.pick(corpus)),
  read(path, probe) {
    const table = readFeather(path);
    probe.reach("metadata");
    let refused: unknown;
    for (const name of table.names) {
      try {
        readColumn(table, name, probe);
        probe.reach("a column");
      } catch (error) {
        // The others are read all the same.
        if (!(error instanceof DotpeError)) throw error;
        refused = error;
      }
    }
    if (refused !== undefined) throw refused;
    const uncounted = { ...probe, holds: () => {} };
    for (const piece of table.pieces(16)) for (const name of piece.names) readColumn(piece, name, uncounted);
    probe.reach("every column");
  },
};
