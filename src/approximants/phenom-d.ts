/**
 * IMRPhenomD: the (2, 2) mode of aligned-spin binary black holes from inspiral to ringdown (Khan et al., arXiv:1508.07253),
 * with the conventions of LALSimulation: the signal peaks near t = 0, its phase is zero at f_ref.
 */
import { version } from "../../package.json";
import { DotpeError } from "../errors.ts";
import { SOLAR_MASS_SECONDS } from "../gw/prior.ts";
import {
  type AmplitudeModel,
  amplitudeModel,
  INSPIRAL_AMPLITUDE_END,
  inspiralAmplitude,
  intermediateAmplitude,
  mergerAmplitude,
} from "./phenom-d-amplitude.ts";
import { fittedCoefficients, reducedSpin } from "./phenom-d-coefficients.ts";
import { type Binary, ringdown } from "./phenom-d-final-state.ts";
import {
  INSPIRAL_PHASE_END,
  inspiralPhase,
  intermediatePhase,
  mergerPhase,
  mergerSlope,
  type PhaseModel,
  phaseAt,
  phaseModel,
} from "./phenom-d-phase.ts";
import type { WaveformParameters, WaveformRequest, WaveformSource } from "./source.ts";

const HARMONIC_MODES = [[2, 2]] as const;
/** Mpc in light seconds: 1e6 parsec over c, as LAL has them. */
const MEGAPARSEC_SECONDS = 3.085677581491367e22 / 299792458;
/** The fits were made for ratios up to 18; up to here they stay smooth, from 1000 on amplitudes may be negative. */
const MAX_MASS_RATIO = 100;
/** Of M f: where the signal has ended, and where a phase has so many turns that its digits do not do. */
const HIGHEST = 0.2;
const LOWEST = 1e-6;
const TURN = 2 * Math.PI;

/** What depends on the frequencies alone. */
interface FrequencyTables {
  /** With the second frequency in the place of a first one of 0. */
  readonly f: Float64Array;
  readonly startsAtZero: boolean;
  /** f^(1/3). */
  readonly x: Float64Array;
  readonly logF: Float64Array;
  /** f^(3/4). */
  readonly root: Float64Array;
  /** f^(-7/6). */
  readonly leading: Float64Array;
}

/**
 * A frequency of 0 is allowed: there the amplitude is 0.
 * @throws DotpeError usage for modes that the model does not have; badData for frequencies that are not positive and increasing.
 */
export function openPhenomD(request: WaveformRequest): WaveformSource {
  requireModes(request.harmonic_modes);
  const tables = frequencyTables(request.f);
  const { f_ref } = request;
  if (!(f_ref > 0 && f_ref < Infinity)) {
    throw badFrequency(`f_ref: found ${f_ref}, expected a positive frequency (Hz)`);
  }
  return {
    maker: `dotpe-hpc ${version}`,
    lal: null,
    harmonic_modes: HARMONIC_MODES,
    m_arr: [2],
    alignedSpins: true,
    fill: (parameters, amplitude_mpb, phase_mpb) => fill(tables, f_ref, parameters, amplitude_mpb, phase_mpb),
  };
}

function requireModes(modes: WaveformRequest["harmonic_modes"]): void {
  if (!modes || (modes.length === 1 && modes[0][0] === 2 && modes[0][1] === 2)) return;
  const found = modes.map(([l, m]) => `(${l}, ${m})`).join(" ") || "none";
  throw new DotpeError(
    "usage",
    `harmonic modes of IMRPhenomD: found ${found}, expected (2, 2) alone`,
    "Leave out the modes, or choose an approximant with higher modes.",
  );
}

function frequencyTables(frequencies: Float64Array): FrequencyTables {
  frequencies.forEach((value, b) => {
    if (value < Infinity && (b === 0 ? value >= 0 : value > frequencies[b - 1])) return;
    throw badFrequency(
      `f[${b}]: found ${value}, expected frequencies (Hz) that are not negative and increase`,
    );
  });
  const startsAtZero = frequencies[0] === 0;
  const f = frequencies.slice();
  if (startsAtZero) f[0] = f[1] ?? 1;
  return {
    f,
    startsAtZero,
    x: f.map(Math.cbrt),
    logF: f.map(Math.log),
    root: f.map((value) => value ** 0.75),
    leading: f.map((value) => value ** (-7 / 6)),
  };
}

