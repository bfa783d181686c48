/** Small inputs made from the fixtures: the event and bank s with parts taken out, added or spoilt. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { SAMPLE_COLUMNS } from "../src/gw/bank.ts";
import { encodeFeather, type FeatherColumn, readFeather } from "../src/io/feather.ts";
import { encodeNpy, readNpy } from "../src/io/npy.ts";
import { type NpzEntry, openNpz } from "../src/io/npz.ts";
import { FIXTURES } from "./helpers.ts";

export const EVENT = join(FIXTURES, "events/GW170814.npz");
export const BANK = join(FIXTURES, "banks/s");
const DETECTORS = "HLV";

type Content = Omit<NpzEntry, "name">;
/** By name: an array, or the bytes of its .npy. */
type Entries = Record<string, Content | Uint8Array | undefined>;

function entriesOf(path: string): Entries {
  const npz = openNpz(path);
  const entries = npz.names.map((name): [string, Content] => {
    const array = npz.get(name);
    const { shape, dtype } = array;
    if (dtype === "U") return [name, { shape, dtype, data: array.toStrings() } as Content];
    const data = dtype === "c16" ? array.toComplex() : array.toFloat64();
    return [name, { shape, dtype, data: data.slice() } as Content];
  });
  return Object.fromEntries(entries);
}

/** Writes an archive like that at `from`, changed; an entry that is set to undefined is left out. */
export function writeChanged(path: string, from: string, change: (entries: Entries) => void): string {
  const entries = entriesOf(from);
  change(entries);
  const files: Record<string, Uint8Array> = {};
  for (const [name, content] of Object.entries(entries)) {
    if (content === undefined) continue;
    files[`${name}.npy`] =
      content instanceof Uint8Array ? content : encodeNpy(content.shape, content as NpzEntry);
  }
  writeFileSync(path, zipSync(files, { level: 0 }));
  return path;
}

/** The event of the fixtures, changed. */
export function writeEvent(path: string, change: (entries: Entries) => void = () => {}): string {
  return writeChanged(path, EVENT, change);
}

/** The event as only some of its detectors saw it, e.g. 'H' or 'LV'. */
export function keepDetectors(letters: string): (entries: Entries) => void {
  return (entries) => {
    for (const name of ["strain", "wht_filter"]) {
      const { shape, data, dtype } = entries[name] as { shape: number[]; data: Float64Array; dtype: "f8" };
      const row = data.length / DETECTORS.length;
      const rows = Array.from(letters, (letter) => {
        const d = DETECTORS.indexOf(letter);
        return [...data.subarray(d * row, (d + 1) * row)];
      });
      entries[name] = {
        dtype,
        shape: [letters.length, shape[1]],
        data: Float64Array.from(rows.flat()),
      } as Content;
    }
    entries.detector_names = { shape: [], dtype: "U", data: [letters] } as Content;
  };
}

/** Sets numbers of an entry: index and value. */
export function setNumbers(name: string, ...values: [number, number][]): (entries: Entries) => void {
  return (entries) => {
    const { data } = entries[name] as { data: Float64Array };
    for (const [k, value] of values) data[k] = value;
  };
}

/** The bytes of an array of which the dtype is said to be object: what numpy writes for a pickle. */
export function pickledNpy(shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const n = shape.reduce((product, size) => product * size, 1);
  const bytes = encodeNpy(shape, { dtype: "f8", data: new Float64Array(n) });
  const header = Buffer.from("'<f8'");
  const at = Buffer.from(bytes.buffer).indexOf(header);
  bytes.set(Buffer.from("'|O' "), at);
  return bytes;
}

/** Bank s in memory. amplitude and phase: (i, m, p, b). */
export interface BankContent {
  config: Record<string, unknown> & { fbin: number[]; m_arr: number[]; harmonic_modes: number[][] };
  samples: Record<string, Float64Array>;
  amplitude: Float64Array;
  phase: Float64Array;
  blocksize: number;
}

export function readBankContent(): BankContent {
  const config = JSON.parse(readFileSync(join(BANK, "bank_config.json"), "utf8"));
  const table = readFeather(join(BANK, "intrinsic_sample_bank.feather"));
  const samples = Object.fromEntries(SAMPLE_COLUMNS.map((name) => [name, table.f64(name).slice()]));
  const read = (kind: string) =>
    Float64Array.from(
      [0, 1, 2].flatMap((k) => [...readNpy(join(BANK, `waveforms/${kind}_block_${k}.npy`)).toFloat64()]),
    );
  return {
    config,
    samples,
    amplitude: read("amplitudes"),
    phase: read("phase"),
    blocksize: config.blocksize,
  };
}

