/**
 * The files of a run directory, with the reference's names, columns and dtypes; each appears whole or not at all.
 * Only run_kwargs.json, manifest.json and timings.json hold anything that differs between two runs of the same inputs and options.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type FileContent, writeFileAtomic } from "../io/atomic-write.ts";
import { encodeFeather, encodeFeatherBatches, type FeatherColumn } from "../io/feather.ts";
import { FileSet } from "../io/file-set.ts";
import { encodeNpy } from "../io/npy.ts";
import { encodeNpz, type NpzEntry } from "../io/npz.ts";
import { SUMS_FILE, sha256Of } from "../io/sha256.ts";
import type { ExtrinsicSamples } from "../stages/extrinsic.ts";
import type { BankResult, CoherentRows, Posterior } from "../stages/posterior.ts";
import type { Pool } from "../workers/pool.ts";
import { makeFolder } from "./rundir.ts";
import { formatRunSums, hashFiles, WITHOUT_SUM } from "./sums.ts";

/** Stage 2 of one bank: the samples that passed. */
export interface IncoherentFiles {
  readonly id: string;
  readonly inds: Int32Array;
  /** (d, i) and (i); absent where the samples came from --inds-path without them. */
  readonly lnlikes_di?: Float64Array;
  readonly incoherent_lnlikes?: Float64Array;
}

/** Stage 4. */
export interface ExtrinsicFiles {
  readonly samples: Omit<ExtrinsicSamples, "exhausted">;
  readonly n_d: number;
  /** (d, p, e). */
  readonly response_dpe: Float64Array;
  /** Bank and sample of each marginalization that was combined; absent with --extrinsic-samples. */
  readonly usedBankIdx?: Int32Array;
  readonly usedSampleIdx?: Int32Array;
  /** For timeshift_dbe.npy, if it is wanted: bins (Hz) and arrival times (d, e), s from the start of the segment. */
  readonly timeshifts?: { readonly fbin: Float64Array; readonly t_de: Float64Array };
}

export interface RunFiles {
  /** From `toRunKwargs`. */
  readonly runKwargs: Readonly<Record<string, unknown>>;
  readonly incoherent: readonly IncoherentFiles[];
  readonly extrinsic: ExtrinsicFiles;
  readonly results: readonly Pick<BankResult, "id" | "dt">[];
  /** The tables of rows, which only want their names. */
  readonly rows: CoherentRows;
  readonly posterior: Pick<Posterior, "summary" | "samples">;
  /** The bytes of reference.npz. */
  readonly reference: Uint8Array;
}

const BANKS_FOLDER = "banks";

/** How a file is written: alone, or as one of a set. */
type Write = (path: string, content: FileContent) => void;

/** With it a directory is complete. */
export const SUMMARY_FILE = "summary_results.json";

export function isComplete(rundir: string): boolean {
  return existsSync(join(rundir, SUMMARY_FILE));
}

/**
 * Writes everything; summary_results.json last, so that a directory that has it is complete.
 * @param goOn called between files: what it throws ends the writing
 * @param timings the content of timings.json, asked for when nearly all is done
 * @throws DotpeError cannotCreate.
 */
export async function writeResults(
  rundir: string,
  files: RunFiles,
  pool: Pool,
  goOn: () => void = () => {},
  timings?: () => Readonly<Record<string, unknown>>,
): Promise<void> {
  const { rows, posterior } = files;
  const set = new FileSet();
  const write: Write = (path, content) => set.write(path, content);
  const summary = toJson(posterior.summary);
  try {
    writeRunKwargs(rundir, files.runKwargs, write);
    for (const incoherent of files.incoherent) writeIncoherent(rundir, incoherent, write);
    writeExtrinsic(rundir, files.extrinsic, write);
    write(join(rundir, "reference.npz"), files.reference);
    for (const { id, dt } of files.results) writeAlignment(rundir, id, dt, write);
    // The rows are read once more, if every one is a sample.
    const samples = encodeFeatherBatches(posterior.samples);
    await set.writeSlowly(join(rundir, "samples.feather"), samples, goOn);
    const grown = rows.files.complete(rows.progress, rows.grid, rows.bank_j, set);
    const sums = set.sums();
    // Checksums are computed while the disk writes.
    await set.commit(async () => {
      for (const { path, sha256 } of await hashFiles(pool, grown)) sums.set(path, sha256);
    });
    for (const name of WITHOUT_SUM) sums.delete(join(rundir, name));
    sums.set(join(rundir, SUMMARY_FILE), sha256Of(summary));
    if (timings !== undefined) set.write(join(rundir, "timings.json"), toJson(timings()));
    // The last to get its name.
    set.write(join(rundir, SUMS_FILE), formatRunSums(rundir, sums));
    set.write(join(rundir, SUMMARY_FILE), summary);
    await set.commit();
  } catch (error) {
    set.discard();
    throw error;
  }
}