function fill(
  tables: FrequencyTables,
  f_ref: number,
  parameters: WaveformParameters,
  amplitude_pb: Float64Array,
  phase_pb: Float64Array,
): void {
  requireParameters(parameters);
  const total = (parameters.m1 + parameters.m2) * SOLAR_MASS_SECONDS;
  requireSignal(parameters, total, tables.f[0]);
  const binary = binaryOf(parameters);
  const { eta, delta, chi1, chi2 } = binary;
  const coefficients = fittedCoefficients(eta, reducedSpin(eta, delta, chi1, chi2));
  const ringing = ringdown(binary);
  const amplitude = amplitudeModel(binary, coefficients, ringing);
  const phase = phaseModel(binary, coefficients, ringing);

  // 2 sqrt(5/(64 pi)) M^2/d for a face-on binary, times the leading term's A0 = sqrt(2 eta/3) pi^(-1/6).
  const faceOn =
    (Math.sqrt((5 * eta) / (24 * Math.PI)) * Math.PI ** (-1 / 6) * total ** 2) / MEGAPARSEC_SECONDS;
  const cosIota = Math.cos(parameters.iota);
  writeAmplitude(amplitude_pb, tables, amplitude, total, faceOn * total ** (-7 / 6));
  scalePolarizations(amplitude_pb, tables, (1 + cosIota * cosIota) / 2, Math.abs(cosIota));

  // LALSimulation's time: the slope at the peak of the fit before it is joined, so the peak is near t = 0, not at it.
  const time = mergerSlope(phase.mergerFit, amplitude.peak);
  writePhase(phase_pb, tables, phase, total, time, total * f_ref);
  // h_cross = -i cos(iota) h, h_plus = (1 + cos^2 iota)/2 h.
  shiftPolarizations(phase_pb, tables.f.length, cosIota < 0 ? Math.PI / 2 : -Math.PI / 2);
}

/** LALSimulation's order: the heavier one is the first. */
function binaryOf({ m1, m2, s1z, s2z }: WaveformParameters): Binary {
  const total = m1 + m2;
  const eta = Math.min((m1 / total) * (m2 / total), 0.25);
  const delta = Math.abs(m1 - m2) / total;
  return m1 >= m2 ? { eta, delta, chi1: s1z, chi2: s2z } : { eta, delta, chi1: s2z, chi2: s1z };
}

/** Row 0: `factor` f^(-7/6) times the model. @param total mass, s */
function writeAmplitude(
  out_pb: Float64Array,
  { f, x, leading }: FrequencyTables,
  { inspiral, intermediate, merger, peak }: AmplitudeModel,
  total: number,
  factor: number,
): void {
  const n_b = f.length;
  const bIntermediate = firstAtLeast(f, INSPIRAL_AMPLITUDE_END / total);
  const bMerger = Math.max(bIntermediate, firstAtLeast(f, peak / total));
  const k = Math.cbrt(total);
  let b = 0;
  for (; b < bIntermediate; b++) out_pb[b] = factor * leading[b] * inspiralAmplitude(inspiral, k * x[b]);
  for (; b < bMerger; b++)
    out_pb[b] = factor * leading[b] * intermediateAmplitude(intermediate, total * f[b]);
  for (; b < n_b; b++) out_pb[b] = factor * leading[b] * mergerAmplitude(merger, total * f[b]);
}

/**
 * Row 0: -phi(F), less its value at the reference, with the line of slope `time` that is zero there.
 * @param total mass, s @param time slope of the line @param F_ref total f_ref
 */
function writePhase(
  out_pb: Float64Array,
  { f, x, logF, root }: FrequencyTables,
  model: PhaseModel,
  total: number,
  time: number,
  F_ref: number,
): void {
  const { inspiral, intermediate, merger, mergerStart } = model;
  const n_b = f.length;
  const bIntermediate = firstAtLeast(f, INSPIRAL_PHASE_END / total);
  const bMerger = firstAtLeast(f, mergerStart / total);
  const base = phaseAt(model, F_ref) - time * F_ref;
  const slope = time * total;
  const k = Math.cbrt(total);
  const logTotal = Math.log(total);
  const rootTotal = total ** 0.75;
  let b = 0;
  for (; b < bIntermediate; b++) {
    out_pb[b] = base + slope * f[b] - inspiralPhase(inspiral, k * x[b], logTotal + logF[b]);
  }
  for (; b < bMerger; b++) {
    out_pb[b] = base + slope * f[b] - intermediatePhase(intermediate, total * f[b], logTotal + logF[b]);
  }
  for (; b < n_b; b++) {
    out_pb[b] = base + slope * f[b] - mergerPhase(merger, total * f[b], rootTotal * root[b]);
  }
}

