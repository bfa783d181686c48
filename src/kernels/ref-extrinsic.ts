/** The definitions of the kernels of stage 4: ref-<topic>.ts for c/<topic>.c. Arguments: `extrinsic-table.ts`. */
import type { ExtrinsicKernels } from "./extrinsic-table.ts";
import { distanceMarginal } from "./ref-distance.ts";
import { bestPositive, keepPairs, pointProducts } from "./ref-points.ts";
import { byTime, convolve, delayPrior, proposalDensity } from "./ref-proposal.ts";
import { drawPoints, placePoints, skyBlock, skySort } from "./ref-sky.ts";

export const extrinsicReference: ExtrinsicKernels = {
  distanceMarginal,
  byTime,
  pointProducts,
  keepPairs,
  bestPositive,
  skyBlock,
  skySort,
  drawPoints,
  placePoints,
  convolve,
  delayPrior,
  proposalDensity,
};
