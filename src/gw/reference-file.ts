/**
 * `reference.npz`: the reference waveform and its weights. Every run writes it; `--reference` reads it back, or reads one
 * with the raw waveform of a run of dot_pe, from which the weights are computed (`raw-reference.ts`).
 */
import * as v from "valibot";
import { clipped } from "../io/clipped.ts";
import { parseJson } from "../io/json.ts";
import { encodeNpz, type Npz, type NpzEntry, openNpz } from "../io/npz.ts";
import type { Kernels } from "../kernels/table.ts";
import type { EventBand } from "./band.ts";
import type { Event } from "./event.ts";
import type { NetworkFrame } from "./prior.ts";
import { readAlignment, readRawReference } from "./raw-reference.ts";
import type { Alignment, Reference, Weights } from "./reference.ts";
import {
  badEntry,
  type ComplexArray,
  checkFits,
  readComplex,
  readReal,
  readText,
  unfit,
} from "./reference-entries.ts";
import { settingOf } from "./setting.ts";
import { dataWeightsOfRecipe, type SmoothRecipe } from "./smooth-waveform.ts";

/** A reference with h0 on the bins (m, p, b) as well, its merger at the event's time: what the file holds beyond. */
export interface ReferenceWithH0 extends Reference {
  readonly h0Re_mpb: Float64Array;
  readonly h0Im_mpb: Float64Array;
  /** Absent where h0 is not ours. */
  readonly recipe?: SmoothRecipe;
}

/**
 * The reference of a file, for this event on the bank's bins in its band.
 * @param mArr modes of the bank
 * @throws DotpeError noInput, badData, notFinite; mismatch if detectors, modes, bins or event are others.
 */
export function readReference(
  path: string,
  event: Event,
  band: EventBand,
  mArr: readonly number[],
  kernels: Kernels,
): ReferenceWithH0 {
  const npz = openNpz(path);
  checkFits(npz, event, band, mArr);
  const needsFade = !npz.has("needs_fade") || npz.get("needs_fade").toFloat64()[0] !== 0;
  if (needsFade) return readRawReference(npz, settingOf(event, band, mArr.length, kernels), mArr);
  return readOwn(npz, event, band, mArr, kernels);
}

const Finite = v.pipe(v.number(), v.finite());
const FrameSchema = v.strictObject({
  tgps: Finite,
  detectorPair: v.pipe(v.string(), v.minLength(1), v.maxLength(2)),
  refDetector: v.pipe(v.string(), v.length(1)),
  fAvg: Finite,
  phaseRefdet0: Finite,
});

function readOwn(
  npz: Npz,
  event: Event,
  band: EventBand,
  mArr: readonly number[],
  kernels: Kernels,
): ReferenceWithH0 {
  const [n_d, n_m, n_b] = [event.n_d, mArr.length, band.fbin.length];
  const coherent = readWeights(npz, "", n_d, n_m, n_b);
  const single = npz.has("single_dh_weights_dmpb") ? readWeights(npz, "single_", n_d, n_m, n_b) : coherent;
  const h0 = readComplex(npz, "h0_mpb", [n_m, 2, n_b]);
  const h2plus = readComplex(npz, "h2plus0_fbin_first", [n_b]);
  const recipe = npz.has("h0_inspiral") ? readRecipe(npz, n_m, n_b) : undefined;
  const setting = () => settingOf(event, band, n_m, kernels);
  return {
    source: npz.path,
    fbin: band.fbin,
    mArr,
    n_d,
    detectors: event.detectors,
    asdDrift_d: readReal(npz, "asd_drift", [n_d]),
    single: event.detectors.map((_, d) => weightsOfDetector(single, d, n_d)),
    singleAlignment: {
      polyfit_b: readReal(npz, "polyfit_weights_first", [n_b]),
      h2plusRe_b: h2plus.re,
      h2plusIm_b: h2plus.im,
    },
    coherent,
    coherentAlignment: readAlignment(npz, n_b),
    arrival_d: readReal(npz, "arrival_d", [n_d]),
    frame: readFrame(npz, event),
    h0Re_mpb: h0.re,
    h0Im_mpb: h0.im,
    ...(npz.has("bank_sample") && { sample: readSample(npz) }),
    ...(recipe && { recipe, dataWeightsAt: dataWeightsOfRecipe(setting, mArr, recipe) }),
  };
}

