/**
 * Relative binning: summary weights of the data against a reference waveform h0, so that inner products with any similar
 * waveform need its values on the bins only (Zackay, Dai, Venumadhav, arXiv:1806.08792; by modes: Roulet et al.,
 * arXiv:2207.03508). `SummaryWeights` is the integral of a smooth ratio against an oscillating function.
 */
import { modePairs } from "../axes.ts";
import type { EventBand } from "./band.ts";
import type { Event } from "./event.ts";
import type { Alignment, DataWeights, Weights } from "./reference.ts";
import type { SummaryWeights } from "./spline.ts";

/** A waveform by mode and polarization on the FFT grid (m, p, f) and on the bins (m, p, b), 1/Hz. */
export interface GridWaveform {
  readonly re_mpf: Float64Array;
  readonly im_mpf: Float64Array;
  readonly re_mpb: Float64Array;
  readonly im_mpb: Float64Array;
}

/** The event's data of some detectors. */
type Grid = Pick<Event, "n_f" | "f" | "strainRe_df" | "strainIm_df" | "whiten_df">;

/** The fade ends where this share of the SNR^2 has accumulated, and takes this many bins. */
const FADE_SHARE = 0.99;
export const FADE_BINS = 3;

/** h exp(-2 pi i f delay): a copy of the waveform, moved to a later time (s). */
export function delayed(h: GridWaveform, event: Grid, band: EventBand, delay: number): GridWaveform {
  const [re_mpf, im_mpf] = turned(h.re_mpf, h.im_mpf, event.f, -delay);
  const [re_mpb, im_mpb] = turned(h.re_mpb, h.im_mpb, band.fbin, -delay);
  return { re_mpf, im_mpf, re_mpb, im_mpb };
}

/** (re + i im) exp(2 pi i f t); the last axis of re, im is f's. */
export function turned(
  re: Float64Array,
  im: Float64Array,
  f: Float64Array,
  t: number,
): [re: Float64Array, im: Float64Array] {
  const [cos, sin] = phasors(f, t);
  const outRe = new Float64Array(re.length);
  const outIm = new Float64Array(re.length);
  for (let k = 0; k < re.length; k++) {
    const j = k % f.length;
    outRe[k] = re[k] * cos[j] - im[k] * sin[j];
    outIm[k] = re[k] * sin[j] + im[k] * cos[j];
  }
  return [outRe, outIm];
}

/** cos and sin of 2 pi f t; whole turns are taken out first, so that long times keep their digits. */
export function phasors(f: Float64Array, t: number): [cos: Float64Array, sin: Float64Array] {
  const cos = new Float64Array(f.length);
  const sin = new Float64Array(f.length);
  for (let k = 0; k < f.length; k++) {
    const turns = f[k] * t;
    const angle = 2 * Math.PI * (turns - Math.round(turns));
    cos[k] = Math.cos(angle);
    sin[k] = Math.sin(angle);
  }
  return [cos, sin];
}

/** The whitening filter of several detectors together: root of the sum of squares (f). */
export function combinedWhitening({ whiten_df, n_f }: Grid, detectors: readonly number[]): Float64Array {
  const whiten_f = new Float64Array(n_f);
  for (const d of detectors) for (let f = 0; f < n_f; f++) whiten_f[f] += whiten_df[d * n_f + f] ** 2;
  return whiten_f.map(Math.sqrt);
}

/**
 * Bin at which the fade of one mode and polarization ends: the first one not below the frequency where `FADE_SHARE` of the
 * SNR^2 has accumulated.
 * @param re,im h on the FFT grid from `offset`
 */
export function fadeBin(
  re: Float64Array,
  im: Float64Array,
  offset: number,
  whiten_f: Float64Array,
  { f_index }: EventBand,
): number {
  const n_f = whiten_f.length;
  const cumulated_f = new Float64Array(n_f);
  let sum = 0;
  for (let f = 0; f < n_f; f++) {
    sum += (re[offset + f] ** 2 + im[offset + f] ** 2) * whiten_f[f] ** 2;
    cumulated_f[f] = sum;
  }
  const f99 = cumulated_f.findIndex((value) => value / sum >= FADE_SHARE);
  const bin = f_index.findIndex((index) => index >= f99);
  return Math.max(bin === -1 ? f_index.length - 1 : bin, Math.min(FADE_BINS, f_index.length - 1));
}

