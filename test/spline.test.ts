import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DotpeError } from "../src/errors.ts";
import { readEvent } from "../src/gw/event.ts";
import { cubicSpline, evaluateSpline, SummaryWeights } from "../src/gw/spline.ts";
import { openNpz } from "../src/io/npz.ts";
import { loadKernels } from "../src/kernels/table.ts";

const KERNELS = loadKernels("auto");
const FIXTURES = join(import.meta.dir, "fixtures");

describe("not-a-knot spline", () => {
  const x = Float64Array.of(0, 0.5, 1.7, 2, 3.1, 4.6, 5);
  const y = [1, -0.3, 0.8, 2, -1.5, 0.25, 0.9];

  test("agrees with scipy's CubicSpline, outside the knots too", () => {
    const points = Float64Array.of(-0.2, 0, 0.3, 1, 1.7, 2.6, 3.1, 4.9, 5, 5.3);
    const expected = [
      1.6888325130069484, 1, 0.1340219308770627, -0.724601182575997, 0.8, 0.7755124675704342, -1.5,
      0.805906715401267, 0.9, 0.7909852360698673,
    ];
    const found = evaluateSpline(cubicSpline(x, y), points);
    expected.forEach((value, k) => {
      expect(found[k]).toBeCloseTo(value, 13);
    });
  });

  test("four knots give one cubic", () => {
    const found = evaluateSpline(cubicSpline(x.slice(0, 4), y), Float64Array.of(-0.2, 0, 0.3, 1));
    [1.8113464052287587, 1, 0.09533333333333326, -0.5633986928104575].forEach((value, k) => {
      expect(found[k]).toBeCloseTo(value, 13);
    });
  });

  test("a cubic polynomial is reproduced", () => {
    const cubic = (t: number) => 2 - t + 0.5 * t * t - 0.3 * t * t * t;
    const points = Float64Array.from({ length: 40 }, (_, j) => j / 8);
    const found = evaluateSpline(cubicSpline(x, x.map(cubic)), points);
    points.forEach((t, k) => {
      expect(found[k]).toBeCloseTo(cubic(t), 12);
    });
  });

  test("knots that do not rise are an error", () => {
    expect(() => cubicSpline(Float64Array.of(0, 1, 1, 2), [0, 0, 0, 0])).toThrow(DotpeError);
    expect(() => cubicSpline(Float64Array.of(0, 1, 2), [0, 0, 0])).toThrow("at least 4");
  });
});

/** The weights by their definition: 4 df times the sum over the band of g times each cardinal spline. */
function definition(fbin: Float64Array, f: Float64Array, g: Float64Array): Float64Array {
  const band = f.map((_, j) => j).filter((j) => f[j] >= fbin[0] && f[j] <= fbin[fbin.length - 1]);
  const inBand = band.map((j) => f[j]);
  return fbin.map((_, b) => {
    const cardinal = evaluateSpline(
      cubicSpline(
        fbin,
        fbin.map((_, k) => (k === b ? 1 : 0)),
      ),
      inBand,
    );
    return 4 * (f[1] - f[0]) * cardinal.reduce((sum, c, k) => sum + c * g[band[k]], 0);
  });
}

