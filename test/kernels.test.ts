import { describe, expect, test } from "bun:test";
import { modePairs } from "../src/axes.ts";
import { referenceKernels } from "../src/kernels/ref.ts";
import { N_PART, PART } from "../src/kernels/row-table.ts";
import { availableKernels, loadKernels } from "../src/kernels/table.ts";
import { phaseTables } from "../src/stages/phases.ts";
import {
  casesOf,
  clearThreshold,
  incoherentOf,
  type Model,
  makeModel,
  productsOf,
  type Rows,
  randomNumbers,
  randomTile,
  SIZES,
  sizeName,
  type TileInputs,
  tileRows,
} from "./kernel-cases.ts";
import { extrinsicCases } from "./kernel-cases-extrinsic.ts";
import { rowCases } from "./kernel-cases-rows.ts";
import { setupCases } from "./kernel-cases-setup.ts";
import { SINGLE_TOLERANCE, singleCases } from "./kernel-cases-single.ts";

const TOLERANCE = 1e-12;
const NATIVE = availableKernels().filter((name) => name !== "ref");
/** The phase grid of the brute-force sums. */
const phiOf = (o: number, n_phi: number) => (2 * Math.PI * o) / n_phi;

/** Largest |x - y| over the largest |y|; NaN if any number is not finite. */
function relativeDifference(x: Float64Array, y: Float64Array): number {
  expect(x.length).toBe(y.length);
  let [difference, largest] = [0, 0];
  for (let k = 0; k < y.length; k++) {
    if (!Number.isFinite(x[k])) return Number.NaN;
    difference = Math.max(difference, Math.abs(x[k] - y[k]));
    largest = Math.max(largest, Math.abs(y[k]));
  }
  return largest === 0 ? difference : difference / largest;
}

/** Equal to the bit, but that 0 and -0 are the same: NaN never is. */
function sameBits(x: Float64Array, y: Float64Array): boolean {
  return x.length === y.length && x.every((value, k) => value === y[k]);
}

describe.each(NATIVE)("%s computes what ref.ts defines", (name) => {
  const kernels = loadKernels(name);
  test("is loaded under its name", () => expect(kernels.name).toBe(name));

  describe.each(SIZES.map((size, k) => [sizeName(size), size, k] as const))("%s", (_, size, seed) => {
    const cases = [
      ...casesOf(size, 1000 * seed),
      ...extrinsicCases(size, 1000 * seed),
      ...setupCases(size, 1000 * seed),
      ...rowCases(size, 1000 * seed),
    ];
    test.each(cases.map((one) => [one.name, one] as const))("%s", (_name, one) => {
      const [found, expected] = [one.run(kernels), one.run(referenceKernels)];
      for (const [output, values] of Object.entries(expected)) {
        expect(values.some((value) => value !== 0)).toBe(true);
        expect(relativeDifference(found[output], values)).toBeLessThan(TOLERANCE);
      }
    });

    test.each(singleCases(size, 1000 * seed).map((one) => [one.name, one] as const))("%s", (_name, one) => {
      const [found, expected] = [one.run(kernels), one.run(referenceKernels)];
      for (const [output, values] of Object.entries(expected)) {
        expect(values.some((value) => value !== 0)).toBe(true);
        expect(relativeDifference(found[output], values)).toBeLessThan(SINGLE_TOLERANCE);
      }
    });

    test("coherentTile finds the same rows", () => {
      const { n_k } = phaseTables(size.mArr, size.n_phi);
      const tile = randomTile(size, n_k, 40, seed + 50);
      const every = tileRows(tile, size, referenceKernels, -1);
      expect(every.e.length).toBe(tile.n_valid * size.n_phi);
      for (const threshold of [-1, 0, clearThreshold(every)]) {
        const expected = tileRows(tile, size, referenceKernels, threshold);
        const found = tileRows(tile, size, kernels, threshold);
        expect(expected.e.length).toBeGreaterThan(0);
        expect(found.e).toEqual(expected.e);
        expect(found.o).toEqual(expected.o);
        expect(relativeDifference(found.dh, expected.dh)).toBeLessThan(TOLERANCE);
        expect(relativeDifference(found.hh, expected.hh)).toBeLessThan(TOLERANCE);
      }
    });
  });

  test("partSums: rows that are not finite are counted, rows of no weight have no sums", () => {
    const of = (...values: number[]) => Float64Array.of(...values);
    const rows = {
      ...{ e: Int32Array.of(0, 0, 1, 1), dh: of(1, 2, 3, 4), hh: of(1, 1, 1, 1), bestfit: of(5, 6, 7, 8) },
      ...{ lnl: of(1, 2, Number.NaN, 3), lnPosterior: new Float64Array(4) },
    };
    for (const kernel of [kernels, referenceKernels]) {
      const out = new Float64Array(N_PART);
      const pairs = { e: new Int32Array(4), sum: new Float64Array(4) };
      kernel.partSums(out, pairs, rows, 0, 4, 0, of(0, 0));
      expect(out[PART.notFinite]).toBe(1);
      const zero = Number.NEGATIVE_INFINITY;
      expect(kernel.partSums(out, pairs, rows, 0, 2, zero, of(0, 0))).toBe(0);
      expect([...out]).toEqual([zero, 0, 0, 0, 6, 2, 0]);
      expect(kernel.partSums(out, pairs, rows, 0, 2, 0, of(zero, 0))).toBe(0);
      expect(kernel.partSums(out, pairs, rows, 2, 2, 0, of(0, 0))).toBe(0);
      expect(out[PART.total]).toBe(0);
    }
  });

  test("a waveform that is not finite or vanishes gives NaN, not a likelihood", () => {
    const model = makeModel(SIZES[2], 77);
    const broken = (value: number) => ({ ...model, h_smpcb: model.h_smpcb.map(() => value) });
    for (const value of [0, Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const kernel of [kernels, referenceKernels])
        expect(incoherentOf(broken(value), kernel, true)[0]).toBeNaN();
    }
  });
});

