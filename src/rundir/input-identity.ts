/**
 * What tells whether an input is still the one that a run began with. Small files by all that is in them; waveforms, which may be
 * hundreds of gigabytes, by all that is in them up to `WHOLE_BYTES` of a bank, beyond that by size, time of the last change and
 * three pages of each file.
 */
import { closeSync, fstatSync } from "node:fs";
import { basename, join } from "node:path";
import * as v from "valibot";
import { type Bank, CONFIG_FILE, SAMPLES_FILE } from "../gw/bank.ts";
import { PACK_NAME } from "../gw/pack-file.ts";
import { openInput, readInto } from "../io/input.ts";
import { sha256OfFile } from "../io/sha256.ts";
import type { Options } from "../options.ts";
import { bankId } from "../per-bank.ts";

/** Waveforms of a bank that are read as a whole. */
const WHOLE_BYTES = 64e6;
const PAGE = 4096;

const TEXT = v.pipe(v.string(), v.maxLength(5000));
const BYTES = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const WAVEFORM_FILE = v.object({
  name: TEXT,
  bytes: BYTES,
  /** ms since 1970. */
  modified: v.pipe(v.number(), v.finite()),
  isWhole: v.boolean(),
  /** XXH3 of the bytes that were read, in hex. */
  xxh3: TEXT,
});
export type WaveformFile = v.InferOutput<typeof WAVEFORM_FILE>;

export const INPUTS = v.object({
  /** SHA-256 by what the file is for: event, bank_0 samples, ... */
  files: v.record(TEXT, TEXT),
  /** By bank. */
  waveforms: v.record(TEXT, v.array(WAVEFORM_FILE)),
});
export type InputIdentity = v.InferOutput<typeof INPUTS>;

/** @throws DotpeError noInput, badData. */
export function identifyInputs(options: Options, banks: readonly Bank[]): InputIdentity {
  const paths = new Map<string, string | undefined>([
    ["event", options.event],
    ["reference", options.reference === "native" ? undefined : options.reference],
    ["extrinsic_samples", options.extrinsicSamples],
    ["truth", options.truth],
  ]);
  banks.forEach(({ folder }, k) => {
    const id = bankId(k);
    paths.set(`${id} ${CONFIG_FILE}`, join(folder, CONFIG_FILE));
    paths.set(`${id} ${SAMPLES_FILE}`, join(folder, SAMPLES_FILE));
    paths.set(`${id} inds_path`, options.indsPath[k]);
    paths.set(`${id} preselected_indices`, options.preselectedIndices[k]);
    paths.set(`${id} bank_logw_override`, options.bankLogwOverride[k]);
  });
  const given = [...paths].flatMap(([label, path]) => (path === undefined ? [] : [[label, path] as const]));
  return {
    files: Object.fromEntries(given.map(([label, path]) => [label, sha256OfFile(path)])),
    waveforms: Object.fromEntries(banks.map((bank, k) => [bankId(k), identifyWaveforms(bank)])),
  };
}

function identifyWaveforms(bank: Bank): WaveformFile[] {
  const paths =
    bank.packed === null
      ? bank.blocks.flatMap(({ amplitudesPath, phasePath }) => [amplitudesPath, phasePath])
      : [join(bank.folder, PACK_NAME)];
  const [first] = bank.blocks;
  const mayBeWhole = first !== undefined && 16 * bank.n_i * first.n_m * 2 * first.n_b <= WHOLE_BYTES;
  return paths.map((path) => identifyFile(path, mayBeWhole));
}

function identifyFile(path: string, mayBeWhole: boolean): WaveformFile {
  const file = openInput(path);
  try {
    const { size: bytes } = file;
    const isWhole = mayBeWhole || bytes <= 3 * PAGE;
    const spans = isWhole
      ? [{ at: 0, length: bytes }]
      : [0, Math.floor(bytes / 2), bytes - PAGE].map((at) => ({ at, length: PAGE }));
    let hash = 0n;
    for (const { at, length } of spans) {
      const buffer = new Uint8Array(length);
      readInto(file, buffer, at);
      hash = Bun.hash.xxHash3(buffer, hash);
    }
    const modified = Math.floor(fstatSync(file.fd).mtimeMs);
    return { name: basename(path), bytes, modified, isWhole, xxh3: hash.toString(16) };
  } finally {
    closeSync(file.fd);
  }
}

/** What differs, one line each. */
export function changedInputs(then: InputIdentity, now: InputIdentity): string[] {
  return [...changedFiles(then.files, now.files), ...changedWaveforms(then.waveforms, now.waveforms)];
}

function changedFiles(then: InputIdentity["files"], now: InputIdentity["files"]): string[] {
  return [...new Set([...Object.keys(then), ...Object.keys(now)])].flatMap((label) => {
    const [was, is] = [then[label], now[label]];
    if (was === is) return [];
    if (was === undefined || is === undefined)
      return [`${label}: ${was === undefined ? "was not given" : "was given, is not"}`];
    return [`${label}: its content has changed (SHA-256 was ${was.slice(0, 12)}, is ${is.slice(0, 12)})`];
  });
}

function changedWaveforms(then: InputIdentity["waveforms"], now: InputIdentity["waveforms"]): string[] {
  return Object.entries(now).flatMap(([id, files]) => {
    const before = then[id] ?? [];
    if (before.length !== files.length)
      return [`${id}: had ${before.length} files of waveforms, has ${files.length}`];
    return files.flatMap((file, k) => {
      const what = changeOf(before[k], file);
      return what === undefined ? [] : [`${id} ${file.name}: ${what}`];
    });
  });
}

function changeOf(was: WaveformFile, is: WaveformFile): string | undefined {
  if (was.name !== is.name) return `was ${was.name}`;
  if (was.bytes !== is.bytes) return `had ${was.bytes} bytes, has ${is.bytes}`;
  if (was.xxh3 !== is.xxh3) return "its content has changed";
  if (is.isWhole || was.modified === is.modified) return undefined;
  const [then, now] = [was, is].map(({ modified }) => new Date(modified).toISOString());
  return `was last changed ${then}, is now ${now} (a copy made with cp -p keeps the time)`;
}
