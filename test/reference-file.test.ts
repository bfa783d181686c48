import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Alignment, Weights } from "../src/gw/reference.ts";
import { encodeReference, readReference } from "../src/gw/reference-file.ts";
import { encodeNpz, type NpzEntry, openNpz } from "../src/io/npz.ts";
import { expectRefusal, temporaryFolder, writeTemporary } from "./io-helpers.ts";
import {
  CASES,
  caseName,
  complexOf,
  KERNELS,
  openCase,
  posteriorField,
  real,
  relativeError,
  runPath,
  SMALL,
} from "./reference-cases.ts";

function errorsOfWeights(weights: Weights, path: string): number[] {
  const npz = openNpz(path);
  return [
    relativeError({ re: weights.dhRe_dmpb, im: weights.dhIm_dmpb }, complexOf(npz, "dh_weights_dmpb")),
    relativeError({ re: weights.hhRe_dMpPb, im: weights.hhIm_dMpPb }, complexOf(npz, "hh_weights_dmppb")),
  ];
}

/** Relative errors of the fit weights and of h0 (m = 2, plus). */
function errorsOfAlignment({ polyfit_b, h2plusRe_b, h2plusIm_b }: Alignment, path: string): number[] {
  const npz = openNpz(path);
  return [
    relativeError(real(polyfit_b), real(npz.get("polyfit_weights").toFloat64())),
    relativeError({ re: h2plusRe_b, im: h2plusIm_b }, complexOf(npz, "h2plus0_fbin")),
  ];
}

for (const one of CASES) {
  describe.skipIf(one.absent)(caseName(one), () => {
    const { event, band, mArr } = one.absent ? ({} as ReturnType<typeof openCase>) : openCase(one);
    const path = runPath(one, "reference.npz");
    const read = () => readReference(path, event, band, mArr, KERNELS);

    test("weights, alignment, drift, arrivals and frame are the run's", () => {
      const reference = read();
      for (const error of errorsOfWeights(reference.coherent, path)) expect(error).toBeLessThan(1e-10);
      for (const [d, name] of event.detectors.entries()) {
        const alone = runPath(one, `weights_${name}.npz`);
        for (const error of errorsOfWeights(reference.single[d], alone)) expect(error).toBeLessThan(1e-10);
      }
      expect(errorsOfAlignment(reference.coherentAlignment, path)).toEqual([0, 0]);
      // The raw waveform of the fit is not in the file but for its values on the bins.
      const [polyfit, h2plus] = errorsOfAlignment(
        reference.singleAlignment,
        runPath(one, `weights_${event.detectors[0]}.npz`),
      );
      expect(polyfit).toBeLessThan(3e-9);
      expect(h2plus).toBeLessThan(1e-10);

      expect(reference.asdDrift_d).toEqual(openNpz(path).get("asd_drift").toFloat64());
      const t0_d = openNpz(runPath(one, "t0_d.npz")).get("t0").toFloat64();
      for (const [d, t0] of t0_d.entries()) expect(Math.abs(reference.arrival_d[d] - t0)).toBeLessThan(3e-14);
      expect(reference.frame).toMatchObject({
        tgps: event.tgps,
        detectorPair: posteriorField(one, "detector_pair"),
        refDetector: posteriorField(one, "ref_det_name"),
        fAvg: posteriorField(one, "f_avg"),
      });
    }, 60_000);
  });
}

