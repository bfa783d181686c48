/** Small banks of made-up waveforms. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SAMPLE_COLUMNS } from "../src/gw/bank.ts";
import { encodeFeather } from "../src/io/feather.ts";
import { encodeNpy } from "../src/io/npy.ts";
import { randomNumbers } from "./kernel-cases.ts";

export interface MadeBank {
  readonly n_i: number;
  readonly m_arr: readonly number[];
  readonly n_b: number;
  readonly blocksize: number;
  /** (i, m, p, b) */
  readonly amplitude: Float64Array;
  readonly phase: Float64Array;
}

/** Inspirals that differ from sample to sample: smooth in f, modes and polarizations alike. */
export function smoothBank(
  n_i: number,
  m_arr: readonly number[],
  n_b: number,
  blocksize: number,
  seed = 1,
): MadeBank {
  const size = m_arr.length * 2 * n_b;
  const [amplitude, phase] = [0, 1].map(() => new Float64Array(n_i * size));
  const random = randomNumbers(4 * n_i * m_arr.length * 2, seed);
  let at = 0;
  for (let i = 0; i < n_i; i++) {
    for (let row = 0; row < 2 * m_arr.length; row++) {
      const [a, b, c, d] = random.subarray(4 * (i * 2 * m_arr.length + row));
      for (let k = 0; k < n_b; k++, at++) {
        const f = frequency(k, n_b);
        amplitude[at] = 1e-21 * (2 + a) * (f / 20) ** (-7 / 6) * (1 + 0.3 * b * Math.cos(f / 60 + 3 * c));
        phase[at] = 40 * (1.5 + c) * (f / 20) ** (-5 / 3) + d * Math.sin(f / 80) + f / 30;
      }
    }
  }
  return { n_i, m_arr, n_b, blocksize, amplitude, phase };
}

const frequency = (b: number, n_b: number) => 20 * 25 ** (b / (n_b - 1));

/** Writes it as dot_pe does. */
export function writeMadeBank(folder: string, bank: MadeBank): string {
  const { n_i, m_arr, n_b, blocksize } = bank;
  mkdirSync(join(folder, "waveforms"), { recursive: true });
  const fbin = Array.from({ length: n_b }, (_, b) => frequency(b, n_b));
  const config = { fbin, f_ref: 50, m_arr, blocksize, approximant: "X" };
  writeFileSync(join(folder, "bank_config.json"), JSON.stringify(config));
  const columns = SAMPLE_COLUMNS.map((name) => ({
    name,
    type: "f64" as const,
    data: new Float64Array(n_i).fill(0.5),
  }));
  writeFileSync(join(folder, "intrinsic_sample_bank.feather"), encodeFeather(columns));
  const size = m_arr.length * 2 * n_b;
  for (let k = 0; k * blocksize < n_i; k++) {
    const n = Math.min(blocksize, n_i - k * blocksize);
    for (const [name, values] of [["amplitudes", bank.amplitude] as const, ["phase", bank.phase] as const]) {
      const data = values.slice(k * blocksize * size, (k * blocksize + n) * size);
      const bytes = encodeNpy([n, m_arr.length, 2, n_b], { dtype: "f8", data });
      writeFileSync(join(folder, `waveforms/${name}_block_${k}.npy`), bytes);
    }
  }
  return folder;
}
