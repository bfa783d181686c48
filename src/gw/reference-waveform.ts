/**
 * The reference waveform from the bank itself: the best sample of a coarse search, moved to where the signal arrives in
 * each detector. No waveform model is needed at run time, and the ratio of any good waveform to it is smooth.
 */
import { DotpeError } from "../errors.ts";
import { asdDrift } from "./asd-drift.ts";
import type { EventBand } from "./band.ts";
import type { Bank } from "./bank.ts";
import type { Event } from "./event.ts";
import { IrfftPlan } from "./fft.ts";
import { type DetectorTemplate, networkFrameOf } from "./network-frame.ts";
import { mchirp } from "./prior.ts";
import type { Reference } from "./reference.ts";
import { type ReferenceWithH0, weightsOfDetector } from "./reference-file.ts";
import { alignmentOf, phasors, plusOfMode, turned, weightsOf } from "./relative-binning.ts";
import { type SampleOnGrid, sampleOnGrid } from "./sample-waveform.ts";
import { bestResponse, type DetectorFit } from "./single-detector-fit.ts";
import { modulo } from "./sky-angles.ts";
import { dataWeightsOfRecipe } from "./smooth-waveform.ts";
import { SummaryWeights } from "./spline.ts";

/** A bank sample, by the bank's place in the list. */
export interface SearchItem {
  readonly bank: number;
  readonly i: number;
}

/**
 * Single-detector log likelihoods (d, item) of these items with this reference, maximised over phase and over n_t times
 * spaced 1/(2 f_max) around reference.arrival_d.
 */
export type Search = (
  reference: Reference,
  items: readonly SearchItem[],
  n_t: number,
) => Promise<{ lnlike_di: Float64Array }>;

/** Samples of the first pass, spread over the banks, and of a later one, nearest in chirp mass to the best so far. */
export const N_COARSE = 512;
export const N_NEAR = 2048;
/** Half the widths of the windows in time, s: around tcoarse, or an arrival that needs care; around a good arrival. */
const COARSE_WINDOW = 0.1;
const NEAR_WINDOW = 0.02;
/** Phases of the fit that finds arrival times. */
const N_PHI = 64;
/** A sample must be better by this much in log likelihood to be worth one more pass. */
const WORTHWHILE = 1;

/** What stays the same while the reference changes. */
interface Setting {
  readonly event: Event;
  readonly band: EventBand;
  readonly summary: SummaryWeights;
}

function settingOf(event: Event, band: EventBand): Setting {
  return { event, band, summary: new SummaryWeights(band.fbin, event.f) };
}

/**
 * Finds the reference; `search` is called two or three times.
 * @throws DotpeError notFinite if no sample has a finite likelihood, or the noise near the event cannot be estimated.
 */
export async function buildReference(
  event: Event,
  band: EventBand,
  banks: readonly Bank[],
  search: Search,
): Promise<ReferenceWithH0> {
  const setting = settingOf(event, band);
  const middle = medianItem(banks);
  const atCoarse_d = new Float64Array(event.n_d).fill(event.tcoarse);
  const start = referenceFromSample(event, band, banks[middle.bank], middle.i, atCoarse_d);
  const coarse = stridedItems(banks);
  let best = coarse[(await searched(search, start, coarse, timesWithin(event, COARSE_WINDOW))).at];
  let reference = settled(setting, banks[best.bank], best.i, start);
  for (let pass = 0; pass < 2; pass++) {
    const near = nearestItems(banks, best);
    const { at, lnl_i } = await searched(search, reference, near, timesWithin(event, NEAR_WINDOW));
    if (at === 0) break;
    best = near[at];
    reference = settled(setting, banks[best.bank], best.i, reference);
    if (lnl_i[at] - lnl_i[0] <= WORTHWHILE) break;
  }
  return reference;
}

/**
 * The reference made of one bank sample that arrives at arrival_d (s from the segment's start). Noise drift 1, and a frame
 * that names detectors only: see `settled`. Every mode of h0 has amplitude f^(-7/6), so nothing needs to be faded; the
 * time alignment keeps the sample's own amplitude, so that its fit weights follow the signal's power.
 */
