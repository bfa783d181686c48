import { describe, expect, test } from "bun:test";
import { FftPlan } from "../src/gw/fft.ts";
import { MatchedFilter } from "../src/gw/matched-filter.ts";
import { referenceKernels } from "../src/kernels/ref.ts";
import { type Kernels, loadKernels } from "../src/kernels/table.ts";

/** The input of the expected values: sin(j^2 mod 1013) + cos(j) / 10 + i cos(j^2 mod 917). */
function signal(n: number) {
  return {
    re: Float64Array.from({ length: n }, (_, j) => Math.sin((j * j) % 1013) + 0.1 * Math.cos(j)),
    im: Float64Array.from({ length: n }, (_, j) => Math.cos((j * j) % 917)),
  };
}

const KERNELS = [...new Set([loadKernels("auto"), referenceKernels])].map(
  (kernels) => [kernels.name, kernels] as const,
);

function forward(n: number, kernels: Kernels) {
  const { re, im } = signal(n);
  const out_cj = new Float64Array(2 * n);
  new FftPlan(n, kernels).forward(re, im, out_cj);
  return { re, im, outRe: out_cj.subarray(0, n), outIm: out_cj.subarray(n) };
}

function largestDifference(a: Float64Array, b: Float64Array): number {
  return a.reduce((largest, value, j) => Math.max(largest, Math.abs(value - b[j])), 0);
}

type Point = [number, number, number];

/** numpy 2.4: [index, re, im] of fft(signal), and the largest magnitude. */
const NUMPY_FFT: [number, number, Point[]][] = [
  [
    1458,
    104.6753878633496,
    [
      [0, -26.14234040386225, -49.39445383271401],
      [1, -26.11393272823318, -27.368917196397394],
      [486, 16.122653372777442, 12.036294567509968],
      [729, 14.55483659607555, 12.848806038080841],
      [1457, 10.483268700018687, 24.135334090228554],
    ],
  ],
  [
    32768,
    1766.711651403041,
    [
      [1, -0.2599892311856138, -2.356299389922853],
      [10922, 12.446230172653163, 12.962489313926852],
      [16384, -8.363902803956762, 12.520191456299813],
      [32767, 0.46348145204890656, -1.1945706865936598],
    ],
  ],
  [
    384000,
    18202.36407019785,
    [
      [1, -4.630383300040676, -5.436564327784385],
      [128000, 19.891919428924624, 14.83424384456056],
      [192000, 4.239785375817872, -12.442222587656907],
      [383999, -4.571807735047573, -5.427115740743949],
    ],
  ],
];

/** numpy 2.4: [index, value] of irfft(first n / 2 + 1 values of signal(n)), and the largest magnitude. */
const NUMPY_IRFFT: [number, number, [number, number][]][] = [
  [
    1458,
    0.08408948538122316,
    [
      [0, -0.0015799593336532011],
      [1, 0.0129735323103104],
      [486, 0.0034053887865644564],
      [729, -0.008212337568196325],
      [1457, -0.06417750282811546],
    ],
  ],
  [
    32768,
    0.049102027132926176,
    [
      [0, -0.015642992454573287],
      [1, 0.023057817441870073],
      [16384, -0.0002630961425539079],
      [32767, -0.02108660440625204],
    ],
  ],
  [
    384000,
    0.04748899612833791,
    [
      [0, -0.014624762133719035],
      [1, 0.02201166450167159],
      [128000, -6.33851969668207e-7],
      [192000, 8.809056438996783e-5],
      [383999, -0.02207812742447024],
    ],
  ],
];

