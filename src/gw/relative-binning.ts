/**
 * Relative binning: summary weights of the data against a reference waveform h0, so that inner products with any similar
 * waveform need its values on the bins only (Zackay, Dai, Venumadhav, arXiv:1806.08792; by modes: Roulet et al.,
 * arXiv:2207.03508). `SummaryWeights` is the integral of a smooth ratio against an oscillating function.
 */
import { modePairs } from "../axes.ts";
import type { GridFunction, SetupKernels } from "../kernels/setup-table.ts";
import type { Alignment, DataWeights, Weights } from "./reference.ts";
import { combinedPower, rowOf, type Setting } from "./setting.ts";

/** A waveform by mode and polarization on the FFT grid (m, p, f) and on the bins (m, p, b), 1/Hz. */
export interface GridWaveform {
  /** 1: both polarizations are the same waveform, and p has one place. */
  readonly n_p: 1 | 2;
  readonly re_mpf: Float64Array;
  readonly im_mpf: Float64Array;
  readonly re_mpb: Float64Array;
  readonly im_mpb: Float64Array;
}

/** The fade ends where this share of the SNR^2 has accumulated, and takes this many bins. */
const FADE_SHARE = 0.99;
export const FADE_BINS = 3;

/** (re + i im) exp(2 pi i f t); the last axis of re, im is f's. */
export function turned(
  { turn }: Pick<SetupKernels, "turn">,
  re: Float64Array,
  im: Float64Array,
  f: Float64Array,
  t: number,
): [re: Float64Array, im: Float64Array] {
  const n_f = f.length;
  const [outRe, outIm] = [new Float64Array(re.length), new Float64Array(re.length)];
  const out_cf = new Float64Array(2 * n_f);
  for (let start = 0; start < re.length; start += n_f) {
    turn(out_cf, re.subarray(start, start + n_f), im.subarray(start, start + n_f), f, t, n_f);
    outRe.set(out_cf.subarray(0, n_f), start);
    outIm.set(out_cf.subarray(n_f), start);
  }
  return [outRe, outIm];
}

/** h exp(-2 pi i f delay): a copy of the waveform, moved to a later time (s). */
export function delayed(h: GridWaveform, { event, band, kernels }: Setting, delay: number): GridWaveform {
  const [re_mpf, im_mpf] = turned(kernels, h.re_mpf, h.im_mpf, event.f, -delay);
  const [re_mpb, im_mpb] = turned(kernels, h.re_mpb, h.im_mpb, band.fbin, -delay);
  return { n_p: h.n_p, re_mpf, im_mpf, re_mpb, im_mpb };
}

/** One row (m, p) of a waveform: views. */
export function rowOfWaveform(h: GridWaveform, row: number, { event, band }: Setting): GridFunction {
  return {
    re_f: rowOf(h.re_mpf, row, event.n_f),
    im_f: rowOf(h.im_mpf, row, event.n_f),
    re_b: rowOf(h.re_mpb, row, band.fbin.length),
    im_b: rowOf(h.im_mpb, row, band.fbin.length),
  };
}

/**
 * Bin at which the fade of one mode and polarization ends: the first one not below the frequency where `FADE_SHARE` of the
 * SNR^2 has accumulated.
 * @param power_f 1/PSD, see `combinedPower`
 */
export function fadeBin(
  { re_f, im_f }: Pick<GridFunction, "re_f" | "im_f">,
  power_f: Float64Array,
  { band: { f_index }, kernels }: Setting,
): number {
  const f99 = kernels.powerIndex(re_f, im_f, power_f, FADE_SHARE, power_f.length);
  const bin = f_index.findIndex((index) => index >= f99);
  return Math.max(bin === -1 ? f_index.length - 1 : bin, Math.min(FADE_BINS, f_index.length - 1));
}

