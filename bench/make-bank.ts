/**
 * Makes a larger bank out of an existing one, to measure speed with: `bun bench/make-bank.ts FROM TO N`.
 * Its waveform files are symbolic links to the blocks of FROM, one after the other and again from the first, and its
 * sample table repeats theirs: N samples to compute, hardly any disk space. Not for physics: every waveform is there
 * several times. Once in the page cache, FROM's blocks serve all of TO, so a measurement on it is a warm one.
 */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { openBank } from "../src/gw/bank.ts";
import { writeFileAtomic } from "../src/io/atomic-write.ts";
import { encodeFeatherChunks, type FeatherColumn, readFeather } from "../src/io/feather.ts";

const CONFIG = "bank_config.json";
const SAMPLES = "intrinsic_sample_bank.feather";

/** @throws Error if TO exists or N is not a number of whole blocks; DotpeError if FROM is not a bank. */
export function makeBank(from: string, to: string, n: number): void {
  if (existsSync(to)) throw new Error(`${to}: exists; give a new folder`);
  const { blocks, config } = openBank(from, "bank_0");
  const { blocksize } = config;
  const whole = blocks.filter(({ n_i }) => n_i === blocksize);
  if (whole.length === 0 || n < blocksize || n % blocksize !== 0)
    throw new Error(`N: found ${n}, expected a multiple of the ${blocksize} samples of a block of ${from}`);
  mkdirSync(join(to, "waveforms"), { recursive: true });
  for (let k = 0; k < n / blocksize; k++) {
    const { amplitudesPath, phasePath } = whole[k % whole.length];
    symlinkSync(resolve(amplitudesPath), join(to, `waveforms/amplitudes_block_${k}.npy`));
    symlinkSync(resolve(phasePath), join(to, `waveforms/phase_block_${k}.npy`));
  }
  // As pandas writes it, so that opening it takes as long.
  const columns = repeatedColumns(join(from, SAMPLES), whole.length * blocksize, n);
  writeFileAtomic(join(to, SAMPLES), encodeFeatherChunks(columns, { compression: "lz4" }));
  const stated = JSON.parse(readFileSync(join(from, CONFIG), "utf8"));
  writeFileSync(join(to, CONFIG), JSON.stringify({ ...stated, bank_size: n }, null, 1) + "\n");
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

if (import.meta.main) {
  const [from, to, n] = process.argv.slice(2);
  try {
    if (n === undefined) throw new Error("usage: bun bench/make-bank.ts FROM TO N");
    makeBank(from, to, Number(n));
    console.log(`${to}: ${n} samples, links to the blocks of ${from}`);
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 64;
  }
}
