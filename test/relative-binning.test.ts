import { describe, expect, test } from "bun:test";
import {
  delayed,
  fadeBin,
  fadeNearMerger,
  type GridWaveform,
  rowOfWaveform,
  weightsOf,
} from "../src/gw/relative-binning.ts";
import { combinedPower, settingOf } from "../src/gw/setting.ts";
import { openNpz } from "../src/io/npz.ts";
import {
  CASES,
  caseName,
  complexOf,
  KERNELS,
  openCase,
  relativeError,
  runPath,
  SMALL,
} from "./reference-cases.ts";

function rawWaveform(path: string): GridWaveform {
  const npz = openNpz(path);
  const [grid, bins] = [complexOf(npz, "h0_raw_mpf"), complexOf(npz, "h0_raw_mpb")];
  return { n_p: 2, re_mpf: grid.re, im_mpf: grid.im, re_mpb: bins.re, im_mpb: bins.im };
}

for (const one of CASES) {
  test.skipIf(one.absent)(
    `the reference's weights from its h0: ${caseName(one)}`,
    () => {
      const { event, band, mArr } = openCase(one);
      const setting = settingOf(event, band, mArr.length, KERNELS);
      const raw = delayed(rawWaveform(runPath(one, "reference.npz")), setting, -event.tcoarse);
      const all = event.detectors.map((_, d) => d);
      const files = ["reference.npz", ...event.detectors.map((name) => `weights_${name}.npz`)];
      for (const [k, detectors] of [all, ...all.map((d) => [d])].entries()) {
        const faded = fadeNearMerger(raw, setting, combinedPower(setting, detectors));
        const h0 = delayed(faded, setting, event.tcoarse);
        const weights = weightsOf({ setting, h0, detectors });
        const expected = openNpz(runPath(one, files[k]));
        const dh = { re: weights.dhRe_dmpb, im: weights.dhIm_dmpb };
        const hh = { re: weights.hhRe_dMpPb, im: weights.hhIm_dMpPb };
        expect(relativeError(dh, complexOf(expected, "dh_weights_dmpb"))).toBeLessThan(1e-10);
        expect(relativeError(hh, complexOf(expected, "hh_weights_dmppb"))).toBeLessThan(1e-10);
        if (k > 0) continue;
        expect(relativeError({ re: h0.re_mpb, im: h0.im_mpb }, complexOf(expected, "h0_mpb"))).toBeLessThan(
          1e-10,
        );
      }
    },
    60_000,
  );
}

describe("small", () => {
  const { event, band, mArr } = openCase(SMALL);
  const setting = settingOf(event, band, mArr.length, KERNELS);
  const [n_f, n_b] = [event.n_f, band.fbin.length];
  const raw = delayed(rawWaveform(runPath(SMALL, "reference.npz")), setting, -event.tcoarse);
  const plus = rowOfWaveform(raw, 0, setting);
  const h2 = { n_p: 1 as const, re_mpf: plus.re_f, im_mpf: plus.im_f, re_mpb: plus.re_b, im_mpb: plus.im_b };

  test("a fade ends at the 99% of the SNR^2 of its own detectors", () => {
    const bins = [[0, 1, 2], [0], [1], [2]].map((detectors) =>
      fadeBin(plus, combinedPower(setting, detectors), setting),
    );
    // numpy: searchsorted on the cumulated sums
    expect(bins).toEqual([312, 313, 312, 306]);
  });

  test("a faded waveform is itself below the fade and a constant above it", () => {
    const faded = fadeNearMerger(h2, setting, combinedPower(setting, [0, 1, 2]));
    expect(faded.re_mpb.slice(0, 310)).toEqual(h2.re_mpb.slice(0, 310));
    expect(new Set(faded.im_mpb.slice(312))).toEqual(new Set([h2.im_mpb[312]]));
    expect(new Set(faded.re_mpf.slice(band.f_index[312]))).toEqual(new Set([h2.re_mpb[312]]));
  });

  test("inner products of h0 itself are the sums over the FFT grid, wherever h0 is put", () => {
    const faded = fadeNearMerger(h2, setting, combinedPower(setting, [1]));
    const h0 = delayed(faded, setting, event.tcoarse);
    const at = [band.f_index[0], band.f_index[n_b - 1]];
    const direct = { dhRe: 0, dhIm: 0, hh: 0 };
    for (let f = at[0]; f <= at[1]; f++) {
      const weight = 4 * event.df * event.whiten_df[n_f + f] ** 2;
      const [sRe, sIm] = [event.strainRe_df[n_f + f], event.strainIm_df[n_f + f]];
      direct.dhRe += weight * (sRe * h0.re_mpf[f] + sIm * h0.im_mpf[f]);
      direct.dhIm += weight * (sIm * h0.re_mpf[f] - sRe * h0.im_mpf[f]);
      direct.hh += weight * (h0.re_mpf[f] ** 2 + h0.im_mpf[f] ** 2);
    }
    // One mode with plus twice: (p, P) = (0, 0) is what the direct sums are.
    const twice = (x: Float64Array) => Float64Array.of(...x, ...x);
    const pair = (h: GridWaveform): GridWaveform => ({
      n_p: 2,
      re_mpf: twice(h.re_mpf),
      im_mpf: twice(h.im_mpf),
      re_mpb: twice(h.re_mpb),
      im_mpb: twice(h.im_mpb),
    });
    for (const [waveform, delay] of [
      [pair(h0), 0],
      [pair(faded), event.tcoarse],
      [faded, event.tcoarse],
    ] as const) {
      const weights = weightsOf({ setting, h0: waveform, detectors: [1], delay_d: [delay] });
      const sums = { dhRe: 0, dhIm: 0, hh: 0 };
      for (let b = 0; b < n_b; b++) {
        const [re, im] = [h0.re_mpb[b], h0.im_mpb[b]];
        sums.dhRe += weights.dhRe_dmpb[b] * re + weights.dhIm_dmpb[b] * im;
        sums.dhIm += weights.dhIm_dmpb[b] * re - weights.dhRe_dmpb[b] * im;
        sums.hh += weights.hhRe_dMpPb[b] * (re * re + im * im);
      }
      const scale = Math.hypot(direct.dhRe, direct.dhIm);
      expect(Math.abs(sums.dhRe - direct.dhRe) / scale).toBeLessThan(1e-11);
      expect(Math.abs(sums.dhIm - direct.dhIm) / scale).toBeLessThan(1e-11);
      expect(Math.abs(sums.hh / direct.hh - 1)).toBeLessThan(1e-12);
    }
  });
});
