import { expect, test } from "bun:test";
import { join } from "node:path";
import { openWaveforms } from "../src/approximants/open.ts";
import { openPhenomD } from "../src/approximants/phenom-d.ts";
import {
  amplitudeModel,
  INSPIRAL_AMPLITUDE_END,
  inspiralAmplitude,
  inspiralAmplitudeSlope,
  intermediateAmplitude,
  mergerAmplitude,
  mergerAmplitudeSlope,
} from "../src/approximants/phenom-d-amplitude.ts";
import { fittedCoefficients, reducedSpin } from "../src/approximants/phenom-d-coefficients.ts";
import {
  type Binary,
  finalSpin,
  radiatedEnergy,
  ringdown,
} from "../src/approximants/phenom-d-final-state.ts";
import { kerrModes } from "../src/approximants/phenom-d-kerr-modes.ts";
import {
  INSPIRAL_PHASE_END,
  inspiralPhase,
  inspiralSlope,
  intermediatePhase,
  intermediateSlope,
  mergerPhase,
  mergerSlope,
  phaseModel,
} from "../src/approximants/phenom-d-phase.ts";
import type { WaveformParameters, WaveformRequest } from "../src/approximants/source.ts";
import { SOLAR_MASS_SECONDS } from "../src/gw/prior.ts";
import { uniform } from "../src/gw/random.ts";
import { openNpz } from "../src/io/npz.ts";
import { thrownBy } from "./io-helpers.ts";

const GW: WaveformParameters = {
  ...{ m1: 36.1, m2: 28.4, s1z: 0.31, s2z: -0.44, iota: 0.9, l1: 0, l2: 0 },
  ...{ s1x_n: 0, s1y_n: 0, s2x_n: 0, s2y_n: 0 },
};
const DENSE = Float64Array.from({ length: 4000 }, (_, b) => 20 + b / 8);

function requestOf(f: ArrayLike<number>, f_ref = 50): WaveformRequest {
  const model = { approximant: "IMRPhenomD", harmonic_modes: null, phenomXPrecVersion: null, lal: null };
  return { ...model, f: Float64Array.from(f), f_ref };
}

/** Amplitudes and phases (p, b). */
function waveform(parameters: Partial<WaveformParameters>, f: ArrayLike<number>, f_ref?: number) {
  const amplitude = new Float64Array(2 * f.length).fill(Number.NaN);
  const phase = amplitude.slice();
  openPhenomD(requestOf(f, f_ref)).fill({ ...GW, ...parameters }, amplitude, phase);
  return { amplitude, phase };
}

/** |h - expected|/|expected|. */
function difference(amplitude: number, phase: number, re: number, im: number): number {
  return Math.hypot(amplitude * Math.cos(phase) - re, amplitude * Math.sin(phase) - im) / Math.hypot(re, im);
}

function binary(q: number, chi1: number, chi2: number): Binary {
  return { eta: q / (1 + q) ** 2, delta: (1 - q) / (1 + q), chi1, chi2 };
}

function modelsOf(system: Binary) {
  const { eta, delta, chi1, chi2 } = system;
  const coefficients = fittedCoefficients(eta, reducedSpin(eta, delta, chi1, chi2));
  const ringing = ringdown(system);
  return {
    amplitude: amplitudeModel(system, coefficients, ringing),
    phase: phaseModel(system, coefficients, ringing),
  };
}

const RANDOM_BINARIES = Array.from({ length: 50 }, (_, n) => {
  const u = (k: number) => uniform(5, 0, 3 * n + k);
  return binary(0.02 + 0.98 * u(0), 1.98 * u(1) - 0.99, 1.98 * u(2) - 0.99);
});

function close(found: number, expected: number, tolerance: number): void {
  if (!(Math.abs(found - expected) <= tolerance)) throw new Error(`found ${found}, expected ${expected}`);
}

