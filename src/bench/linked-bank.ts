/** A larger bank out of an existing one, to measure speed with. Not for physics: every waveform is there several times. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { DotpeError } from "../errors.ts";
import { CONFIG_FILE, openBank, SAMPLES_FILE } from "../gw/bank.ts";
import { writeFileAtomic } from "../io/atomic-write.ts";
import { encodeFeatherChunks, type FeatherColumn, readFeather } from "../io/feather.ts";

/**
 * Writes a bank of n samples whose waveform files are symbolic links to the blocks of `from`, one after the other and again
 * from the first, and whose sample table repeats theirs: n samples to compute, hardly any disk space.
 * @throws DotpeError cannotCreate (`to` exists), usage (n is not a number of whole blocks), whatever openBank throws.
 */
export function linkBank(from: string, to: string, n: number): void {
  if (existsSync(to)) throw new DotpeError("cannotCreate", `${to}: exists`, "Give a new folder.");
  const { blocks, config, packed } = openBank(from, "bank_0");
  if (packed !== null)
    throw new DotpeError("usage", `${from}: found a packed bank, expected .npy files`, "Unpack it first.");
  const { blocksize } = config;
  const whole = blocks.filter(({ n_i }) => n_i === blocksize);
  if (whole.length === 0 || !(n >= blocksize) || n % blocksize !== 0) {
    throw new DotpeError(
      "usage",
      `${to}: found ${n} samples, expected a multiple of the ${blocksize} of a block of ${from}`,
      "Only whole blocks can be linked to.",
    );
  }
  mkdirSync(join(to, "waveforms"), { recursive: true });
  for (let k = 0; k < n / blocksize; k++) {
    const { amplitudesPath, phasePath } = whole[k % whole.length];
    symlinkSync(resolve(amplitudesPath), join(to, `waveforms/amplitudes_block_${k}.npy`));
    symlinkSync(resolve(phasePath), join(to, `waveforms/phase_block_${k}.npy`));
  }
  const columns = repeatedColumns(join(from, SAMPLES_FILE), whole.length * blocksize, n);
  // Compressed as pandas does it, so that opening it takes as long.
  writeFileAtomic(join(to, SAMPLES_FILE), encodeFeatherChunks(columns, { compression: "lz4" }));
  const stated = JSON.parse(readFileSync(join(from, CONFIG_FILE), "utf8"));
  writeFileSync(join(to, CONFIG_FILE), JSON.stringify({ ...stated, bank_size: n }, null, 1) + "\n");
}

/** The first n_from rows of a table, again and again until there are n. */
function repeatedColumns(path: string, n_from: number, n: number): FeatherColumn[] {
  const table = readFeather(path);
  return table.names.map((name) => {
    const values = table.f64(name).subarray(0, n_from);
    const data = new Float64Array(n);
    for (let i = 0; i < n; i += n_from) data.set(values.subarray(0, Math.min(n_from, n - i)), i);
    return { name, type: "f64", data };
  });
}