/** Share of the waveform that the fade ending at bin `end` leaves: 1 below, then cos^2 over `FADE_BINS` bins, then 0. */
export function fadeShare(fbin: Float64Array, end: number): (f: number) => number {
  const start = fbin[end - FADE_BINS];
  const width = fbin[end] - start;
  return (f) => Math.cos((Math.min(Math.max((f - start) / width, 0), 1) * Math.PI) / 2) ** 2;
}

/**
 * A copy of the waveform in which each mode and polarization fades to a constant near its merger, so that dividing by it
 * stays harmless where it would vanish (what cogwheel does to every reference waveform). The waveform's merger should be
 * at time zero: a constant is smooth then.
 * @param whiten_f filter that weighs the SNR^2, see `combinedWhitening`
 */
export function fadeNearMerger(
  h: GridWaveform,
  event: Grid,
  band: EventBand,
  whiten_f: Float64Array,
): GridWaveform {
  const { n_f } = event;
  const n_b = band.fbin.length;
  const [re_mpf, im_mpf, re_mpb, im_mpb] = [h.re_mpf, h.im_mpf, h.re_mpb, h.im_mpb].map((x) => x.slice());
  for (let mp = 0; mp * n_f < re_mpf.length; mp++) {
    const end = fadeBin(re_mpf, im_mpf, mp * n_f, whiten_f, band);
    const share = fadeShare(band.fbin, end);
    const lastRe = re_mpb[mp * n_b + end];
    const lastIm = im_mpb[mp * n_b + end];
    blend(re_mpf, mp * n_f, event.f, share, lastRe);
    blend(im_mpf, mp * n_f, event.f, share, lastIm);
    blend(re_mpb, mp * n_b, band.fbin, share, lastRe);
    blend(im_mpb, mp * n_b, band.fbin, share, lastIm);
  }
  return { re_mpf, im_mpf, re_mpb, im_mpb };
}

function blend(
  values: Float64Array,
  offset: number,
  f: Float64Array,
  share: (f: number) => number,
  last: number,
): void {
  for (let k = 0; k < f.length; k++) {
    const kept = share(f[k]);
    values[offset + k] = values[offset + k] * kept + last * (1 - kept);
  }
}

export interface WeightsInput {
  readonly event: Grid;
  readonly band: EventBand;
  readonly summary: SummaryWeights;
  readonly h0: GridWaveform;
  /** Positions on the event's d axis; the weights have these detectors, in this order. */
  readonly detectors: readonly number[];
  /** How much later than h0 the signal arrives in each of `detectors`, s; none where h0 is at its place already. */
  readonly delay_d?: ArrayLike<number>;
}

/**
 * Summary weights of `detectors`: (d, m, p, b) and (d, M, p, P, b). With delay_d the data are compared with h0 moved to
 * where the signal is in each detector, which makes the ratio of signal and h0 smoother; waveforms are still to be given at
 * time zero of the segment.
 */
export function weightsOf(input: WeightsInput): Weights {
  const { detectors, h0, band } = input;
  const n_d = detectors.length;
  const n_b = band.fbin.length;
  const n_m = h0.re_mpb.length / (2 * n_b);
  const n_M = (n_m * (n_m + 1)) / 2;
  const weights: Weights = {
    dhRe_dmpb: new Float64Array(n_d * n_m * 2 * n_b),
    dhIm_dmpb: new Float64Array(n_d * n_m * 2 * n_b),
    hhRe_dMpPb: new Float64Array(n_d * n_M * 4 * n_b),
    hhIm_dMpPb: new Float64Array(n_d * n_M * 4 * n_b),
  };
  const agree_m = Array.from({ length: n_m }, (_, m) => polarizationsAgree(h0, m, n_m));
  for (let at = 0; at < n_d; at++) {
    addDataWeights(input, at, agree_m, weights);
    addNormWeights(input, at, agree_m, weights);
  }
  return weights;
}

