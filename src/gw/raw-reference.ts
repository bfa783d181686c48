/** The reference as a run of dot_pe had it: its waveform is faded near the merger, and the weights follow from it. */
import * as v from "valibot";
import { clipped } from "../io/clipped.ts";
import { parseJson } from "../io/json.ts";
import type { Npz } from "../io/npz.ts";
import type { GridFunction } from "../kernels/setup-table.ts";
import type { EventBand } from "./band.ts";
import { detectorsNamed, geocenterDelays } from "./detectors.ts";
import type { Event } from "./event.ts";
import { MatchedFilter } from "./matched-filter.ts";
import { type Loudness, loudnessOf, networkFrameOf } from "./network-frame.ts";
import { phaseRefdet } from "./prior.ts";
import type { Alignment, Weights } from "./reference.ts";
import { badEntry, readComplex, readReal, readText, unfit } from "./reference-entries.ts";
import type { ReferenceWithH0 } from "./reference-file.ts";
import {
  alignmentOf,
  delayed,
  FADE_BINS,
  fadeBin,
  fadeNearMerger,
  fadeShare,
  type GridWaveform,
  rowOfWaveform,
  turned,
  weightsOf,
} from "./relative-binning.ts";
import { combinedPower, rowOf, type Setting } from "./setting.ts";
import { greenwichMeanSiderealTime } from "./sidereal.ts";
import { cubicSpline, evaluateSpline } from "./spline.ts";

/** Weights in the file that differ from those of this event by more, relative to the largest, are of another event. */
const SAME_EVENT = 1e-6;

/** Seen face-on or edge-on, the modes of m = 2 cannot be told apart: |c (1 - c^2)^2| below this. */
const SEPARABLE = 1e-3;

const Finite = v.pipe(v.number(), v.finite());
const ParametersSchema = v.object({
  iota: Finite,
  ra: Finite,
  dec: Finite,
  psi: Finite,
  phi_ref: Finite,
  t_geocenter: Finite,
});
type Parameters = v.InferOutput<typeof ParametersSchema>;

/**
 * The reference of a file with h0_raw_mpf, h0_raw_mpb (its merger at the event's time, not faded) and par_dic_0. Weights for
 * all detectors use h0 faded for all of them, those of one detector h0 faded for it.
 * @throws DotpeError badData, notFinite (entries); mismatch if the file's weights are of other data.
 */
export function readRawReference(npz: Npz, setting: Setting, mArr: readonly number[]): ReferenceWithH0 {
  const { event, band } = setting;
  const raw = readRawWaveform(npz, event, band, mArr.length);
  const parameters = readParameters(npz);
  const all = event.detectors.map((_, d) => d);
  const atZero = delayed(raw, setting, -event.tcoarse);
  const fadedFor = (detectors: number[]) => {
    const faded = fadeNearMerger(atZero, setting, combinedPower(setting, detectors));
    return delayed(faded, setting, event.tcoarse);
  };
  const h0 = fadedFor(all);
  const coherent = weightsOf({ setting, h0, detectors: all });
  checkSameEvent(npz, coherent, [event.n_d, mArr.length, 2, band.fbin.length]);
  const coherentAlignment = readAlignment(npz, band.fbin.length);
  const m2 = mArr.indexOf(2);
  const raw2 = rowOfWaveform(atZero, 2 * m2, setting);
  const asdDrift_d = readReal(npz, "asd_drift", [event.n_d]);
  const arrival_d = arrivals(event, parameters);
  const loudness_d = quadrupoleLoudness(setting, raw, m2, parameters, arrival_d);
  return {
    source: npz.path,
    fbin: band.fbin,
    mArr,
    n_d: event.n_d,
    detectors: event.detectors,
    asdDrift_d,
    single:
      event.n_d === 1
        ? [coherent]
        : all.map((d) => weightsOf({ setting, h0: fadedFor([d]), detectors: [d] })),
    singleAlignment:
      event.n_d === 1
        ? coherentAlignment
        : alignmentOf(setting, alignmentWaveform(setting, raw2, coherentAlignment), [0]),
    coherent,
    coherentAlignment,
    arrival_d,
    frame: networkFrameOf(event, loudness_d, asdDrift_d, (frame) => phaseRefdet(parameters, frame)),
    h0Re_mpb: h0.re_mpb,
    h0Im_mpb: h0.im_mpb,
  };
}