/** The bank sample that h0 was made of, as the run that wrote the file numbers its banks. */
function readSample(npz: Npz): { bank: number; i: number } {
  const [bank, i] = readReal(npz, "bank_sample", [2]);
  if ([bank, i].every((n) => Number.isInteger(n) && n >= 0)) return { bank, i };
  throw badEntry(npz, "bank_sample", `found ${bank}, ${i}, expected a bank's and a sample's number`);
}

function readRecipe(npz: Npz, n_m: number, n_b: number): SmoothRecipe {
  const [m1, m2, s1z, s2z] = readReal(npz, "h0_inspiral", [4]);
  return { rest_mb: readReal(npz, "h0_rest_mb", [n_m, n_b]), inspiral: { m1, m2, s1z, s2z } };
}

function readFrame(npz: Npz, event: Event): NetworkFrame {
  const json = parseJson(new TextEncoder().encode(readText(npz, "frame")), `${npz.path}: entry frame`);
  const parsed = v.safeParse(FrameSchema, json);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const expected = issue.expected ?? issue.message;
    throw badEntry(
      npz,
      `frame.${v.getDotPath(issue)}`,
      `found ${clipped(issue.received)}, expected ${expected}`,
    );
  }
  checkDetectors(npz, parsed.output, event);
  if (parsed.output.tgps !== event.tgps) {
    throw unfit(
      npz,
      "frame.tgps",
      `found ${parsed.output.tgps}, expected ${event.tgps} as event ${event.name} has`,
    );
  }
  return parsed.output;
}

/** One or two of the event's detectors, and one of these. */
function checkDetectors(npz: Npz, { detectorPair, refDetector }: NetworkFrame, { detectors }: Event): void {
  const pair = [...detectorPair];
  const known = `expected of ${detectors.join(", ")}`;
  if (new Set(pair).size !== pair.length || !pair.every((name) => detectors.includes(name)))
    throw unfit(npz, "frame.detectorPair", `found ${clipped(detectorPair)}, ${known} one or two`);
  if (!detectors.includes(refDetector))
    throw unfit(npz, "frame.refDetector", `found ${clipped(refDetector)}, ${known} one`);
}

function readWeights(npz: Npz, prefix: string, n_d: number, n_m: number, n_b: number): Weights {
  const n_M = (n_m * (n_m + 1)) / 2;
  const dh = readComplex(npz, `${prefix}dh_weights_dmpb`, [n_d, n_m, 2, n_b]);
  const hh = readComplex(npz, `${prefix}hh_weights_dmppb`, [n_d, n_M, 2, 2, n_b]);
  return { dhRe_dmpb: dh.re, dhIm_dmpb: dh.im, hhRe_dMpPb: hh.re, hhIm_dMpPb: hh.im };
}

/** The weights of detector d alone (copies). */
export function weightsOfDetector(weights: Weights, d: number, n_d: number): Weights {
  const part = (x: Float64Array) => x.slice((d * x.length) / n_d, ((d + 1) * x.length) / n_d);
  return {
    dhRe_dmpb: part(weights.dhRe_dmpb),
    dhIm_dmpb: part(weights.dhIm_dmpb),
    hhRe_dMpPb: part(weights.hhRe_dMpPb),
    hhIm_dMpPb: part(weights.hhIm_dMpPb),
  };
}

/**
 * The bytes of `reference.npz`: entries named as in the reference runs, complex ones as numpy's complex128, plus what is
 * needed to read exactly this reference back. `single_*` entries stand only where the weights of one detector alone differ.
 */
