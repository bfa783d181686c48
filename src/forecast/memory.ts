/**
 * How much memory a run needs at its peak. The constants are fitted to `peak_memory_mb` of runs on banks of 128 to 2^20
 * samples with 1 to 16 threads and 1,024 to 16,384 extrinsic samples; most of a thread's memory is what its runtime has not
 * given back yet, which grows with what the thread has done, up to a limit.
 */
import type { Options } from "../options.ts";
import { chunkGrid } from "../stages/chunks.ts";
import type { WorkSettings } from "../stages/settings.ts";
import { countCandidates, type Inputs } from "../stages/setup.ts";

/** What only the data tell: assumed by `assumedShares`, measured by `measureRun`. */
export interface Shares {
  /** Accepted by stage 2, of the bank samples looked at. */
  readonly accepted: number;
  /** Rows kept by stage 5, of all (i, e, o). */
  readonly rows: number;
}

export interface Sizes {
  /** Samples of all banks; those looked at. */
  readonly n_i: number;
  readonly n_candidates: number;
  readonly n_d: number;
  readonly n_m: number;
  /** Bins of the event's band, and of the bank. */
  readonly n_b: number;
  readonly n_bankBins: number;
  readonly n_e: number;
  readonly n_phi: number;
  readonly n_t: number;
  readonly sizeLimit: number;
  readonly drawsExtrinsic: boolean;
}

export interface MemoryPart {
  readonly name: string;
  readonly megabytes: number;
}

const MB = 1e6;

export function sizesOf(inputs: Inputs, options: Options): Sizes {
  const { event, banks, bins } = inputs;
  return {
    n_i: banks.reduce((sum, bank) => sum + bank.n_i, 0),
    n_candidates: countCandidates(inputs),
    ...{ n_d: event.n_d, n_m: bins.mArr.length, n_b: bins.fbin.length },
    n_bankBins: banks[0].config.fbin.length,
    ...{ n_e: options.nExt, n_phi: options.nPhi, n_t: options.nT, sizeLimit: options.sizeLimit },
    drawsExtrinsic: options.extrinsicSamples === undefined,
  };
}

/** With the default of 20 about these shares of three banks were accepted and kept; larger drops let more pass, as measured. */
export function assumedShares({
  maxIncoherentLnlikeDrop,
  maxBestfitLnlikeDiff,
  loadInds,
}: Pick<Options, "maxIncoherentLnlikeDrop" | "maxBestfitLnlikeDiff" | "loadInds">): Shares {
  return {
    accepted: loadInds ? 1 : Math.min(1, 0.03 * (maxIncoherentLnlikeDrop / 20) ** 3),
    rows: Math.min(1, 0.006 * (maxBestfitLnlikeDiff / 20) ** 1.6),
  };
}

/** The runtime and the program; what a thread has when it has loaded; what finding the reference waveform adds to both. */
const PROGRAM = 70;
const THREAD = 5.5;
const SEARCH = 20;
const SEARCH_THREAD = 2.3;
/** Bank samples that are looked at for the reference waveform. */
const SEARCHED = 2560;
/** The sky dictionary, the marginalizations. */
const EXTRINSIC = 30;
const EXTRINSIC_THREAD = 1.6;
/** What a thread's runtime keeps at most after stage 2 and stage 5, and the samples and chunks that fill most of it. */
const KEPT_2 = { most: 60, after: 25_000 };
const KEPT_5 = { most: 75, after: 190 };
/** Bytes by what there is one of: bank sample (its columns), sample looked at, extrinsic sample, row of a chunk, row. */
const BYTES = { sample: 96, candidate: 36, extrinsic: 1600, chunkRow: 800, row: 5 };
/** More extrinsic samples seldom exist: 16 marginalizations of a short event had 13,000 points. */
const MOST_EXTRINSIC = 2 ** 14;
/** Where rows are cut to the limit, a chunk is held three times. */
const CUT = 1.6;
/** The largest chunk has so many times the mean of rows. */
const LARGEST_CHUNK = 2.5;

/** The parts add up to the peak. */
export function forecastMemory(
  sizes: Sizes,
  { n_procs, batchItems, eTile }: Pick<WorkSettings, "n_procs" | "batchItems" | "eTile">,
  shares: Shares,
): MemoryPart[] {
  const { n_candidates: n, n_m, n_d } = sizes;
  const searched = Math.min(1, n / SEARCHED);
  const n_bp = Math.ceil(sizes.n_b / 8) * 8;
  const readBuffers = 2 * Math.min(batchItems, Math.ceil(n / (4 * n_procs))) * 2 * n_m * sizes.n_bankBins * 8;
  const products = 4 * 2 * n_m * 2 * n_bp * (4 + n_d) + n_d * n_m * 4 * (sizes.n_t + 8) * 8;
  const found = eTile * sizes.n_phi * 24;
  const weights = 2 * n_m * (n_m + 1) * 2 * n_d * 2 * n_bp * 8;
  // One thread is the main thread: its runtime looks after both.
  const kept = ({ most, after }: typeof KEPT_2, done: number) =>
    most * (1 - Math.exp(-done / n_procs / after)) * (n_procs === 1 ? 0.5 : 1);
  const { n_chunks, rows, largest } = chunksOf(sizes, shares);
  const isCut = rows > sizes.sizeLimit;
  const stage2 = n_procs * (kept(KEPT_2, n) + readBuffers / MB);
  const stage5 = n_procs * (kept(KEPT_5, n_chunks) + (largest * BYTES.chunkRow * (isCut ? CUT : 1)) / MB);
  const later = sizes.drawsExtrinsic ? EXTRINSIC + EXTRINSIC_THREAD * n_procs : 0;
  const tables =
    later +
    (Math.min(sizes.n_e, MOST_EXTRINSIC) * BYTES.extrinsic + Math.min(rows, sizes.sizeLimit) * BYTES.row) /
      MB;
  const threads = n_procs * (THREAD + SEARCH_THREAD * searched + (products + found) / MB);
  return [
    { name: "program", megabytes: PROGRAM + SEARCH * searched + weights / MB },
    { name: "bank", megabytes: (sizes.n_i * BYTES.sample + n * BYTES.candidate) / MB },
    { name: "threads", megabytes: threads },
    ...(stage2 > stage5 + tables
      ? [{ name: "incoherent stage", megabytes: stage2 }]
      : [
          { name: "extrinsic samples", megabytes: tables },
          { name: "coherent stage", megabytes: stage5 },
        ]),
  ];
}

/** Chunks of stage 5, rows of all, and rows of the largest: as if the banks were one. */
function chunksOf({ n_candidates, n_phi, ...sizes }: Sizes, shares: Shares) {
  const n_e = Math.min(sizes.n_e, MOST_EXTRINSIC);
  const n_j = Math.max(1, Math.round(n_candidates * shares.accepted));
  const items = new Int32Array(n_j);
  const { n_chunks, mostItems, span } = chunkGrid({ bank_j: items, i_j: items }, n_e, n_phi);
  const volume = Math.min(mostItems, n_j) * span * n_phi;
  const largest = volume * Math.min(1, shares.rows * LARGEST_CHUNK);
  return { n_chunks, rows: n_j * n_e * n_phi * shares.rows, largest };
}

export const totalMB = (parts: readonly MemoryPart[]): number =>
  parts.reduce((sum, { megabytes }) => sum + megabytes, 0);