/** Share of the waveform that the fade ending at bin `end` leaves: 1 below, then cos^2 over `FADE_BINS` bins, then 0. */
export function fadeShare(fbin: Float64Array, end: number): (f: number) => number {
  const start = fbin[end - FADE_BINS];
  const width = fbin[end] - start;
  return (f) => Math.cos((Math.min(Math.max((f - start) / width, 0), 1) * Math.PI) / 2) ** 2;
}

/** Lets one mode and polarization fade to a constant near its merger, in place: see `fadeNearMerger`. */
function fade(h: GridFunction, setting: Setting, power_f: Float64Array): void {
  const { event, band } = setting;
  const end = fadeBin(h, power_f, setting);
  const share = fadeShare(band.fbin, end);
  const fadeTo = (last: number, values: Float64Array, f: Float64Array, from: number, to: number) => {
    for (let k = from; k < to; k++) {
      const kept = share(f[k]);
      values[k] = values[k] * kept + last * (1 - kept);
    }
    values.fill(last, to);
  };
  const [lastRe, lastIm] = [h.re_b[end], h.im_b[end]];
  const [from, to] = [band.f_index[end - FADE_BINS], band.f_index[end]];
  fadeTo(lastRe, h.re_f, event.f, from, to);
  fadeTo(lastIm, h.im_f, event.f, from, to);
  fadeTo(lastRe, h.re_b, band.fbin, end - FADE_BINS, end);
  fadeTo(lastIm, h.im_b, band.fbin, end - FADE_BINS, end);
}

/**
 * A copy of the waveform in which each mode and polarization fades to a constant near its merger, so that dividing by it
 * stays harmless where it would vanish (what cogwheel does to every reference waveform). The waveform's merger should be
 * at time zero: a constant is smooth then.
 * @param power_f 1/PSD that weighs the SNR^2, see `combinedPower`
 */
export function fadeNearMerger(h: GridWaveform, setting: Setting, power_f: Float64Array): GridWaveform {
  const [re_mpf, im_mpf, re_mpb, im_mpb] = [h.re_mpf, h.im_mpf, h.re_mpb, h.im_mpb].map((x) => x.slice());
  const out = { n_p: h.n_p, re_mpf, im_mpf, re_mpb, im_mpb };
  for (let row = 0; row * setting.event.n_f < re_mpf.length; row++) {
    fade(rowOfWaveform(out, row, setting), setting, power_f);
  }
  return out;
}

export interface WeightsInput {
  readonly setting: Setting;
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
  return { ...dataWeightsOf(input), ...normWeightsOf(input) };
}

function modesOf({ h0, setting }: WeightsInput): number {
  return h0.re_mpb.length / (h0.n_p * setting.band.fbin.length);
}

/**
 * The part of `weightsOf` that <d|h> needs: w_mpb = summary[ blued strain conj(h0_mp) ] / conj(h0_mpb), h0 delayed.
 * Blued strain is strain times 1/PSD. Writes the setting's scratch.
 */
export function dataWeightsOf(input: WeightsInput): DataWeights {
  const { setting, h0, detectors, delay_d } = input;
  const { event, band, summary, kernels, power_df, scratch_cf: early_cf } = setting;
  const [n_f, n_b] = [event.n_f, band.fbin.length];
  const n_m = modesOf(input);
  const size = detectors.length * n_m * 2 * n_b;
  const [dhRe_dmpb, dhIm_dmpb] = [new Float64Array(size), new Float64Array(size)];
  const late_cb = new Float64Array(2 * n_b);
  const data = {
    ...{ re_f: early_cf.subarray(0, n_f), im_f: early_cf.subarray(n_f) },
    ...{ re_b: new Float64Array(n_b).fill(1), im_b: new Float64Array(n_b) },
  };
  for (const [at, d] of detectors.entries()) {
    const delay = delay_d?.[at] ?? 0;
    const [strainRe, strainIm] = [rowOf(event.strainRe_df, d, n_f), rowOf(event.strainIm_df, d, n_f)];
    // Instead of h0 later, the strain earlier: once for all modes.
    kernels.turn(early_cf, strainRe, strainIm, event.f, delay, n_f);
    for (let mp = 0; mp < 2 * n_m; mp++) {
      const offset = (at * 2 * n_m + mp) * n_b;
      if (mp % 2 === 1 && h0.n_p === 1) {
        copyRow([dhRe_dmpb, dhIm_dmpb], offset - n_b, offset, n_b);
        continue;
      }
      const row = rowOfWaveform(h0, h0.n_p === 1 ? mp >> 1 : mp, setting);
      kernels.turn(late_cb, row.re_b, row.im_b, band.fbin, -delay, n_b);
      const late = { ...row, re_b: late_cb.subarray(0, n_b), im_b: late_cb.subarray(n_b) };
      const { re_b, im_b } = summary.weights(rowOf(power_df, d, n_f), data, late);
      dhRe_dmpb.set(re_b, offset);
      dhIm_dmpb.set(im_b, offset);
    }
  }
  return { dhRe_dmpb, dhIm_dmpb };
}