function readRawWaveform(npz: Npz, event: Event, band: EventBand, n_m: number): GridWaveform {
  const grid = readComplex(npz, "h0_raw_mpf", [n_m, 2, event.n_f]);
  const bins = readComplex(npz, "h0_raw_mpb", [n_m, 2, band.fbin.length]);
  return { n_p: 2, re_mpf: grid.re, im_mpf: grid.im, re_mpb: bins.re, im_mpb: bins.im };
}

function readParameters(npz: Npz): Parameters {
  const text = readText(npz, "par_dic_0");
  const parsed = v.safeParse(
    ParametersSchema,
    parseJson(new TextEncoder().encode(text), `${npz.path}: entry par_dic_0`),
  );
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const expected = issue.expected ?? issue.message;
  throw badEntry(
    npz,
    `par_dic_0.${v.getDotPath(issue)}`,
    `found ${clipped(issue.received)}, expected ${expected}`,
  );
}

/** Fit weights and h0 of all detectors together. */
export function readAlignment(npz: Npz, n_b: number): Alignment {
  const h2plus = readComplex(npz, "h2plus0_fbin", [n_b]);
  const polyfit_b = readReal(npz, "polyfit_weights", [n_b]);
  return { polyfit_b, h2plusRe_b: h2plus.re, h2plusIm_b: h2plus.im };
}

/** @throws DotpeError if no weight can be computed, or the file holds weights and they are different ones. */
function checkSameEvent(npz: Npz, { dhRe_dmpb, dhIm_dmpb }: Weights, shape: readonly number[]): void {
  const k = dhRe_dmpb.findIndex((value, at) => !Number.isFinite(value + dhIm_dmpb[at]));
  if (k !== -1)
    throw badEntry(npz, "h0_raw_mpf", "found a mode that vanishes in the band, expected a signal");
  if (!npz.has("dh_weights_dmpb")) return;
  const stored = readComplex(npz, "dh_weights_dmpb", shape);
  let [largest, difference] = [0, 0];
  for (let at = 0; at < dhRe_dmpb.length; at++) {
    largest = Math.max(largest, Math.hypot(stored.re[at], stored.im[at]));
    difference = Math.max(
      difference,
      Math.hypot(stored.re[at] - dhRe_dmpb[at], stored.im[at] - dhIm_dmpb[at]),
    );
  }
  if (difference <= SAME_EVENT * largest) return;
  const found = (difference / largest).toPrecision(2);
  throw unfit(
    npz,
    "dh_weights_dmpb",
    `found weights that differ by ${found} of the largest from those of this event's strain, expected the same`,
  );
}

/**
 * The (m = 2, plus) waveform of the time alignment, not faded. cogwheel makes it with its default precession angles and h0
 * with other ones, so it is not in h0_raw: the file holds it on the bins, after the fade. Undoing the fade gives it up to
 * the last bin of the fade; its ratio to h0_raw is smooth and carries it to the FFT grid and a few bins on.
 */