describe.each(availableKernels())("%s gives the same bits however the work is cut", (name) => {
  const kernels = loadKernels(name);
  const size = { ...SIZES[2], n_s: 5 };

  test.each([1, 2, 3])("modeProducts: five waveforms at once, or in parts, %p detectors", (n_d) => {
    const model = makeModel({ ...size, n_d }, 5);
    const atOnce = productsOf(model, kernels);
    const each = model.h_smpcb.length / size.n_s;
    const parts = (cuts: readonly number[]) => {
      const out: number[] = [];
      for (let k = 0; k + 1 < cuts.length; k++) {
        const part = { ...model, h_smpcb: model.h_smpcb.slice(cuts[k] * each, cuts[k + 1] * each) };
        out.push(...productsOf(part, kernels, cuts[k + 1] - cuts[k]));
      }
      return Float64Array.from(out);
    };
    for (const cuts of [
      [0, 1, 2, 3, 4, 5],
      [0, 2, 5],
      [0, 4, 5],
      [0, 1, 5],
    ])
      expect(sameBits(parts(cuts), atOnce)).toBe(true);
  });

  test("project: twelve rows at once, or four by four", () => {
    const [n_r, n_b, n_k] = [12, 43, 40];
    const [a, q] = [randomNumbers(n_r * n_b, 1), randomNumbers(n_b * n_k, 2)];
    const [whole, parts] = [new Float64Array(n_r * n_k), new Float64Array(n_r * n_k)];
    kernels.project(whole, n_k, a, 0, n_b, q, n_r, n_b, n_k);
    for (let r = 0; r < n_r; r += 4) {
      kernels.project(parts.subarray(r * n_k), n_k, a, r * n_b, n_b, q, 4, n_b, n_k);
    }
    expect(sameBits(parts, whole)).toBe(true);
  });

  test("expandSet and coherentTile: one tile, or tiles of eight samples", () => {
    const { n_k } = phaseTables(size.mArr, size.n_phi);
    const n_e = 72;
    const tile = { ...randomTile(size, n_k, n_e, 3), n_valid: n_e };
    const [n_r, n_m] = [18, size.mArr.length];
    const a = randomNumbers(n_m * 2 * n_r, 4);
    const x = randomNumbers(n_r * n_e, 5);
    const [cos, sin] = [randomNumbers(n_e, 6), randomNumbers(n_e, 7)];
    const rowsOf = (e0: number, n: number): Rows => {
      const part = (values: Float64Array) => columns(values, n_e, e0, n);
      const dh_mce = new Float64Array(n_m * 2 * n);
      kernels.expandSet(dh_mce, a, 0, part(x), part(cos), part(sin), n_m, n_r, n, true);
      const inputs: TileInputs = { ...tile, dh_mce, ff_dxe: part(tile.ff_dxe), n_e: n, n_valid: n };
      return tileRows(inputs, size, kernels, -1);
    };
    const whole = rowsOf(0, n_e);
    for (const n of [8, 24]) {
      const parts = Array.from({ length: n_e / n }, (_, k) => rowsOf(k * n, n));
      for (const column of ["dh", "hh"] as const) {
        const joined = Float64Array.from(parts.flatMap((rows) => [...rows[column]]));
        expect(sameBits(joined, whole[column])).toBe(true);
      }
    }
  });
});