describe("summary weights", () => {
  const f = Float64Array.from({ length: 200 }, (_, j) => 0.25 * j);
  const fbin = Float64Array.of(5, 5.5, 7, 7.25, 11, 20.5, 33, 40.25);
  const g = f.map((value, j) => Math.sin(value * value) + 0.01 * j);
  const h = f.map((value) => Math.cos(3 * value));

  const one = new Float64Array(200).fill(1);
  const [zero_b, one_b] = [new Float64Array(8), new Float64Array(8).fill(1)];
  const x = { re_f: g, im_f: h, re_b: one_b, im_b: zero_b };
  const y = { re_f: one, im_f: new Float64Array(200), re_b: one_b, im_b: zero_b };

  test("are what the cardinal splines give, both ends included", () => {
    const { re_b, im_b } = new SummaryWeights(fbin, f, KERNELS).weights(one, x, y);
    const largest = Math.max(...re_b.map(Math.abs), ...im_b.map(Math.abs));
    definition(fbin, f, g).forEach((value, b) => {
      expect(Math.abs(re_b[b] - value)).toBeLessThan(1e-13 * largest);
    });
    definition(fbin, f, h).forEach((value, b) => {
      expect(Math.abs(im_b[b] - value)).toBeLessThan(1e-13 * largest);
    });
  });

  test("bins may lie between the frequencies of the grid", () => {
    const between = fbin.map((value, b) => value + 0.03 * b + 0.05);
    const { re_b } = new SummaryWeights(between, f, KERNELS).weights(one, x, y);
    const expected = definition(between, f, g);
    const largest = Math.max(...expected.map(Math.abs));
    expected.forEach((value, b) => {
      expect(Math.abs(re_b[b] - value)).toBeLessThan(1e-13 * largest);
    });
  });

  test("weighted products, divided by their values on the bins, times a factor", () => {
    const weight = f.map((value) => 1 + 0.1 * value);
    const [aRe, aIm, cRe, cIm] = [2, 3, 5, 7].map((n) => f.map((value) => Math.cos(n * value) + n));
    const bins = (values: Float64Array) => values.subarray(20, 28);
    const a = { re_f: aRe, im_f: aIm, re_b: bins(aRe), im_b: bins(aIm) };
    const c = { re_f: cRe, im_f: cIm, re_b: bins(cRe), im_b: bins(cIm) };
    const { re_b, im_b } = new SummaryWeights(fbin, f, KERNELS).weights(weight, a, c, 2);
    const product = (kind: 0 | 1) =>
      f.map((_, k) =>
        kind === 0
          ? weight[k] * (aRe[k] * cRe[k] + aIm[k] * cIm[k])
          : weight[k] * (aIm[k] * cRe[k] - aRe[k] * cIm[k]),
      );
    const [sumRe, sumIm] = [definition(fbin, f, product(0)), definition(fbin, f, product(1))];
    const largest = Math.max(...sumRe.map(Math.abs), ...sumIm.map(Math.abs));
    re_b.forEach((wRe, b) => {
      const k = 20 + b;
      const [dRe, dIm] = [aRe[k] * cRe[k] + aIm[k] * cIm[k], aIm[k] * cRe[k] - aRe[k] * cIm[k]];
      expect(Math.abs(wRe * dRe - im_b[b] * dIm - 2 * sumRe[b])).toBeLessThan(1e-13 * largest);
      expect(Math.abs(wRe * dIm + im_b[b] * dRe - 2 * sumIm[b])).toBeLessThan(1e-13 * largest);
    });
  });

  test("GW170814 in Hanford against the reference waveform agrees with numpy and scipy", () => {
    const event = readEvent(join(FIXTURES, "events/GW170814.npz"));
    const reference = openNpz(join(FIXTURES, "runs/small/reference.npz"));
    const h0_mpf = reference.get("h0_raw_mpf").toComplex();
    const plan = new SummaryWeights(reference.get("fbin").toFloat64(), event.f, KERNELS);
    expect([plan.fStart, plan.fEnd]).toEqual([480, 16385]);
    const onBins = { re_b: new Float64Array(plan.n_b).fill(1), im_b: new Float64Array(plan.n_b) };
    const first = (part: 0 | 1) => h0_mpf.subarray(0, 2 * event.n_f).filter((_, k) => k % 2 === part);
    const data = { re_f: event.strainRe_df, im_f: event.strainIm_df, ...onBins };
    const h0 = { re_f: first(0), im_f: first(1), ...onBins };
    const power_f = event.whiten_df.subarray(0, event.n_f).map((x) => x * x);
    const { re_b: outRe, im_b: outIm } = plan.weights(power_f, data, h0);
    // 4 df g @ CubicSpline(fbin, eye)(f): [bin, re, im]; the largest has magnitude 2428.121027641531.
    const expected: [number, number, number][] = [
      [0, 5.346469965204899e-6, -3.7001875795901542e-6],
      [1, -0.0001460795717650622, 0.00010495405472558962],
      [2, 0.00041248164766136553, -0.00027347993552718987],
      [100, -110.54679234498448, 23.240004364219818],
      [250, 265.98949110840965, 337.49284687934863],
      [376, -0.30869621715590706, 0.6430448271067396],
      [377, -0.26492652641419656, 0.09350665760233812],
    ];
    for (const [b, wRe, wIm] of expected) {
      expect(Math.hypot(outRe[b] - wRe, outIm[b] - wIm)).toBeLessThan(1e-13 * 2428.121027641531);
      expect(Math.hypot(outRe[b] - wRe, outIm[b] - wIm)).toBeLessThan(1e-11 * Math.hypot(wRe, wIm));
    }
  });

  test("bins beyond the grid are an error that names both", () => {
    expect(() => new SummaryWeights(fbin, f.slice(0, 100), KERNELS)).toThrow("found 5 to 40.25 Hz");
  });
});
