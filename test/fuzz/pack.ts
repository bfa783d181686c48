/** Fuzzing packed waveforms: chunks, model, index and header changed under right checksums, and any byte. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packBank } from "../../src/banks/pack/pack.ts";
import { type BankConfig, readBankConfig } from "../../src/gw/bank-config.ts";
import { ChunkReader, CLASSES_OF_FRAME } from "../../src/gw/pack-chunk.ts";
import { END_MAGIC, encodeIndex, MAGIC, openPack } from "../../src/gw/pack-file.ts";
import { withInput } from "../../src/io/input.ts";
import { LANES } from "../../src/kernels/pack-table.ts";
import { type Kernels, loadKernels } from "../../src/kernels/table.ts";
import { SILENT_REPORTER } from "../../src/report/reporter.ts";
import { smoothBank, writeMadeBank } from "../made-bank.ts";
import { bytesOf, joined, textOf } from "./bytes.ts";
import type { Format } from "./format.ts";
import { mutateJson } from "./json.ts";
import { type Bytes, changeField, type Field, mutateBytes, mutateDoubles } from "./mutate.ts";
import type { Random } from "./random.ts";

const N_SAMPLES = 70;
const MODES = [2, 1];
const N_BINS = 12;
const TRAILER = 16;

interface Parts {
  chunks: Bytes[];
  model: Bytes;
  header: Record<string, unknown>;
}

/** The parts of a file that is whole; undefined of another. */
function partsOf(bytes: Bytes): Parts | undefined {
  try {
    const view = new DataView(bytes.buffer);
    const end = bytes.length - TRAILER - view.getUint32(bytes.length - TRAILER, true);
    const header = JSON.parse(textOf(bytes.subarray(end, bytes.length - TRAILER)));
    const n_chunks = Math.min(Math.ceil(header.samples / header.chunkSamples), 100);
    const index = end - 8 * n_chunks;
    let at = MAGIC.length;
    const chunks = Array.from({ length: n_chunks }, (_, c) => {
      const start = at;
      at += view.getUint32(index + 8 * c, true);
      return bytes.slice(start, at);
    });
    return { chunks, model: bytes.slice(index - header.model.bytes, index), header };
  } catch {
    return undefined;
  }
}

/** @param json in place of the header's own text @param lengths in place of the chunks' own */
function assembled(
  { chunks, model, header }: Parts,
  changes: { json?: Bytes; lengths?: number[] } = {},
): Bytes {
  const crcs = chunks.map((chunk) => Bun.hash.crc32(chunk) | 0);
  const index = encodeIndex(changes.lengths ?? chunks.map(({ length }) => length), crcs);
  const json =
    changes.json ??
    bytesOf(
      JSON.stringify({
        ...header,
        model: { bytes: model.length, crc: Bun.hash.crc32(model) },
        indexCrc: Bun.hash.crc32(index as Bytes),
      }),
    );
  const trailer = new DataView(new ArrayBuffer(8));
  trailer.setUint32(0, json.length, true);
  trailer.setUint32(4, Bun.hash.crc32(json), true);
  return joined(MAGIC, ...chunks, model, index, json, new Uint8Array(trailer.buffer), END_MAGIC);
}

/** Other content in a zstd frame, mostly of the same length. */
function changedFrame(random: Random, frame: Uint8Array, change: (content: Bytes) => Bytes): Bytes {
  if (frame.length === 0) return Uint8Array.from(frame);
  const content = Uint8Array.from(Bun.zstdDecompressSync(frame as Bytes));
  const changed = change(content);
  const same = new Uint8Array(content.length);
  same.set(changed.subarray(0, same.length));
  return Uint8Array.from(Bun.zstdCompressSync(random.chance(0.9) ? same : changed));
}

/** One chunk with other counts, digits or streams. */
function changedChunk(random: Random, chunk: Bytes, groups: number, isExact: boolean): Bytes {
  const n_frames = isExact ? 1 : CLASSES_OF_FRAME.length + 1;
  const n_numbers = groups + 1 + n_frames;
  const numbers = new Int32Array(chunk.slice(0, 4 * n_numbers).buffer);
  const plainAt = 4 * n_numbers;
  const framesAt = plainAt + numbers[groups];
  let plain = chunk.slice(plainAt, framesAt);
  let at = framesAt;
  const frames = Array.from({ length: n_frames }, (_, k) => {
    const start = at;
    at += numbers[groups + 1 + k];
    return chunk.slice(start, at);
  });
  const how = random.below(10);
  if (how === 0) return mutateBytes(random, chunk);
  if (how <= 3 && plain.length > 0) {
    const changed = mutateBytes(random, plain);
    plain = new Uint8Array(plain.length);
    plain.set(changed.subarray(0, plain.length));
  }
  if (how >= 2 && how <= 8) {
    const k = random.below(n_frames);
    frames[k] = changedFrame(random, frames[k], (content) =>
      random.chance(0.1) ? content.fill(random.word()) : mutateBytes(random, content),
    );
  }
  frames.forEach((frame, k) => {
    numbers[groups + 1 + k] = frame.length;
  });
  const out = joined(new Uint8Array(numbers.buffer), plain, ...frames);
  const field = (): Field => [4 * random.below(n_numbers), 4];
  if (how >= 8) changeField(random, out, field(), [field()]);
  return out;
}

