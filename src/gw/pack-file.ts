/**
 * The waveforms of a packed bank, `waveforms.pack`:
 *   magic (16 bytes) · chunks · model (one zstd frame) · index (chunk: length, CRC-32) · header (JSON) · its length, its CRC-32,
 *   magic (8 bytes)
 * All numbers are little-endian; chunks follow one another without gaps, `chunkSamples` samples each (the last has the rest).
 * Everything but the chunks is read, checked and bounded when the bank is opened; a chunk when it is read.
 */
import * as v from "valibot";
import { DotpeError } from "../errors.ts";
import { clipped } from "../io/clipped.ts";
import { type OpenFile, readAt, withInput } from "../io/input.ts";
import { parseJson } from "../io/json.ts";
import { decompress } from "../io/zstd.ts";
import { LANES, MAX_SHIFT, N_CLASSES, type Prediction, ROW_KIND } from "../kernels/pack-table.ts";
import { sharedF64, sharedI32, shareF64 } from "../workers/arena.ts";
import type { BankConfig } from "./bank-config.ts";
import { orderOf, type PackModel, plainWeights } from "./pack-model.ts";

export const PACK_NAME = "waveforms.pack";
export const MAGIC = new TextEncoder().encode("dotpe-hpc pack 1");
export const END_MAGIC = new TextEncoder().encode("packend1");
export const TRAILER_BYTES = 16;
const INDEX_ENTRY = 8;
const MAX_HEADER_BYTES = 2 ** 16;
export const MAX_CHUNK_SAMPLES = 64;
export const MAX_TAPS = 16;
export const MAX_STRIDE = 1024;
/** More than zstd ever adds to what it cannot compress. */
const mostCompressed = (bytes: number) => 2 * bytes + 4096;

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const Positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const NotNegative = v.pipe(v.number(), v.finite(), v.minValue(0));

const HeaderSchema = v.object({
  mode: v.picklist(["exact", "rounded"]),
  samples: Count,
  modes: v.array(Whole),
  bins: Count,
  /** CRC-32 of fbin. */
  binsCrc: Whole,
  chunkSamples: v.pipe(Count, v.multipleOf(LANES), v.maxValue(MAX_CHUNK_SAMPLES)),
  taps: v.pipe(Count, v.maxValue(MAX_TAPS)),
  stride: v.pipe(Count, v.maxValue(MAX_STRIDE)),
  model: v.object({ bytes: Count, crc: Whole }),
  indexCrc: Whole,
  /** Of the waveforms as numbers. */
  rawBytes: Count,
  rounding: v.nullable(
    v.object({
      step: Positive,
      floor: NotNegative,
      least: Positive,
      /** Asked for. */
      tolerance: Positive,
      snr: Positive,
      /** Largest errors found in the whole bank: see docs/banks.md. */
      amplitudeError: NotNegative,
      phaseError: NotNegative,
      relativeError: NotNegative,
    }),
  ),
  madeBy: v.string(),
});

export type PackHeader = v.InferOutput<typeof HeaderSchema>;

/** An opened file. Plain data on shared arrays: every thread gets it. */
export interface PackedWaveforms {
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly header: PackHeader;
  /** Samples of a chunk. */
  readonly chunkItems: number;
  /** Where chunk c begins; one more than there are chunks. */
  readonly start_c: Float64Array;
  readonly crc_c: Int32Array;
  readonly model: PackModel;
}

/**
 * Opens the waveforms of a bank of n_i samples.
 * @throws DotpeError noInput, badData (malformed or damaged), mismatch (of another bank).
 */
export function openPack(path: string, config: BankConfig, n_i: number): PackedWaveforms {
  return withInput(path, (file) => {
    const { header, end } = readHeader(file);
    checkBank(path, header, config, n_i);
    const n_c = Math.ceil(n_i / header.chunkSamples);
    const indexAt = end - n_c * INDEX_ENTRY;
    const modelAt = indexAt - header.model.bytes;
    if (modelAt < MAGIC.length) throw bad(path, "shorter than its header says");
    const index = readAt(file, indexAt, n_c * INDEX_ENTRY);
    checkCrc(path, "index", index, header.indexCrc);
    const { start_c, crc_c } = readIndex(path, index, header, modelAt);
    const frame = readAt(file, modelAt, header.model.bytes);
    checkCrc(path, "model", frame, header.model.crc);
    const model = readModel(path, frame, header);
    return { path, size: file.size, header, chunkItems: header.chunkSamples, start_c, crc_c, model };
  });
}

