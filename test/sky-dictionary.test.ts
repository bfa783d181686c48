import { describe, expect, test } from "bun:test";
import { antennaPatterns, detectorsNamed, geocenterDelays } from "../src/gw/detectors.ts";
import { buildSkyDictionary, chooseFSampling, delayBin } from "../src/gw/sky-dictionary.ts";

const N_S = 50_000;

for (const names of ["H", "HL", "HLV", "VHL"])
  describe(`sky dictionary of ${names}`, () => {
    const detectors = detectorsNamed(names);
    const sky = buildSkyDictionary(detectors, 8192, 1, N_S);
    const { lat_s, lon_s, binStart, directions, maxDelay, detectable } = sky;
    const delay_ds = geocenterDelays(detectors, lat_s, lon_s);
    const delay = (d: number, s: number) => Math.round((delay_ds[d * N_S + s]! - delay_ds[s]!) * 8192);
    const binOf = (s: number) =>
      delayBin(sky, names.length > 1 ? delay(1, s) : 0, names.length > 2 ? delay(2, s) : 0);

    test("holds every direction once, in the bin of its delays", () => {
      expect(new Set(directions).size).toBe(N_S);
      expect(binStart[0]).toBe(0);
      expect(binStart[binStart.length - 1]).toBe(N_S);
      for (let bin = 0; bin + 1 < binStart.length; bin++)
        for (let k = binStart[bin]!; k < binStart[bin + 1]!; k++)
          if (binOf(directions[k]!) !== bin) throw new Error(`direction ${directions[k]} is in bin ${bin}`);
    });

    test("detectable sources are the sums of |F|^3", () => {
      const response_dps = antennaPatterns(detectors, lat_s, lon_s);
      const expected = new Map<number, number>();
      let total = 0;
      for (let s = 0; s < N_S; s++) {
        let square = 0;
        for (let dp = 0; dp < 2 * detectors.length; dp++) square += response_dps[dp * N_S + s]! ** 2;
        expected.set(binOf(s), (expected.get(binOf(s)) ?? 0) + square ** 1.5);
        total += square ** 1.5;
      }
      detectable.forEach((share, bin) => {
        if (Math.abs(share - (expected.get(bin) ?? 0) / total) > 1e-12)
          throw new Error(`bin ${bin}: ${share}`);
      });
    });

    test("delays that light cannot make have no bin", () => {
      maxDelay.forEach((max, k) => {
        for (const beyond of [max + 1, -max - 1, 100_000, -100_000])
          expect(delayBin(sky, k === 0 ? beyond : 0, k === 1 ? beyond : 0)).toBe(-1);
      });
      // The corner of the grid is inside both ranges, and outside the ellipse of delays that go together.
      if (names === "HLV") expect(delayBin(sky, maxDelay[0]!, -maxDelay[1]!)).toBe(-1);
    });
  });

test("directions are isotropic", () => {
  const { lat_s, lon_s } = buildSkyDictionary(detectorsNamed("H"), 8192, 5, N_S);
  const n = [lat_s.map((lat, s) => Math.cos(lat) * Math.cos(lon_s[s]!))];
  n.push(
    lat_s.map((lat, s) => Math.cos(lat) * Math.sin(lon_s[s]!)),
    lat_s.map(Math.sin),
  );
  const mean = (of: (s: number) => number) => lat_s.reduce((sum, _, s) => sum + of(s), 0) / N_S;
  for (let a = 0; a < 3; a++) {
    expect(Math.abs(mean((s) => n[a]![s]!))).toBeLessThan(1e-3);
    for (let b = 0; b < 3; b++)
      expect(Math.abs(mean((s) => n[a]![s]! * n[b]![s]!) - (a === b ? 1 / 3 : 0))).toBeLessThan(1e-3);
  }
});

test("is the same for the same seed, another for another", () => {
  const detectors = detectorsNamed("HL");
  const sky = buildSkyDictionary(detectors, 8192, 1, 5000);
  expect(buildSkyDictionary(detectors, 8192, 1, 5000)).toEqual(sky);
  expect(buildSkyDictionary(detectors, 8192, 2, 5000).lat_s).not.toEqual(sky.lat_s);
});

// Values of cogwheel 1.6.0, SkyDictionary.choose_f_sampling; beyond 8192 Hz it gives 0 and ours the rate itself.
test("the sampling rate is the multiple of the event's own that is closest to 8192 Hz", () => {
  expect([512, 1024, 1600, 2048, 3000].map(chooseFSampling)).toEqual([8192, 8192, 9600, 8192, 6000]);
  expect(chooseFSampling(10_000)).toBe(20_000);
});
