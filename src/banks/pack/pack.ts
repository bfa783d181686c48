/** Packs a bank: its waveforms into one file of chunks, exactly or within a tolerance. The format: `src/gw/pack-file.ts`. */
import { join } from "node:path";
import { version } from "../../../package.json";
import { DotpeError } from "../../errors.ts";
import { type Bank, openBank } from "../../gw/bank.ts";
import { type BankFiles, BankReader, bankFiles } from "../../gw/bank-reader.ts";
import {
  crcOfBins,
  END_MAGIC,
  encodeIndex,
  encodeModel,
  MAGIC,
  MAX_CHUNK_SAMPLES,
  PACK_NAME,
  type PackHeader,
  TRAILER_BYTES,
} from "../../gw/pack-file.ts";
import { inspiralScale, onesOf, orderOf, type PackModel, plainWeights } from "../../gw/pack-model.ts";
import { PartFile, writeAt } from "../../io/atomic-write.ts";
import { sha256OfFile } from "../../io/sha256.ts";
import { LANES } from "../../kernels/pack-table.ts";
import type { Reporter } from "../../report/reporter.ts";
import { sharedF64, sharedI32, shareF64 } from "../../workers/arena.ts";
import type { Pool } from "../../workers/pool.ts";
import { withPool } from "../threads.ts";
import type { PackErrors } from "./encode.ts";
import type { FitPlan } from "./fit-job.ts";
import { copyRest, withOutFolder } from "./out-folder.ts";
import { packPlan, SampleCopies } from "./pack-job.ts";

export interface PackOptions {
  readonly bank: string;
  readonly out: string;
  /** How much a ln likelihood may change, and at which signal-to-noise ratio; null: nothing changes. */
  readonly rounding: { readonly tolerance: number; readonly snr: number } | null;
  readonly nProcs: number | undefined;
}

export interface PackedBank {
  readonly folder: string;
  readonly mode: PackHeader["mode"];
  readonly samples: number;
  /** Of the waveforms: as numbers, and packed. */
  readonly rawBytes: number;
  readonly packedBytes: number;
  readonly seconds: number;
  readonly rounding: PackHeader["rounding"];
}

/** Raw bytes of a chunk, at most, if it has more than LANES samples. */
const CHUNK_BYTES = 2 ** 19;
const TAPS = { exact: 8, rounded: 6 } as const;
/** Of `halvingOrder`. */
const STRIDE = 32;
/** Samples that the predictions are fitted to, and bytes of them, at most. */
const FIT_SAMPLES = 384;
const FIT_BYTES = 2 ** 28;
/** Amplitudes below this part of the first bin's, with the inspiral's f^(-7/6) taken off, need not be kept any better. */
const FLOOR = 2 ** -4;
/** And below this part of the largest of the bank. */
const LEAST = 2 ** -30;
/** Standard deviations of the change of a ln likelihood that the tolerance covers. */
const SIGMAS = 6;
/** A step finer than this is beyond what doubles of a phase hold. */
const FINEST = 1e-10;

/**
 * Writes the packed bank `out`, a folder.
 * @throws DotpeError as `openBank` and for waveforms that are not finite; cannotCreate; usage for a tolerance that is too small.
 */
export async function packBank(options: PackOptions, report: Reporter): Promise<PackedBank> {
  const { bank: from, out, rounding, nProcs } = options;
  const bank = openBank(from, "bank");
  const step = rounding === null ? 0 : stepFor(rounding, bank.config.m_arr.length);
  return withOutFolder(out, (folder) =>
    withPool(nProcs, async (pool) => {
      const started = performance.now();
      const files = bankFiles(bank);
      const stage = report.stage("predict", 4 * files.n_m, "rows");
      const fitted = await fitModel(pool, bank, files, step, (done) => stage.update(done));
      stage.end();
      const file = PartFile.create(join(folder, PACK_NAME));
      const writing = { file, bank, files, ...fitted, rounding };
      const { header, bytes: packedBytes } = await orDiscard(file, () => writeFile(pool, writing, report));
      file.commit(packedBytes);
      copyRest(from, folder, new Map([[PACK_NAME, sha256OfFile(join(folder, PACK_NAME))]]));
      const seconds = (performance.now() - started) / 1000;
      const { mode, samples, rawBytes } = header;
      return { folder: out, mode, samples, rawBytes, packedBytes, seconds, rounding: header.rounding };
    }),
  );
}