/** The first b with f_b >= value; the length if there is none. */
function firstAtLeast(f: Float64Array, value: number): number {
  let low = 0;
  let high = f.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (f[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Row 0 to both polarizations. */
function scalePolarizations(
  amplitude_pb: Float64Array,
  { f, startsAtZero }: FrequencyTables,
  plus: number,
  cross: number,
): void {
  const n_b = f.length;
  if (startsAtZero) amplitude_pb[0] = 0;
  for (let b = 0; b < n_b; b++) {
    const value = amplitude_pb[b];
    amplitude_pb[b] = plus * value;
    amplitude_pb[n_b + b] = cross * value;
  }
}

/** Row 0 to both polarizations, each from a first value in (-pi, pi]. */
function shiftPolarizations(phase_pb: Float64Array, n_b: number, cross: number): void {
  const plusShift = -wholeTurns(phase_pb[0]);
  const crossShift = cross - wholeTurns(phase_pb[0] + cross);
  for (let b = 0; b < n_b; b++) {
    const value = phase_pb[b];
    phase_pb[b] = value + plusShift;
    phase_pb[n_b + b] = value + crossShift;
  }
}

/** What to take from a phase to have it in (-pi, pi]. */
function wholeTurns(phase: number): number {
  return TURN * Math.ceil((phase - Math.PI) / TURN);
}

const WITHOUT = ["s1x_n", "s1y_n", "s2x_n", "s2y_n", "l1", "l2"] as const;

function requireParameters(parameters: WaveformParameters): void {
  const { m1, m2, s1z, s2z, iota } = parameters;
  if (!(m1 > 0 && m1 < Infinity)) throw bad(`m1: found ${m1}, expected a positive mass (Msun)`);
  if (!(m2 > 0 && m2 < Infinity)) throw bad(`m2: found ${m2}, expected a positive mass (Msun)`);
  const ratio = m1 > m2 ? m1 / m2 : m2 / m1;
  if (ratio > MAX_MASS_RATIO) {
    throw bad(`m1 and m2: found a mass ratio of ${ratio}, expected at most ${MAX_MASS_RATIO}`);
  }
  if (!(Math.abs(s1z) <= 1)) throw bad(`s1z: found ${s1z}, expected -1 to 1`);
  if (!(Math.abs(s2z) <= 1)) throw bad(`s2z: found ${s2z}, expected -1 to 1`);
  if (!Number.isFinite(iota)) throw bad(`iota: found ${iota}, expected an angle (rad)`);
  for (const name of WITHOUT) {
    if (parameters[name] === 0) continue;
    throw bad(
      `${name}: found ${parameters[name]}, expected 0: IMRPhenomD has ${name.startsWith("l") ? "no tides" : "spins along the orbital angular momentum only"}`,
    );
  }
}

/** @param total mass, s @param fMin Hz */
function requireSignal({ m1, m2 }: WaveformParameters, total: number, fMin: number): void {
  const F = total * fMin;
  if (F >= LOWEST && F < HIGHEST) return;
  throw bad(
    `m1 and m2: found ${m1} and ${m2} Msun, whose signal is from ${(LOWEST / total).toPrecision(3)} to ${(HIGHEST / total).toPrecision(3)} Hz, expected one that has the first frequency, ${fMin} Hz`,
  );
}

function badFrequency(message: string): DotpeError {
  return new DotpeError("badData", message, "Give frequencies in Hz, in increasing order.");
}

function bad(message: string): DotpeError {
  return new DotpeError(
    "badData",
    message,
    "IMRPhenomD takes two positive masses, s1z and s2z from -1 to 1, no spins in the orbital plane and no tides.",
  );
}