describe.each(KERNELS)("complex transform, %s", (_, kernels) => {
  test.each(NUMPY_FFT)("length %p agrees with numpy", (n, largest, points) => {
    const { outRe, outIm } = forward(n, kernels);
    for (const [k, re, im] of points) {
      expect(Math.hypot(outRe[k] - re, outIm[k] - im)).toBeLessThan(1e-13 * largest);
    }
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 12, 25, 30, 49, 77, 121, 210])("length %p agrees with the sum", (n) => {
    const { re, im, outRe, outIm } = forward(n, kernels);
    for (let k = 0; k < n; k++) {
      let sumRe = 0;
      let sumIm = 0;
      for (let j = 0; j < n; j++) {
        const angle = (-2 * Math.PI * ((j * k) % n)) / n;
        sumRe += re[j] * Math.cos(angle) - im[j] * Math.sin(angle);
        sumIm += re[j] * Math.sin(angle) + im[j] * Math.cos(angle);
      }
      expect(Math.hypot(outRe[k] - sumRe, outIm[k] - sumIm)).toBeLessThan(1e-12);
    }
  });

  test.each([1, 7, 1458, 2310, 32768])("length %p comes back", (n) => {
    const { re, im, outRe, outIm } = forward(n, kernels);
    const back_sj = new Float64Array(2 * n);
    new FftPlan(n, kernels).backward(outRe, outIm, back_sj);
    const [backIm, backRe] = [back_sj.subarray(0, n), back_sj.subarray(n)].map((x) => x.map((y) => y / n));
    expect(largestDifference(backRe, re)).toBeLessThan(3e-15);
    expect(largestDifference(backIm, im)).toBeLessThan(3e-15);
  });

  test("a length that is not a positive integer is refused", () => {
    expect(() => new FftPlan(0, kernels)).toThrow("FFT length 0");
    expect(() => new FftPlan(2.5, kernels)).toThrow("FFT length 2.5");
  });
});

describe.each(KERNELS)("matched filter, %s", (_, kernels) => {
  /** Data S and a template of ones: <d|h>(t) is the series of spectrum S, and <h|h> = 4 n_f (df = 1 Hz, white noise). */
  function filtered(re_f: Float64Array, im_f: Float64Array) {
    const n_f = re_f.length;
    const one = new Float64Array(n_f).fill(1);
    const f = one.map((_, k) => k);
    const plan = new MatchedFilter(f, kernels);
    return plan.run({ re_f, im_f, power_f: one }, { re_f: one, im_f: new Float64Array(n_f) });
  }

  test.each(NUMPY_IRFFT)("length %p: the real part is numpy's irfft", (n, largest, points) => {
    const { re, im } = signal(n);
    const { cos_t, norm } = filtered(re.slice(0, n / 2 + 1), im.slice(0, n / 2 + 1));
    expect(norm).toBeCloseTo(Math.sqrt(2 * n + 4), 8);
    expect(cos_t.length).toBe(n);
    for (const [k, value] of points)
      expect(Math.abs((cos_t[k] * norm) / (2 * n) - value)).toBeLessThan(1e-13 * largest);
  });

  test("the imaginary part is the real part of the data turned by -90 degrees", () => {
    const { re, im } = signal(31);
    const { sin_t } = filtered(re, im);
    const { cos_t } = filtered(
      im,
      re.map((x) => -x),
    );
    expect(largestDifference(sin_t, cos_t)).toBeLessThan(1e-15 * 31);
  });

  test("the real part ignores the imaginary parts at zero and at Nyquist", () => {
    const re = Float64Array.of(1, 2, 3, 4);
    const { cos_t } = filtered(re, Float64Array.of(9, 0.5, -1, 9));
    expect(largestDifference(cos_t, filtered(re, Float64Array.of(0, 0.5, -1, 0)).cos_t)).toBeLessThan(1e-15);
  });

  test("mean frequency and correlation length of white noise: the middle of the band, and one step", () => {
    const { re, im } = signal(101);
    const { meanFrequency, correlationLength } = filtered(re, im);
    expect(meanFrequency).toBeCloseTo(50, 12);
    // 4 (2 n / 4 n_f)^2 n_f / n, n = 200, n_f = 101
    expect(correlationLength).toBeCloseTo(200 / 101, 12);
  });
});