/**
 * Amplitudes are rounded to steps of `step` R and phases to steps of `step` R / A, R the amplitude of all n_m modes: an error of
 * R step / sqrt(12) each, sqrt(n_m / 6) step of the waveform. At signal-to-noise ratio rho, lnL changes by rho times that (one
 * standard deviation): SIGMAS of them are the tolerance.
 */
function stepFor({ tolerance, snr }: { tolerance: number; snr: number }, n_m: number): number {
  const step = (tolerance / (SIGMAS * snr)) * Math.sqrt(6 / n_m);
  if (step >= FINEST) return step;
  throw new DotpeError(
    "usage",
    `--tolerance: found ${tolerance}, expected at least ${((tolerance * FINEST) / step).toPrecision(2)}`,
    "Leave --tolerance out: every bit is kept then.",
  );
}

/** Samples of a chunk: a multiple of LANES. */
function chunkItemsOf({ n_m, n_b }: BankFiles): number {
  const bytes = 16 * 2 * n_m * n_b;
  const n = LANES * Math.floor(CHUNK_BYTES / bytes / LANES);
  return Math.max(LANES, Math.min(MAX_CHUNK_SAMPLES, n));
}

/** Fits the predictions. @param step of `Steps`; 0: exact */
async function fitModel(
  pool: Pool,
  { config }: Bank,
  files: BankFiles,
  step: number,
  onProgress: (done: number) => void,
): Promise<{ model: PackModel; fitted_trk: Float64Array }> {
  const { n_m, n_b } = files;
  const mode = step === 0 ? "exact" : "rounded";
  const n_r = 4 * n_m;
  const n_k = TAPS[mode];
  const order = orderOf(mode, n_b, n_k, STRIDE);
  const scale_b = step === 0 ? onesOf(n_b) : inspiralScale(config.fbin);
  const { n_s, x_rbs, largest } = fitSamples(files, scale_b, step > 0);
  const plan: FitPlan = {
    ...{ mode, n_s, n_m, fbin: shareF64(config.fbin), x_rbs, order, n_k },
    ...{ step, floor: FLOOR, least: Math.max(LEAST * largest, 2 ** -1000) },
    weight_trk: sharedF64(n_r * n_b * n_k),
    kind_r: sharedI32(n_r),
    class_tr: new Uint8Array(new SharedArrayBuffer(n_r * n_b)),
    shift_tr: new Uint8Array(new SharedArrayBuffer(n_r * n_b)),
  };
  await pool.run("packFit", plan, n_r, onProgress);
  const { weight_trk: fitted_trk, kind_r, class_tr, shift_tr, floor, least } = plan;
  const weight_trk = plainWeights(fitted_trk, n_k);
  const { bin_t, tap_tk, near_tc, n_roots } = order;
  const prediction = { bin_t, tap_tk, weight_trk, kind_r, class_tr, shift_tr, n_k, n_b, n_m };
  const steps = step === 0 ? null : { near_tc, n_roots, step, floor, least };
  return { model: { prediction, steps, scale_b }, fitted_trk };
}