export function referenceFromSample(
  event: Event,
  band: EventBand,
  bank: Bank,
  i: number,
  arrival_d: Float64Array,
): ReferenceWithH0 {
  return assemble(settingOf(event, band), bank, i, sampleOnGrid(event, band, bank, i), arrival_d);
}

function assemble(
  { event, band, summary }: Setting,
  bank: Bank,
  i: number,
  { h0, h, recipe }: SampleOnGrid,
  arrival_d: Float64Array,
): ReferenceWithH0 {
  const mArr = bank.config.m_arr;
  const detectors = event.detectors.map((_, d) => d);
  const coherent = weightsOf({ event, band, summary, h0, detectors, delay_d: arrival_d });
  const h2plus = plusOfMode(h, mArr.indexOf(2), event.n_f, band.fbin.length);
  const [h0Re_mpb, h0Im_mpb] = turned(h0.re_mpb, h0.im_mpb, band.fbin, -event.tcoarse);
  return {
    source: `native: ${bank.id} sample ${i}`,
    fbin: band.fbin,
    mArr,
    n_d: event.n_d,
    detectors: event.detectors,
    asdDrift_d: new Float64Array(event.n_d).fill(1),
    single: detectors.map((d) => weightsOfDetector(coherent, d, event.n_d)),
    singleAlignment: alignmentOf(event, band, summary, h2plus, [0]),
    coherent,
    coherentAlignment: alignmentOf(event, band, summary, h2plus, detectors),
    arrival_d,
    frame: {
      tgps: event.tgps,
      detectorPair: event.detectors.slice(0, 2).join(""),
      refDetector: event.detectors[0],
      fAvg: 0,
      phaseRefdet0: 0,
    },
    h0Re_mpb,
    h0Im_mpb,
    recipe,
    dataWeightsAt: dataWeightsOfRecipe(event, band, mArr, recipe),
  };
}

/**
 * The reference of a sample at the arrivals that fit it best, with noise drift and frame.
 * @param previous weights for a first fit around its arrivals; a second one uses the sample's own
 */
function settled(setting: Setting, bank: Bank, i: number, previous: Reference): ReferenceWithH0 {
  const { event, band } = setting;
  const sample = sampleOnGrid(event, band, bank, i);
  const fit = (weights: Reference) =>
    bestResponse(weights, event, sample.h, { n_t: timesWithin(event, COARSE_WINDOW), n_phi: N_PHI });
  const rough = assemble(setting, bank, i, sample, fit(previous).arrival_d);
  const { fits, arrival_d } = fit(rough);
  const reference = assemble(setting, bank, i, sample, arrival_d);
  const templates = fits.map((fit) => templateOf(event, reference.mArr, sample, fit));
  const asdDrift_d = driftsOf(event, templates);
  const frame = networkFrameOf(event, templates, asdDrift_d, ({ fAvg }, d) =>
    signalPhase(fits[d], bank.samples.iota[i], fits[d].t - event.tcoarse, fAvg),
  );
  return { ...reference, asdDrift_d, frame };
}

/** Points of the time grid that cover +-window (s): even. */
function timesWithin({ f, n_f }: Event, window: number): number {
  return 2 * Math.ceil(window * 2 * f[n_f - 1]) + 2;
}

/** What the detector of a fit sees: sum_mp r_p h_mp exp(i m phi) exp(-2 pi i f t). */
export function templateOf(
  { n_f, f }: Event,
  mArr: readonly number[],
  { h }: SampleOnGrid,
  { t, phi, response_p }: DetectorFit,
): DetectorTemplate {
  const re_f = new Float64Array(n_f);
  const im_f = new Float64Array(n_f);
  const [cos, sin] = phasors(f, -t);
  for (let mp = 0; mp < 2 * mArr.length; mp++) {
    const angle = mArr[mp >> 1] * phi;
    const response = response_p[mp & 1];
    const [c, s] = [response * Math.cos(angle), response * Math.sin(angle)];
    for (let k = 0; k < n_f; k++) {
      const [re, im] = [h.re_mpf[mp * n_f + k], h.im_mpf[mp * n_f + k]];
      re_f[k] += re * c - im * s;
      im_f[k] += re * s + im * c;
    }
  }
  for (let k = 0; k < n_f; k++) {
    const [re, im] = [re_f[k], im_f[k]];
    re_f[k] = re * cos[k] - im * sin[k];
    im_f[k] = re * sin[k] + im * cos[k];
  }
  return { re_f, im_f };
}