/** Whether plus and cross of mode m are the same waveform: their weights are then computed once. */
function polarizationsAgree(h: GridWaveform, m: number, n_m: number): boolean {
  return [h.re_mpf, h.im_mpf, h.re_mpb, h.im_mpb].every((x) => {
    const size = x.length / (2 * n_m);
    const cross = x.subarray((2 * m + 1) * size, (2 * m + 2) * size);
    return x.subarray(2 * m * size, (2 * m + 1) * size).every((value, k) => value === cross[k]);
  });
}

/** The part of `weightsOf` that <d|h> needs. */
export function dataWeightsOf(input: WeightsInput): DataWeights {
  const n_b = input.band.fbin.length;
  const n_m = input.h0.re_mpb.length / (2 * n_b);
  const agree_m = Array.from({ length: n_m }, (_, m) => polarizationsAgree(input.h0, m, n_m));
  const n = input.detectors.length * 2 * n_m * n_b;
  const weights = { dhRe_dmpb: new Float64Array(n), dhIm_dmpb: new Float64Array(n) };
  for (let at = 0; at < input.detectors.length; at++) addDataWeights(input, at, agree_m, weights);
  return weights;
}

/** w_mpb = summary[ blued strain conj(h0_mp) ] / conj(h0_mpb), h0 delayed. */
function addDataWeights(
  input: WeightsInput,
  at: number,
  agree_m: readonly boolean[],
  out: DataWeights,
): void {
  const n_m = agree_m.length;
  const { event, band, summary, h0, detectors, delay_d } = input;
  const { n_f } = event;
  const n_b = band.fbin.length;
  const delay = delay_d?.[at] ?? 0;
  const [blueRe, blueIm] = bluedStrain(event, detectors[at], delay);
  const [cos, sin] = phasors(band.fbin, -delay);
  const re = new Float64Array(n_f);
  const im = new Float64Array(n_f);
  for (let mp = 0; mp < 2 * n_m; mp++) {
    const offset = (at * 2 * n_m + mp) * n_b;
    if (mp % 2 === 1 && agree_m[mp >> 1]) {
      copyRows([out.dhRe_dmpb, out.dhIm_dmpb], offset - n_b, offset, n_b);
      continue;
    }
    for (let f = summary.fStart; f < summary.fEnd; f++) {
      const hRe = h0.re_mpf[mp * n_f + f];
      const hIm = h0.im_mpf[mp * n_f + f];
      re[f] = blueRe[f] * hRe + blueIm[f] * hIm;
      im[f] = blueIm[f] * hRe - blueRe[f] * hIm;
    }
    summary.accumulate(re, im, 0, out.dhRe_dmpb, out.dhIm_dmpb, offset);
    for (let b = 0; b < n_b; b++) {
      const hRe = h0.re_mpb[mp * n_b + b];
      const hIm = h0.im_mpb[mp * n_b + b];
      // conj(h0_b e^{-2 pi i f_b delay})
      const re0 = hRe * cos[b] - hIm * sin[b];
      const im0 = -(hRe * sin[b] + hIm * cos[b]);
      divide(out.dhRe_dmpb, out.dhIm_dmpb, offset + b, re0, im0);
    }
  }
}

/** Strain times the squared whitening filter, moved earlier by `delay`: blued strain exp(+2 pi i f delay) (f). */
function bluedStrain(event: Grid, d: number, delay: number): [re: Float64Array, im: Float64Array] {
  const { n_f, f, strainRe_df, strainIm_df, whiten_df } = event;
  const [cos, sin] = phasors(f, delay);
  const re = new Float64Array(n_f);
  const im = new Float64Array(n_f);
  for (let k = 0; k < n_f; k++) {
    const weight = whiten_df[d * n_f + k] ** 2;
    const strainRe = weight * strainRe_df[d * n_f + k];
    const strainIm = weight * strainIm_df[d * n_f + k];
    re[k] = strainRe * cos[k] - strainIm * sin[k];
    im[k] = strainRe * sin[k] + strainIm * cos[k];
  }
  return [re, im];
}

