/** A bank folder: its samples, and where its waveforms lie. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import { readFeather } from "../io/feather.ts";
import { firstNotFinite } from "../io/finite.ts";
import { type NpyHeader, readNpyHeader } from "../io/npy.ts";
import { type BankConfig, readBankConfig } from "./bank-config.ts";
import { openPack, PACK_NAME, type PackedWaveforms } from "./pack-file.ts";

export { bandOfEvent, type EventBand } from "./band.ts";
export { type BankConfig, MIN_BINS } from "./bank-config.ts";

/** Columns that every bank has; l1, l2 (tidal deformabilities) are zero where a bank has none. */
export const SAMPLE_COLUMNS = [
  "m1",
  "m2",
  "s1z",
  "s1x_n",
  "s1y_n",
  "s2z",
  "s2x_n",
  "s2y_n",
  "iota",
  "log_prior_weights",
] as const;
export const OPTIONAL_COLUMNS = ["l1", "l2"] as const;

export type SampleColumn = (typeof SAMPLE_COLUMNS)[number] | (typeof OPTIONAL_COLUMNS)[number];

/** One array (i) a column: masses in solar masses, angles in rad. */
export type BankSamples = Record<SampleColumn, Float64Array>;

/** Samples i0 <= i < i0 + n_i of the bank. A plain object: it can be sent to a Worker. */
export interface BankBlock {
  amplitudesPath: string;
  phasePath: string;
  i0: number;
  n_i: number;
  n_m: number;
  n_b: number;
  /** Where the numbers start in the files, bytes. */
  dataOffset: number;
  phaseDataOffset: number;
}

export interface Bank {
  id: string;
  folder: string;
  config: BankConfig;
  n_i: number;
  samples: BankSamples;
  /** None if the waveforms are packed. */
  blocks: BankBlock[];
  packed: PackedWaveforms | null;
}

/** In the folder of a bank, beside its waveforms. */
export const CONFIG_FILE = "bank_config.json";
export const SAMPLES_FILE = "intrinsic_sample_bank.feather";
export const N_POLARIZATIONS = 2;
export const REMAKE = "Copy or make the bank again.";

/**
 * Opens a bank: reads its configuration and the headers of its other files. A column of the samples is read, and checked,
 * when it is first asked for; the waveforms (which may be 50 GB) are not looked at.
 * @throws DotpeError noInput (a file is missing), badData (malformed), mismatch (files disagree); a column when it is
 *   read: badData, notFinite.
 */
export function openBank(folder: string, id: string): Bank {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new DotpeError(
      "noInput",
      `bank ${folder}: no such folder`,
      "Give the folder that holds bank_config.json.",
    );
  }
  const config = readBankConfig(join(folder, CONFIG_FILE));
  const { n_i, samples } = readSamples(join(folder, SAMPLES_FILE));
  const packed = hasPack(folder) ? openPack(join(folder, PACK_NAME), config, n_i) : null;
  const blocks = packed === null ? findBlocks(folder, config, n_i) : [];
  return { id, folder, config, n_i, samples, blocks, packed };
}

/** Whether the waveforms are in one packed file. @throws DotpeError mismatch if they are there in both forms. */
function hasPack(folder: string): boolean {
  const isPacked = existsSync(join(folder, PACK_NAME));
  const hasFolder = existsSync(join(folder, "waveforms"));
  if (isPacked && hasFolder) {
    throw new DotpeError(
      "mismatch",
      `bank ${folder}: found ${PACK_NAME} and waveforms/, expected one of them`,
      "Move one of them away.",
    );
  }
  if (isPacked || hasFolder) return isPacked;
  throw new DotpeError(
    "noInput",
    `bank ${folder}: no such file or folder: found neither waveforms/ nor ${PACK_NAME}`,
    REMAKE,
  );
}

function readSamples(path: string): { n_i: number; samples: BankSamples } {
  const table = readFeather(path);
  const n_i = table.n_rows;
  if (n_i === 0) throw new DotpeError("badData", `${path}: found no samples, expected at least one`, REMAKE);
  const columns = [...SAMPLE_COLUMNS, ...OPTIONAL_COLUMNS];
  const missing = SAMPLE_COLUMNS.find((name) => !table.has(name));
  // Asked for alone, so that the error is the reader's.
  if (missing !== undefined) table.f64(missing);
  const samples = {} as BankSamples;
  for (const name of columns) {
    const read = () => {
      const values = table.has(name) ? table.f64(name) : new Float64Array(n_i);
      checkFinite(path, name, values);
      // From now on a plain property.
      Object.defineProperty(samples, name, { value: values, enumerable: true });
      return values;
    };
    Object.defineProperty(samples, name, { get: read, enumerable: true, configurable: true });
  }
  return { n_i, samples };
}