function driftsOf(event: Event, templates: readonly DetectorTemplate[]): Float64Array {
  const plan = new IrfftPlan(2 * (event.n_f - 1));
  return Float64Array.from(templates, ({ re_f, im_f }, d) => {
    const row = (x_df: Float64Array) => x_df.subarray(d * event.n_f, (d + 1) * event.n_f);
    const [strainRe, strainIm] = [row(event.strainRe_df), row(event.strainIm_df)];
    const data = { strainRe, strainIm, whiten: row(event.whiten_df), frequencies: event.f };
    try {
      return asdDrift({ templateRe: re_f, templateIm: im_f, ...data }, plan);
    } catch (error) {
      if (!(error instanceof DotpeError)) throw error;
      const where = `${event.path}: detector ${event.detectors[d]}`;
      throw new DotpeError(error.exit, `${where}: ${error.message}`, error.hint);
    }
  });
}

/**
 * `phaseRefdet` of prior.ts, arg R + 2 phi - 2 pi fAvg t, from the fit in one detector: its two amplitudes stand for F+, Fx.
 * @param t arrival, s after the event's GPS time
 */
function signalPhase({ phi, response_p }: DetectorFit, iota: number, t: number, fAvg: number): number {
  const cosIota = Math.cos(iota);
  const re = (response_p[0] * (1 + cosIota * cosIota)) / 2;
  const im = -response_p[1] * cosIota;
  return modulo(Math.atan2(im, re) + 2 * phi - 2 * Math.PI * fAvg * t);
}

async function searched(
  search: Search,
  reference: Reference,
  items: readonly SearchItem[],
  n_t: number,
): Promise<{ at: number; lnl_i: Float64Array }> {
  const { lnlike_di } = await search(reference, items, n_t);
  const lnl_i = new Float64Array(items.length);
  for (let k = 0; k < lnlike_di.length; k++) lnl_i[k % items.length] += lnlike_di[k];
  let at = -1;
  for (let k = 0; k < lnl_i.length; k++) {
    if (Number.isFinite(lnl_i[k]) && (at === -1 || lnl_i[k] > lnl_i[at])) at = k;
  }
  if (at >= 0) return { at, lnl_i };
  throw new DotpeError(
    "notFinite",
    `reference waveform: none of ${items.length} bank samples has a finite likelihood`,
    "Check the bank's waveforms and the event's strain.",
  );
}

function allItems(banks: readonly Bank[]): SearchItem[] {
  return banks.flatMap(({ n_i }, bank) => Array.from({ length: n_i }, (_, i) => ({ bank, i })));
}

function logChirpMass(banks: readonly Bank[], { bank, i }: SearchItem): number {
  const { m1, m2 } = banks[bank].samples;
  return Math.log(mchirp(m1[i], m2[i]));
}

/** The sample with the median chirp mass. */
function medianItem(banks: readonly Bank[]): SearchItem {
  const items = sortedBy(allItems(banks), (item) => logChirpMass(banks, item));
  return items[items.length >> 1];
}

/** At most `N_COARSE` samples, evenly spread over all banks. */
function stridedItems(banks: readonly Bank[]): SearchItem[] {
  const items = allItems(banks);
  const stride = Math.ceil(items.length / N_COARSE);
  return items.filter((_, k) => k % stride === 0);
}

/** The `N_NEAR` samples nearest in ln chirp mass, `best` first. */
function nearestItems(banks: readonly Bank[], best: SearchItem): SearchItem[] {
  const centre = logChirpMass(banks, best);
  const isBest = ({ bank, i }: SearchItem) => bank === best.bank && i === best.i;
  const distance = (item: SearchItem) => (isBest(item) ? -1 : Math.abs(logChirpMass(banks, item) - centre));
  return sortedBy(allItems(banks), distance).slice(0, N_NEAR);
}

/** Sorted by a number; equal ones keep their order. */
function sortedBy(items: readonly SearchItem[], key: (item: SearchItem) => number): SearchItem[] {
  return items
    .map((item) => ({ item, value: key(item) }))
    .sort((a, b) => a.value - b.value)
    .map(({ item }) => item);
}
