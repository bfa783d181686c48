import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { readBankConfig } from "../src/gw/bank-config.ts";
import { type Band, timeGridBands, timeSetBasis } from "../src/gw/low-rank.ts";

const f_b = Float64Array.from(
  readBankConfig(join(import.meta.dir, "fixtures/banks/s/bank_config.json")).fbin,
);

/** Largest |error| of exp(2 pi i f tau) rebuilt from the bases of one band, sign +1 or -1 for tau or -tau. */
function reconstructionError(
  band: Band,
  factors: { ec: Float64Array; es: Float64Array; cosFc: Float64Array; sinFc: Float64Array },
  tau: Float64Array,
  sign: 1 | -1,
): number {
  let largest = 0;
  const n = tau.length;
  for (let b = band.b0; b < band.b1; b++) {
    const row = (b - band.b0) * band.rp;
    for (let t = 0; t < n; t++) {
      let c = 0;
      let s = 0;
      for (let r = 0; r < band.rc; r++) c += band.q[row + r] * factors.ec[r * n + t];
      for (let r = 0; r < band.rs; r++) s += band.q[row + band.rc + r] * factors.es[r * n + t];
      s *= sign;
      const carrier = sign * factors.sinFc[t];
      const turns = f_b[b] * tau[t] * sign;
      const angle = 2 * Math.PI * (turns - Math.round(turns));
      const re = factors.cosFc[t] * c - carrier * s;
      const im = carrier * c + factors.cosFc[t] * s;
      largest = Math.max(largest, Math.abs(re - Math.cos(angle)), Math.abs(im - Math.sin(angle)));
    }
  }
  return largest;
}

function expectPadding(band: Band, pad: number) {
  expect(band.rp % pad).toBe(0);
  expect(band.rp - band.rc - band.rs).toBeGreaterThanOrEqual(0);
  expect(band.rp - band.rc - band.rs).toBeLessThan(pad);
  for (let b = 0; b < band.b1 - band.b0; b++) {
    for (let r = band.rc + band.rs; r < band.rp; r++) expect(band.q[b * band.rp + r]).toBe(0);
  }
}

describe("time grid", () => {
  const grids = [1 / 1024, 1 / 3200, 1 / 8192].flatMap((dt) => [64, 128, 205].map((n_t) => [dt, n_t]));
  test.each([...grids, [1 / 1024, 1148], [1 / 8192, 1148]])("dt %p s, %p times", (dt, n_t) => {
    const plan = timeGridBands(f_b, dt, n_t, 8);
    expect(plan.n_t).toBe(n_t + (n_t % 2));
    expect(plan.tau_h.length).toBe(plan.n_h);
    let next = 0;
    for (const band of plan.bands) {
      expect(band.b0).toBe(next);
      next = band.b1;
      expectPadding(band, 8);
      const factors = { ec: band.ec, es: band.es, cosFc: band.cosFc_h, sinFc: band.sinFc_h };
      expect(reconstructionError(band, factors, plan.tau_h, 1)).toBeLessThan(3e-13);
    }
    expect(next).toBe(f_b.length);
  });

  test("the other half of the grid is the mirror image", () => {
    const plan = timeGridBands(f_b, 1 / 1024, 64, 8);
    expect(plan.tau_h[0]).toBe(0.5 / 1024);
    for (const band of plan.bands) {
      const factors = { ec: band.ec, es: band.es, cosFc: band.cosFc_h, sinFc: band.sinFc_h };
      expect(reconstructionError(band, factors, plan.tau_h, -1)).toBeLessThan(3e-13);
    }
  });

  test("bands beat one dense product, and the basis is as short as its singular values allow", () => {
    const plan = timeGridBands(f_b, 1 / 1024, 128, 8);
    const cost = plan.bands.reduce((sum, { b0, b1, rp }) => sum + (b1 - b0 + plan.n_h) * rp, 0);
    expect(plan.bands.length).toBeGreaterThan(1);
    expect(cost).toBeLessThan(0.5 * 2 * f_b.length * plan.n_h);
    // numpy: in bins 0 to 161 nine singular values of cos and eight of sin exceed 1e-14 of the largest.
    const wide = timeGridBands(f_b.slice(0, 162), 1 / 1024, 128, 1);
    for (const band of wide.bands) expect(band.rc + band.rs).toBeLessThanOrEqual(18);
  });

  test("is the same every time", () => {
    expect(timeGridBands(f_b, 1 / 1024, 64, 8)).toEqual(timeGridBands(f_b, 1 / 1024, 64, 8));
  });
});

describe("set of times", () => {
  test.each([0.5e-3, 4e-3, 12e-3, 40e-3])("within +-%p s", (range) => {
    const tau_e = Float64Array.from({ length: 500 }, (_, e) => range * Math.sin(e * e));
    const basis = timeSetBasis(f_b, tau_e, 8);
    expect([basis.b0, basis.b1, basis.n_e]).toEqual([0, f_b.length, 500]);
    expectPadding(basis, 8);
    const factors = { ec: basis.ec, es: basis.es, cosFc: basis.cosFc_e, sinFc: basis.sinFc_e };
    expect(reconstructionError(basis, factors, tau_e, 1)).toBeLessThan(1e-13);
  });

  test("times need not lie on both sides of zero, and may all be zero", () => {
    for (const tau_e of [Float64Array.of(2e-3, 3e-3, 5e-3), Float64Array.of(0, 0)]) {
      const basis = timeSetBasis(f_b, tau_e, 8);
      const factors = { ec: basis.ec, es: basis.es, cosFc: basis.cosFc_e, sinFc: basis.sinFc_e };
      expect(reconstructionError(basis, factors, tau_e, 1)).toBeLessThan(1e-13);
    }
  });

  test("the rank of a few milliseconds is small", () => {
    const tau_e = Float64Array.from({ length: 100 }, (_, e) => 2.5e-3 * Math.cos(e));
    expect(timeSetBasis(f_b, tau_e, 8).rp).toBeLessThanOrEqual(24);
  });
});
