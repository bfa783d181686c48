/** Makes a bank in dot_pe's folder format: samples, waveforms, and last of all the configuration that makes it a bank. */
import { join } from "node:path";
import { version } from "../../package.json";
import { openWaveforms } from "../approximants/open.ts";
import { DotpeError } from "../errors.ts";
import { type BankSamples, CONFIG_FILE, SAMPLE_COLUMNS, SAMPLES_FILE } from "../gw/bank.ts";
import { PREC_VERSION } from "../gw/bank-config.ts";
import { readEvent } from "../gw/event.ts";
import { makeFolder, writeFileAtomic } from "../io/atomic-write.ts";
import { encodeFeatherChunks, type FeatherColumn } from "../io/feather-write.ts";
import { FileSet } from "../io/file-set.ts";
import { formatSums, SUMS_FILE, sha256Of, sha256OfFile } from "../io/sha256.ts";
import type { Reporter } from "../report/reporter.ts";
import { shareF64 } from "../workers/arena.ts";
import { type BinGrid, binsOf } from "./bins.ts";
import {
  type BankShape,
  blockBytes,
  blockPlan,
  blocksOf,
  itemsOfBlock,
  type MadeBlock,
} from "./block-writer.ts";
import { sumsOfBlocks } from "./checksums.ts";
import { drawSamples } from "./draws.ts";
import type { BankOptions } from "./options.ts";
import { withPool } from "./threads.ts";
import { finishFolder, missingBlocks, prepareFolder, removeAllParts } from "./unfinished.ts";
import { type WaveformPlan, waveformPlan } from "./waveform-job.ts";

export interface CreatedBank {
  readonly folder: string;
  readonly n_i: number;
  readonly n_b: number;
  readonly m_arr: readonly number[];
  /** What made the waveforms. */
  readonly maker: string;
  /** Of the files of the waveforms. */
  readonly bytes: number;
  /** Waveforms made by this call, and the time that took (s). */
  readonly made: number;
  readonly seconds: number;
}

/**
 * Draws the samples and makes their waveforms. A call that was interrupted goes on where it was if it is repeated; the files do not
 * depend on that, nor on the number of threads.
 * @throws DotpeError usage (bins), noInput, badData (event, LALSimulation, a sample without waveform), cannotCreate.
 */
export async function createBank(options: BankOptions, report: Reporter): Promise<CreatedBank> {
  const fbin = shareF64(binsOf(gridOf(options), options.phaseTolerance));
  const { approximant, harmonicModes, phenomXPrecVersion, lal, fRef, n, blocksize } = options;
  const model = { approximant, harmonic_modes: harmonicModes, phenomXPrecVersion, lal };
  const request = { ...model, f: fbin, f_ref: fRef };
  const source = await openWaveforms(request);
  const config = configOf(options, fbin, source);
  const folder = options.out;
  prepareFolder(folder, config);
  makeFolder(join(folder, "waveforms"));
  const samples = drawSamples({ ...options, aligned: source.alignedSpins });
  const samplesPath = join(folder, SAMPLES_FILE);
  writeFileAtomic(samplesPath, encodeFeatherChunks(columnsOf(samples)));
  const shape = { n_i: n, blocksize, n_m: source.m_arr.length, n_b: fbin.length };
  const blocks = missingBlocks(folder, shape);
  const plan = waveformPlan({
    ...blockPlan(folder, shape),
    request: { ...request, lal: source.lal },
    samples,
    blocks,
  });
  const started = performance.now();
  const made = await makeBlocks(plan, options.nProcs, report);
  const seconds = (performance.now() - started) / 1000;
  const configBytes = new TextEncoder().encode(JSON.stringify(config, null, 1) + "\n");
  const sums = sumsOfBlocks(folder, shape, made);
  sums.set(SAMPLES_FILE, sha256OfFile(samplesPath)).set(CONFIG_FILE, sha256Of(configBytes));
  const files = new FileSet();
  files.write(join(folder, SUMS_FILE), formatSums(sums));
  files.write(join(folder, CONFIG_FILE), configBytes);
  await files.commit();
  finishFolder(folder);
  const { m_arr, maker } = source;
  return {
    folder,
    n_i: n,
    n_b: fbin.length,
    m_arr,
    maker,
    bytes: bytesOf(shape),
    made: itemsOf(shape, blocks),
    seconds,
  };
}

function gridOf({ event, band }: BankOptions): BinGrid {
  if (band !== null) return band;
  const { f0, f1, df } = readEvent(event as string);
  return { f0, f1, df };
}

type Source = Awaited<ReturnType<typeof openWaveforms>>;

/** bank_config.json: dot_pe's fields, then how the bank was made. */
function configOf(options: BankOptions, fbin: Float64Array, source: Source) {
  const { q, mchirp, fRef, seed, n, incFaceonFactor, approximant, blocksize, draw, mchirpPower } = options;
  return {
    ...{ q_min: q[0], q_max: q[1], min_mchirp: mchirp[0], max_mchirp: mchirp[1], f_ref: fRef, seed },
    ...{ bank_size: n, inc_faceon_factor: incFaceonFactor, approximant },
    ...{ harmonic_modes: source.harmonic_modes, m_arr: source.m_arr, blocksize },
    ...{ draw, ...(draw === "power" ? { mchirp_power: mchirpPower } : {}) },
    ...(options.phenomXPrecVersion === null ? {} : { [PREC_VERSION]: options.phenomXPrecVersion }),
    ...{ phase_tolerance: options.phaseTolerance, waveforms: source.maker, made_by: `dotpe-hpc ${version}` },
    fbin: Array.from(fbin),
  };
}

function columnsOf(samples: BankSamples): FeatherColumn[] {
  return SAMPLE_COLUMNS.map((name) => ({ name, type: "f64", data: samples[name] }));
}

async function makeBlocks(
  plan: WaveformPlan,
  nProcs: number | undefined,
  report: Reporter,
): Promise<MadeBlock[]> {
  if (plan.n_tasks === 0) return [];
  const n = itemsOf(plan, plan.blocks);
  const stage = report.stage("waveforms", n, "waveforms");
  const onProgress = (done: number) => stage.update(Math.min(n, done * plan.taskItems));
  try {
    const made = await withPool(nProcs, (pool) => pool.run("waveforms", plan, plan.n_tasks, onProgress));
    stage.update(n);
    return made.flat();
  } catch (error) {
    // The disk may be full. Finished blocks stay: a repeated call goes on from them.
    removeQuietly(plan.folder);
    throw error;
  } finally {
    stage.end();
  }
}

/** The error that ended the work is the one to tell. What cannot be removed, the next call removes. */
function removeQuietly(folder: string): void {
  try {
    removeAllParts(folder);
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
  }
}

/** Samples of some blocks. */
const itemsOf = (shape: BankShape, blocks: readonly number[]) =>
  blocks.reduce((sum, block) => sum + itemsOfBlock(shape, block), 0);

function bytesOf(shape: BankShape): number {
  let bytes = 0;
  for (let block = 0; block < blocksOf(shape); block++) bytes += 2 * blockBytes(shape, block);
  return bytes;
}