/** The model: its scales and weights, or its kinds, classes and shifts. */
function changedModel(random: Random, content: Bytes, isExact: boolean): Bytes {
  if (random.chance(0.5)) {
    const tail = content.length - 4 * MODES.length * (2 * N_BINS + 1);
    const changed = mutateBytes(random, content.subarray(tail));
    return joined(content.subarray(0, tail), changed);
  }
  const n = isExact && random.chance(0.7) ? 8 * Math.floor(content.length / 8) : 8 * N_BINS;
  const values = mutateDoubles(random, new Float64Array(content.slice(0, n).buffer));
  return joined(new Uint8Array(values.buffer), content.subarray(n));
}

function mutatePack(random: Random, base: Bytes, other: Bytes): Bytes {
  const parts = partsOf(base);
  if (parts === undefined || random.chance(0.1))
    return mutateBytes(random, base, { other, hot: [[base.length - 700, base.length]] });
  const isExact = parts.header.mode === "exact";
  const how = random.below(10);
  try {
    if (how < 6) {
      const c = random.below(parts.chunks.length);
      parts.chunks[c] = changedChunk(
        random,
        parts.chunks[c],
        Number(parts.header.chunkSamples) / LANES,
        isExact,
      );
    }
    if (how >= 5 && how < 8) {
      parts.model = changedFrame(random, parts.model, (content) => changedModel(random, content, isExact));
    }
  } catch {
    // What has been changed before may not be a frame any more.
    return mutateBytes(random, base, { other });
  }
  if (how === 8)
    return assembled(parts, {
      json: mutateJson(random, bytesOf(JSON.stringify(parts.header)), bytesOf("{}")),
    });
  if (how < 9) return assembled(parts);
  const lengths = parts.chunks.map(({ length }) => length);
  const by = random.pick([1, -1, 8, 2 ** 31, 2 ** 32 - 1]);
  lengths[0] += by;
  if (random.chance(0.5)) lengths[lengths.length - 1] -= by;
  return assembled(parts, { lengths });
}

/** Kernels that read beyond what a chunk holds would find different numbers there. */
function checkAlike([a, b]: readonly ChunkReader[], n: number): void {
  for (const part of ["amplitude", "phase"] as const) {
    const k = a[part].subarray(0, n).findIndex((value, at) => !Object.is(value, b[part][at]));
    if (k !== -1) throw new Error(`kernels differ: ${part} ${a[part][k]} and ${b[part][k]} at ${k}`);
  }
}

let config: BankConfig;
let kernels: Kernels[];

export const pack: Format = {
  name: "pack",
  extension: "pack",
  stages: ["opened", "a chunk", "every chunk"],
  async seeds() {
    const folder = mkdtempSync(join(tmpdir(), "dotpe-fuzz-pack-"));
    try {
      const bank = writeMadeBank(join(folder, "bank"), smoothBank(N_SAMPLES, MODES, N_BINS, N_SAMPLES));
      config = readBankConfig(join(bank, "bank_config.json"));
      kernels = [loadKernels("auto"), loadKernels("ref")];
      const files: Bytes[] = [];
      for (const [k, rounding] of [null, { tolerance: 0.01, snr: 30 }, { tolerance: 1, snr: 10 }].entries()) {
        const out = join(folder, `${k}`);
        await packBank({ bank, out, rounding, nProcs: 1 }, SILENT_REPORTER);
        files.push(Uint8Array.from(readFileSync(join(out, "waveforms.pack"))));
      }
      return files;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  make: (random, corpus) => mutatePack(random, random.pick(corpus), random.pick(corpus)),
  read(path, probe) {
    const opened = openPack(path, config, N_SAMPLES);
    probe.reach("opened");
    probe.holds(16 * N_SAMPLES * MODES.length * 2 * N_BINS);
    const { chunkItems, start_c } = opened;
    const n_chunks = start_c.length - 1;
    withInput(path, (file) => {
      const readers = kernels.map((variant) => new ChunkReader(opened, variant));
      for (let c = 0; c < n_chunks; c++) {
        const n = Math.min(chunkItems, N_SAMPLES - c * chunkItems);
        for (const reader of readers) reader.load(file, c, 0, n);
        checkAlike(readers, n * 2 * MODES.length * N_BINS);
        probe.reach("a chunk");
      }
    });
    probe.reach("every chunk");
  },
};
