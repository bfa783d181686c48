/**
 * How far stage 5 is from the exact inner products on the FFT grid, with the program's own reference waveform. The exact
 * ones are those of the reference run, at its time alignment and its noise drift, so both are taken from it: what is left
 * is the error of relative binning.
 */

import { modePairs } from "../../src/axes.ts";
import { BankReader, bankFiles } from "../../src/gw/bank-reader.ts";
import type { Reference } from "../../src/gw/reference.ts";
import { buildReference, type Search } from "../../src/gw/reference-waveform.ts";
import { openNpz } from "../../src/io/npz.ts";
import { Pool } from "../../src/workers/pool.ts";
import { complexOf, runPath } from "../../test/reference-cases.ts";
import { phaseProducts, type Waveforms } from "./given-waveforms.ts";
import { likelihoods } from "./incoherent-level.ts";
import { type Level, quantile } from "./level.ts";
import type { Subject } from "./subject.ts";

const N_PHI = 32;
/** Rows further below the best lnL do not count. */
const MAX_DROP = 20;
const ALLOWED = 0.005;

/**
 * Samples, by case and bank, whose waveform is not smooth between the bank's bins. 76 of bank s has nearly equal masses
 * (q = 0.9994), where IMRPhenomXPHM's phase has kinks: a spline through its values on the bins misses it by 1e-3 rad (1e-6
 * for sample 28). With that spline instead of the waveform, the sums over the whole FFT grid are already off by 0.016
 * (median; largest 0.023) in lnL, and 0.0000 and 0.002 for samples 28 and 88: no reference waveform can mend it.
 */
const ROUGH: Readonly<Record<string, readonly number[]>> = { "small bank_0": [76] };
const KNOWN_OFF = { small: "sample 76 is not smooth between the bank's bins" };

export const accuracyLevel: Level = {
  name: "accuracy",
  quantities: [
    { name: "rows", unit: "count" },
    { name: "|dlnL| p50", unit: "absolute" },
    { name: "|dlnL| p99", unit: "absolute", allowed: ALLOWED, knownOff: KNOWN_OFF },
    { name: "|dlnL| p99, smooth samples", unit: "absolute", allowed: ALLOWED },
    { name: "|dlnL| max", unit: "absolute" },
    { name: "|dlnL| p99, h0 of dot_pe", unit: "absolute" },
  ],
  async measure(subject) {
    const ours = await errorsOf(subject, await nativeReference(subject));
    const theirs = await errorsOf(subject, subject.reference);
    const p99 = (rows: readonly Row[]) => quantile(errors(rows), 0.99);
    return [
      ours.length,
      quantile(errors(ours), 0.5),
      p99(ours),
      p99(ours.filter(({ smooth }) => smooth)),
      quantile(errors(ours), 1),
      p99(theirs),
    ];
  },
};

interface Row {
  readonly exact: number;
  readonly error: number;
  readonly smooth: boolean;
}

const errors = (rows: readonly Row[]) => rows.map(({ error }) => error);

/** What `--reference native` makes. */
async function nativeReference(subject: Subject): Promise<Reference> {
  const pool = new Pool(1, "auto");
  const { n_phi } = subject.digest.kwargs;
  const search: Search = async (reference, items, n_t) => {
    const settings = { n_t, n_phi, symmetric: true };
    return { lnlike_dj: await likelihoods(subject, pool, reference, items, settings) };
  };
  return buildReference(subject.event, subject.band, subject.banks, search, pool.kernels);
}

/** Rows within MAX_DROP of the best exact lnL, over all banks. */
async function errorsOf(subject: Subject, reference: Reference): Promise<Row[]> {
  const rows: Row[] = [];
  for (const bank of subject.banks.keys()) {
    const file = readExact(subject, bank);
    const found = await lnlWith(subject, reference, bank, file);
    const rough = ROUGH[`${subject.one.name} bank_${bank}`] ?? [];
    const perSample = file.e_inds.length * N_PHI;
    exactLnL(file, subject.mArr).forEach((exact, k) => {
      const smooth = !rough.includes(file.inds[Math.floor(k / perSample)]);
      rows.push({ exact, error: Math.abs(found[k] - exact), smooth });
    });
  }
  const best = rows.reduce((max, { exact }) => Math.max(max, exact), 0);
  return rows.filter(({ exact }) => exact > best - MAX_DROP);
}

