/** Stage 1: the event, the banks, the bins they share, and which bank samples are looked at. */
import { DotpeError } from "../errors.ts";
import { type Bank, bandOfEvent, checkBanksAgree, type EventBand, openBank } from "../gw/bank.ts";
import { type Event, readEvent } from "../gw/event.ts";
import { readNpy } from "../io/npy.ts";
import { openNpz } from "../io/npz.ts";
import type { Options } from "../options.ts";
import { bankId } from "../per-bank.ts";
import type { BankBins } from "./bank-samples.ts";

export interface Inputs {
  readonly event: Event;
  readonly banks: readonly Bank[];
  readonly band: EventBand;
  readonly bins: BankBins;
  /** By bank: the samples that stage 2 looks at, or that an earlier run chose. */
  readonly candidates: readonly Candidates[];
  /** By bank: samples that the evidence is normalised by. */
  readonly n_int: readonly number[];
  /** By bank and sample. */
  readonly logPriorWeights: readonly Float64Array[];
}

export interface Candidates {
  readonly i: Int32Array;
  /** Of an earlier run (--load-inds with .npz): incoherent lnL by detector (d, i). */
  readonly lnlike_di?: Float64Array;
}

/** @throws DotpeError for every file that is missing or wrong, and for inputs that do not fit each other. */
export function readInputs(options: Options): Inputs {
  const event = readEvent(options.event);
  const banks = options.banks.map((folder, k) => openBank(folder, bankId(k)));
  checkBanksAgree(banks);
  const { config } = banks[0];
  const band = bandOfEvent(event, config.fbin);
  const bins = { banks, mArr: [...config.m_arr], b0: band.b0, fbin: band.fbin };
  const n_int = banks.map((bank, k) => limit(bank, options.nInt[k]));
  return {
    ...{ event, banks, band, bins, n_int },
    candidates: banks.map((bank, k) => candidatesOf(bank, n_int[k], event.n_d, k, options)),
    logPriorWeights: banks.map((bank, k) => logPriorWeights(bank, options.bankLogwOverride[k])),
  };
}

/** Of all banks. */
export function countCandidates({ candidates }: Pick<Inputs, "candidates">): number {
  return candidates.reduce((sum, { i }) => sum + i.length, 0);
}

function limit(bank: Bank, asked: number | undefined): number {
  if (asked === undefined || asked <= bank.n_i) return asked ?? bank.n_i;
  throw new DotpeError(
    "usage",
    `--n-int: found ${asked} for ${bank.folder}, expected at most its ${bank.n_i} samples`,
    "Leave --n-int out to use the whole bank.",
  );
}

function candidatesOf(bank: Bank, n_int: number, n_d: number, k: number, options: Options): Candidates {
  const chosen = options.loadInds ? options.indsPath[k] : options.preselectedIndices[k];
  if (chosen === undefined) {
    const first = Math.min(options.iIntStart, n_int);
    if (first < n_int) return { i: new Int32Array(n_int - first).map((_, n) => first + n) };
    throw new DotpeError(
      "usage",
      `--i-int-start: found ${options.iIntStart}, expected less than the ${n_int} samples used of ${bank.folder}`,
      "Lower --i-int-start or raise --n-int.",
    );
  }
  if (!chosen.endsWith(".npz")) return { i: checkedIndices(readNpy(chosen).toFloat64(), bank, chosen) };
  const file = openNpz(chosen);
  const i = checkedIndices(file.get("inds").toFloat64(), bank, chosen);
  const [lnlike_i, lnlike_di] = ["incoherent_lnlikes", "lnlikes_di"].map((name) =>
    file.get(name).toFloat64(),
  );
  if (lnlike_i.length === i.length && lnlike_di.length === n_d * i.length) {
    checkKnown(chosen, "incoherent_lnlikes", lnlike_i);
    checkKnown(chosen, "lnlikes_di", lnlike_di);
    return { i, lnlike_di };
  }
  throw new DotpeError(
    "badData",
    `${chosen}: incoherent_lnlikes, lnlikes_di: found ${lnlike_i.length} and ${lnlike_di.length} numbers, expected ` +
      `${i.length} and ${n_d} x ${i.length}, as inds says`,
    "Give the intrinsic_samples.npz of a run on the same event and bank.",
  );
}

/** A likelihood that is not a number would drop its sample without a word. */
function checkKnown(path: string, field: string, values: Float64Array): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new DotpeError(
    "notFinite",
    `${path}: ${field}: found ${values[bad]} at position ${bad}, expected finite numbers`,
    "Run the incoherent stage again, without --load-inds.",
  );
}

function checkedIndices(values: Float64Array, bank: Bank, path: string): Int32Array {
  const bad = values.findIndex((i) => !(Number.isInteger(i) && i >= 0 && i < bank.n_i));
  if (bad >= 0 || values.length === 0) {
    const found = values.length === 0 ? "no index" : `index ${values[bad]} at position ${bad}`;
    throw new DotpeError(
      "badData",
      `${path}: found ${found}, expected whole numbers from 0 to ${bank.n_i - 1}`,
      `The indices are those of the samples of ${bank.folder}.`,
    );
  }
  const sorted = Int32Array.from(values).sort();
  const twice = sorted.findIndex((i, n) => n > 0 && i === sorted[n - 1]);
  if (twice < 0) return Int32Array.from(values);
  throw new DotpeError(
    "badData",
    `${path}: found index ${sorted[twice]} twice, expected each once`,
    "A sample that counts twice would falsify the evidence: remove the repetition.",
  );
}

function logPriorWeights(bank: Bank, path: string | undefined): Float64Array {
  if (path === undefined) return bank.samples.log_prior_weights;
  const values = readNpy(path).toFloat64();
  if (values.length !== bank.n_i) {
    throw new DotpeError(
      "mismatch",
      `${path}: found ${values.length} log prior weights, expected ${bank.n_i}, one a sample of ${bank.folder}`,
      "Give a one-dimensional .npy array with one number for each bank sample.",
    );
  }
  const bad = values.findIndex((w) => Number.isNaN(w) || w === Infinity);
  if (bad < 0) return values;
  throw new DotpeError(
    "notFinite",
    `${path}: found ${values[bad]} at position ${bad}, expected a finite number or -inf`,
    "Make the log prior weights again.",
  );
}
