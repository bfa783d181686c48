/** A part of a user's banks as a small bank of its own, to measure on. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CONFIG_FILE, OPTIONAL_COLUMNS, SAMPLE_COLUMNS, SAMPLES_FILE } from "../gw/bank.ts";
import { BankReader, bankFiles } from "../gw/bank-reader.ts";
import { encodeFeather } from "../io/feather.ts";
import { encodeNpy } from "../io/npy-write.ts";
import { itemsOf, pickItems } from "../stages/select.ts";
import type { Inputs } from "../stages/setup.ts";

/**
 * Writes at most n of the samples that a run looks at, evenly spread over them, as a bank of one block.
 * @returns how many
 */
export function writeSlice(inputs: Inputs, folder: string, n: number): number {
  const all = itemsOf(inputs.candidates);
  const n_i = Math.min(n, all.i_j.length);
  const spread = Float64Array.from({ length: n_i }, (_, k) => Math.floor((k * all.i_j.length) / n_i));
  const { bank_j, i_j } = pickItems(all, spread);
  const { config } = inputs.banks[0];
  const [n_m, n_b] = [config.m_arr.length, config.fbin.length];
  const size = n_m * 2 * n_b;
  const amplitude = new Float64Array(n_i * size);
  const phase = new Float64Array(n_i * size);
  const readers = inputs.banks.map((bank) => new BankReader(bankFiles(bank)));
  try {
    for (let k = 0; k < n_i; k++) {
      const reader = readers[bank_j[k]];
      reader.load(i_j[k], i_j[k] + 1);
      amplitude.set(reader.amplitude.subarray(0, size), k * size);
      phase.set(reader.phase.subarray(0, size), k * size);
    }
  } finally {
    for (const reader of readers) reader.close();
  }
  mkdirSync(join(folder, "waveforms"), { recursive: true });
  const shape = [n_i, n_m, 2, n_b];
  for (const [kind, data] of [["amplitudes", amplitude] as const, ["phase", phase] as const]) {
    writeFileSync(join(folder, `waveforms/${kind}_block_0.npy`), encodeNpy(shape, { dtype: "f8", data }));
  }
  const columns = [...SAMPLE_COLUMNS, ...OPTIONAL_COLUMNS].map((name) => {
    const data = Float64Array.from(i_j, (i, k) => inputs.banks[bank_j[k]].samples[name][i]);
    return { name, type: "f64" as const, data };
  });
  writeFileSync(join(folder, SAMPLES_FILE), encodeFeather(columns));
  const harmonic_modes = config.harmonic_modes ?? undefined;
  const fbin = Array.from(config.fbin);
  const stated = { ...config, harmonic_modes, fbin, bank_size: n_i, blocksize: n_i };
  writeFileSync(join(folder, CONFIG_FILE), JSON.stringify(stated));
  return n_i;
}