/** The header of a packed bank's file, and where what stands before it ends. */
function readHeader(file: OpenFile): { header: PackHeader; end: number } {
  const { path, size } = file;
  const isPack = (found: Uint8Array, magic: Uint8Array) => magic.every((byte, k) => found[k] === byte);
  if (size < MAGIC.length + TRAILER_BYTES || !isPack(readAt(file, 0, MAGIC.length), MAGIC))
    throw bad(path, "not a file of packed waveforms");
  const trailer = readAt(file, size - TRAILER_BYTES, TRAILER_BYTES);
  if (!isPack(trailer.subarray(8), END_MAGIC)) throw bad(path, "the end is missing");
  const view = new DataView(trailer.buffer);
  const length = view.getUint32(0, true);
  const end = size - TRAILER_BYTES - length;
  if (length > MAX_HEADER_BYTES || end < MAGIC.length)
    throw bad(path, `found a header of ${length} bytes, expected at most ${MAX_HEADER_BYTES}`);
  const bytes = readAt(file, end, length);
  checkCrc(path, "header", bytes, view.getUint32(4, true));
  const parsed = v.safeParse(HeaderSchema, parseJson(bytes, path), { abortEarly: true });
  if (!parsed.success) {
    const [{ received, expected, message }] = parsed.issues;
    const field = v.getDotPath(parsed.issues[0]) ?? "(header)";
    throw bad(path, `field ${field}: found ${clipped(received)}, expected ${expected ?? message}`);
  }
  const header = parsed.output;
  if ((header.mode === "rounded") !== (header.rounding !== null))
    throw bad(path, `field rounding: does not fit mode ${header.mode}`);
  if (!Number.isInteger(Math.log2(header.stride)))
    throw bad(path, `field stride: found ${header.stride}, expected a power of 2`);
  return { header, end };
}

function checkBank(path: string, header: PackHeader, { m_arr, fbin }: BankConfig, n_i: number): void {
  const fields = [
    ["samples", header.samples, n_i],
    ["modes", header.modes.join(), m_arr.join()],
    ["bins", header.bins, fbin.length],
    ["binsCrc", header.binsCrc, crcOfBins(fbin)],
    ["rawBytes", header.rawBytes, 16 * n_i * m_arr.length * 2 * fbin.length],
  ] as const;
  const wrong = fields.find(([, found, expected]) => found !== expected);
  if (wrong === undefined) return;
  const [name, found, expected] = wrong;
  throw new DotpeError(
    "mismatch",
    `${path}: field ${name}: found ${found}, expected ${expected} as bank_config.json and the samples say`,
    "The files are not of one bank: copy or pack it again.",
  );
}

export function crcOfBins(fbin: Float64Array): number {
  return Bun.hash.crc32(new Uint8Array(Float64Array.from(fbin).buffer));
}

function readIndex(path: string, index: Uint8Array, header: PackHeader, end: number) {
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  const n_c = index.length / INDEX_ENTRY;
  const start_c = sharedF64(n_c + 1);
  const crc_c = sharedI32(n_c);
  const most = mostCompressed(header.chunkSamples * (header.rawBytes / header.samples));
  start_c[0] = MAGIC.length;
  for (let c = 0; c < n_c; c++) {
    const length = view.getUint32(INDEX_ENTRY * c, true);
    if (length > most) throw bad(path, `chunk ${c}: found ${length} bytes, expected at most ${most}`);
    start_c[c + 1] = start_c[c] + length;
    crc_c[c] = view.getInt32(INDEX_ENTRY * c + 4, true);
  }
  if (start_c[n_c] !== end) throw bad(path, `found chunks that end at byte ${start_c[n_c]}, expected ${end}`);
  return { start_c, crc_c };
}

