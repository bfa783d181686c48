/**
 * The reference waveform from the bank itself: the best sample of a coarse search, moved to where the signal arrives in
 * each detector. No waveform model is needed at run time, and the ratio of any good waveform to it is smooth.
 */
import { DotpeError } from "../errors.ts";
import type { GridFunction } from "../kernels/setup-table.ts";
import type { Kernels } from "../kernels/table.ts";
import { asdDrift } from "./asd-drift.ts";
import type { EventBand } from "./band.ts";
import type { Bank } from "./bank.ts";
import { BankCatalogue, type BankItems } from "./bank-items.ts";
import type { Event } from "./event.ts";
import { type DetectorTemplate, MatchedFilter } from "./matched-filter.ts";
import { type Loudness, loudnessOf, networkFrameOf } from "./network-frame.ts";
import type { NetworkFrame } from "./prior.ts";
import type { SingleReference, Weights } from "./reference.ts";
import { type ReferenceWithH0, weightsOfDetector } from "./reference-file.ts";
import { alignmentOf, dataWeightsOf, type NormWeights, normWeightsOf, turned } from "./relative-binning.ts";
import { combinedOnGrid, type SampleOnGrid, sampleOnGrid } from "./sample-waveform.ts";
import { rowOf, type Setting, settingOf } from "./setting.ts";
import { type DetectorFit, type FitReference, ResponseFitter } from "./single-detector-fit.ts";
import { modulo } from "./sky-angles.ts";
import { dataWeightsOfRecipe } from "./smooth-waveform.ts";

/**
 * Single-detector log likelihoods (d, j) of these items with this reference, maximised over phase and over n_t times
 * spaced 1/(2 f_max) around reference.arrival_d.
 */
export type Search = (
  reference: SingleReference,
  items: BankItems,
  n_t: number,
) => Promise<{ lnlike_dj: Float64Array }>;

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
/** A sample this far below the best of one pass is left out of the next: a better reference makes far less of a difference. */
const HOPELESS = 30;

/**
 * Finds the reference; `search` is called two or three times.
 * @throws DotpeError notFinite if no sample has a finite likelihood, or the noise near the event cannot be estimated.
 */
export async function buildReference(
  event: Event,
  band: EventBand,
  banks: readonly Bank[],
  search: Search,
  kernels: Kernels,
): Promise<ReferenceWithH0> {
  const setting = settingOf(event, band, banks[0].config.m_arr.length, kernels);
  const catalogue = new BankCatalogue(banks);
  const coarse = catalogue.strided(N_COARSE);
  const start = startingPoint(setting, banks, catalogue.median(coarse));
  const searching = searched(search, start, coarse, timesWithin(event, COARSE_WINDOW));
  // While the workers are busy.
  catalogue.sort();
  const tools = {
    filter: new MatchedFilter(event.f, kernels),
    fitter: new ResponseFitter(event, { n_t: timesWithin(event, COARSE_WINDOW), n_phi: N_PHI }, kernels),
  };
  let best = at(coarse, (await searching).j);
  let found = settled(setting, tools, banks[best.bank], best.i, start);
  const hopeless = new Set<number>();
  for (let pass = 0; pass < 2; pass++) {
    const near = catalogue.nearest(best.bank, best.i, N_NEAR, hopeless);
    const { own, place_j } = near;
    const { j, lnl_j } = await searched(search, found.single, near, timesWithin(event, NEAR_WINDOW), own);
    if (j === own) break;
    place_j.forEach((place, k) => {
      if (lnl_j[k] < lnl_j[j] - HOPELESS) hopeless.add(place);
    });
    best = at(near, j);
    found = settled(setting, tools, banks[best.bank], best.i, found.single);
    if (lnl_j[j] - lnl_j[own] <= WORTHWHILE) break;
  }
  return { ...completed(setting, banks[best.bank], best.i, found), sample: best };
}

function at({ bank_j, i_j }: BankItems, j: number): { bank: number; i: number } {
  return { bank: bank_j[j], i: i_j[j] };
}