/** w_MpPb = summary[ whitened h0_mp conj(whitened h0_m'P) ] / (h0_mpb conj(h0_m'Pb)); twice that where m != m'. */
function addNormWeights(input: WeightsInput, at: number, agree_m: readonly boolean[], out: Weights): void {
  const n_m = agree_m.length;
  const { event, band, summary, h0, detectors } = input;
  const { n_f, whiten_df } = event;
  const n_b = band.fbin.length;
  const re = new Float64Array(n_f);
  const im = new Float64Array(n_f);
  let offset = at * modePairs(n_m).length * 4 * n_b;
  for (const [m, m2] of modePairs(n_m)) {
    const multiplicity = m === m2 ? 1 : 2;
    for (let pP = 0; pP < 4; pP++, offset += n_b) {
      const first = 2 * m + (pP >> 1);
      const second = 2 * m2 + (pP & 1);
      const like = (agree_m[m] ? 0 : pP & 2) + (agree_m[m2] ? 0 : pP & 1);
      if (like !== pP) {
        copyRows([out.hhRe_dMpPb, out.hhIm_dMpPb], offset - (pP - like) * n_b, offset, n_b);
        continue;
      }
      for (let f = summary.fStart; f < summary.fEnd; f++) {
        const weight = whiten_df[detectors[at] * n_f + f] ** 2;
        const [aRe, aIm] = [h0.re_mpf[first * n_f + f], h0.im_mpf[first * n_f + f]];
        const [bRe, bIm] = [h0.re_mpf[second * n_f + f], h0.im_mpf[second * n_f + f]];
        re[f] = weight * (aRe * bRe + aIm * bIm);
        im[f] = weight * (aIm * bRe - aRe * bIm);
      }
      summary.accumulate(re, im, 0, out.hhRe_dMpPb, out.hhIm_dMpPb, offset);
      for (let b = 0; b < n_b; b++) {
        const [aRe, aIm] = [h0.re_mpb[first * n_b + b], h0.im_mpb[first * n_b + b]];
        const [bRe, bIm] = [h0.re_mpb[second * n_b + b], h0.im_mpb[second * n_b + b]];
        const re0 = (aRe * bRe + aIm * bIm) / multiplicity;
        const im0 = (aIm * bRe - aRe * bIm) / multiplicity;
        divide(out.hhRe_dMpPb, out.hhIm_dMpPb, offset + b, re0, im0);
      }
    }
  }
}

function copyRows(arrays: readonly Float64Array[], from: number, to: number, n: number): void {
  for (const array of arrays) array.copyWithin(to, from, from + n);
}

/** x[k] /= re + i im. */
function divide(xRe: Float64Array, xIm: Float64Array, k: number, re: number, im: number): void {
  const [a, b] = [xRe[k], xIm[k]];
  const square = re * re + im * im;
  xRe[k] = (a * re + b * im) / square;
  xIm[k] = (b * re - a * im) / square;
}

/** The plus polarization of the mode at position m (views) as a waveform of one mode and polarization. */
export function plusOfMode(h: GridWaveform, m: number, n_f: number, n_b: number): GridWaveform {
  const row = (x: Float64Array, n: number) => x.subarray(2 * m * n, (2 * m + 1) * n);
  return {
    re_mpf: row(h.re_mpf, n_f),
    im_mpf: row(h.im_mpf, n_f),
    re_mpb: row(h.re_mpb, n_b),
    im_mpb: row(h.im_mpb, n_b),
  };
}

/**
 * What time alignment against a reference needs, for `detectors` together: the reference's (m = 2, plus), faded, and
 * the fit weights sqrt(summary[ sum_d |h2plus|^2 wht_d^2 ]) of each bin.
 * @param h2plus see `plusOfMode`; merger at time zero
 */
export function alignmentOf(
  event: Grid,
  band: EventBand,
  summary: SummaryWeights,
  h2plus: GridWaveform,
  detectors: readonly number[],
): Alignment {
  const whiten_f = combinedWhitening(event, detectors);
  const { re_mpf, im_mpf, re_mpb, im_mpb } = fadeNearMerger(h2plus, event, band, whiten_f);
  const power_f = whiten_f.map((w, f) => w * w * (re_mpf[f] ** 2 + im_mpf[f] ** 2));
  const n_b = band.fbin.length;
  const power_b = new Float64Array(n_b);
  summary.accumulate(power_f, new Float64Array(event.n_f), 0, power_b, new Float64Array(n_b), 0);
  const polyfit_b = power_b.map((power) => Math.sqrt(Math.max(power, 0)));
  return { polyfit_b, h2plusRe_b: re_mpb, h2plusIm_b: im_mpb };
}
