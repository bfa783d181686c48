import { describe, expect, test } from "bun:test";
import {
  buildDistanceTable,
  D_LUMINOSITY_MAX,
  distanceTableHeader,
  lnLikeIntegrated,
  lnLikeMarginalized,
  sampleDistance,
} from "../src/gw/distance.ts";
import { uniform } from "../src/gw/random.ts";
import fixture from "./fixtures/distance.json";

const table = buildDistanceTable();

function interpolated(rows: [number, number][]): Float64Array {
  const dh = Float64Array.from(rows, (row) => row[0]);
  const hh = Float64Array.from(rows, (row) => row[1]);
  const out = new Float64Array(rows.length);
  lnLikeMarginalized(table, dh, hh, out, rows.length);
  return out;
}

describe("lnL marginalized over distance", () => {
  test("the quadrature agrees with mpmath", () => {
    for (const [dh, hh, lnl] of fixture.exact) {
      expect(Math.abs(lnLikeIntegrated(dh, hh) - lnl)).toBeLessThan(1e-12 * Math.max(10, Math.abs(lnl)));
    }
  });

  test("the table agrees with mpmath, rows outside it too", () => {
    const found = interpolated(fixture.exact.map(([dh, hh]) => [dh, hh]));
    fixture.exact.forEach(([, , lnl], j) => {
      expect(Math.abs(found[j] - lnl)).toBeLessThan(1e-8);
    });
  });

  test("the table agrees with the quadrature everywhere in its range", () => {
    const rows: [number, number][] = [];
    for (let j = 0; j < 20000; j++) {
      const z = j % 2 === 0 ? -5 + 15 * uniform(1, 0, j) : 60 * uniform(1, 0, j);
      const [low, high] = [Math.log(5e-5), Math.log(Math.max(z, 0) + 10)];
      const norm = D_LUMINOSITY_MAX * Math.exp(low + (high - low) * uniform(1, 1, j));
      rows.push([z * norm, norm * norm]);
    }
    const found = interpolated(rows);
    let worst = 0;
    rows.forEach(([dh, hh], j) => {
      worst = Math.max(worst, Math.abs(found[j] - lnLikeIntegrated(dh, hh)));
    });
    expect(worst).toBeLessThan(1e-8);
    expect(worst).toBeGreaterThan(0);
  });

  test("rows of the reference run: exact to 1e-10, its own table to 1e-6", () => {
    const found = interpolated(fixture.rows.map(([dh, hh]) => [dh, hh]));
    fixture.rows.forEach(([, , exact, reference], j) => {
      expect(Math.abs(found[j] - exact)).toBeLessThan(1e-10);
      expect(Math.abs(found[j] - reference)).toBeLessThan(1e-6);
    });
  });

  test("a signal too weak to matter has lnL 0, whatever d_max", () => {
    expect(Math.abs(lnLikeIntegrated(1e-9, 1e-12, 100))).toBeLessThan(1e-8);
  });

  test("d_max is respected: lnL depends on sqrt(hh) / d_max and the overlap alone", () => {
    expect(lnLikeIntegrated(6300 * 14, 6300 ** 2, 3000)).toBeCloseTo(
      lnLikeIntegrated(6300 * 14 * 5, (6300 * 5) ** 2, 15000),
      11,
    );
    const near = buildDistanceTable(3000);
    const out = new Float64Array(1);
    lnLikeMarginalized(near, Float64Array.of(6300 * 14), Float64Array.of(6300 ** 2), out, 1);
    expect(out[0]).toBeCloseTo(lnLikeIntegrated(6300 * 14, 6300 ** 2, 3000), 9);
  });

  test("a signal of any size has an end, and falls as its distance to the fourth power", () => {
    const norm = 1e3;
    const beyondPeak = (z: number) => lnLikeIntegrated(z * norm, norm * norm) - 0.5 * z * z + 4 * Math.log(z);
    // From z = 100 on the quadrature starts near the peak: no step there.
    expect(beyondPeak(100.001) - beyondPeak(100)).toBeCloseTo(0, 6);
    // The next term of the expansion is 10 / z^2.
    expect(beyondPeak(3000) - beyondPeak(150)).toBeCloseTo(-10 / 150 ** 2, 5);
    expect(lnLikeIntegrated(1e12 * norm, norm * norm)).toBeCloseTo(0.5e24, -10);
  });

  test("hh that is not positive gives NaN", () => {
    expect([
      ...interpolated([
        [1, 0],
        [1, -1],
        [Number.NaN, 1],
        [0, Number.NaN],
      ]),
    ]).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
  });

  test("header and coefficients suffice to evaluate a row", () => {
    const [n_x, , xFirst, yFirst, dMax, xStep, yStep, stretch, lead, soft, zMid, reach, slope] =
      distanceTableHeader(table);
    const spline = (distance: number) => {
      const r = Math.abs(distance);
      const power = (from: number) => Math.max(from - r, 0) ** 5;
      return (power(3) - 6 * power(2) + 15 * power(1)) / 120;
    };
    const ramp = (s: number) => (s + lead + Math.hypot(s + lead, soft)) / 2;
    const [z, norm] = [14, 6300];
    const x = (Math.log(norm / dMax) + stretch * (ramp(norm / dMax - z) - ramp(-z)) - xFirst) / xStep;
    const y = ((z - zMid) / Math.hypot(reach, z - zMid) + slope * (z - zMid) - yFirst) / yStep;
    let sum = 0;
    table.coefficients.forEach((c, j) => {
      sum += c * spline(x - (j % n_x)) * spline(y - Math.floor(j / n_x));
    });
    expect(Math.abs(sum + (z * z) / 2 - lnLikeIntegrated(z * norm, norm * norm))).toBeLessThan(1e-8);
  });

  test("the table is the same every time", () => {
    expect(buildDistanceTable().coefficients).toEqual(table.coefficients);
  });
});

describe("distance draws", () => {
  test("quantiles agree with mpmath", () => {
    for (const [dh, hh, share, distance] of fixture.cdf) {
      expect(Math.abs(sampleDistance(share, dh, hh) / distance - 1)).toBeLessThan(1e-9);
    }
  });

  test("a draw rises with u and stays in (0, d_max]", () => {
    for (const [dh, hh] of fixture.cdf) {
      let before = 0;
      for (const u of [0, 1e-12, 0.01, 0.3, 0.5, 0.9, 0.999999, 1 - 2 ** -53]) {
        const distance = sampleDistance(u, dh, hh);
        expect(distance).toBeGreaterThan(before);
        expect(distance).toBeLessThanOrEqual(D_LUMINOSITY_MAX);
        before = distance;
      }
    }
  });

  test("hh that is not positive gives NaN", () => {
    expect(sampleDistance(0.5, 1, 0)).toBeNaN();
  });
});