export function writeBank(folder: string, content: BankContent): string {
  const { config, samples, amplitude, phase, blocksize } = content;
  mkdirSync(join(folder, "waveforms"), { recursive: true });
  const [n_m, n_b, n_i] = [config.m_arr.length, config.fbin.length, samples.m1.length];
  const sized = { ...config, blocksize, bank_size: n_i };
  writeFileSync(join(folder, "bank_config.json"), JSON.stringify(sized));
  const columns = Object.entries(samples).map(([name, data]): FeatherColumn => ({ name, type: "f64", data }));
  writeFileSync(join(folder, "intrinsic_sample_bank.feather"), encodeFeather(columns));
  const each = n_m * 2 * n_b;
  for (let i0 = 0; i0 < n_i; i0 += blocksize) {
    const n = Math.min(blocksize, n_i - i0);
    for (const [kind, values] of [
      ["amplitudes", amplitude],
      ["phase", phase],
    ] as const) {
      const data = values.slice(i0 * each, (i0 + n) * each);
      const path = join(folder, `waveforms/${kind}_block_${i0 / blocksize}.npy`);
      writeFileSync(path, encodeNpy([n, n_m, 2, n_b], { dtype: "f8", data }));
    }
  }
  return folder;
}

/** Samples i0 <= i < i1. */
export function takeSamples(bank: BankContent, i0: number, i1: number): BankContent {
  const each = bank.amplitude.length / bank.samples.m1.length;
  return {
    ...bank,
    samples: mapValues(bank.samples, (values) => values.slice(i0, i1)),
    amplitude: bank.amplitude.slice(i0 * each, i1 * each),
    phase: bank.phase.slice(i0 * each, i1 * each),
  };
}

/** The modes `m_arr`, in this order. */
export function takeModes(bank: BankContent, m_arr: number[]): BankContent {
  const { config } = bank;
  const row = 2 * config.fbin.length;
  const positions = m_arr.map((m) => config.m_arr.indexOf(m));
  const take = (values: Float64Array) => {
    const out = new Float64Array((values.length / config.m_arr.length) * m_arr.length);
    for (let at = 0; at < out.length; at += row) {
      const [i, m] = [Math.floor(at / row / m_arr.length), (at / row) % m_arr.length];
      const from = (i * config.m_arr.length + positions[m]) * row;
      out.set(values.subarray(from, from + row), at);
    }
    return out;
  };
  const harmonic_modes = m_arr.flatMap((m) => config.harmonic_modes.filter(([, mode]) => mode === m));
  return {
    ...bank,
    config: { ...config, m_arr, harmonic_modes },
    amplitude: take(bank.amplitude),
    phase: take(bank.phase),
  };
}

/** The bank with bins above its last one; the waveforms go on as they ended. */
export function addBins(bank: BankContent, bins: number[]): BankContent {
  const { config } = bank;
  const [n_b, n_new] = [config.fbin.length, config.fbin.length + bins.length];
  const widen = (values: Float64Array) => {
    const out = new Float64Array((values.length / n_b) * n_new);
    for (let row = 0; row * n_b < values.length; row++) {
      out.fill(values[(row + 1) * n_b - 1], row * n_new, (row + 1) * n_new);
      out.set(values.subarray(row * n_b, (row + 1) * n_b), row * n_new);
    }
    return out;
  };
  return {
    ...bank,
    config: { ...config, fbin: [...config.fbin, ...bins] },
    amplitude: widen(bank.amplitude),
    phase: widen(bank.phase),
  };
}

/** `copies` times as many samples: each copy's phases drift a little further away, as neighbours in chirp mass do. */
export function multiplySamples(bank: BankContent, copies: number): BankContent {
  const { fbin } = bank.config;
  const repeat = (values: Float64Array) =>
    Float64Array.from({ length: copies * values.length }, (_, at) => values[at % values.length]);
  const n = bank.phase.length;
  return {
    ...bank,
    samples: mapValues(bank.samples, repeat),
    amplitude: repeat(bank.amplitude),
    phase: repeat(bank.phase).map(
      (value, at) => value + 0.4 * Math.floor(at / n) * (fbin[at % fbin.length] / 50) ** (-5 / 3),
    ),
  };
}

function mapValues(
  columns: Record<string, Float64Array>,
  change: (values: Float64Array) => Float64Array,
): Record<string, Float64Array> {
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, change(values)]));
}

/** One .npy of numbers. */
export function writeNumbers(path: string, values: ArrayLike<number>, dtype: "i8" | "f8"): string {
  writeFileSync(path, encodeNpy([values.length], { dtype, data: Float64Array.from(values) }));
  return path;
}