describe("a file of our own", () => {
  const folder = temporaryFolder();
  const { event, band, mArr } = openCase(SMALL);
  const original = readReference(runPath(SMALL, "reference.npz"), event, band, mArr, KERNELS);

  test("reads back bit for bit, with and without weights of their own for each detector", () => {
    const shared = { ...original, single: singlesOf(original.coherent), sample: { bank: 1, i: 70_000 } };
    for (const [name, reference] of Object.entries({ original, shared })) {
      const path = writeTemporary(folder, `${name}.npz`, encodeReference(reference, event));
      expect(readReference(path, event, band, mArr, KERNELS)).toEqual({ ...reference, source: path });
      expect(openNpz(path).has("single_dh_weights_dmpb")).toBe(name === "original");
    }
  });

  function singlesOf(weights: Weights): Weights[] {
    const part = (x: Float64Array, d: number) => x.slice((d * x.length) / 3, ((d + 1) * x.length) / 3);
    return [0, 1, 2].map((d) => ({
      dhRe_dmpb: part(weights.dhRe_dmpb, d),
      dhIm_dmpb: part(weights.dhIm_dmpb, d),
      hhRe_dMpPb: part(weights.hhRe_dMpPb, d),
      hhIm_dMpPb: part(weights.hhIm_dMpPb, d),
    }));
  }

  test("has the reference run's entries", () => {
    const path = writeTemporary(folder, "entries.npz", encodeReference(original, event));
    const [found, expected] = [openNpz(path), openNpz(runPath(SMALL, "reference.npz"))];
    for (const name of ["h0_mpb", "dh_weights_dmpb", "hh_weights_dmppb", "h2plus0_fbin"]) {
      expect(found.get(name).shape).toEqual(expected.get(name).shape);
      expect(relativeError(complexOf(found, name), complexOf(expected, name))).toBeLessThan(1e-10);
    }
    for (const name of ["fbin", "m_arr", "asd_drift", "polyfit_weights"]) {
      expect(found.get(name).toFloat64()).toEqual(expected.get(name).toFloat64());
    }
    expect(found.get("detectors").toStrings()).toEqual(["HLV"]);
    const tau_d = found.get("tau_d").toFloat64();
    expect(tau_d[1] + 24).toBeCloseTo(24.0226904937501, 12);
  });

  /** Our file with some entries replaced. */
  function spoiled(replacements: Record<string, Omit<NpzEntry, "name">>): string {
    const path = writeTemporary(folder, "whole.npz", encodeReference(original, event));
    const npz = openNpz(path);
    const entries = npz.names.map((name): NpzEntry => {
      if (name in replacements) return { name, ...replacements[name] } as NpzEntry;
      const array = npz.get(name);
      const { shape, dtype } = array;
      if (dtype === "U") return { name, shape, dtype, data: array.toStrings() };
      if (dtype === "c16") return { name, shape, dtype, data: array.toComplex() };
      if (dtype === "i8") return { name, shape, dtype, data: array.toInt32() };
      return { name, shape, dtype: "f8", data: array.toFloat64() };
    });
    return writeTemporary(folder, "spoiled.npz", encodeNpz(entries));
  }
  const refuse = (path: string, exit: "mismatch" | "badData" | "notFinite", ...parts: string[]) =>
    expectRefusal(() => readReference(path, event, band, mArr, KERNELS), exit, ...parts);

  test("is refused with other detectors, modes, bins or another event", () => {
    refuse(
      spoiled({ detectors: { shape: [], dtype: "U", data: ["HL"] } }),
      "mismatch",
      "detectors",
      "HL,",
      "HLV",
    );
    const modes = { shape: [4], dtype: "i8" as const, data: Int32Array.of(2, 1, 4, 3) };
    refuse(spoiled({ m_arr: modes }), "mismatch", "m_arr", "[2,1,4,3]", "[2,1,3,4]");
    const fewer = { shape: [377], dtype: "f8" as const, data: band.fbin.slice(1) };
    refuse(spoiled({ fbin: fewer }), "mismatch", "fbin", "377", "378");
    const moved = band.fbin.map((f, b) => (b === 7 ? f + 0.5 : f));
    refuse(spoiled({ fbin: { shape: [378], dtype: "f8", data: moved } }), "mismatch", "fbin", "index 7");
    const frame = JSON.stringify({ ...original.frame, tgps: 1 });
    refuse(
      spoiled({ frame: { shape: [], dtype: "U", data: [frame] } }),
      "mismatch",
      "frame.tgps",
      "1186741861.5",
    );
  });

  test("is refused when damaged", () => {
    refuse(spoiled({ frame: { shape: [], dtype: "U", data: ["{}"] } }), "badData", "frame.tgps");
    refuse(spoiled({ frame: { shape: [], dtype: "U", data: ["{"] } }), "badData", "frame");
    const nan = { shape: [3], dtype: "f8" as const, data: Float64Array.of(1, Number.NaN, 1) };
    refuse(spoiled({ asd_drift: nan }), "notFinite", "asd_drift", "position 1");
    const short = { shape: [2], dtype: "f8" as const, data: Float64Array.of(1, 1) };
    refuse(spoiled({ asd_drift: short }), "badData", "asd_drift", "(2)", "(3)");
  });

  test("of a reference run, with the strain of another event, is refused", () => {
    const other = { ...event, strainRe_df: event.strainRe_df.map((x) => 1.01 * x) };
    const path = runPath(SMALL, "reference.npz");
    expectRefusal(
      () => readReference(path, other, band, mArr, KERNELS),
      "mismatch",
      "dh_weights_dmpb",
      "0.0",
    );
  });

  test("a file that is something else is refused", () => {
    const path = writeTemporary(folder, "other.npz", readFileSync(runPath(SMALL, "t0_d.npz")));
    refuse(path, "badData", "other.npz", "m_arr");
  });
});