test("1,000 systems are LALSimulation's to 1e-8", () => {
  const npz = openNpz(join(import.meta.dir, "fixtures/phenom-d.npz"));
  const parameters = npz.get("parameters").toFloat64();
  const f = npz.get("f").toFloat64();
  const h = npz.get("h").toComplex();
  const [n_i, n_b] = [1000, 8];
  expect(f.length).toBe(n_i * n_b);
  for (let i = 0; i < n_i; i++) {
    const [m1, m2, s1z, s2z, iota, f_ref] = parameters.subarray(6 * i, 6 * i + 6);
    const { amplitude, phase } = waveform(
      { m1, m2, s1z, s2z, iota },
      f.subarray(i * n_b, (i + 1) * n_b),
      f_ref,
    );
    // All of plus, one frequency of cross.
    for (let b = 0; b <= n_b; b++) {
      const at = b < n_b ? b : n_b + (i % n_b);
      const k = 2 * (i * (n_b + 1) + b);
      const found = difference(amplitude[at], phase[at], h[k], h[k + 1]);
      if (!(found < 1e-8)) throw new Error(`system ${i}, value ${b}: differs by ${found}`);
    }
  }
});

test("phases begin in (-pi, pi] and go on without steps, amplitudes are positive", () => {
  for (const iota of [0.3, 1.5, 2.8]) {
    const { amplitude, phase } = waveform({ iota }, DENSE);
    const n_b = DENSE.length;
    for (const p of [0, n_b]) {
      expect(phase[p]).toBeGreaterThan(-Math.PI);
      expect(phase[p]).toBeLessThanOrEqual(Math.PI);
      for (let b = p + 1; b < p + n_b; b++) close(phase[b], phase[b - 1], 1);
      expect(amplitude.subarray(p, p + n_b).every((value) => value > 0)).toBe(true);
    }
  }
});

test("the phase is zero at f_ref", () => {
  const { phase } = waveform({}, [30, 71.5, 200], 71.5);
  close(Math.sin(phase[1]), 0, 1e-10);
  close(Math.cos(phase[1]), 1, 1e-10);
});

test("the signal peaks within 20 masses of t = 0", () => {
  const total = (GW.m1 + GW.m2) * SOLAR_MASS_SECONDS;
  const { peak } = modelsOf(binary(GW.m2 / GW.m1, GW.s1z, GW.s2z)).amplitude;
  const { phase } = waveform({}, [peak / total, peak / total + 1e-3]);
  const groupDelay = -(phase[1] - phase[0]) / (2 * Math.PI * 1e-3);
  close(groupDelay / total, 0, 20);
});

test("h(k M, f) is k^2 h(M, k f)", () => {
  const k = 3.7;
  const light = waveform({}, DENSE, 50);
  const heavy = waveform(
    { m1: k * GW.m1, m2: k * GW.m2 },
    DENSE.map((f) => f / k),
    50 / k,
  );
  light.amplitude.forEach((value, n) => {
    close(heavy.amplitude[n] / (k * k * value), 1, 1e-11);
  });
  light.phase.forEach((value, n) => {
    close(heavy.phase[n], value, 1e-9);
  });
});

test("the order of the two bodies does not matter", () => {
  const swapped = { m1: GW.m2, m2: GW.m1, s1z: GW.s2z, s2z: GW.s1z };
  expect(waveform(swapped, DENSE)).toEqual(waveform({}, DENSE));
});

test("a frequency of 0 has amplitude 0 and changes nothing else", () => {
  const f = Float64Array.of(0, 20, 21, 22);
  const found = waveform({}, f);
  const expected = waveform({}, f.subarray(1));
  expect([found.amplitude[0], found.amplitude[4]]).toEqual([0, 0]);
  expect(found.phase[0]).toBe(found.phase[1]);
  expect(found.amplitude.subarray(1, 4)).toEqual(expected.amplitude.subarray(0, 3));
  expect(found.phase.subarray(5)).toEqual(expected.phase.subarray(3));
});

