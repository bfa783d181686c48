/** Distances against astropy 8.0.2, FlatLambdaCDM(H0=67.9, Om0=0.3065, Tcmb0=0).luminosity_distance. */
import { expect, test } from "bun:test";
import { luminosityDistance, redshiftAt } from "../src/gw/cosmology.ts";

/** z, Mpc. */
const ASTROPY = [
  [0.0001, 0.44155455807768434],
  [0.01, 44.49085728609553],
  [0.05, 229.10821725669672],
  [0.12, 576.688687314548],
  [0.3, 1598.477746754835],
  [1, 6785.944503977809],
  [2.5, 20901.4070718821],
  [10, 106232.63030547409],
  [50, 623863.6130371754],
] as const;

test("luminosity distances are astropy's to 1e-10", () => {
  for (const [z, distance] of ASTROPY)
    expect(Math.abs(luminosityDistance(z) / distance - 1)).toBeLessThan(1e-10);
});

test("redshifts are those at which astropy finds the distances", () => {
  for (const [z, distance] of ASTROPY) expect(Math.abs(redshiftAt(distance) / z - 1)).toBeLessThan(1e-10);
});

test("no distance, no redshift", () => {
  expect(redshiftAt(0)).toBe(0);
  expect(luminosityDistance(0)).toBe(0);
});