export function writeRunKwargs(
  rundir: string,
  runKwargs: Readonly<Record<string, unknown>>,
  write: Write = writeFileAtomic,
): void {
  write(join(rundir, "run_kwargs.json"), toJson(runKwargs));
}

/** Infinities and NaN, which JSON does not have, become null. */
function toJson(value: unknown): string {
  return JSON.stringify(value, null, 4) + "\n";
}

/** banks/<id>, made if it is not there. */
function bankFolder(rundir: string, id: string): string {
  const folder = join(rundir, BANKS_FOLDER, id);
  makeFolder(folder);
  return folder;
}

/** banks/<id>/intrinsic_samples.npz. */
export function writeIncoherent(
  rundir: string,
  files: IncoherentFiles,
  write: Write = writeFileAtomic,
): void {
  const { id, inds, lnlikes_di, incoherent_lnlikes } = files;
  const n_i = inds.length;
  const entries: NpzEntry[] = [{ name: "inds", shape: [n_i], dtype: "i8", data: inds }];
  if (lnlikes_di !== undefined) {
    const n_d = n_i === 0 ? 0 : lnlikes_di.length / n_i;
    entries.push({ name: "lnlikes_di", shape: [n_d, n_i], dtype: "f8", data: lnlikes_di });
  }
  if (incoherent_lnlikes !== undefined) {
    entries.push({ name: "incoherent_lnlikes", shape: [n_i], dtype: "f8", data: incoherent_lnlikes });
  }
  write(join(bankFolder(rundir, id), "intrinsic_samples.npz"), encodeNpz(entries));
}

/** banks/<id>/intrinsic_sample_processor_cache.json: time alignment (s) by bank index. */
export function writeAlignment(
  rundir: string,
  id: string,
  { inds, dt }: BankResult["dt"],
  write: Write = writeFileAtomic,
): void {
  const byIndex = Object.fromEntries(Array.from(inds, (i, j) => [i, dt[j]]));
  const path = join(bankFolder(rundir, id), "intrinsic_sample_processor_cache.json");
  write(path, JSON.stringify(byIndex) + "\n");
}

/** extrinsic_samples.feather, response_dpe.npy, used_bank_idx.npy, used_sample_idx.npy, timeshift_dbe.npy. */
export function writeExtrinsic(
  rundir: string,
  files: ExtrinsicFiles,
  writeFile: Write = writeFileAtomic,
): void {
  const { samples, n_d, response_dpe, usedBankIdx, usedSampleIdx, timeshifts } = files;
  const { lat, lon, _phi_ref, psi, t_geocenter, weights, log_prior_weights } = samples;
  const columns = { lat, lon, _phi_ref, psi, t_geocenter, weights, log_prior_weights };
  const write = (name: string, bytes: Uint8Array) => writeFile(join(rundir, name), bytes);
  write("extrinsic_samples.feather", encodeFeather(floatColumns(columns)));
  write("response_dpe.npy", encodeNpy([n_d, 2, samples.n_e], { dtype: "f8", data: response_dpe }));
  if (usedBankIdx !== undefined)
    write("used_bank_idx.npy", encodeNpy([usedBankIdx.length], { dtype: "i8", data: usedBankIdx }));
  if (usedSampleIdx !== undefined)
    write("used_sample_idx.npy", encodeNpy([usedSampleIdx.length], { dtype: "i8", data: usedSampleIdx }));
  if (timeshifts === undefined) return;
  const { fbin, t_de } = timeshifts;
  const shape = [n_d, fbin.length, samples.n_e];
  write("timeshift_dbe.npy", encodeNpy(shape, { dtype: "c16", data: timeshift_dbe(fbin, t_de, n_d) }));
}

/** exp(-2 pi i f_b t_de), (d, b, e) interleaved re, im. */
function timeshift_dbe(fbin: Float64Array, t_de: Float64Array, n_d: number): Float64Array {
  const n_e = t_de.length / n_d;
  const out = new Float64Array(2 * n_d * fbin.length * n_e);
  let at = 0;
  for (let d = 0; d < n_d; d++) {
    for (const f of fbin) {
      for (let e = 0; e < n_e; e++) {
        const angle = -2 * Math.PI * f * t_de[d * n_e + e];
        out[at++] = Math.cos(angle);
        out[at++] = Math.sin(angle);
      }
    }
  }
  return out;
}

/** prob_samples.feather of all banks and of each. */
export function rowPaths(rundir: string, banks: readonly { readonly id: string }[]) {
  const name = "prob_samples.feather";
  return { merged: join(rundir, name), banks: banks.map(({ id }) => join(bankFolder(rundir, id), name)) };
}

function floatColumns(columns: Record<string, Float64Array>): FeatherColumn[] {
  return Object.entries(columns).map(([name, data]) => ({ name, type: "f64", data }));
}