test("amplitude and its derivative are continuous where regions meet", () => {
  for (const system of RANDOM_BINARIES) {
    const { inspiral, intermediate, merger, peak } = modelsOf(system).amplitude;
    const start = INSPIRAL_AMPLITUDE_END;
    const slopeOf = (F: number) =>
      (intermediateAmplitude(intermediate, F + 1e-6) - intermediateAmplitude(intermediate, F - 1e-6)) / 2e-6;
    close(intermediateAmplitude(intermediate, start), inspiralAmplitude(inspiral, Math.cbrt(start)), 1e-12);
    close(slopeOf(start), inspiralAmplitudeSlope(inspiral, start), 1e-5);
    const end = mergerAmplitude(merger, peak);
    close(intermediateAmplitude(intermediate, peak), end, 1e-12 * Math.abs(end));
    close(slopeOf(peak), mergerAmplitudeSlope(merger, peak), 1e-5 * (1 + end));
  }
});

test("phase and its derivative are continuous where regions meet", () => {
  for (const system of RANDOM_BINARIES) {
    const { inspiral, intermediate, merger, mergerStart } = modelsOf(system).phase;
    const start = INSPIRAL_PHASE_END;
    const middleAt = (F: number) => intermediatePhase(intermediate, F, Math.log(F));
    close(middleAt(start), inspiralPhase(inspiral, Math.cbrt(start), Math.log(start)), 1e-9);
    close(intermediateSlope(intermediate, start), inspiralSlope(inspiral, start), 1e-7);
    close(mergerPhase(merger, mergerStart, mergerStart ** 0.75), middleAt(mergerStart), 1e-9);
    close(mergerSlope(merger, mergerStart), intermediateSlope(intermediate, mergerStart), 1e-7);
  }
});

test("slopes are derivatives", () => {
  const { amplitude, phase } = modelsOf(binary(0.4, 0.5, -0.3));
  const check = (value: (F: number) => number, slope: (F: number) => number, F: number) => {
    const step = 1e-5 * F;
    const measured = (value(F + step) - value(F - step)) / (2 * step);
    close(slope(F) / measured, 1, 1e-6);
  };
  const { inspiral, intermediate, merger } = phase;
  check(
    (F) => inspiralPhase(inspiral, Math.cbrt(F), Math.log(F)),
    (F) => inspiralSlope(inspiral, F),
    0.007,
  );
  check(
    (F) => intermediatePhase(intermediate, F, Math.log(F)),
    (F) => intermediateSlope(intermediate, F),
    0.03,
  );
  check(
    (F) => mergerPhase(merger, F, F ** 0.75),
    (F) => mergerSlope(merger, F),
    0.07,
  );
  check(
    (F) => inspiralAmplitude(amplitude.inspiral, Math.cbrt(F)),
    (F) => inspiralAmplitudeSlope(amplitude.inspiral, F),
    0.01,
  );
  check(
    (F) => mergerAmplitude(amplitude.merger, F),
    (F) => mergerAmplitudeSlope(amplitude.merger, F),
    0.1,
  );
});

test("final spin and energy are those of published simulations", () => {
  // Scheel et al., arXiv:0810.1767: equal masses without spin.
  close(finalSpin(binary(1, 0, 0)), 0.68646, 3e-4);
  close(1 - radiatedEnergy(binary(1, 0, 0)), 0.95162, 3e-4);
  // A test particle leaves the black hole as it is.
  close(finalSpin(binary(1e-9, 0.7, 0)), 0.7, 1e-8);
  close(radiatedEnergy(binary(1e-9, 0.7, 0)), 0, 1e-8);
  // XLALSimIMRPhenomDFinalSpin.
  close(finalSpin(binary(1, 1, 1)), 0.9512253800539885, 1e-14);
  close(finalSpin(binary(0.02, 1, 0.9999)), 0.9886153002488951, 1e-14);
  close(finalSpin(binary(0.02, -1, -1)), -0.883593354215976, 1e-14);
});

