/** The kernels of `setup-table.ts` in TypeScript. */
import { bestResponses, jointArrivals } from "./ref-detector-fit.ts";
import { fft, twiddles } from "./ref-fft.ts";
import { fitBasis } from "./ref-low-rank.ts";
import { matched, medianDeviation, powerSums, spread, withoutHoles } from "./ref-noise.ts";
import { powerIndex, smoothMode, splineSum } from "./ref-smooth-waveform.ts";
import { summaryWeights, turn } from "./ref-summary-weights.ts";
import type { SetupKernels } from "./setup-table.ts";

export const setupReference: SetupKernels = {
  turn,
  summaryWeights,
  smoothMode,
  splineSum,
  powerIndex,
  fft,
  twiddles,
  powerSums,
  matched,
  withoutHoles,
  medianDeviation,
  spread,
  bestResponses,
  jointArrivals,
  fitBasis,
};