function alignmentWaveform(setting: Setting, raw2: GridFunction, faded: Alignment): GridFunction {
  const { event, band } = setting;
  const { fbin } = band;
  const power_f = combinedPower(
    setting,
    event.detectors.map((_, d) => d),
  );
  const end = fadeBin(raw2, power_f, setting);
  const share = fadeShare(fbin, end);
  const gain_b = new Float64Array(end + 1);
  const turn_b = new Float64Array(end + 1);
  for (let b = 0; b <= end; b++) {
    const kept = b === end ? 1 : share(fbin[b]);
    const unfade = (x: Float64Array) => (x[b] - x[end] * (1 - kept)) / kept;
    const [re, im] = [unfade(faded.h2plusRe_b), unfade(faded.h2plusIm_b)];
    const [re0, im0] = [raw2.re_b[b], raw2.im_b[b]];
    gain_b[b] = Math.hypot(re, im) / Math.hypot(re0, im0);
    const angle = Math.atan2(im * re0 - re * im0, re * re0 + im * im0);
    const previous = b === 0 ? angle : turn_b[b - 1];
    turn_b[b] = angle - 2 * Math.PI * Math.round((angle - previous) / (2 * Math.PI));
  }
  const knots = fbin.slice(0, end + 1);
  const [gain, turn] = [cubicSpline(knots, gain_b), cubicSpline(knots, turn_b)];
  const last = fbin[Math.min(end + FADE_BINS, fbin.length - 1)];
  const carried = (re: Float64Array, im: Float64Array, f: Float64Array) => {
    const within = f.map((x) => Math.min(Math.max(x, fbin[0]), last));
    const [gains, turns] = [evaluateSpline(gain, within), evaluateSpline(turn, within)];
    return [
      re.map((x, k) => gains[k] * (x * Math.cos(turns[k]) - im[k] * Math.sin(turns[k]))),
      im.map((x, k) => gains[k] * (x * Math.cos(turns[k]) + re[k] * Math.sin(turns[k]))),
    ] as const;
  };
  const [re_f, im_f] = carried(raw2.re_f, raw2.im_f, event.f);
  const [re_b, im_b] = carried(raw2.re_b, raw2.im_b, fbin);
  return { re_f, im_f, re_b, im_b };
}

/** s from the start of the segment (d). */
function arrivals(event: Event, { ra, dec, t_geocenter }: Parameters): Float64Array {
  const lon = ra - greenwichMeanSiderealTime(event.tgps);
  const delay_d = geocenterDelays(
    detectorsNamed(event.detectors),
    Float64Array.of(dec),
    Float64Array.of(lon),
  );
  return delay_d.map((delay) => event.tcoarse + (t_geocenter + delay));
}

/**
 * How loud the quadrupole (l, m) = (2, 2) alone is at each arrival: cogwheel chooses the frame with it. For aligned spins m = 2
 * holds (2, 2) and (3, 2), which plus and cross mix with the spin-weighted harmonics' weights
 *   h+ = 2 (1 + c^2) A2 + (8 c^2 - 4) A3,   i hx = 4 c A2 + (6 c^3 - 2 c) A3,   c = cos iota,
 * so that A2 ~ (6 c^3 - 2 c) h+ - (8 c^2 - 4) i hx. Its norm does not matter.
 */
function quadrupoleLoudness(
  { event, power_df, kernels }: Setting,
  { re_mpf, im_mpf }: GridWaveform,
  m2: number,
  { iota }: Parameters,
  arrival_d: Float64Array,
): Loudness[] {
  const { n_f, f, tcoarse } = event;
  const c = Math.cos(iota);
  const separable = Math.abs(c * (1 - c * c) ** 2) > SEPARABLE;
  const [ofPlus, ofCross] = separable ? [6 * c ** 3 - 2 * c, 8 * c * c - 4] : [1, 0];
  const [plus, cross] = [2 * m2 * n_f, (2 * m2 + 1) * n_f];
  const re = new Float64Array(n_f);
  const im = new Float64Array(n_f);
  for (let k = 0; k < n_f; k++) {
    re[k] = ofPlus * re_mpf[plus + k] + ofCross * im_mpf[cross + k];
    im[k] = ofPlus * im_mpf[plus + k] - ofCross * re_mpf[cross + k];
  }
  const filter = new MatchedFilter(f, kernels);
  return Array.from(arrival_d, (arrival, d) => {
    const [re_f, im_f] = turned(kernels, re, im, f, tcoarse - arrival);
    const row = (x_df: Float64Array) => rowOf(x_df, d, n_f);
    const data = { re_f: row(event.strainRe_df), im_f: row(event.strainIm_df), power_f: row(power_df) };
    return loudnessOf(filter.run(data, { re_f, im_f }), event);
  });
}