function startingPoint(setting: Setting, banks: readonly Bank[], items: BankItems): SingleReference {
  const { bank, i } = at(items, 0);
  const sample = sampleOnGrid(setting, banks[bank], i);
  const { event } = setting;
  const norms = normWeightsOf({ setting, h0: sample.h0, detectors: detectorsOf(event) });
  const atCoarse_d = new Float64Array(event.n_d).fill(event.tcoarse);
  return singleReference(
    setting,
    banks[bank],
    sample,
    weightsAt(setting, sample, norms, atCoarse_d),
    atCoarse_d,
  );
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
  kernels: Kernels,
): ReferenceWithH0 {
  const setting = settingOf(event, band, bank.config.m_arr.length, kernels);
  const sample = sampleOnGrid(setting, bank, i);
  const norms = normWeightsOf({ setting, h0: sample.h0, detectors: detectorsOf(event) });
  const coherent = weightsAt(setting, sample, norms, arrival_d);
  const frame = {
    tgps: event.tgps,
    detectorPair: event.detectors.slice(0, 2).join(""),
    refDetector: event.detectors[0],
    fAvg: 0,
    phaseRefdet0: 0,
  };
  const single = singleReference(setting, bank, sample, coherent, arrival_d);
  return completed(setting, bank, i, { sample, coherent, single, frame });
}

function detectorsOf(event: Event): number[] {
  return event.detectors.map((_, d) => d);
}

function weightsAt(
  setting: Setting,
  { h0 }: SampleOnGrid,
  norms: NormWeights,
  arrival_d: Float64Array,
): Weights {
  const detectors = detectorsOf(setting.event);
  return { ...dataWeightsOf({ setting, h0, detectors, delay_d: arrival_d }), ...norms };
}

/** What a sample's weights give the search; noise drift 1. */
function singleReference(
  setting: Setting,
  bank: Bank,
  sample: SampleOnGrid,
  coherent: Weights,
  arrival_d: Float64Array,
): SingleReference {
  const { event, band } = setting;
  return {
    fbin: band.fbin,
    mArr: bank.config.m_arr,
    n_d: event.n_d,
    asdDrift_d: new Float64Array(event.n_d).fill(1),
    single: singlesOf(coherent, event.n_d),
    singleAlignment: alignmentOf(setting, plusOfQuadrupole(setting, bank, sample), [0]),
    arrival_d,
  };
}

function singlesOf(coherent: Weights, n_d: number): Weights[] {
  return Array.from({ length: n_d }, (_, d) => weightsOfDetector(coherent, d, n_d));
}

/** The sample's (m = 2, plus) on the grid (views of the setting's scratch) and the bins. */
function plusOfQuadrupole(setting: Setting, bank: Bank, sample: SampleOnGrid): GridFunction {
  const m2 = bank.config.m_arr.indexOf(2);
  const factor_mpc = new Float64Array(4 * bank.config.m_arr.length);
  factor_mpc[4 * m2] = 1;
  const n_b = setting.band.fbin.length;
  return {
    ...combinedOnGrid(setting, sample, factor_mpc),
    re_b: rowOf(sample.re_mpb, 2 * m2, n_b).slice(),
    im_b: rowOf(sample.im_mpb, 2 * m2, n_b).slice(),
  };
}

/** A sample at the arrivals that fit it best, with noise drift and frame. */
interface Settled {
  readonly sample: SampleOnGrid;
  readonly coherent: Weights;
  readonly single: SingleReference;
  readonly frame: NetworkFrame;
}

/** What is made once for all samples. */
interface Tools {
  readonly filter: MatchedFilter;
  readonly fitter: ResponseFitter;
}

/** @param previous weights for a first fit around its arrivals; a second one uses the sample's own */
function settled(setting: Setting, tools: Tools, bank: Bank, i: number, previous: FitReference): Settled {
  const { event } = setting;
  const sample = sampleOnGrid(setting, bank, i);
  const norms = normWeightsOf({ setting, h0: sample.h0, detectors: detectorsOf(event) });
  const rough_d = tools.fitter.fit(previous, sample).arrival_d;
  const rough = singlesOf(weightsAt(setting, sample, norms, rough_d), event.n_d);
  const undrifted_d = new Float64Array(event.n_d).fill(1);
  const start = { ...previous, single: rough, asdDrift_d: undrifted_d, arrival_d: rough_d };
  const { fits, arrival_d } = tools.fitter.fit(start, sample);
  const coherent = weightsAt(setting, sample, norms, arrival_d);
  const outputs = fits.map((one, d) =>
    noiseAround(setting, tools.filter, d, templateOf(setting, bank, sample, one)),
  );
  const asdDrift_d = Float64Array.from(outputs, ({ drift }) => drift);
  const frame = networkFrameOf(event, outputs, asdDrift_d, ({ fAvg }, d) =>
    signalPhase(fits[d], bank.samples.iota[i], fits[d].t - event.tcoarse, fAvg),
  );
  const single = { ...singleReference(setting, bank, sample, coherent, arrival_d), asdDrift_d };
  return { sample, coherent, single, frame };
}