export function encodeReference(reference: ReferenceWithH0, event: Event): Uint8Array<ArrayBuffer> {
  const { fbin, mArr, n_d, arrival_d, coherent, coherentAlignment, singleAlignment } = reference;
  const [n_m, n_b] = [mArr.length, fbin.length];
  const tau_d = arrival_d.map((t) => t - event.tcoarse);
  const entries: NpzEntry[] = [
    text("detectors", event.detectors.join("")),
    text("source", reference.source),
    { name: "needs_fade", shape: [], dtype: "i8", data: Int32Array.of(0) },
    { name: "m_arr", shape: [n_m], dtype: "i8", data: Int32Array.from(mArr) },
    real("fbin", fbin),
    real("asd_drift", reference.asdDrift_d),
    complex("h0_mpb", [n_m, 2, n_b], { re: reference.h0Re_mpb, im: reference.h0Im_mpb }),
    ...weightEntries("", coherent, n_d, n_m, n_b),
    ...alignmentEntries("", coherentAlignment),
    ...alignmentEntries("_first", singleAlignment),
    real("tau_d", tau_d),
    real("arrival_d", arrival_d),
    text("frame", JSON.stringify(reference.frame)),
    ...recipeEntries(reference.recipe, n_m, n_b),
    ...(reference.sample
      ? [real("bank_sample", Float64Array.of(reference.sample.bank, reference.sample.i))]
      : []),
  ];
  if (!singlesAreCoherent(reference)) {
    entries.push(...weightEntries("single_", joined(reference.single), n_d, n_m, n_b));
  }
  return encodeNpz(entries, { deflate: true });
}

/** m1, m2, s1z, s2z of the inspiral whose phase is a part of h0's, and the rest of the phase on the bins. */
function recipeEntries(recipe: SmoothRecipe | undefined, n_m: number, n_b: number): NpzEntry[] {
  if (recipe === undefined) return [];
  const { m1, m2, s1z, s2z } = recipe.inspiral;
  return [
    real("h0_inspiral", Float64Array.of(m1, m2, s1z, s2z)),
    { name: "h0_rest_mb", shape: [n_m, n_b], dtype: "f8", data: recipe.rest_mb },
  ];
}

function text(name: string, value: string): NpzEntry {
  return { name, shape: [], dtype: "U", data: [value] };
}

function real(name: string, data: Float64Array): NpzEntry {
  return { name, shape: [data.length], dtype: "f8", data };
}

function complex(name: string, shape: readonly number[], { re, im }: ComplexArray): NpzEntry {
  const data = new Float64Array(2 * re.length);
  for (let k = 0; k < re.length; k++) {
    data[2 * k] = re[k];
    data[2 * k + 1] = im[k];
  }
  return { name, shape, dtype: "c16", data };
}

function alignmentEntries(suffix: string, { polyfit_b, h2plusRe_b, h2plusIm_b }: Alignment): NpzEntry[] {
  return [
    real(`polyfit_weights${suffix}`, polyfit_b),
    complex(`h2plus0_fbin${suffix}`, [polyfit_b.length], { re: h2plusRe_b, im: h2plusIm_b }),
  ];
}

function weightEntries(prefix: string, weights: Weights, n_d: number, n_m: number, n_b: number): NpzEntry[] {
  const { dhRe_dmpb, dhIm_dmpb, hhRe_dMpPb, hhIm_dMpPb } = weights;
  const n_M = (n_m * (n_m + 1)) / 2;
  return [
    complex(`${prefix}dh_weights_dmpb`, [n_d, n_m, 2, n_b], { re: dhRe_dmpb, im: dhIm_dmpb }),
    complex(`${prefix}hh_weights_dmppb`, [n_d, n_M, 2, 2, n_b], { re: hhRe_dMpPb, im: hhIm_dMpPb }),
  ];
}

const WEIGHT_FIELDS = ["dhRe_dmpb", "dhIm_dmpb", "hhRe_dMpPb", "hhIm_dMpPb"] as const;

function singlesAreCoherent({ single, coherent, n_d }: Reference): boolean {
  return single.every((weights, d) => {
    const part = weightsOfDetector(coherent, d, n_d);
    return WEIGHT_FIELDS.every((field) =>
      weights[field].every((value, k) => Object.is(value, part[field][k])),
    );
  });
}

/** Weights of one detector each, as one array with the d axis in front. */
function joined(single: readonly Weights[]): Weights {
  const [dhRe_dmpb, dhIm_dmpb, hhRe_dMpPb, hhIm_dMpPb] = WEIGHT_FIELDS.map((field) => {
    const size = single[0][field].length;
    const out = new Float64Array(single.length * size);
    for (const [d, weights] of single.entries()) out.set(weights[field], d * size);
    return out;
  });
  return { dhRe_dmpb, dhIm_dmpb, hhRe_dMpPb, hhIm_dMpPb };
}