test("Kerr's modes are those of the published tables", () => {
  // Berti, Cardoso & Will, gr-qc/0512160, table II: l = m = 2, n = 0.
  const published = [
    [0, 0.3737, 0.089],
    [0.5, 0.4641, 0.0856],
    [0.7, 0.5326, 0.0808],
    [0.8, 0.586, 0.0756],
    [0.9, 0.6716, 0.0649],
    [0.98, 0.8254, 0.0386],
  ] as const;
  const modes = kerrModes(published.map(([spin]) => spin));
  published.forEach(([, re, im], n) => {
    close(modes[n].re, re, 5e-5);
    close(modes[n].im, -im, 5e-5);
  });
  // Cook & Zalutskiy, arXiv:1410.7698: Schwarzschild; Stein's qnm, arXiv:1908.10377: spin 0.68.
  close(modes[0].re, 0.37367168441804, 1e-12);
  close(modes[0].im, -0.08896231568894, 1e-12);
  const [, mode] = kerrModes([0.5, 0.68]);
  close(mode.re, 0.52397510429008, 1e-12);
  close(mode.im, -0.08151262363119, 1e-12);
  // Retrograde and prograde meet without spin.
  const [below, above] = [-1e-6, 1e-6].map((spin) => kerrModes([spin])[0]);
  close((below.re + above.re) / 2, modes[0].re, 1e-10);
});

test("ringing of a remnant: the table is Kerr's to its six digits", () => {
  const system = binary(0.5, 0.6, -0.2);
  const [mode] = kerrModes([finalSpin(system)]);
  const { fRing, fDamp } = ringdown(system);
  const mass = 1 - radiatedEnergy(system);
  close((fRing * mass) / (mode.re / (2 * Math.PI)), 1, 1e-5);
  close((fDamp * mass) / (-mode.im / (2 * Math.PI)), 1, 1e-5);
});

test("parameters that the model does not take are named", () => {
  const bad: Partial<WaveformParameters>[] = [
    { m1: 0 },
    { m2: -1 },
    { m1: Number.NaN },
    { s1z: 1.001 },
    { s2z: Number.NaN },
    { iota: Infinity },
    { s1x_n: 0.1 },
    { s2y_n: 0.1 },
    { l1: 400 },
    { l2: Number.NaN },
  ];
  for (const parameters of bad) {
    const { exit, message } = thrownBy(() => waveform(parameters, DENSE));
    expect(exit).toBe("badData");
    expect(message).toStartWith(`${Object.keys(parameters)[0]}: found ${Object.values(parameters)[0]}`);
  }
  const { message } = thrownBy(() => waveform({ m1: 200, m2: 1 }, DENSE));
  expect(message).toBe("m1 and m2: found a mass ratio of 200, expected at most 100");
  const heavy = thrownBy(() => waveform({ m1: 2000, m2: 1000 }, DENSE));
  expect(heavy.message).toContain("Msun, whose signal is from 0.0000677 to 13.5 Hz");
});

test("frequencies and modes that the model does not have are named", () => {
  expect(thrownBy(() => openPhenomD(requestOf([20, 20]))).message).toStartWith("f[1]: found 20");
  expect(thrownBy(() => openPhenomD(requestOf([-1, 20]))).message).toStartWith("f[0]: found -1");
  expect(thrownBy(() => openPhenomD(requestOf([20, 30], 0))).message).toStartWith("f_ref: found 0");
  const modes = [
    [2, 2],
    [3, 3],
  ] as const;
  const { exit, message } = thrownBy(() => openPhenomD({ ...requestOf([20]), harmonic_modes: modes }));
  expect([exit, message]).toEqual([
    "usage",
    "harmonic modes of IMRPhenomD: found (2, 2) (3, 3), expected (2, 2) alone",
  ]);
});

test("openWaveforms: the built-in one by its name, another needs LALSimulation", async () => {
  const source = await openWaveforms(requestOf(DENSE));
  expect(source.m_arr).toEqual([2]);
  expect(source.harmonic_modes).toEqual([[2, 2]]);
  expect(source.alignedSpins).toBe(true);

  const { LALSIMULATION_LIBRARY } = process.env;
  process.env.LALSIMULATION_LIBRARY = "/nowhere";
  try {
    const other = openWaveforms({ ...requestOf(DENSE), approximant: "IMRPhenomXPHM" });
    await expect(other).rejects.toThrow("approximant: found IMRPhenomXPHM; IMRPhenomD is built in");
  } finally {
    if (LALSIMULATION_LIBRARY === undefined) delete process.env.LALSIMULATION_LIBRARY;
    else process.env.LALSIMULATION_LIBRARY = LALSIMULATION_LIBRARY;
  }
});