/** Samples spread over the bank as they are coded (r, b, s), and the largest amplitude among them. */
function fitSamples(files: BankFiles, scale_b: Float64Array, isRounded: boolean) {
  const { n_i, n_m, n_b } = files;
  const n_x = 2 * n_m * n_b;
  const n_s = Math.min(n_i, FIT_SAMPLES, Math.max(16, Math.floor(FIT_BYTES / (16 * n_x))));
  const x_rbs = sharedF64(2 * n_x * n_s);
  let largest = 0;
  const reader = new BankReader(files);
  const samples = new SampleCopies(reader, 1);
  try {
    for (let s = 0; s < n_s; s++) {
      samples.load(Math.floor((s * n_i) / n_s), 1, isRounded);
      for (let at = 0; at < n_x; at++) {
        const x = samples.amplitude[at] / scale_b[at % n_b];
        largest = Math.max(largest, Math.abs(x));
        x_rbs[at * n_s + s] = x;
        x_rbs[(n_x + at) * n_s + s] = samples.phase[at];
      }
    }
  } finally {
    reader.close();
  }
  return { n_s, x_rbs, largest };
}

interface Writing {
  readonly file: PartFile;
  readonly bank: Bank;
  readonly files: BankFiles;
  readonly model: PackModel;
  /** Weights of differences. */
  readonly fitted_trk: Float64Array;
  readonly rounding: PackOptions["rounding"];
}

async function orDiscard<T>(file: PartFile, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    file.discard();
    throw error;
  }
}

/** Writes the whole file. */
async function writeFile(
  pool: Pool,
  writing: Writing,
  report: Reporter,
): Promise<{ header: PackHeader; bytes: number }> {
  const { file, bank, files, model, fitted_trk, rounding } = writing;
  const { n_i, n_m, n_b } = files;
  const chunkItems = chunkItemsOf(files);
  writeAt(file, MAGIC, 0);
  const plan = packPlan({ from: files, model, chunkItems, file: { path: file.path, fd: file.fd } });
  const stage = report.stage("pack", n_i, "samples");
  const errors = await pool.run("pack", plan, plan.length_c.length, (done) =>
    stage.update(Math.min(n_i, done * chunkItems)),
  );
  stage.update(n_i);
  stage.end();
  const modelFrame = Bun.zstdCompressSync(encodeModel(model, fitted_trk) as Uint8Array<ArrayBuffer>);
  const index = encodeIndex(plan.length_c, plan.crc_c);
  const header: PackHeader = {
    mode: model.steps === null ? "exact" : "rounded",
    samples: n_i,
    modes: bank.config.m_arr,
    bins: n_b,
    binsCrc: crcOfBins(bank.config.fbin),
    chunkSamples: chunkItems,
    taps: model.prediction.n_k,
    stride: STRIDE,
    model: { bytes: modelFrame.length, crc: Bun.hash.crc32(modelFrame) },
    indexCrc: Bun.hash.crc32(index as Uint8Array<ArrayBuffer>),
    rawBytes: 16 * n_i * 2 * n_m * n_b,
    rounding: rounding === null || model.steps === null ? null : roundingOf(model.steps, rounding, errors),
    madeBy: `dotpe-hpc ${version}`,
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const trailer = new Uint8Array(TRAILER_BYTES);
  new DataView(trailer.buffer).setUint32(0, text.length, true);
  new DataView(trailer.buffer).setUint32(4, Bun.hash.crc32(text), true);
  trailer.set(END_MAGIC, 8);
  const rest = Buffer.concat([modelFrame, index, text, trailer]);
  writeAt(file, rest, plan.end[0]);
  return { header, bytes: plan.end[0] + rest.length };
}

function roundingOf(
  { step, floor, least }: { step: number; floor: number; least: number },
  asked: { tolerance: number; snr: number },
  errors: readonly PackErrors[],
): NonNullable<PackHeader["rounding"]> {
  const largest = (name: keyof PackErrors) => errors.reduce((x, found) => Math.max(x, found[name]), 0);
  return {
    ...{ step, floor, least, tolerance: asked.tolerance, snr: asked.snr },
    amplitudeError: largest("amplitudeError"),
    phaseError: largest("phaseError"),
    relativeError: largest("relativeError"),
  };
}