export function encodeIndex(length_c: ArrayLike<number>, crc_c: ArrayLike<number>): Uint8Array {
  const view = new DataView(new ArrayBuffer(INDEX_ENTRY * length_c.length));
  for (let c = 0; c < length_c.length; c++) {
    view.setUint32(INDEX_ENTRY * c, length_c[c], true);
    view.setInt32(INDEX_ENTRY * c + 4, crc_c[c], true);
  }
  return new Uint8Array(view.buffer);
}

/** scale (b), weights of differences (t, r, k): doubles, in the rounded code single precision; kinds (r); classes and shifts (t, r). */
function modelBytes({ mode, bins, modes, taps }: PackHeader): number {
  const n_r = 4 * modes.length;
  return 8 * bins + n_r * bins * taps * (mode === "rounded" ? 4 : 8) + n_r + 2 * n_r * bins;
}

/** The model as bytes. @param weight_trk of differences; they fit single precision in the rounded code */
export function encodeModel({ prediction, steps, scale_b }: PackModel, weight_trk: Float64Array): Uint8Array {
  const { kind_r, class_tr, shift_tr } = prediction;
  const weights = steps === null ? weight_trk : Float32Array.from(weight_trk);
  const parts = [
    new Uint8Array(Float64Array.from(scale_b).buffer),
    new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength),
    Uint8Array.from(kind_r),
    ...[class_tr, shift_tr],
  ];
  return Buffer.concat(parts);
}

function readModel(path: string, frame: Uint8Array, header: PackHeader): PackModel {
  const { mode, bins: n_b, modes, taps: n_k, stride, rounding } = header;
  const n_r = 4 * modes.length;
  // A copy, so that numbers of any width are aligned.
  const bytes = decompress(frame, modelBytes(header), `${path}: model`).slice();
  const scale_b = shareF64(new Float64Array(bytes.buffer, 0, n_b));
  const n_weights = n_r * n_b * n_k;
  const weights =
    mode === "exact"
      ? new Float64Array(bytes.buffer, 8 * n_b, n_weights)
      : new Float32Array(bytes.buffer, 8 * n_b, n_weights);
  const weight_trk = plainWeights(Float64Array.from(weights), n_k);
  let at = 8 * n_b + weights.byteLength;
  const kind_r = sharedI32(n_r);
  kind_r.set(bytes.subarray(at, at + n_r));
  at += n_r;
  const bytesOf = (start: number) => {
    const values_rt = new Uint8Array(new SharedArrayBuffer(n_r * n_b));
    values_rt.set(bytes.subarray(start, start + n_r * n_b));
    return values_rt;
  };
  const [class_tr, shift_tr] = [bytesOf(at), bytesOf(at + n_r * n_b)];
  if (kind_r.some((kind, r) => kind > ROW_KIND.likePlus || (kind !== ROW_KIND.own && r % 2 === 0)))
    throw bad(path, "model: found an unknown kind of row");
  if (class_tr.some((kind) => kind >= N_CLASSES)) throw bad(path, "model: found an unknown class");
  if (shift_tr.some((shift) => shift > MAX_SHIFT[mode])) throw bad(path, "model: found too large a shift");
  if (![scale_b, weight_trk].every((values) => values.every(Number.isFinite)))
    throw bad(path, "model: found a number that is not finite");
  const { bin_t, tap_tk, near_tc, n_roots } = orderOf(mode, n_b, n_k, stride);
  const coding = { bin_t, tap_tk, weight_trk, kind_r, class_tr, shift_tr };
  const prediction: Prediction = { ...coding, n_k, n_b, n_m: modes.length };
  const steps = rounding === null ? null : { near_tc, n_roots, ...stepsOf(rounding) };
  return { prediction, steps, scale_b };
}

function stepsOf({ step, floor, least }: NonNullable<PackHeader["rounding"]>) {
  return { step, floor, least };
}

function checkCrc(path: string, what: string, bytes: Uint8Array, expected: number): void {
  if (Bun.hash.crc32(bytes as Uint8Array<ArrayBuffer>) !== expected)
    throw bad(path, `${what}: wrong checksum`);
}

function bad(path: string, message: string): DotpeError {
  return new DotpeError("badData", `${path}: ${message}`, "Copy the file again, or pack the bank again.");
}