/** Columns e0 <= e < e0 + n of rows of length n_e. */
function columns(values: Float64Array, n_e: number, e0: number, n: number): Float64Array {
  const rows = values.length / n_e;
  const out = new Float64Array(rows * n);
  for (let r = 0; r < rows; r++) out.set(values.subarray(r * n_e + e0, r * n_e + e0 + n), r * n);
  return out;
}

const FUSED = ["x86-64-v4", "x86-64-v3"];
test.skipIf(!FUSED.every((name) => NATIVE.includes(name)))(
  "vectors of four and of eight give the same bits (needs a processor with AVX-512)",
  () => {
    const [wide, narrow] = FUSED.map((name) => loadKernels(name));
    for (const [seed, size] of SIZES.entries()) {
      for (const one of [...casesOf(size, seed), ...extrinsicCases(size, seed), ...setupCases(size, seed)]) {
        const [x, y] = [one.run(wide), one.run(narrow)];
        for (const output of Object.keys(x)) expect(sameBits(x[output], y[output])).toBe(true);
      }
    }
  },
);

describe("ref.ts is the direct definition, with complex exponentials and no low rank", () => {
  describe.each(SIZES.map((size, k) => [sizeName(size), size, k] as const))("%s", (_, size, seed) => {
    test.each([true, false])("stage 2: the largest lnL over times and phases, symmetric %p", (symmetric) => {
      const model = makeModel(size, 1000 * seed);
      const found = incoherentOf(model, referenceKernels, symmetric);
      const expected = Float64Array.from(found, (_, d) => directIncoherent(model, d, symmetric));
      expect(expected.every((lnl) => lnl > 0)).toBe(true);
      expect(relativeDifference(found, expected)).toBeLessThan(TOLERANCE);
    });

    test("stage 5: lnL of every phase from <d|h> and <h|h> by mode", () => {
      const { mArr, n_phi, n_d } = size;
      const { n_k } = phaseTables(mArr, n_phi);
      const tile = randomTile(size, n_k, 16, seed);
      const rows = tileRows(tile, size, referenceKernels, -1);
      const differences = [
        ...new Set(modePairs(mArr.length).map(([a, b]) => Math.abs(mArr[a] - mArr[b]))),
      ].sort((a, b) => a - b);
      const expected = { dh: rows.dh.slice(), hh: rows.hh.slice() };
      rows.e.forEach((e, r) => {
        const phi = phiOf(rows.o[r], n_phi);
        expected.dh[r] = mArr.reduce((sum, m, at) => {
          const [re, im] = [tile.dh_mce[2 * at * tile.n_e + e], tile.dh_mce[(2 * at + 1) * tile.n_e + e]];
          return sum + re * Math.cos(m * phi) + im * Math.sin(m * phi);
        }, 0);
        const component = (c: number) => {
          let sum = 0;
          for (let x = 0; x < 3 * n_d; x++)
            sum += tile.c_cdx[c * 3 * n_d + x] * tile.ff_dxe[x * tile.n_e + e];
          return sum;
        };
        expected.hh[r] = differences.reduce((sum, k, at) => {
          if (k === 0) return sum + component(0);
          const [re, im] = [component(2 * at - 1), component(2 * at)];
          return sum + re * Math.cos(k * phi) + im * Math.sin(k * phi);
        }, 0);
      });
      expect(relativeDifference(rows.dh, expected.dh)).toBeLessThan(TOLERANCE);
      expect(relativeDifference(rows.hh, expected.hh)).toBeLessThan(TOLERANCE);
    });
  });

  test("align finds the shift that was put in, whatever whole turns the phase took", () => {
    const n_b = 43;
    const f_b = Float64Array.from({ length: n_b }, (_, b) => 20 + 11 * b + 0.1 * b * b);
    const refPhase_b = randomNumbers(n_b, 1).map((x) => 3 * x);
    const turns = randomNumbers(n_b, 2).map((x) => 2 * Math.PI * Math.round(5 * x));
    const phase = f_b.map((f, b) => refPhase_b[b] + turns[b] + 1.3 - 2 * Math.PI * f * 0.0042);
    const ones = new Float64Array(n_b).fill(1);
    for (const kernel of availableKernels().map(loadKernels)) {
      const dt = kernel.align(ones, phase, 0, f_b, refPhase_b, ones, 300, n_b);
      expect(Math.abs(dt - 0.0042)).toBeLessThan(1e-14);
    }
  });
});

