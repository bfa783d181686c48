import { describe, expect, test } from "bun:test";
import { antennaPatterns, detectorsNamed, geocenterDelays } from "../src/gw/detectors.ts";
import { buildSkyDictionary, chooseFSampling, skyAngles } from "../src/gw/sky-dictionary.ts";
import { availableKernels, loadKernels } from "../src/kernels/table.ts";

const N_S = 50_000;
const ALL = Int32Array.from({ length: N_S }, (_, s) => s);

describe.each(
  ["H", "HL", "HLV", "VHL"].flatMap((names) => availableKernels().map((kernel) => [names, kernel] as const)),
)("sky dictionary of %s by %s", (names, kernel) => {
  const detectors = detectorsNamed(names);
  const sky = buildSkyDictionary(detectors, 8192, 1, N_S, loadKernels(kernel));
  const { binStart, directions, maxDelay, detectable } = sky;
  const { lat: lat_s, lon: lon_s } = skyAngles(sky, ALL);
  const delay_ds = geocenterDelays(detectors, lat_s, lon_s);
  const delay = (d: number, s: number) => Math.round((delay_ds[d * N_S + s]! - delay_ds[s]!) * 8192);
  const binOf = (s: number) => {
    let bin = 0;
    for (let d = 1; d < names.length; d++)
      bin = bin * (2 * maxDelay[d - 1]! + 1) + delay(d, s) + maxDelay[d - 1]!;
    return bin;
  };

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
      if (Math.abs(share - (expected.get(bin) ?? 0) / total) > 1e-12) throw new Error(`bin ${bin}: ${share}`);
    });
  });

  test("has room for every delay that light can make, and no more", () => {
    let n_bin = 1;
    for (let d = 1; d < names.length; d++) {
      const [a, b] = [detectors[0]!.location, detectors[d]!.location];
      const distance = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
      expect(maxDelay[d - 1]).toBe(Math.ceil((distance / 299792458) * 8192));
      n_bin *= 2 * maxDelay[d - 1]! + 1;
    }
    expect(binStart.length).toBe(n_bin + 1);
  });
});

test("directions are isotropic", () => {
  const { lat: lat_s, lon: lon_s } = skyAngles(buildSkyDictionary(detectorsNamed("H"), 8192, 5, N_S), ALL);
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
  expect(buildSkyDictionary(detectors, 8192, 2, 5000).low).not.toEqual(sky.low);
});

// Values of cogwheel 1.6.0, SkyDictionary.choose_f_sampling; beyond 8192 Hz it gives 0 and ours the rate itself.
test("the sampling rate is the multiple of the event's own that is closest to 8192 Hz", () => {
  expect([512, 1024, 1600, 2048, 3000].map(chooseFSampling)).toEqual([8192, 8192, 9600, 8192, 6000]);
  expect(chooseFSampling(10_000)).toBe(20_000);
});
