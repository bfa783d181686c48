/** The definitions of the kernels of stage 4: ref-<topic>.ts for c/<topic>.c. Arguments: `extrinsic-table.ts`. */
import type { ExtrinsicKernels } from "./extrinsic-table.ts";
import { distanceMarginal, distanceRows, splineFilter } from "./ref-distance.ts";
import { bestPositive, keepPairs, pointProducts, sumExp, worthwhilePairs } from "./ref-points.ts";
import { byTime, convolve, delayPrior, incoherentChi2, proposalDensity } from "./ref-proposal.ts";
import { drawPoints, placePoints, skyBlock, skySort } from "./ref-sky.ts";

export const extrinsicReference: ExtrinsicKernels = {
  distanceMarginal,
  distanceRows,
  splineFilter,
  byTime,
  pointProducts,
  keepPairs,
  bestPositive,
  worthwhilePairs,
  sumExp,
  incoherentChi2,
  skyBlock,
  skySort,
  drawPoints,
  placePoints,
  convolve,
  delayPrior,
  proposalDensity,
};