/**
 * Reads every column of the samples that has not been asked for yet.
 * @throws DotpeError badData, notFinite.
 */
export function readAllColumns({ samples }: Bank): void {
  for (const name of [...SAMPLE_COLUMNS, ...OPTIONAL_COLUMNS]) void samples[name];
}

/** A weight may be zero, so that its logarithm is -Infinity. */
function checkFinite(path: string, name: SampleColumn, values: Float64Array): void {
  if (firstNotFinite(values) === -1) return;
  const mayVanish = name === "log_prior_weights";
  const i = values.findIndex((x) => !Number.isFinite(x) && !(mayVanish && x === -Infinity));
  if (i === -1) return;
  throw new DotpeError(
    "notFinite",
    `${path}: column ${name}: found ${values[i]} in row ${i}, expected a finite number`,
    "Leave this sample out of the bank, or make the bank again.",
  );
}

function findBlocks(folder: string, config: BankConfig, n_i: number): BankBlock[] {
  const blocks: BankBlock[] = [];
  for (let i0 = 0; i0 < n_i; i0 += config.blocksize) {
    const expected_i = Math.min(config.blocksize, n_i - i0);
    blocks.push(readBlock(folder, config, { k: blocks.length, i0, n_i: expected_i }));
  }
  const [extra] = blockPaths(folder, blocks.length);
  if (existsSync(extra)) {
    throw new DotpeError(
      "mismatch",
      `${extra}: found more blocks than the ${blocks.length} that ${n_i} samples fill`,
      "The samples and the waveforms are not of one bank; " + REMAKE.toLowerCase(),
    );
  }
  return blocks;
}

export function blockPaths(folder: string, k: number): [amplitudes: string, phase: string] {
  const waveforms = join(folder, "waveforms");
  return [join(waveforms, `amplitudes_block_${k}.npy`), join(waveforms, `phase_block_${k}.npy`)];
}

function readBlock(
  folder: string,
  config: BankConfig,
  { k, i0, n_i }: { k: number; i0: number; n_i: number },
): BankBlock {
  const [amplitudesPath, phasePath] = blockPaths(folder, k);
  const [n_m, n_b] = [config.m_arr.length, config.fbin.length];
  const expected = [n_i, n_m, N_POLARIZATIONS, n_b];
  const dataOffset = checkHeader(amplitudesPath, readNpyHeader(amplitudesPath), expected);
  const phaseDataOffset = checkHeader(phasePath, readNpyHeader(phasePath), expected);
  return { amplitudesPath, phasePath, i0, n_i, n_m, n_b, dataOffset, phaseDataOffset };
}

function checkHeader(path: string, header: NpyHeader, expected: number[]): number {
  if (header.dtype !== "f8" || header.fortranOrder) {
    const order = header.fortranOrder ? "Fortran" : "C";
    throw new DotpeError(
      "badData",
      `${path}: found ${header.dtype} in ${order} order, expected f8 in C order`,
      REMAKE,
    );
  }
  if (header.shape.join() !== expected.join()) {
    throw new DotpeError(
      "mismatch",
      `${path}: found shape (${header.shape.join(", ")}), expected (${expected.join(", ")}): ` +
        "samples, modes, polarizations, bins of bank_config.json and intrinsic_sample_bank.feather",
      REMAKE,
    );
  }
  return header.dataOffset;
}

/**
 * Banks used together must describe the same waveforms.
 * @throws DotpeError mismatch naming two banks and the field in which they differ.
 */
export function checkBanksAgree(banks: readonly Bank[]): void {
  for (const bank of banks.slice(1)) {
    for (const field of ["approximant", "f_ref", "m_arr", "harmonic_modes", "fbin"] as const) {
      const [expected, found] = [banks[0], bank].map(({ config }) =>
        JSON.stringify(comparable(config[field])),
      );
      if (found === expected) continue;
      const detail = field === "fbin" ? "different bins" : `${found}, expected ${expected} as the first bank`;
      throw new DotpeError(
        "mismatch",
        `banks ${banks[0].folder} and ${bank.folder}: field ${field}: found ${detail}`,
        "Run these banks separately.",
      );
    }
  }
}

function comparable(value: BankConfig[keyof BankConfig]): unknown {
  return value instanceof Float64Array ? Array.from(value) : value;
}