type Exact = ReturnType<typeof readExact>;

function readExact({ one }: Subject, bank: number) {
  const file = openNpz(runPath(one, `exact_bank_${bank}.npz`));
  return {
    inds: file.get("inds").toFloat64(),
    e_inds: file.get("e_inds").toFloat64(),
    dt: file.get("dt").toFloat64(),
    dh_iem: complexOf(file, "dh_iem"),
    hh_ieM: complexOf(file, "hh_iem"),
  };
}

/** lnL = dh^2 / (2 hh) where dh > 0, (i, e, o). */
function exactLnL({ inds, e_inds, dh_iem, hh_ieM }: Exact, mArr: readonly number[]): Float64Array {
  const differences = modePairs(mArr.length).map(([a, b]) => mArr[a] - mArr[b]);
  const out = new Float64Array(inds.length * e_inds.length * N_PHI);
  for (let at = 0; at < out.length; at++) {
    const [ie, o] = [Math.floor(at / N_PHI), at % N_PHI];
    // Re sum_n x_n e^{-i n phi}
    const real = (x: typeof dh_iem, harmonics: readonly number[]) =>
      harmonics.reduce((sum, n, k) => {
        const phi = (2 * Math.PI * n * o) / N_PHI;
        const from = ie * harmonics.length + k;
        return sum + x.re[from] * Math.cos(phi) + x.im[from] * Math.sin(phi);
      }, 0);
    const dh = real(dh_iem, mArr);
    const hh = real(
      hh_ieM,
      differences.map((n) => -n),
    );
    out[at] = lnlOf(dh, hh);
  }
  return out;
}

function lnlOf(dh: number, hh: number): number {
  return dh > 0 ? (0.5 * dh * dh) / hh : 0;
}

/** All extrinsic samples go in, as in a run: how stage 5 groups their arrival times depends on them. */
async function lnlWith(
  subject: Subject,
  native: Reference,
  bank: number,
  exact: Exact,
): Promise<Float64Array> {
  const reference = { ...native, asdDrift_d: subject.reference.asdDrift_d };
  const { n_e } = subject.extrinsic;
  const waveforms = alignedSamples(subject, bank, exact);
  const products = await phaseProducts(subject, reference, waveforms, subject.extrinsic, N_PHI, "auto");
  const { dh_ieo, hh_ieo } = products;
  const n_chosen = exact.e_inds.length;
  return new Float64Array(exact.inds.length * n_chosen * N_PHI).map((_, at) => {
    const [ie, o] = [Math.floor(at / N_PHI), at % N_PHI];
    const from = (Math.floor(ie / n_chosen) * n_e + exact.e_inds[ie % n_chosen]) * N_PHI + o;
    return lnlOf(dh_ieo[from], hh_ieo[from]);
  });
}

/** Bank samples `inds` on the used bins, aligned by the given dt. */
function alignedSamples({ banks, bins }: Subject, bank: number, { inds, dt }: Exact): Waveforms {
  const { fbin, b0, mArr } = bins;
  const n_b = fbin.length;
  const n_mp = 2 * mArr.length;
  const [amplitude_impb, phase_impb] = [0, 1].map(() => new Float64Array(inds.length * n_mp * n_b));
  const reader = new BankReader(bankFiles(banks[bank]));
  inds.forEach((i, k) => {
    reader.load(i, i + 1);
    const { amplitude, phase } = reader;
    for (let mp = 0; mp < n_mp; mp++) {
      const from = mp * reader.bank.n_b + b0;
      const to = (k * n_mp + mp) * n_b;
      amplitude_impb.set(amplitude.subarray(from, from + n_b), to);
      for (let b = 0; b < n_b; b++) phase_impb[to + b] = phase[from + b] + 2 * Math.PI * fbin[b] * dt[k];
    }
  });
  reader.close();
  return { n_i: inds.length, amplitude_impb, phase_impb };
}
