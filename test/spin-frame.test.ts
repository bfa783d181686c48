import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type SpinFrame, spinsFromAngles } from "../src/approximants/spin-frame.ts";
import { diskToSquareFactor, intrinsicDerivedColumns } from "../src/gw/prior.ts";

type Angles = Parameters<typeof spinsFromAngles>;

const fixture: { angles: Angles[]; spins: number[][]; spins_columns: (keyof SpinFrame)[] } = JSON.parse(
  readFileSync(join(import.meta.dir, "fixtures/spin-frame.json"), "utf8"),
);

test("spins and inclination are LALSimulation's, to 1e-12", () => {
  expect(fixture.angles.length).toBe(200);
  fixture.angles.forEach((angles, n) => {
    const found = spinsFromAngles(...angles);
    fixture.spins_columns.forEach((name, column) => {
      const expected = fixture.spins[n]![column]!;
      if (!(Math.abs(found[name] - expected) < 1e-12))
        throw new Error(`${name} of case ${n}: found ${found[name]}, expected ${expected}`);
    });
  });
});

test("the derived columns are the angles again", () => {
  for (const angles of fixture.angles) {
    const [theta_jn, phi_jl, tilt1, tilt2, phi12, chi1, chi2, m1, m2, f_ref] = angles;
    const spins = spinsFromAngles(...angles);
    const samples = Object.fromEntries(
      Object.entries({ m1, m2, f_ref, ...spins }).map(([name, value]) => [name, Float64Array.of(value)]),
    );
    const columns = intrinsicDerivedColumns(samples);
    expect(columns.costheta_jn[0]).toBeCloseTo(Math.cos(theta_jn), 11);

    const radius1 = (chi1 * Math.sin(tilt1)) / Math.sqrt(1 - spins.s1z ** 2);
    const radius2 = (chi2 * Math.sin(tilt2)) / Math.sqrt(1 - spins.s2z ** 2);
    const phi_jl_hat = phi_jl + (Math.cos(theta_jn) < 0 ? Math.PI : 0);
    // Without spin 1 the column counts from azimuth 0, not from where spin 1 would be.
    const azimuth2 = chi1 === 0 ? Math.atan2(spins.s2y_n, spins.s2x_n) : phi12;
    const points = [
      [radius1 * Math.cos(phi_jl_hat), radius1 * Math.sin(phi_jl_hat), columns.x1[0]!, columns.y1[0]!],
      [radius2 * Math.cos(azimuth2), radius2 * Math.sin(azimuth2), columns.x2[0]!, columns.y2[0]!],
    ] as const;
    for (const [u, v, x, y] of points) {
      const factor = diskToSquareFactor(u, v);
      expect(x).toBeCloseTo(factor * u, 10);
      expect(y).toBeCloseTo(factor * v, 10);
    }
  }
});

test("along the axes", () => {
  const aligned = spinsFromAngles(0.7, 0.3, 0, Math.PI, 1, 0.5, 0.4, 30, 20, 50);
  expect(aligned.iota).toBeCloseTo(0.7, 14);
  expect(aligned.s1z).toBe(0.5);
  expect(aligned.s2z).toBe(-0.4);
  const faceOn = spinsFromAngles(0, 0.3, 0, 0, 1, 0, 0, 30, 20, 50);
  expect(faceOn.iota).toBe(0);
  expect(Object.values(faceOn).every((value) => value === 0)).toBe(true);
});
