import { expect, test } from "bun:test";
import { polar } from "../src/approximants/polar.ts";

const pairs = (amplitudes: number[], phases: number[]) =>
  Float64Array.from(amplitudes.flatMap((a, b) => [a * Math.cos(phases[b]), a * Math.sin(phases[b])]));

test("amplitude and continuous phase, at their place", () => {
  const phases = [3, 5.5, 8, 10.9, 9, 6, 3.2, 0.5, -2.5, -5, -7];
  const amplitudes = phases.map((_, b) => 1e-22 * (b + 1));
  const amplitude = new Float64Array(20).fill(-1);
  const phase = new Float64Array(20).fill(-1);
  expect(polar(pairs(amplitudes, phases), 11, amplitude, phase, 5)).toBe(true);
  phases.forEach((value, b) => {
    expect(phase[5 + b]).toBeCloseTo(value, 13);
    expect(amplitude[5 + b] / amplitudes[b]).toBeCloseTo(1, 14);
  });
  expect([amplitude[4], amplitude[16], phase[4], phase[16]]).toEqual([-1, -1, -1, -1]);
});

test("starts where the angle is, keeps steps of pi, and has angle 0 where there is nothing, as numpy", () => {
  const h_bc = Float64Array.of(-1, 0, 1, 0, -1, 0, 0, 0, 0, -1);
  const amplitude = new Float64Array(5);
  const phase = new Float64Array(5);
  expect(polar(h_bc, 5, amplitude, phase, 0)).toBe(true);
  // numpy.unwrap(numpy.angle(h))
  expect([...phase]).toEqual([Math.PI, 0, Math.PI, 0, -Math.PI / 2]);
  expect([...amplitude]).toEqual([1, 1, 1, 0, 1]);
});

test("tiny numbers keep their digits; what is not finite is told", () => {
  const amplitude = new Float64Array(1);
  const phase = new Float64Array(1);
  expect(polar(Float64Array.of(3e-180, 4e-180), 1, amplitude, phase, 0)).toBe(true);
  expect(amplitude[0] / 5e-180).toBeCloseTo(1, 14);
  expect(polar(Float64Array.of(Number.NaN, 0), 1, amplitude, phase, 0)).toBe(false);
  expect(polar(Float64Array.of(0, Number.POSITIVE_INFINITY), 1, amplitude, phase, 0)).toBe(false);
});
