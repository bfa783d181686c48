/** Whether a bank is good for an event: band, grid, samples near it, and the error of relative binning with its bins. */
import { DotpeError } from "../errors.ts";
import { bandOfEvent, type EventBand } from "../gw/band.ts";
import type { Bank } from "../gw/bank.ts";
import type { Event } from "../gw/event.ts";
import { sampleBins } from "../gw/sample-waveform.ts";
import { ResponseFitter } from "../gw/single-detector-fit.ts";
import { formatCount } from "../report/format.ts";
import type { Reporter } from "../report/reporter.ts";
import { sharedF64, shareF64 } from "../workers/arena.ts";
import type { Pool } from "../workers/pool.ts";
import type { ExactData } from "./again-job.ts";
import { type Maker, type NoMaker, notMade } from "./check-again.ts";
import { type BankCheck, brief, failed, ofSamples, passed, warned } from "./check-list.ts";
import { MAX_DROP, type Near, nearEvent } from "./near-event.ts";

/** Error of ln L by relative binning: what a likelihood can bear, and what falsifies it. */
export const DOUBTFUL = 0.1;
export const WRONG = 1;
/** Samples that are looked at: the best, and others that are near. */
const N_BEST = 24;
const N_OTHERS = 8;
/** Share of an inspiral's SNR^2 that may lie outside the bins. */
const MAX_OUTSIDE = 0.01;
/** Fewer samples near the event are a poor posterior. */
const FEW = 100;
/** ln L of stage 2 that noise alone can give, for each detector. */
const FAINT = 10;
/** Half the width of the times that are tried (s), and phases. */
const WINDOW = 0.02;
const N_PHI = 64;

/** |ln L by relative binning - ln L by the sum over the grid| of some samples. */
export interface BinningErrors {
  readonly samples: readonly { readonly i: number; readonly lnl: number; readonly error: number }[];
  readonly median: number;
  readonly p99: number;
  readonly max: number;
  /** The sample of the largest. */
  readonly worst: number;
}

export interface EventReport {
  readonly event: string;
  readonly checks: readonly BankCheck[];
  readonly binning?: BinningErrors;
}

export async function checkForEvent(
  bank: Bank,
  event: Event,
  maker: Maker | NoMaker,
  pool: Pool,
  report: Reporter,
): Promise<EventReport> {
  const checks: BankCheck[] = [];
  try {
    const band = bandOfEvent(event, bank.config.fbin);
    checks.push(...bandChecks(bank, event, band));
    const progress = report.stage("event", bank.n_i, "samples");
    const near = await nearEvent(bank, event, band, pool, (share) => progress.update(share * bank.n_i));
    progress.update(bank.n_i);
    progress.end(`${formatCount(near.near.length)} near ${event.name}`);
    checks.push(nearCheck(bank, event, near));
    if ("reason" in maker) {
      return { event: event.name, checks: [...checks, notMade(BINNING, maker)] };
    }
    const sums = report.stage("whole grid", N_BEST + N_OTHERS, "samples");
    const binning = await binningErrors(bank, event, band, near, maker, pool, (done) => sums.update(done));
    sums.end(`by ${maker.maker}`);
    checks.push("error" in binning ? binning.error : binningCheck(binning));
    return { event: event.name, checks, ...("error" in binning ? {} : { binning }) };
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
    return { event: event.name, checks: [...checks, failed("event", error.message, error.hint)] };
  }
}

const BINNING = "relative binning";

function bandChecks(bank: Bank, event: Event, band: EventBand): BankCheck[] {
  const { fbin, note, doubt } = band;
  const outside = shareOutside(event, band);
  const used = `${fbin.length} of ${bank.config.fbin.length} bins, ${brief(fbin[0])}-${brief(fbin[fbin.length - 1])} Hz`;
  const found = `${note ?? used}; ${(100 * (1 - outside)).toFixed(2)}% of an inspiral's SNR^2 is within`;
  const todo = `what ${event.name} has outside the bins is not used: make a bank with --event`;
  const grid = `the bins are on ${event.name}'s grid (${brief(event.df)} Hz)`;
  return [
    outside > MAX_OUTSIDE ? warned("band", found, todo) : passed("band", found),
    doubt === null
      ? passed("grid", grid)
      : warned("grid", doubt, "what it costs is in the error of relative binning, below"),
  ];
}

/** Of sum f^(-7/3) / PSD over the event's grid, all detectors. */
function shareOutside({ f, n_f, n_d, whiten_df }: Event, { f_index }: EventBand): number {
  let [inside, all] = [0, 0];
  const [first, last] = [f_index[0], f_index[f_index.length - 1]];
  for (let d = 0; d < n_d; d++) {
    for (let k = 1; k < n_f; k++) {
      const power = f[k] ** (-7 / 3) * whiten_df[d * n_f + k] ** 2;
      all += power;
      if (k >= first && k <= last) inside += power;
    }
  }
  return 1 - inside / all;
}