/** The part of a detector's `Weights` that <h|h> needs: the same wherever h0 arrives. */
export type NormWeights = Pick<Weights, "hhRe_dMpPb" | "hhIm_dMpPb">;

/** w_MpPb = summary[ whitened h0_mp conj(whitened h0_m'P) ] / (h0_mpb conj(h0_m'Pb)); twice that where m != m'. */
export function normWeightsOf(input: WeightsInput): NormWeights {
  const { setting, h0, detectors } = input;
  const { n_p } = h0;
  const n_b = setting.band.fbin.length;
  const n_m = modesOf(input);
  const pairs = modePairs(n_m);
  const size = detectors.length * pairs.length * 4 * n_b;
  const [hhRe_dMpPb, hhIm_dMpPb] = [new Float64Array(size), new Float64Array(size)];
  const rows = Array.from({ length: n_m * n_p }, (_, row) => rowOfWaveform(h0, row, setting));
  let offset = 0;
  for (const d of detectors) {
    const power_f = rowOf(setting.power_df, d, setting.event.n_f);
    for (const [m, m2] of pairs) {
      for (let pP = 0; pP < 4; pP++, offset += n_b) {
        if (n_p === 1 && pP > 0) {
          copyRow([hhRe_dMpPb, hhIm_dMpPb], offset - n_b, offset, n_b);
          continue;
        }
        const [first, second] = n_p === 1 ? [m, m2] : [2 * m + (pP >> 1), 2 * m2 + (pP & 1)];
        const factor = m === m2 ? 1 : 2;
        const { re_b, im_b } = setting.summary.weights(power_f, rows[first], rows[second], factor);
        hhRe_dMpPb.set(re_b, offset);
        hhIm_dMpPb.set(im_b, offset);
      }
    }
  }
  return { hhRe_dMpPb, hhIm_dMpPb };
}

function copyRow(arrays: readonly Float64Array[], from: number, to: number, n: number): void {
  for (const array of arrays) array.copyWithin(to, from, from + n);
}

/**
 * What time alignment against a reference needs, for `detectors` together: the reference's (m = 2, plus), faded, and
 * the fit weights sqrt(summary[ sum_d |h2plus|^2 wht_d^2 ]) of each bin.
 * @param h2plus merger at time zero; it fades, and what it has on the bins becomes a part of the result
 */
export function alignmentOf(setting: Setting, h2plus: GridFunction, detectors: readonly number[]): Alignment {
  const power_f = combinedPower(setting, detectors);
  fade(h2plus, setting, power_f);
  const n_b = h2plus.re_b.length;
  const one = { ...h2plus, re_b: new Float64Array(n_b).fill(1), im_b: new Float64Array(n_b) };
  const { re_b } = setting.summary.weights(power_f, one, one);
  const polyfit_b = re_b.map((power) => Math.sqrt(Math.max(power, 0)));
  return { polyfit_b, h2plusRe_b: h2plus.re_b, h2plusIm_b: h2plus.im_b };
}