/** max over t, o of 1/2 d^T H^-1 d (arXiv:2507.16022) of the first waveform, straight from weights and waveform. */
function directIncoherent(model: Model, d: number, symmetric: boolean): number {
  const { size, bins, set, t0_d, dt } = model;
  const { mArr, n_phi, n_t } = size;
  const H_opP = directH(model, d);
  let best = 0;
  for (let t = 0; t < n_t; t++) {
    const time = t0_d[d] + (t - Math.floor(n_t / 2)) * dt;
    const z_mp = directTransform(model, d, time);
    for (let o = 0; o < n_phi; o++) {
      const d_p = [0, 1].map((p) =>
        mArr.reduce((sum, m, at) => {
          const { re, im } = z_mp[2 * at + p];
          return sum + re * Math.cos(m * phiOf(o, n_phi)) + im * Math.sin(m * phiOf(o, n_phi));
        }, 0),
      );
      let [a, b, c, e] = H_opP[o];
      if (symmetric) b = c = (b + c) / 2;
      const [x, y] = d_p;
      best = Math.max(best, (0.5 * (e * x * x - (b + c) * x * y + a * y * y)) / (a * e - b * c));
    }
  }
  expect(bins.fbin.length).toBe(size.n_b);
  expect(set.data.length).toBe(size.n_d);
  return best;
}

/** z_mp = a_d^-2 sum_b w conj(h) exp(2 pi i f t). */
function directTransform({ size, bins, set, plan, h_smpcb }: Model, d: number, time: number) {
  const { of, drift } = set.data[d];
  return Array.from({ length: 2 * size.mArr.length }, (_, row) => {
    let [re, im] = [0, 0];
    bins.fbin.forEach((f, b) => {
      const at = (d * 2 * size.mArr.length + row) * size.n_b + b;
      const [wr, wi] = [of.dhRe_dmpb[at], of.dhIm_dmpb[at]];
      const [hr, hi] = [h_smpcb[row * 2 * plan.n_bp + b], h_smpcb[(row * 2 + 1) * plan.n_bp + b]];
      const [gr, gi] = [wr * hr + wi * hi, wi * hr - wr * hi];
      const angle = 2 * Math.PI * ((f * time) % 1);
      re += gr * Math.cos(angle) - gi * Math.sin(angle);
      im += gr * Math.sin(angle) + gi * Math.cos(angle);
    });
    return { re: re / (drift * drift), im: im / (drift * drift) };
  });
}

/** H_pP(o) = a_d^-2 Re sum_M hh_MpP e^{i (m - m') phi_o}, as [00, 01, 10, 11] of each phase. */
function directH({ size, set, plan, h_smpcb }: Model, d: number): number[][] {
  const { mArr, n_phi, n_b } = size;
  const { of, drift } = set.norms[d];
  const pairs = modePairs(mArr.length);
  const H_opP = Array.from({ length: n_phi }, () => [0, 0, 0, 0]);
  pairs.forEach(([m, m2], M) => {
    for (let c = 0; c < 4; c++) {
      const [rowA, rowB] = [2 * m + (c >> 1), 2 * m2 + (c & 1)];
      let [re, im] = [0, 0];
      for (let b = 0; b < n_b; b++) {
        const at = ((d * pairs.length + M) * 4 + c) * n_b + b;
        const [ar, ai] = [h_smpcb[rowA * 2 * plan.n_bp + b], h_smpcb[(rowA * 2 + 1) * plan.n_bp + b]];
        const [br, bi] = [h_smpcb[rowB * 2 * plan.n_bp + b], h_smpcb[(rowB * 2 + 1) * plan.n_bp + b]];
        const [xr, xi] = [ar * br + ai * bi, ai * br - ar * bi];
        re += of.hhRe_dMpPb[at] * xr - of.hhIm_dMpPb[at] * xi;
        im += of.hhRe_dMpPb[at] * xi + of.hhIm_dMpPb[at] * xr;
      }
      H_opP.forEach((H, o) => {
        const angle = (mArr[m] - mArr[m2]) * phiOf(o, n_phi);
        H[c] += (re * Math.cos(angle) - im * Math.sin(angle)) / (drift * drift);
      });
    }
  });
  return H_opP;
}