function nearCheck(bank: Bank, event: Event, { near, lnlike_i }: Near): BankCheck {
  const best = near[0];
  const found = `${ofSamples(near.length, bank.n_i)} are within ${MAX_DROP} of the best ln L of ${event.name}: ${lnlike_i[best].toFixed(1)}, sample ${best}`;
  const warn = (todo: string) => warned("near the event", found, todo, { sample: best });
  if (lnlike_i[best] < FAINT * event.n_d) {
    return warn("nothing in the bank fits the event: is its chirp mass (detector frame) within?");
  }
  if (near.length >= Math.min(FEW, bank.n_i)) return passed("near the event", found);
  return warn(
    "few samples will make the posterior: more samples, or a narrower range of chirp mass around it",
  );
}

/**
 * Of each sample: the sum over detectors of 1/2 d^T H^-1 d at the time and phase that maximise it by relative binning, with the
 * stored waveform; and the same of the waveform made again, summed over every frequency of the grid between the used bins.
 */
async function binningErrors(
  bank: Bank,
  event: Event,
  band: EventBand,
  { near, reference }: Near,
  maker: Maker,
  pool: Pool,
  onProgress: (done: number) => void,
): Promise<BinningErrors | { readonly error: BankCheck }> {
  const i_j = chosen(near);
  const n_t = 2 * Math.ceil(WINDOW * 2 * event.f[event.n_f - 1]) + 2;
  const fitter = new ResponseFitter(event, { n_t, n_phi: N_PHI }, pool.kernels);
  const { n_d } = event;
  const [t_jd, phi_jd] = [sharedF64(i_j.length * n_d), sharedF64(i_j.length * n_d)];
  const lnl_j = i_j.map((i, j) => {
    const { amplitude_mpb, phase_mpb } = sampleBins(bank, i, band);
    const re_mpb = amplitude_mpb.map((a, k) => a * Math.cos(phase_mpb[k]));
    const im_mpb = amplitude_mpb.map((a, k) => a * Math.sin(phase_mpb[k]));
    const { fits } = fitter.fit(reference, { re_mpb, im_mpb });
    fits.forEach(({ t, phi }, d) => {
      t_jd[j * n_d + d] = t;
      phi_jd[j * n_d + d] = phi;
    });
    return fits.reduce((sum, { lnl }) => sum + lnl, 0);
  });
  const exact = { ...exactData(event, band), drift_d: shareF64(reference.asdDrift_d), t_jd, phi_jd };
  const made = await maker.run(pool, i_j, exact, onProgress);
  onProgress(made.length);
  const unmade = made.find(({ error }) => error !== null);
  if (unmade !== undefined) {
    const sample = i_j[unmade.j];
    const todo = "the approximant refuses what the bank says that it made";
    return { error: warned(BINNING, `sample ${sample}: ${unmade.error}`, todo, { sample }) };
  }
  const samples = made.map(({ j, lnl_d }) => {
    const lnl = lnl_d.reduce((sum, one) => sum + one, 0);
    return { i: i_j[j], lnl, error: lnl_j[j] - lnl };
  });
  const sorted = [...samples].sort((a, b) => Math.abs(a.error) - Math.abs(b.error));
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1];
  const size = (share: number) => Math.abs(at(share).error);
  return { samples, median: size(0.5), p99: size(0.99), max: size(1), worst: at(1).i };
}

/** The best samples, and others evenly from the rest of those that are near. */
function chosen(near: readonly number[]): number[] {
  const rest = near.slice(N_BEST);
  const n = Math.min(N_OTHERS, rest.length);
  const others = Array.from({ length: n }, (_, k) => rest[Math.floor(((k + 0.5) * rest.length) / n)]);
  return [...near.slice(0, N_BEST), ...others];
}

function exactData(
  { f, n_f, n_d, df, strainRe_df, strainIm_df, whiten_df }: Event,
  { f_index }: EventBand,
): Omit<ExactData, "drift_d" | "t_jd" | "phi_jd"> {
  const [first, end] = [f_index[0], f_index[f_index.length - 1] + 1];
  const rows = (x_df: Float64Array) => {
    const out = sharedF64(n_d * (end - first));
    for (let d = 0; d < n_d; d++) out.set(x_df.subarray(d * n_f + first, d * n_f + end), d * (end - first));
    return out;
  };
  return {
    ...{ f: shareF64(f.slice(first, end)), df },
    ...{ strainRe_df: rows(strainRe_df), strainIm_df: rows(strainIm_df) },
    power_df: rows(whiten_df.map((w) => w * w)),
  };
}

function binningCheck({ samples, median, p99, max, worst }: BinningErrors): BankCheck {
  const digits = (x: number) => (x < 1e-4 ? x.toExponential(1) : x.toPrecision(2));
  const found = `ln L of ${samples.length} samples is off by ${digits(median)} (median), ${digits(p99)} (99%), ${digits(max)} (largest, sample ${worst})`;
  const todo =
    "the bins are too far apart for this event, not on its grid, or do not follow the waveform: make the bank again with `bank create --event` and a smaller --phase-tolerance";
  const where = { sample: worst };
  if (max > WRONG) return failed(BINNING, found, todo, where);
  return max > DOUBTFUL ? warned(BINNING, found, todo, where) : passed(BINNING, found);
}
