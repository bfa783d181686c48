/** Whether the stored waveforms are those that the bank says: some are made again. */
import { openWaveforms } from "../approximants/open.ts";
import { DotpeError } from "../errors.ts";
import type { Bank } from "../gw/bank.ts";
import { PREC_VERSION } from "../gw/bank-config.ts";
import { bankFiles } from "../gw/bank-reader.ts";
import { shareF64, shareI32 } from "../workers/arena.ts";
import type { Pool } from "../workers/pool.ts";
import type { Again, AgainPlan, ExactData } from "./again-job.ts";
import { type BankCheck, failed, passed, skipped, warned } from "./check-list.ts";

const NAME = "made again";
/** Samples that are made again, spread over the bank. */
const N_AGAIN = 32;
/**
 * |stored - made again| / |made again|: versions of one approximant differ by less than the first. Beyond the second the bank
 * was made with something else than it says.
 */
const DIFFERENT = 1e-4;
const OTHER = 1e-2;

/** Makes samples of a bank again; or why that cannot be done here. */
export interface Maker {
  /** A program and its version. */
  readonly maker: string;
  readonly run: (
    pool: Pool,
    i_j: readonly number[],
    exact: ExactData | null,
    onProgress?: (done: number) => void,
  ) => Promise<Again[]>;
}

/** Why there is none, and what to do. */
export interface NoMaker {
  readonly reason: string;
  readonly todo?: string;
}

/**
 * @param lal as the user gave it
 * @throws DotpeError noInput if there is no LALSimulation at `lal`
 */
export async function findMaker(bank: Bank, lal: string | null): Promise<Maker | NoMaker> {
  const { config } = bank;
  const { approximant, f_ref, harmonic_modes, m_arr } = config;
  const version = config.others[PREC_VERSION];
  const phenomXPrecVersion = typeof version === "number" ? version : null;
  const request = { approximant, f_ref, harmonic_modes, phenomXPrecVersion, lal };
  try {
    const source = await openWaveforms({ ...request, f: config.fbin });
    if (source.m_arr.join() !== m_arr.join()) {
      const [has, makes] = [m_arr, source.m_arr].map((m) => m.join(", "));
      return { reason: `the bank has m = ${has}, ${source.maker} makes ${makes}` };
    }
    const samples = Object.fromEntries(
      Object.keys(bank.samples).map((name) => [name, shareF64(bank.samples[name as "m1"])]),
    ) as unknown as Bank["samples"];
    const found = { ...request, lal: source.lal };
    const common = {
      files: bankFiles(bank),
      fbin: shareF64(config.fbin),
      mArr: m_arr,
      request: found,
      samples,
    };
    const run: Maker["run"] = async (pool, i_j, exact, onProgress) => {
      const plan: AgainPlan = { ...common, i_j: shareI32(i_j), exact };
      const made = (await pool.run("again", plan, i_j.length, onProgress)).flat();
      return made.sort((a, b) => a.j - b.j);
    };
    return { maker: source.maker, run };
  } catch (error) {
    if (!(error instanceof DotpeError) || (lal !== null && error.exit === "noInput")) throw error;
    if (error.exit !== "noInput") return { reason: error.message };
    const reason = `${approximant} is not built in and no LALSimulation was found`;
    return { reason, todo: "give its library, or an environment that has lalsuite, with --lal PATH" };
  }
}

export async function againCheck(bank: Bank, maker: Maker | NoMaker, pool: Pool): Promise<BankCheck> {
  if ("reason" in maker) return notMade(NAME, maker);
  const i_j = spread(bank.n_i, N_AGAIN);
  const made = await maker.run(pool, i_j, null);
  const unmade = made.find(({ error }) => error !== null);
  if (unmade !== undefined) {
    const todo =
      "the approximant refuses what the bank says that it made: are the samples and waveforms of one bank?";
    return warned(NAME, `sample ${i_j[unmade.j]}: ${unmade.error}`, todo, { sample: i_j[unmade.j] });
  }
  const worst = made.reduce((most, one) => (one.difference <= most.difference ? most : one));
  const sample = i_j[worst.j];
  const by = `${i_j.length} samples by ${maker.maker}`;
  if (worst.difference === 0) return passed(NAME, `${by}: equal`);
  const found = `${by}: they differ by up to ${worst.difference.toExponential(1)} of the waveform (sample ${sample})`;
  const todo =
    "approximant, f_ref, modes or version are not those in bank_config.json, or samples and waveforms are not of one bank";
  // What was packed with a tolerance says how far it is from what was made.
  const packed = bank.packed?.header.rounding?.relativeError ?? 0;
  if (!(worst.difference <= OTHER + packed)) return failed(NAME, found, todo, { sample });
  if (!(worst.difference <= DIFFERENT + packed)) return warned(NAME, found, todo, { sample });
  return passed(NAME, found);
}

export function notMade(name: string, { reason, todo }: NoMaker): BankCheck {
  return skipped(name, `not checked: ${reason}`, todo);
}

/** n of n_i samples, or all, evenly. */
function spread(n_i: number, n: number): number[] {
  const count = Math.min(n_i, n);
  return Array.from({ length: count }, (_, k) => Math.floor(((k + 0.5) * n_i) / count));
}
