/** Weights from the reference run's h0, for all detectors together and for each alone. */
import type { Weights } from "../../src/gw/reference.ts";
import { openNpz } from "../../src/io/npz.ts";
import { complexOf, relativeError, runPath } from "../../test/reference-cases.ts";
import type { Level } from "./level.ts";

const ALLOWED = 1e-10;

export const weightsLevel: Level = {
  name: "weights",
  quantities: ["dh, all detectors", "hh, all detectors", "dh, each alone", "hh, each alone"].map((name) => ({
    name,
    unit: "relative",
    allowed: ALLOWED,
  })),
  async measure({ one, event, reference }) {
    const alone = event.detectors.map((name, d) =>
      errorsOf(reference.single[d], runPath(one, `weights_${name}.npz`)),
    );
    return [
      ...errorsOf(reference.coherent, runPath(one, "reference.npz")),
      Math.max(...alone.map(([dh]) => dh)),
      Math.max(...alone.map(([, hh]) => hh)),
    ];
  },
};

function errorsOf(weights: Weights, path: string): [dh: number, hh: number] {
  const file = openNpz(path);
  const { dhRe_dmpb, dhIm_dmpb, hhRe_dMpPb, hhIm_dMpPb } = weights;
  return [
    relativeError({ re: dhRe_dmpb, im: dhIm_dmpb }, complexOf(file, "dh_weights_dmpb")),
    relativeError({ re: hhRe_dMpPb, im: hhIm_dMpPb }, complexOf(file, "hh_weights_dmppb")),
  ];
}