/** What the stages after the search need beyond it. */
function completed(setting: Setting, bank: Bank, i: number, found: Settled): ReferenceWithH0 {
  const { event, band, kernels } = setting;
  const { sample, coherent, single, frame } = found;
  const again = () => settingOf(event, band, single.mArr.length, kernels);
  // Both polarizations of h0 are the same.
  const twice = (x: Float64Array) => bothPolarizations(x, band.fbin.length);
  const [h0Re_mb, h0Im_mb] = turned(kernels, sample.h0.re_mpb, sample.h0.im_mpb, band.fbin, -event.tcoarse);
  return {
    ...single,
    ...{ source: `native: ${bank.id} sample ${i}`, detectors: event.detectors, coherent, frame },
    coherentAlignment: alignmentOf(setting, plusOfQuadrupole(setting, bank, sample), detectorsOf(event)),
    ...{ h0Re_mpb: twice(h0Re_mb), h0Im_mpb: twice(h0Im_mb), recipe: sample.recipe },
    dataWeightsAt: dataWeightsOfRecipe(again, single.mArr, sample.recipe),
  };
}

/** (m, b) to (m, p, b). */
function bothPolarizations(x_mb: Float64Array, n_b: number): Float64Array {
  const out_mpb = new Float64Array(2 * x_mb.length);
  for (let mp = 0; mp * n_b < out_mpb.length; mp++) out_mpb.set(rowOf(x_mb, mp >> 1, n_b), mp * n_b);
  return out_mpb;
}

/** Points of the time grid that cover +-window (s): even. */
function timesWithin({ f, n_f }: Event, window: number): number {
  return 2 * Math.ceil(window * 2 * f[n_f - 1]) + 2;
}

/** What the detector of a fit sees: sum_mp r_p h_mp exp(i m phi) exp(-2 pi i f t). Views of the setting's scratch. */
export function templateOf(
  setting: Setting,
  bank: Bank,
  sample: SampleOnGrid,
  { t, phi, response_p }: DetectorFit,
): DetectorTemplate {
  const factor_mpc = Float64Array.from(
    bank.config.m_arr.flatMap((m) =>
      response_p.flatMap((response) => [response * Math.cos(m * phi), response * Math.sin(m * phi)]),
    ),
  );
  const { re_f, im_f } = combinedOnGrid(setting, sample, factor_mpc);
  const { event, kernels, scratch_cf } = setting;
  kernels.turn(scratch_cf, re_f, im_f, event.f, -t, event.n_f);
  return { re_f, im_f };
}

/** Noise drift of detector d, and how loud the template is there. */
function noiseAround(
  { event, power_df, kernels }: Setting,
  filter: MatchedFilter,
  d: number,
  template: DetectorTemplate,
): Loudness & { drift: number } {
  const row = (x_df: Float64Array) => rowOf(x_df, d, event.n_f);
  const data = { re_f: row(event.strainRe_df), im_f: row(event.strainIm_df), power_f: row(power_df) };
  const output = filter.run(data, template);
  try {
    return { drift: asdDrift(output, 2 * event.f[event.n_f - 1], kernels), ...loudnessOf(output, event) };
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
    const where = `${event.path}: detector ${event.detectors[d]}`;
    throw new DotpeError(error.exit, `${where}: ${error.message}`, error.hint);
  }
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

/** Sums the detectors' likelihoods; j is the best sample: `favourite` if none is better. */
async function searched(
  search: Search,
  reference: SingleReference,
  items: BankItems,
  n_t: number,
  favourite = 0,
): Promise<{ j: number; lnl_j: Float64Array }> {
  const { lnlike_dj } = await search(reference, items, n_t);
  const n_j = items.i_j.length;
  const lnl_j = new Float64Array(n_j);
  for (let k = 0; k < lnlike_dj.length; k++) lnl_j[k % n_j] += lnlike_dj[k];
  let best = favourite;
  for (let j = 0; j < n_j; j++) {
    if (Number.isFinite(lnl_j[j]) && !(lnl_j[j] <= lnl_j[best])) best = j;
  }
  if (Number.isFinite(lnl_j[best])) return { j: best, lnl_j };
  throw new DotpeError(
    "notFinite",
    `reference waveform: none of ${n_j} bank samples has a finite likelihood`,
    "Check the bank's waveforms and the event's strain.",
  );
}
